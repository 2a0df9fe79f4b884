//go:build !linux && !darwin

package hostmem

// Limit returns how many bytes of memory this process may use; it is not known on this system.
func Limit() int64 { return unknown }

// Available returns how many bytes this process can still take; it is not known on this system.
func Available() int64 { return unknown }
