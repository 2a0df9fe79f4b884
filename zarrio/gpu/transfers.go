//go:build gds && linux && (amd64 || arm64)

package gpu

// A Path is the way that bytes took from files to the GPU.
type Path string

// The paths.
const (
	PathNone         Path = "nothing read"
	PathHost         Path = "host"               // the CPU read, decoded where needed, and copied
	PathGDS          Path = "true GDS"           // cuFile's direct path: nvidia-fs, or peer to peer
	PathCuFileCompat Path = "cuFile compat"      // cuFile read by POSIX calls into host memory, and copied
	PathKvikIOCompat Path = "kvikIO compat"      // cuFile was not used; POSIX calls into pinned memory
	PathMixed        Path = "mixed"              // several of these
	PathUnknown      Path = "cuFile, unverified" // cuFile read, and its counts don't tell how
)

// Transfers counts how bytes came into the GPU, and what cuFile tells of it.
type Transfers struct {
	CuFileBytes    int64 // that cuFile read from files: in whole pages, which may be more than what batches need of them
	HostBytes      int64 // copied from host memory, decoded by the CPU or read by it for the CPU's way
	BounceBytes    int64 // read from files that cuFile could have read, by POSIX calls into pinned memory (kvikIO's compatibility mode, and reads below its threshold)
	UnalignedBytes int64 // of CuFileBytes, those of reads whose offset, size or place was not a multiple of 4 KiB
	InPlaceBytes   int64 // of CuFileBytes, those read straight into the batch
	Opened         int64 // files opened and registered
	Evicted        int64 // of them, files closed to make room for others

	// NoDirect reports that cuFile found neither nvidia-fs nor peer-to-peer access: all that it reads goes through host memory.
	NoDirect bool

	// Counted reports whether cuFile has statistics, as it has from version 1.15 on. They are those of the whole process, since
	// the engine was made: P2PReads to UnalignedReads count calls of cuFileRead, and Batch the reads of batches.
	Counted                                         bool
	P2PReads, NVFSReads, POSIXReads, UnalignedReads int64
	Batch                                           BatchReads
}

// BatchReads counts the reads of cuFile's batches, by what carried them.
type BatchReads struct {
	Submitted int64 // by the engine
	Total     int64 // by cuFile's count, of the whole process, as are the others
	P2P, NVFS int64 // straight into the GPU's memory
	POSIX     int64 // through host memory
	Async     int64 // by asynchronous I/O or io_uring: through host memory too if there is no direct path
}

// Verified reports whether cuFile's counts account for each of the reads.
func (b BatchReads) Verified() bool {
	return b.P2P+b.NVFS+b.POSIX+b.Async == b.Total && b.Total >= b.Submitted
}

// Add adds the counts of o. A flag is set if either has it, but for Counted, which both must have unless t is the zero value.
func (t *Transfers) Add(o Transfers) {
	counted := o.Counted && (t.Counted || *t == Transfers{})
	t.each(&o, 1)
	t.Counted, t.NoDirect = counted, t.NoDirect || o.NoDirect
}

// Sub returns what was counted since o, which is what the same engine counted earlier, or the zero value.
func (t Transfers) Sub(o Transfers) Transfers {
	t.each(&o, -1)
	return t
}

// each adds each count of o, times sign.
func (t *Transfers) each(o *Transfers, sign int64) {
	for _, c := range []struct {
		to   *int64
		from int64
	}{
		{&t.CuFileBytes, o.CuFileBytes}, {&t.HostBytes, o.HostBytes}, {&t.BounceBytes, o.BounceBytes},
		{&t.UnalignedBytes, o.UnalignedBytes}, {&t.InPlaceBytes, o.InPlaceBytes}, {&t.Opened, o.Opened}, {&t.Evicted, o.Evicted},
		{&t.P2PReads, o.P2PReads}, {&t.NVFSReads, o.NVFSReads}, {&t.POSIXReads, o.POSIXReads}, {&t.UnalignedReads, o.UnalignedReads},
		{&t.Batch.Submitted, o.Batch.Submitted}, {&t.Batch.Total, o.Batch.Total}, {&t.Batch.P2P, o.Batch.P2P},
		{&t.Batch.NVFS, o.Batch.NVFS}, {&t.Batch.POSIX, o.Batch.POSIX}, {&t.Batch.Async, o.Batch.Async},
	} {
		*c.to += sign * c.from
	}
}

// Path returns the path that the counts tell of. It is PathGDS only if cuFile's own counts show each read on a direct path.
func (t Transfers) Path() Path {
	var paths []Path
	if t.CuFileBytes > 0 {
		paths = append(paths, t.cuFilePath())
	}
	if t.BounceBytes > 0 {
		paths = append(paths, PathKvikIOCompat)
	}
	if t.HostBytes > 0 {
		paths = append(paths, PathHost)
	}
	switch len(paths) {
	case 0:
		return PathNone
	case 1:
		return paths[0]
	}
	return PathMixed
}

// cuFilePath returns the path of what cuFile read.
func (t *Transfers) cuFilePath() Path {
	b := &t.Batch
	direct, host := t.P2PReads+t.NVFSReads+b.P2P+b.NVFS, t.POSIXReads+b.POSIX
	known := t.Counted && b.Verified()
	if t.NoDirect {
		host += b.Async
	} else {
		known = known && b.Async == 0
	}
	switch {
	case direct > 0 && host > 0:
		return PathMixed
	case direct > 0 && known:
		return PathGDS
	case t.NoDirect, host > 0 && known:
		return PathCuFileCompat
	}
	return PathUnknown
}
