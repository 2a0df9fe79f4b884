package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"zarrbench/fixtures"
)

// An estimate is what fetching one variable takes, judged by the head of one of its chunks.
type estimate struct {
	objects  int64 // chunks of the source that something is taken of
	requests int64
	moved    int64 // bytes
	stored   int64 // bytes of whole objects
	chunks   int64 // of the output
	output   int64 // bytes of decoded elements
	packed   int64 // bytes that they take on the disk
}

func (e *estimate) add(o estimate) {
	e.objects += o.objects
	e.requests += o.requests
	e.moved += o.moved
	e.stored += o.stored
	e.chunks += o.chunks
	e.output += o.output
	e.packed += o.packed
}

// A plan is what a fetch will do.
type plan struct {
	options
	source *source
	sel    *selection
	units  []unit
	pins   []object
	vars   []estimate
	total  estimate
}

// makePlan opens the source, finds what is asked for, and looks at one chunk of each variable.
func makePlan(ctx context.Context, o options) (_ *plan, err error) {
	l := newLedger()
	ctx = withLedger(ctx, l)
	src, err := openSource(ctx, o)
	if err != nil {
		return nil, err
	}
	p := &plan{options: o, source: src}
	defer func() {
		if err != nil {
			src.Close()
		}
	}()
	if p.sel, err = selectData(ctx, src.group, o); err != nil {
		return nil, err
	}
	if p.units, err = p.sel.units(o.Form, o.whole); err != nil {
		return nil, err
	}
	if err = p.pin(ctx, l); err != nil {
		return nil, err
	}
	for i := range p.sel.vars {
		e, err := p.estimate(withLedger(ctx, newLedger()), i)
		if err != nil {
			return nil, err
		}
		p.vars = append(p.vars, e)
		p.total.add(e)
	}
	return p, nil
}

// estimate judges what variable number i takes.
func (p *plan) estimate(ctx context.Context, i int) (e estimate, err error) {
	v := &p.sel.vars[i]
	e.output = v.bytes(v.shape)
	e.packed = fixtures.Packed(p.Form, e.output)
	for _, u := range p.units {
		if u.v == i {
			e.chunks += (int64(u.steps) + int64(outputSteps(p.Form)) - 1) / int64(outputSteps(p.Form))
		}
	}
	e.packed += 4096 * e.chunks
	one, err := p.sample(ctx, v)
	if err != nil {
		return e, err
	}
	storage, err := v.array.Storage()
	if err != nil {
		return e, err
	}
	beside, lo, hi, steps := p.chunks(v, storage.Chunk)
	costs := make(map[[2]int]chunkCost) // few: all chunks but the first and the last are taken whole
	for at := lo - lo%steps; at < hi; at += steps {
		part := [2]int{max(lo-at, 0), min(hi-at, steps)}
		if _, ok := costs[part]; !ok && one != nil {
			costs[part] = one.cost(part[0], part[1])
		}
		e.objects += beside
		e.requests += beside * costs[part].requests
		e.moved += beside * costs[part].moved
		e.stored += beside * costs[part].stored
	}
	return e, nil
}

// chunks tells which chunks of the source a variable is in: how many beside each other, and, along time, those that hold the
// steps from lo to hi and have so many steps each.
func (p *plan) chunks(v *variable, chunk []int) (beside int64, lo, hi, steps int) {
	beside, hi, steps = 1, 1, 1
	for d, n := range v.array.Shape() {
		switch d {
		case v.level:
		case v.time:
			lo, hi, steps = p.sel.lo, p.sel.hi, chunk[d]
		default:
			beside *= int64((n + chunk[d] - 1) / chunk[d])
		}
	}
	return beside, lo, hi, steps
}

// print writes the plan.
func (p *plan) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "from %v\n", p.source.store)
	if p.sel.level != "" {
		fmt.Fprintf(&b, "  %s\n", p.sel.level)
	}
	if n := len(p.sel.times); n > 0 {
		fmt.Fprintf(&b, "  %d steps, %s to %s\n", n, formatTime(p.sel.times[0]), formatTime(p.sel.times[n-1]))
	}
	for _, note := range p.sel.notes {
		fmt.Fprintf(&b, "  note: %s\n", note)
	}
	for i, e := range p.vars {
		v := &p.sel.vars[i]
		form := "a scalar"
		if len(v.shape) > 0 {
			form = fmt.Sprint(strings.Join(v.dims, " x "), " ", v.shape)
		}
		fmt.Fprintf(&b, "  %s: %d objects, about %s of %s, as %s\n", v.name, e.objects, size(e.moved), size(e.stored), form)
	}
	fmt.Fprintf(&b, "to fetch: %d objects by about %d requests, about %s (estimated from the head of one chunk a variable; whole objects would be about %s)\n",
		p.total.objects, p.total.requests, size(p.total.moved), size(p.total.stored))
	fmt.Fprintf(&b, "to write: %d chunks, %d bytes of fields", p.total.chunks, p.total.output)
	if p.Form != fixtures.FormRaw {
		fmt.Fprintf(&b, ", at most about %s on the disk", size(p.total.packed))
	}
	fmt.Fprintf(&b, ", to %s\n", p.out)
	_, err := io.WriteString(w, b.String())
	return err
}

// size writes a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 10e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 10e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 10e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}

// checkSpace refuses a fetch that doesn't fit on the disk. have are bytes of it that are there already.
func (p *plan) checkSpace(have int64) error {
	dir := existing(p.out)
	freeBytes := p.free
	if freeBytes == nil {
		freeBytes = fixtures.FreeBytes
	}
	free, err := freeBytes(dir)
	if err != nil {
		return fmt.Errorf("free space of %s: %w", dir, err)
	}
	if need := p.total.packed - have; need > free {
		return fmt.Errorf("%s: the store needs %d bytes and %d are free: use fewer steps or another disk", p.out, need, free)
	}
	return nil
}

// existing returns the nearest folder above path that is there.
func existing(path string) string {
	dir := filepath.Dir(path)
	for !isDir(dir) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	return dir
}
