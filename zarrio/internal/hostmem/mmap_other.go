//go:build !unix

package hostmem

func mmap(n int) ([]byte, error) { return Make(n), nil }

func munmap([]byte) error { return nil }

// Limit returns how many bytes of memory this process may use; it is not known on this system.
func Limit() int64 { return 1<<63 - 1 }

// Available returns how many bytes of memory are free for this process; it is not known on this system.
func Available() int64 { return 1<<63 - 1 }
