package codec

import (
	"fmt"
	"io"
)

// lenByHeader returns the length that a header gives, where it is within the limit.
func lenByHeader(n uint64, limit int) (int, error) {
	if limit < 0 || n > uint64(limit) {
		return 0, fmt.Errorf("decodes to %d bytes by its header, at most %d are expected", n, limit)
	}
	return int(n), nil
}

// count reads all of r and returns how many bytes that was, or an error where they are more than limit.
func (s *Scratch) count(r io.Reader, limit int) (int, error) {
	buf := grow(&s.planes, 32<<10)
	n := 0
	for {
		m, err := r.Read(buf)
		n += m
		if n > limit {
			return 0, fmt.Errorf("decodes to more than %d bytes", limit)
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return 0, cutShort(err)
		}
	}
}
