package loader

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/meta"
)

// Bad is what becomes of bad chunks, whose data are damaged. A codec can't decode them, a checksum
// fails, they have the wrong size, or the disk can't read them. What is wrong with the way to the
// data, such as a server that doesn't answer, is always an error. So is a GPU's or cuFile's. A
// missing chunk is not bad: Strict of [zarrio.Options] says what becomes of it.
type Bad int

// What becomes of bad chunks.
const (
	// BadError ends the epoch with an error.
	BadError Bad = iota
	// BadNaN has NaN in their place. [Loader.Bad] lists them. All tensors need a type that has NaN.
	BadNaN
)

var badNames = []string{"error", "nan"}

// ParseBad parses "error" or "nan".
func ParseBad(s string) (Bad, error) {
	i := slices.Index(badNames, s)
	if i < 0 {
		return 0, fmt.Errorf("bad chunks %q: want error or nan", s)
	}
	return Bad(i), nil
}

// String returns "error" or "nan".
func (b Bad) String() string {
	if b < 0 || int(b) >= len(badNames) {
		return fmt.Sprintf("Bad(%d)", int(b))
	}
	return badNames[b]
}

// MarshalText returns the text of String.
func (b Bad) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText parses the text of String.
func (b *Bad) UnmarshalText(text []byte) error {
	parsed, err := ParseBad(string(text))
	if err == nil {
		*b = parsed
	}
	return err
}

// maxBadListed is how many bad chunks a loader describes.
const maxBadListed = 20

// BadChunks are the bad chunks that a loader has met.
type BadChunks struct {
	Count int        // of different chunks
	First []BadChunk // the first 20 that were found, by array and chunk
}

// A BadChunk is a chunk that can't be read.
type BadChunk struct {
	Array string // its path in the store
	Chunk []int  // coordinates in the array's grid of chunks, or of inner chunks of shards
	// Steps are the indices [Steps[0], Steps[1]) along the step dimension that the chunk has. Both are
	// 0 if the array lacks that dimension.
	Steps [2]int
	// Samples are the windows that needed the chunk, of the batch that needed it first, in ascending
	// order. It is nil if a tensor that all batches share needed it.
	Samples []int64
	Reason  string
}

// String returns the array, the chunk, its steps and the reason, for a message.
func (c BadChunk) String() string {
	key := strings.ReplaceAll(strings.Trim(fmt.Sprint(c.Chunk), "[]"), " ", ".")
	steps := ""
	switch first, last := c.Steps[0], c.Steps[1]-1; {
	case first == last:
		steps = fmt.Sprintf(" (step %d)", first)
	case first < last:
		steps = fmt.Sprintf(" (steps %d to %d)", first, last)
	}
	return fmt.Sprintf("array %s, chunk %s%s: %s", c.Array, key, steps, c.Reason)
}

// A badList collects bad chunks. The loader's mu guards it.
type badList struct {
	seen  map[chunk.Key]struct{} // 24 bytes or so for each bad chunk
	first []BadChunk
}

// Bad returns the chunks that are NaN in batches that were filled so far, including those that the
// loop hasn't got yet. There are none unless Options.Bad is BadNaN. The list may be read by any
// goroutine, and doesn't change later.
func (l *Loader) Bad() BadChunks {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := slices.Clone(l.bad.first)
	slices.SortFunc(first, func(a, b BadChunk) int {
		return cmp.Or(strings.Compare(a.Array, b.Array), slices.Compare(a.Chunk, b.Chunk))
	})
	return BadChunks{Count: len(l.bad.seen), First: first}
}

// checkBad returns an error if bad chunks should become NaN and a tensor's type has none.
func (l *Loader) checkBad() error {
	if l.opt.Bad != BadNaN {
		return nil
	}
	for i := range l.parts {
		p := &l.parts[i]
		for _, o := range p.output {
			if l.outputs[o].NaN == nil {
				return fmt.Errorf("bad chunks can't become NaN: tensor %q has the type %s, which has none: "+
					"give it a type of floats, or refuse bad chunks", p.name, p.dtype)
			}
		}
	}
	return nil
}

// nanOf returns the element of a type that is NaN, in both parts of a complex one, or nil if the type
// has none.
func nanOf(d meta.DType) []byte {
	doc := ""
	switch d.Kind {
	case meta.Float:
		doc = `"NaN"`
	case meta.Complex:
		doc = `["NaN","NaN"]`
	default:
		return nil
	}
	e, err := meta.ParseV2Fill(json.RawMessage(doc), d)
	if err != nil { // a type of finite numbers alone
		return nil
	}
	return e
}

// badTo returns what p's Bad is when p fills a batch with the windows of the given numbers. It
// returns nil if bad chunks are errors.
func (l *Loader) badTo(p *plan.Plan, numbers []int64) func(*plan.ChunkRead, error) bool {
	if l.opt.Bad != BadNaN {
		return nil
	}
	return func(r *plan.ChunkRead, err error) bool {
		if !chunk.Damaged(err) {
			return false
		}
		l.addBad(r, p.Pieces[r.First:r.First+r.Count], numbers, err)
		return true
	}
}

// passBad is what a plan's Bad is when its chunks are read for no batch. It is nil if bad chunks are
// errors.
func (l *Loader) passBad() func(*plan.ChunkRead, error) bool {
	if l.opt.Bad != BadNaN {
		return nil
	}
	return func(_ *plan.ChunkRead, err error) bool { return chunk.Damaged(err) }
}

// addBad adds r's chunk to the list of bad ones.
func (l *Loader) addBad(r *plan.ChunkRead, pieces []plan.Piece, numbers []int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.bad.seen[r.Key()]; ok {
		return
	}
	if l.bad.seen == nil {
		l.bad.seen = map[chunk.Key]struct{}{}
	}
	l.bad.seen[r.Key()] = struct{}{}
	if len(l.bad.first) == maxBadListed {
		return
	}
	a := r.Array
	c := BadChunk{Array: a.Path, Chunk: make([]int, len(a.Grid.Counts)), Reason: badReason(err)}
	a.Grid.Coords(c.Chunk, r.Chunk)
	for i := range l.channels {
		if l.channels[i].array.Chunks() != a {
			continue
		}
		if d := slices.Index(l.channels[i].role, stepDim); d >= 0 {
			first := c.Chunk[d] * a.Grid.Chunks[d]
			c.Steps = [2]int{first, min(first+a.Grid.Chunks[d], a.Meta.Shape[d])}
		}
		break
	}
	if numbers != nil {
		windows := map[int64]bool{}
		for i := range pieces {
			windows[numbers[pieces[i].Sample]] = true
		}
		c.Samples = slices.Sorted(maps.Keys(windows))
	}
	l.bad.first = append(l.bad.first, c)
}

// badReason returns what is wrong with a chunk, without its name.
func badReason(err error) string {
	e, ok := errors.AsType[*meta.ChunkError](err)
	if !ok {
		return err.Error()
	}
	cause := strings.TrimPrefix(e.Err.Error(), e.Step+": ")
	if e.Step == "read" {
		return cause
	}
	return e.Step + ": " + cause
}
