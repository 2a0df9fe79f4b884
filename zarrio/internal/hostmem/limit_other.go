//go:build unix && !linux && !darwin

package hostmem

func advise([]byte) {}
