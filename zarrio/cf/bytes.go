package cf

import (
	"fmt"
	"slices"

	"zarrbench/zarrio/internal/ndcopy"
)

// UnpackBytes is [Unpack] of elements as they are in memory, in the machine's byte order and
// aligned for their type. raw may share memory with dst as src of Unpack may.
func UnpackBytes[D Float](p *Packing, dst []D, raw []byte) {
	switch t := p.Stored(); t {
	case Type{Kind: KindInt, Size: 1}:
		Unpack(p, dst, ndcopy.Elements[int8](raw))
	case Type{Kind: KindInt, Size: 2}:
		Unpack(p, dst, ndcopy.Elements[int16](raw))
	case Type{Kind: KindInt, Size: 4}:
		Unpack(p, dst, ndcopy.Elements[int32](raw))
	case Type{Kind: KindInt, Size: 8}:
		Unpack(p, dst, ndcopy.Elements[int64](raw))
	case Type{Kind: KindUint, Size: 1}:
		Unpack(p, dst, raw)
	case Type{Kind: KindUint, Size: 2}:
		Unpack(p, dst, ndcopy.Elements[uint16](raw))
	case Type{Kind: KindUint, Size: 4}:
		Unpack(p, dst, ndcopy.Elements[uint32](raw))
	case Type{Kind: KindUint, Size: 8}:
		Unpack(p, dst, ndcopy.Elements[uint64](raw))
	case Type{Kind: KindFloat, Size: 2}: // widened on the way, in dst's own memory
		all := ndcopy.Bytes(dst)
		single := ndcopy.Elements[float32](all[len(all)-4*len(dst):])
		FromHalf(single, ndcopy.Elements[uint16](raw))
		Unpack(p, dst, single)
	case Type{Kind: KindFloat, Size: 4}:
		Unpack(p, dst, ndcopy.Elements[float32](raw))
	case Type{Kind: KindFloat, Size: 8}:
		Unpack(p, dst, ndcopy.Elements[float64](raw))
	}
}

// WidenBytes makes int64s of integers of type t, as they are in memory: in dst itself, at its end.
func WidenBytes(dst []int64, t Type, raw []byte) error {
	switch t {
	case Type{Kind: KindInt, Size: 1}:
		widen(dst, ndcopy.Elements[int8](raw))
	case Type{Kind: KindInt, Size: 2}:
		widen(dst, ndcopy.Elements[int16](raw))
	case Type{Kind: KindInt, Size: 4}:
		widen(dst, ndcopy.Elements[int32](raw))
	case Type{Kind: KindUint, Size: 1}:
		widen(dst, raw)
	case Type{Kind: KindUint, Size: 2}:
		widen(dst, ndcopy.Elements[uint16](raw))
	case Type{Kind: KindUint, Size: 4}:
		widen(dst, ndcopy.Elements[uint32](raw))
	case Type{Kind: KindUint, Size: 8}:
		if i := slices.IndexFunc(dst, func(x int64) bool { return x < 0 }); i >= 0 {
			return fmt.Errorf("value %d at index %d is too large", uint64(dst[i]), i)
		}
	}
	return nil
}

func widen[T int8 | int16 | int32 | uint8 | uint16 | uint32](dst []int64, src []T) {
	for i, x := range src {
		dst[i] = int64(x)
	}
}
