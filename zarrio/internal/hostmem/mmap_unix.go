//go:build unix

package hostmem

import "golang.org/x/sys/unix"

const hugePage = 2 << 20

func mmap(n int) ([]byte, error) {
	// Whole huge pages: the kernel aligns a mapping of their size to them.
	b, err := unix.Mmap(-1, 0, (n+hugePage-1)&^(hugePage-1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, err
	}
	advise(b)
	return b[:n], nil
}

func munmap(b []byte) error { return unix.Munmap(b[:cap(b)]) }
