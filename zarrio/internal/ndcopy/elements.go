package ndcopy

import "unsafe"

// Bytes returns the bytes of v, which are the same memory.
func Bytes[T any](v []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(*new(T))))
}

// Elements is the inverse of [Bytes]. raw is aligned for T.
func Elements[T any](raw []byte) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(raw))), len(raw)/int(unsafe.Sizeof(*new(T))))
}
