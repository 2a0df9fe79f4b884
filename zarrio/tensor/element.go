package tensor

import (
	"fmt"
	"unsafe"

	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
)

// An Element is a Go type that elements of an array can be read as: one of the size and the kind of the
// array's data type. Datetime and Timedelta elements are int64 counts of the type's unit. Bool elements
// may be read as uint8 too.
type Element interface {
	bool | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64 | complex64 | complex128
}

// AsBytes returns the memory of s. It doesn't copy.
func AsBytes[T Element](s []T) []byte {
	return ndcopy.Bytes(s)
}

// FromBytes returns the memory of b as elements, for which b must be aligned. It doesn't copy. Bytes
// after the last whole element are left out.
func FromBytes[T Element](b []byte) []T {
	return ndcopy.Elements[T](b)
}

// Fits returns nil if elements of type d can be read as T, else the error that tells why not.
func Fits[T Element](d meta.DType) error {
	var kind meta.Kind
	switch any(*new(T)).(type) {
	case bool:
		kind = meta.Bool
	case int8, int16, int32, int64:
		kind = meta.Int
	case uint8, uint16, uint32, uint64:
		kind = meta.Uint
	case float32, float64:
		kind = meta.Float
	case complex64, complex128:
		kind = meta.Complex
	}
	same := d.Kind == kind || kind == meta.Int && (d.Kind == meta.Datetime || d.Kind == meta.Timedelta) || kind == meta.Uint && d.Kind == meta.Bool
	if d.Variant != "" { // Go has no such type; read it as an integer of the same size
		same = kind == meta.Uint || kind == meta.Int && d.Kind == meta.Int
	}
	if !same || d.Size != int(unsafe.Sizeof(*new(T))) {
		return fmt.Errorf("elements of type %s can't be read as %T", d, *new(T))
	}
	return nil
}
