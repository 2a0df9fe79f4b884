//go:build !unix

package hostmem

func mmap(n int) ([]byte, error) { return Make(n), nil }

func munmap([]byte) error { return nil }
