package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"zarrbench/zarrio"
	"zarrbench/zarrio/store"
)

// A fault is a chunk that can't be read, or that is not there, or a whole shard.
type fault struct {
	Key     string `json:"key"`             // of the chunk or of the shard
	Inner   []int  `json:"inner,omitempty"` // of an inner chunk, its coordinates among those of the array
	Missing bool   `json:"missing,omitempty"`
	Error   string `json:"error,omitempty"` // of a chunk that is there
}

// checked says what came of reading all of an array's chunks.
type checked struct {
	Faults     []fault `json:"faults"`
	NotChecked string  `json:"not_checked,omitempty"` // why they could not be read
	Chunks     int     `json:"chunks_total"`          // what is decoded by itself, in shards too
	Read       int64   `json:"read_bytes"`
	Decoded    int64   `json:"checked_bytes"`
}

// checkArray reads every chunk of an array. Its error is that of the context.
func (c *command) checkArray(ctx context.Context, n *node) error {
	r := &checked{Faults: []fault{}}
	n.checked = r
	a := n.array
	if storage, err := a.Storage(); err == nil {
		r.Chunks = volume(counts(a.Metadata(), storage.Chunk))
	}
	stats, err := a.Check(ctx, func(err error) {
		if f := newFault(err); !f.Missing || !c.missingOK {
			r.Faults = append(r.Faults, f)
		}
	})
	if err == nil {
		err = c.checkNames(ctx, r, a)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if n.Unsupported != "" {
		r.NotChecked = n.Unsupported
	} else if err != nil {
		r.NotChecked = err.Error()
	}
	r.Read, r.Decoded = stats.ReadBytes, stats.DecodedBytes
	slices.SortFunc(r.Faults, func(f, g fault) int {
		return cmp.Or(compareKeys(f.Key, g.Key), slices.Compare(f.Inner, g.Inner))
	})
	return nil
}

// checkNames adds the names beneath an array that can't be used: links to nothing read as missing chunks otherwise.
func (c *command) checkNames(ctx context.Context, r *checked, a *zarrio.Array) error {
	st, ok := c.store.(store.Auditor)
	if !ok {
		return nil
	}
	var look func(dir string) error
	look = func(dir string) error {
		unusable, err := st.Unusable(ctx, dir)
		if err != nil {
			return err
		}
		for _, u := range unusable {
			r.Faults = append(r.Faults, fault{Key: path.Join(dir, u.Name), Error: u.Err.Error()})
		}
		names, err := st.List(ctx, dir)
		for _, name := range names {
			if name, isDir := strings.CutSuffix(name, "/"); isDir && err == nil {
				err = look(path.Join(dir, name))
			}
		}
		return err
	}
	if err := look(a.Path()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil // an array of consolidated metadata alone
}

func newFault(err error) fault {
	f := fault{Missing: errors.Is(err, zarrio.ErrMissingChunk)}
	e, ok := errors.AsType[*zarrio.ChunkError](err)
	if ok {
		f.Key, f.Inner = e.Key, e.Inner
	}
	switch {
	case f.Missing:
	case ok:
		f.Error = fmt.Sprintf("%s: %s", e.Step, strings.TrimPrefix(e.Err.Error(), e.Step+": "))
	default:
		f.Error = err.Error()
	}
	return f
}

// compareKeys compares keys, of which runs of digits count as the numbers that they are.
func compareKeys(a, b string) int {
	digits := func(s string) int { // how many s begins with
		return len(s) - len(strings.TrimLeft(s, "0123456789"))
	}
	for a != "" && b != "" {
		if m, n := digits(a), digits(b); m > 0 && n > 0 {
			if c := cmp.Or(cmp.Compare(m, n), strings.Compare(a[:m], b[:n])); c != 0 {
				return c
			}
			a, b = a[m:], b[n:]
			continue
		}
		if a[0] != b[0] {
			break
		}
		a, b = a[1:], b[1:]
	}
	return strings.Compare(a, b)
}

// String is a fault as a line.
func (f fault) String() string {
	s := "bad      "
	if f.Missing {
		s = "missing  "
	}
	s += printable(f.Key)
	if f.Inner != nil {
		s += " inner chunk " + fmt.Sprint(f.Inner)
	}
	if f.Error != "" {
		s += ": " + printable(f.Error)
	}
	return s
}

// reason is a fault as a list of bad steps has it.
func (f fault) reason() string {
	what := "chunk " + f.Key
	if f.Inner != nil {
		what += " inner chunk " + fmt.Sprint(f.Inner)
	}
	if f.Missing {
		return what + " is missing"
	}
	return what + ": " + f.Error
}

// A summary counts what was found of a store.
type summary struct {
	Nodes      int   `json:"nodes"`
	Arrays     int   `json:"arrays"`
	Errors     int   `json:"errors"`   // nodes that can't be described, or not all of them
	Unusable   int   `json:"unusable"` // names that the store has and that can't be used
	Stale      int   `json:"stale"`    // differences between consolidated metadata and documents
	NotChecked int   `json:"not_checked"`
	Chunks     int   `json:"chunks"` // of the arrays that were checked
	Bad        int   `json:"bad"`
	Missing    int   `json:"missing"`
	Read       int64 `json:"read_bytes"`
	Decoded    int64 `json:"decoded_bytes"`
}

func (s *summary) add(n *node) {
	s.Stale += len(n.Stale)
	if n.Kind == "unusable" {
		s.Unusable++
		return
	}
	s.Nodes++
	if n.Kind == "array" {
		s.Arrays++
	}
	if n.Error != "" {
		s.Errors++
	}
	if n.layout == nil || n.checked == nil {
		return
	}
	if n.NotChecked != "" {
		s.NotChecked++
	} else {
		s.Chunks += n.checked.Chunks
	}
	s.Read += n.Read
	s.Decoded += n.Decoded
	for _, f := range n.Faults {
		if f.Missing {
			s.Missing++
		} else {
			s.Bad++
		}
	}
}

// err is what makes the exit status 1, or nil. A check that could not check all does not say that all is well.
func (s *summary) err() error {
	var what []string
	if s.Errors > 0 {
		what = append(what, fmt.Sprintf("%d of %d nodes can't be described", s.Errors, s.Nodes))
	}
	if s.Unusable > 0 {
		what = append(what, fmt.Sprintf("%d names can't be used", s.Unusable))
	}
	if s.Stale > 0 {
		what = append(what, fmt.Sprintf("consolidated metadata are stale in %d places", s.Stale))
	}
	if s.NotChecked > 0 {
		what = append(what, fmt.Sprintf("%d of %d arrays can't be checked", s.NotChecked, s.Arrays))
	}
	if n := s.Bad + s.Missing; n > 0 {
		what = append(what, fmt.Sprintf("%d chunks are bad or missing", n))
	}
	if what == nil {
		return nil
	}
	return errors.New(strings.Join(what, "; "))
}

// printCheck checks all arrays and prints a line for each fault, array by array, and a summary.
func (c *command) printCheck(ctx context.Context, out *bufio.Writer, g *zarrio.Group) error {
	var total summary
	err := c.walk(ctx, g, func(n *node) error {
		if n.array != nil {
			if err := c.checkArray(ctx, n); err != nil {
				return err
			}
		}
		total.add(n)
		if n.Error != "" {
			fmt.Fprintf(out, "error    /%s: %s\n", printable(n.Path), printable(n.Error))
		}
		for _, text := range n.Stale {
			fmt.Fprintf(out, "stale    %s\n", printable(text))
		}
		if n.NotListed != "" {
			fmt.Fprintf(out, "note     /%s: %s\n", printable(n.Path), n.NotListed)
		}
		if n.array == nil {
			return out.Flush()
		}
		for _, f := range n.Faults {
			fmt.Fprintln(out, f)
		}
		if n.NotChecked != "" && n.Error == "" {
			fmt.Fprintf(out, "not checked: /%s: %s\n", printable(n.Path), printable(n.NotChecked))
		}
		return out.Flush() // arrays may take long
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d arrays, %d not checked; %d chunks, %s read, %s decoded: %d bad, %d missing\n",
		total.Arrays, total.NotChecked, total.Chunks, size(total.Read), size(total.Decoded), total.Bad, total.Missing)
	return total.err()
}
