package engine

import (
	"fmt"
	"slices"
	"strings"

	"zarrbench/zarrio/internal/fileio"
)

// An IO is how an engine's workers read the files of a local directory. It has no effect on other
// stores.
//
// The data are the same for each IO. If a file system or the kernel refuses one, files are read
// buffered, and the engine's String tells why. On systems other than Linux all files are read
// buffered.
type IO int

const (
	// IOAuto reads what the page cache holds of a file buffered, and the rest direct.
	IOAuto IO = iota
	// IOBuffered reads through the page cache, which keeps what was read.
	IOBuffered
	// IODirect reads around the page cache (O_DIRECT).
	IODirect
	// IOUring is IODirect by io_uring: each worker has several reads in flight at once.
	IOUring
)

// String returns the name that ParseIO takes.
func (io IO) String() string {
	if io < 0 || int(io) >= len(fileio.Names()) {
		return fmt.Sprintf("IO(%d)", int(io))
	}
	return fileio.Mode(io).String()
}

// ParseIO returns the IO of that name: "auto", "buffered", "direct" or "uring".
func ParseIO(name string) (IO, error) {
	i := slices.Index(fileio.Names(), name)
	if i < 0 {
		return 0, fmt.Errorf("zarrio: I/O %q: want %s", name, strings.Join(fileio.Names(), ", "))
	}
	return IO(i), nil
}

// Mode returns the value for this module's engines. An invalid IO gives that of IOAuto.
func (io IO) Mode() fileio.Mode {
	if io < 0 || int(io) >= len(fileio.Names()) {
		return fileio.Auto
	}
	return fileio.Mode(io)
}
