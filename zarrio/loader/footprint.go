package loader

import (
	"context"
	"fmt"

	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/hostmem"
	"zarrbench/zarrio/meta"
)

// Footprint returns the memory that filling the batches takes besides the batches themselves.
func (l *Loader) Footprint() meta.Footprint { return l.takes }

// Slots returns the number of batches that are allocated.
func (l *Loader) Slots() int { return l.opt.Prefetch + 1 + l.opt.Retain }

// prepare has the engine prepare for the first batch of the first epoch. batches is the size of all
// batches. It returns an error if there is too little memory for what the engine takes besides them.
func (l *Loader) prepare(ctx context.Context, batches int64) error {
	e, ok := l.engine.(engine.Preparer)
	if !ok {
		return nil
	}
	if _, err := l.planNext(ctx, l.epochSource(0, 0), &l.planned[0]); err != nil {
		return err
	}
	l.takes = e.Prepare(&l.planned[0].Plan, l.selected())
	if l.takes.OnDevice {
		batches = 0
	}
	available := hostmem.Available()
	if n := l.takes.Total(); batches+n > available {
		return fmt.Errorf("zarrio: loader: the batches need %d bytes of memory, and filling them %d "+
			"(buffers of workers %d, cached chunks %d, tables %d), but only %d are available: use fewer workers, or cache less",
			batches, n, l.takes.Workers, l.takes.Kept, l.takes.Tables, available)
	}
	return nil
}

// selected returns how many decoded bytes an epoch needs of the store, all ranks together: fields of
// the channels where they can be read alone, else whole chunks.
func (l *Loader) selected() int64 {
	type group struct {
		array *chunk.Array
		first int // chunk of step 0 and of the index 0 of further dimensions
	}
	chunks := func(axis stride, extent int) float64 {
		if axis.n <= 0 {
			return 1
		}
		return float64((extent + axis.n - 1) / axis.n)
	}
	total := 0.0
	seen := map[group]bool{}
	for i := range l.channels {
		c := &l.channels[i]
		a := c.array.Chunks()
		steps, rows, cols := l.windows.by[0].extent, l.windows.by[1].extent, l.windows.by[2].extent
		if c.step.n <= 0 {
			steps = 1
		}
		further, furtherChunks := 1.0, 1.0
		for i, f := range c.further {
			if f.n > 0 {
				extent := l.windows.by[gridAxes+i].extent
				further *= float64(extent)
				furtherChunks *= chunks(f, extent)
			}
		}
		if a.DecodesParts() || a.Raw() {
			total += further * float64(steps) * float64(rows) * float64(cols) * float64(a.Meta.DType.Size)
			continue
		}
		if g := (group{a, c.chunk0}); !seen[g] {
			seen[g] = true
			total += furtherChunks * chunks(c.step, steps) * chunks(c.grid[0], rows) * chunks(c.grid[1], cols) * float64(a.ChunkBytes())
		}
	}
	return int64(min(total, 1<<60))
}
