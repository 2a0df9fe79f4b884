package store

import (
	"os"

	"golang.org/x/sys/unix"
)

var (
	Mincore   = mincore
	Cachestat = cachestat
)

// MincoreTells is mincoreTells for f.
func MincoreTells(f *os.File) (tells bool) {
	control(f, "test", func(fd int) error {
		var st unix.Stat_t
		err := unix.Fstat(fd, &st)
		tells = err == nil && mincoreTells(fd, &st)
		return err
	})
	return tells
}
