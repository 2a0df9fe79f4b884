package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"zarrbench/zarrio"
)

// A fault is a chunk that can't be read, or that is not there.
type fault struct {
	Chunk   []int  `json:"chunk"` // its coordinates in the grid
	Key     string `json:"key,omitempty"`
	Missing bool   `json:"missing,omitempty"`
	Error   string `json:"error,omitempty"` // of a chunk that is there
}

// room bounds the memory for chunks that are checked at once.
const room = 1 << 30

// check reads every chunk of the array into memory that is thrown away, and lists those that fail. An array whose type or
// codecs can't be read is not checked.
func (n *node) check(ctx context.Context) error {
	if readable(ctx, n.array) != nil {
		return nil
	}
	m := n.array.Metadata()
	grid := counts(m)
	total := volume(grid)
	workers := min(total, 2*runtime.GOMAXPROCS(0), max(1, room/max(1, volume(m.Chunks)*m.DType.Size)))
	var (
		wg     sync.WaitGroup
		next   atomic.Int64
		mu     sync.Mutex
		faults = map[int]fault{}
	)
	for range workers {
		wg.Go(func() {
			var buf []byte
			coords := make([]int, len(grid))
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= total {
					return
				}
				for d, rest := len(grid)-1, i; d >= 0; d-- {
					coords[d], rest = rest%grid[d], rest/grid[d]
				}
				sel, elements := box(m, coords)
				if need := elements * m.DType.Size; cap(buf) < need {
					buf = make([]byte, need)
				}
				if _, err := n.array.ReadInto(ctx, sel, buf[:elements*m.DType.Size]); err != nil && ctx.Err() == nil {
					mu.Lock()
					faults[i] = newFault(coords, err)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	n.Checked = true
	var numbers []int
	for i := range faults {
		numbers = append(numbers, i)
	}
	slices.Sort(numbers)
	for _, i := range numbers {
		n.Faults = append(n.Faults, faults[i])
	}
	return nil
}

func newFault(coords []int, err error) fault {
	f := fault{Chunk: slices.Clone(coords), Missing: errors.Is(err, zarrio.ErrMissingChunk)}
	if e, ok := errors.AsType[*zarrio.ChunkError](err); ok {
		f.Key = e.Key
		f.Error = fmt.Sprintf("%s: %s", e.Step, strings.TrimPrefix(e.Err.Error(), e.Step+": "))
	} else {
		f.Error = err.Error()
	}
	if f.Missing {
		f.Error = ""
	}
	return f
}

// box selects the elements of the chunk at coords that lie in the array.
func box(m *zarrio.Metadata, coords []int) (sel zarrio.Selection, elements int) {
	sel, elements = make(zarrio.Selection, len(coords)), 1
	for d, c := range coords {
		lo, n := c*m.Chunks[d], m.Chunks[d]
		if m.Extents != nil {
			lo, n = 0, m.Extents[d][c]
			for _, before := range m.Extents[d][:c] {
				lo += before
			}
		}
		hi := min(lo+n, m.Shape[d])
		sel[d] = zarrio.Span(lo, hi)
		elements *= hi - lo
	}
	return sel, elements
}
