package arraytest

import (
	"os"
	"syscall"
	"time"
)

// changedAt returns when a file was last changed in any way.
func changedAt(info os.FileInfo) time.Time {
	c := info.Sys().(*syscall.Stat_t).Ctim
	return time.Unix(c.Unix())
}
