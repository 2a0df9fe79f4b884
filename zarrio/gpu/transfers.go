//go:build gds && linux && (amd64 || arm64)

package gpu

// A Path is the path that bytes took from files to the GPU.
type Path string

// The paths.
const (
	PathNone         Path = "nothing read"
	PathHost         Path = "host"               // the CPU read, decoded if needed, and copied
	PathGDS          Path = "true GDS"           // cuFile's direct path: nvidia-fs or peer to peer
	PathCuFileCompat Path = "cuFile compat"      // cuFile used POSIX calls into host memory
	PathKvikIOCompat Path = "kvikIO compat"      // POSIX calls into pinned memory, without cuFile
	PathMixed        Path = "mixed"              // several of these
	PathUnknown      Path = "cuFile, unverified" // cuFile read; its counts don't tell how
)

// Transfers counts the bytes that came to the GPU by each path, and holds cuFile's own counts.
type Transfers struct {
	// CuFileBytes counts bytes that cuFile read from files. It reads whole pages, which may be more
	// than what batches need.
	CuFileBytes int64
	// HostBytes counts bytes that the CPU read or decoded and that were copied from host memory.
	HostBytes int64
	// BounceBytes counts bytes that POSIX calls read into pinned memory, although cuFile could read
	// the files: in kvikIO's compatibility mode, and for reads below its threshold.
	BounceBytes int64
	// UnalignedBytes is the part of CuFileBytes from reads whose offset, size or destination was
	// not a multiple of 4 KiB.
	UnalignedBytes int64
	// InPlaceBytes is the part of CuFileBytes that was read straight into batches.
	InPlaceBytes int64

	Opened  int64 // files opened and registered
	Evicted int64 // files among them that were closed to make room for others

	// NoDirect reports whether cuFile found neither nvidia-fs nor peer-to-peer access. If so, all
	// that it reads goes through host memory.
	NoDirect bool

	// Counted reports whether cuFile has statistics, as it does from version 1.15 on. They cover
	// the whole process since the engine was made. P2PReads, NVFSReads, POSIXReads and
	// UnalignedReads count calls of cuFileRead; Batch counts the reads of batches.
	Counted                                         bool
	P2PReads, NVFSReads, POSIXReads, UnalignedReads int64
	Batch                                           BatchReads
}

// BatchReads counts the reads of cuFile's batches by the path they took. All counts but Submitted
// are cuFile's, for the whole process.
type BatchReads struct {
	Submitted int64 // by the engine
	Total     int64
	P2P, NVFS int64 // straight into the GPU's memory
	POSIX     int64 // through host memory
	// Async counts reads by asynchronous I/O or io_uring. They too go through host memory if there
	// is no direct path.
	Async int64
}

// Verified reports whether cuFile's counts account for each of the reads.
func (b BatchReads) Verified() bool {
	return b.P2P+b.NVFS+b.POSIX+b.Async == b.Total && b.Total >= b.Submitted
}

// Add adds the counts of o to t. It sets NoDirect if either has it set. It sets Counted if both
// have it set, or if o has and t is the zero value.
func (t *Transfers) Add(o Transfers) {
	counted := o.Counted && (t.Counted || *t == Transfers{})
	t.each(&o, 1)
	t.Counted, t.NoDirect = counted, t.NoDirect || o.NoDirect
}

// Sub returns what was counted since o. o holds earlier counts of the same engine, or is the zero
// value.
func (t Transfers) Sub(o Transfers) Transfers {
	t.each(&o, -1)
	return t
}

// each adds each count of o, multiplied by sign, to t's.
func (t *Transfers) each(o *Transfers, sign int64) {
	for _, c := range []struct {
		to   *int64
		from int64
	}{
		{&t.CuFileBytes, o.CuFileBytes},
		{&t.HostBytes, o.HostBytes},
		{&t.BounceBytes, o.BounceBytes},
		{&t.UnalignedBytes, o.UnalignedBytes},
		{&t.InPlaceBytes, o.InPlaceBytes},
		{&t.Opened, o.Opened},
		{&t.Evicted, o.Evicted},
		{&t.P2PReads, o.P2PReads},
		{&t.NVFSReads, o.NVFSReads},
		{&t.POSIXReads, o.POSIXReads},
		{&t.UnalignedReads, o.UnalignedReads},
		{&t.Batch.Submitted, o.Batch.Submitted},
		{&t.Batch.Total, o.Batch.Total},
		{&t.Batch.P2P, o.Batch.P2P},
		{&t.Batch.NVFS, o.Batch.NVFS},
		{&t.Batch.POSIX, o.Batch.POSIX},
		{&t.Batch.Async, o.Batch.Async},
	} {
		*c.to += sign * c.from
	}
}

// Path returns the path that the counts show. It is PathGDS only if cuFile's own counts show that
// every read took a direct path.
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

// cuFilePath returns the path of the bytes that cuFile read.
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
