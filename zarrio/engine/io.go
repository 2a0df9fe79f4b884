package engine

import (
	"fmt"
	"slices"
	"strings"

	"zarrbench/zarrio/internal/fileio"
)

// An IO is how an engine's workers read the files of a local directory. Stores of other kinds are read as they are.
//
// Whatever is chosen, the data are the same. Where a file system or the kernel refuses a way, files are read buffered, and the
// engine's String says why. On systems other than Linux all files are read buffered.
type IO int

const (
	// IOAuto looks at what the page cache holds of a file: that is read buffered, the rest direct.
	IOAuto IO = iota
	// IOBuffered reads through the page cache, which keeps what was read.
	IOBuffered
	// IODirect reads around the page cache (O_DIRECT).
	IODirect
	// IOUring is IODirect by io_uring: each worker has several reads under way at once.
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

// Mode returns the value for this module's engines. What is no IO is IOAuto.
func (io IO) Mode() fileio.Mode {
	if io < 0 || int(io) >= len(fileio.Names()) {
		return fileio.Auto
	}
	return fileio.Mode(io)
}
