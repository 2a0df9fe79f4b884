//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"encoding/binary"
)

// Stats counts what the library did in this process since it was loaded, on all of its GPUs. The reads of batches are in
// BatchReads and BatchBytes alone.
type Stats struct {
	Reads          uint64 // calls of cuFileRead that succeeded; versions 1.15 and 1.16 count each twice
	ReadErrors     uint64
	ReadBytes      uint64 // of calls of cuFileRead
	BatchBytes     uint64 // of batches
	TotalReads     uint64 // requests that the GPUs' counters know: a read can be several
	P2PReads       uint64 // by the kernel's PCI P2PDMA, straight into GPU memory
	NVFSReads      uint64 // by nvidia_fs, straight into GPU memory
	POSIXReads     uint64 // through host memory
	UnalignedReads uint64 // through bounce buffers
	RegisteredSize uint64 // bytes of registered GPU memory
	BatchReads     BatchReads
}

// BatchReads counts the reads that batches submitted, by what carries them. P2P to IOUring add up to Total where cuFile counts
// as it did in versions 1.15 to 1.20, without a GPU.
type BatchReads struct {
	Total   uint64
	P2P     uint64 // by the kernel's PCI P2PDMA, straight into GPU memory
	NVFS    uint64 // by nvidia_fs, straight into GPU memory
	POSIX   uint64 // by POSIX calls, through host memory
	AIO     uint64 // by asynchronous I/O: through host memory where there is neither P2PDMA nor nvidia_fs
	IOUring uint64 // by io_uring, as AIO
}

// sub returns what was counted since o.
func (b BatchReads) sub(o BatchReads) BatchReads {
	return BatchReads{
		Total: b.Total - o.Total, P2P: b.P2P - o.P2P, NVFS: b.NVFS - o.NVFS, POSIX: b.POSIX - o.POSIX, AIO: b.AIO - o.AIO, IOUring: b.IOUring - o.IOUring,
	}
}

// Sub returns what was counted since o. RegisteredSize is what it is now.
func (s Stats) Sub(o Stats) Stats {
	return Stats{
		Reads: s.Reads - o.Reads, ReadErrors: s.ReadErrors - o.ReadErrors, ReadBytes: s.ReadBytes - o.ReadBytes, BatchBytes: s.BatchBytes - o.BatchBytes,
		TotalReads: s.TotalReads - o.TotalReads, P2PReads: s.P2PReads - o.P2PReads, NVFSReads: s.NVFSReads - o.NVFSReads,
		POSIXReads: s.POSIXReads - o.POSIXReads, UnalignedReads: s.UnalignedReads - o.UnalignedReads,
		RegisteredSize: s.RegisteredSize, BatchReads: s.BatchReads.sub(o.BatchReads),
	}
}

// A rawStats has room for a CUfileStatsLevel3_t, which is 5112 bytes in version 1.20, and for what later ones may add.
type rawStats [16384]byte

const statsLevel = 3

// enableStats has the library count. Where it can't, it still reads: it is then a library without statistics.
func (l *library) enableStats() {
	if l.hasStats() && (check("", l.setLevel(statsLevel)) != nil || check("", l.startStats()) != nil) {
		l.getStats = nil
	}
}

func (l *library) hasStats() bool {
	return l.setLevel != nil && l.startStats != nil && l.getStats != nil
}

// Stats asks the library, or returns ErrNoStats where it doesn't count.
func (d *Driver) Stats() (Stats, error) {
	if !d.lib.hasStats() {
		return Stats{}, ErrNoStats
	}
	raw := new(rawStats)
	if err := d.ask(func() error { return check("cuFileGetStatsL3", d.lib.getStats(raw)) }); err != nil {
		return Stats{}, err
	}
	return raw.decode(d.lib.version), nil
}

// decode reads the fields at their offsets. Version 1.19 put 112 bytes of counters of vector reads before those of the GPUs.
func (r *rawStats) decode(version int) Stats {
	at := func(i int) uint64 { return binary.NativeEndian.Uint64(r[i:]) }
	s := Stats{
		Reads: at(0), ReadErrors: at(8), ReadBytes: at(96), BatchBytes: at(416),
		BatchReads: BatchReads{Total: at(400), P2P: at(336), NVFS: at(320), POSIX: at(272), AIO: at(352), IOUring: at(368)},
	}
	gpus := 1136
	if version < 1190 {
		gpus = 1024
	}
	const each, most = 248, 16
	for i := range min(int(binary.NativeEndian.Uint32(r[gpus:])), most) {
		gpu := gpus + 8 + i*each
		s.TotalReads += at(gpu + 48)
		s.P2PReads += at(gpu + 56)
		s.NVFSReads += at(gpu + 64)
		s.POSIXReads += at(gpu + 72)
		s.UnalignedReads += at(gpu + 80)
		s.RegisteredSize += at(gpu + 240)
	}
	return s
}
