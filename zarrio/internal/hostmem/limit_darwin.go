package hostmem

import (
	"math"
	"sync"

	"golang.org/x/sys/unix"
)

func advise([]byte) {}

// Limit returns how many bytes of memory this process may use: the machine's.
var Limit = sync.OnceValue(func() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil || n > math.MaxInt64 {
		return unknown
	}
	return int64(n)
})

// Available returns how many bytes this process can still take; on this system it is not known, and Limit stands for it.
func Available() int64 { return Limit() }
