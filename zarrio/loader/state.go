package loader

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"zarrbench/zarrio/meta"
)

// A State is where a loader is in its epochs, and what that depends on. It is the same for all ranks
// of a world. A loader of another world can go on from it, if it has the same lanes and the same
// global batch. Its JSON form has a version, and is parsed strictly.
type State struct {
	Description string // digest of what samples are: channels and windows
	Windows     int64  // windows of an epoch
	Groups      string // digest of which windows these are, and of how ByChunk groups them
	Shuffle     Shuffle
	Seed        uint64
	Epoch       int   // the epoch in progress, or the next one
	Position    int64 // samples of each lane that the epoch has taken
	Lanes       int   // of all ranks
	GlobalBatch int   // samples of a batch, of all ranks together
	Tail        Tail  // not TailDefault
}

// stateVersion is the version of a state's JSON form.
const stateVersion = 1

// A place is a position of each lane in an epoch.
type place struct{ epoch, pos int }

// setPlace sets the place behind the last batch that the loop got.
func (l *Loader) setPlace(epoch, pos int) {
	l.mu.Lock()
	l.place = place{epoch, pos}
	l.mu.Unlock()
}

// State returns the state behind the last batch that Batches has yielded. Batches that are filled
// ahead don't count, nor does Stream. Behind the last batch of an epoch, it is the beginning of the
// next one. After Seek or Restore, it is what these have set. State may be called in the loop.
func (l *Loader) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.place
	if l.share.batches(at.pos) == 0 {
		at = place{epoch: at.epoch + 1}
	}
	s := l.identity
	s.Epoch, s.Position = at.epoch, int64(at.pos)
	return s
}

// Restore has the next call of Batches go on from a state. It returns an error that names what
// differs if the state is of other samples, another order, or other lanes. World and Batch may
// differ if their product, the global batch, does not.
func (l *Loader) Restore(s State) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("zarrio: loader: restore: "+format, args...)
	}
	if err := s.check(); err != nil {
		return fail("%w", err)
	}
	have := &l.identity
	for _, d := range []struct {
		name        string
		state, here any
		advice      string
	}{
		{"description", s.Description, have.Description, "use the same channels and windows"},
		{"number of windows", s.Windows, have.Windows, "use the same data and selection"},
		{"order", s.Shuffle, have.Shuffle, "use the same shuffle"},
		{"selection of windows or their chunks", s.Groups, have.Groups, "use the same data and selection"},
		{"seed", s.Seed, have.Seed, "use the same seed"},
		{"number of lanes", s.Lanes, have.Lanes, fmt.Sprintf("use %d lanes", s.Lanes)},
		{"global batch", s.GlobalBatch, have.GlobalBatch, l.batchAdvice(s.GlobalBatch)},
		{"tail", s.Tail, have.Tail, "use the same tail"},
	} {
		if d.state != d.here {
			return fail("the %s is %v in the state, %v here: %s", d.name, d.state, d.here, d.advice)
		}
	}
	if span := int64(l.share.span()); s.Position > span {
		return fail("position %d of lanes of %d samples", s.Position, span)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running {
		return fail("an epoch is in progress")
	}
	l.place = place{s.Epoch, int(s.Position)}
	l.epoch, l.sample = s.Epoch, int(s.Position)*l.share.own
	return nil
}

// batchAdvice says which batch of each rank makes a global batch of n samples.
func (l *Loader) batchAdvice(n int) string {
	if n%l.opt.World != 0 {
		return fmt.Sprintf("no batch of a world of %d makes it", l.opt.World)
	}
	return fmt.Sprintf("use a batch of %d on each of %d ranks", n/l.opt.World, l.opt.World)
}

// newIdentity returns what all states of the loader have in common.
func (l *Loader) newIdentity() State {
	return State{
		Description: l.describe(),
		Windows:     int64(l.share.n),
		Groups:      l.order.digest(),
		Shuffle:     l.opt.Shuffle,
		Seed:        l.opt.Seed,
		Lanes:       l.share.count,
		GlobalBatch: l.opt.Batch * l.opt.World,
		Tail:        l.share.tail,
	}
}

// describe returns the digest of what a sample is.
func (l *Loader) describe() string {
	return digest(struct {
		Channels []string
		Windows  []Window
		Partial  bool
		Sample   *Description `json:",omitempty"`
	}{l.opt.Channels, l.opt.Windows, l.opt.Partial, l.opt.described()})
}

// digest returns the digest of what decides which windows the positions of an epoch are, besides
// its key.
func (o *order) digest() string {
	type run struct{ Windows, Stride, Chunk int }
	v := struct {
		Order  []int
		Counts []int
		Picked []int32
		Runs   []run // if windows are visited in groups
	}{Order: o.windows.order, Picked: o.windows.picked}
	counts := o.windows.counts()
	axes := len(o.windows.order)
	v.Counts = counts[:axes]
	if o.grouped() {
		for _, r := range o.runs[:axes] {
			v.Runs = append(v.Runs, run{r.windows, r.stride, r.chunk})
		}
	}
	return digest(v)
}

// digest returns the first 16 hex digits of the SHA-256 of v in JSON. v must have a JSON form.
func digest(v any) string {
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(v); err != nil {
		panic(err)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// check returns an error if no loader can have the state s.
func (s *State) check() error {
	switch {
	case !isDigest(s.Description):
		return fmt.Errorf("description %q: want 16 hex digits", s.Description)
	case !isDigest(s.Groups):
		return fmt.Errorf("groups %q: want 16 hex digits", s.Groups)
	case s.Shuffle < InOrder || s.Shuffle > ByChunk:
		return fmt.Errorf("invalid Shuffle %d", s.Shuffle)
	case s.Tail <= TailDefault || s.Tail > TailPad:
		return fmt.Errorf("invalid Tail %d", s.Tail)
	case s.Lanes < 1:
		return fmt.Errorf("%d lanes: want at least 1", s.Lanes)
	case s.Windows < int64(s.Lanes):
		return fmt.Errorf("%d windows: want at least 1 for each of %d lanes", s.Windows, s.Lanes)
	case s.GlobalBatch < 1 || s.GlobalBatch%s.Lanes != 0:
		return fmt.Errorf("global batch of %d: want a multiple of the %d lanes", s.GlobalBatch, s.Lanes)
	case s.Epoch < 0 || s.Epoch == math.MaxInt:
		return fmt.Errorf("epoch %d: want 0 to %d", s.Epoch, math.MaxInt-1)
	case s.Position < 0 || s.Position > s.Windows:
		return fmt.Errorf("position %d: want 0 to %d", s.Position, s.Windows)
	}
	return nil
}

// isDigest reports whether s has the form of a digest.
func isDigest(s string) bool {
	return len(s) == 16 && strings.Trim(s, "0123456789abcdef") == ""
}

// stateJSON is the JSON form of a state. Its fields are all required.
type stateJSON struct {
	Version     int    `json:"version"`
	Description string `json:"description"`
	Windows     int64  `json:"windows"`
	Groups      string `json:"groups"`
	Shuffle     string `json:"shuffle"`
	Seed        uint64 `json:"seed"`
	Epoch       int    `json:"epoch"`
	Position    int64  `json:"position"`
	Lanes       int    `json:"lanes"`
	GlobalBatch int    `json:"global_batch"`
	Tail        string `json:"tail"`
}

// MarshalJSON implements [json.Marshaler].
func (s State) MarshalJSON() ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("zarrio: loader: state: %w", err)
	}
	return json.Marshal(stateJSON{
		Version:     stateVersion,
		Description: s.Description,
		Windows:     s.Windows,
		Groups:      s.Groups,
		Shuffle:     s.Shuffle.String(),
		Seed:        s.Seed,
		Epoch:       s.Epoch,
		Position:    s.Position,
		Lanes:       s.Lanes,
		GlobalBatch: s.GlobalBatch,
		Tail:        s.Tail.String(),
	})
}

// UnmarshalJSON implements [json.Unmarshaler]. A field that is missing, unknown or named twice is an
// error, and so is another version.
func (s *State) UnmarshalJSON(doc []byte) error {
	parsed, err := parseState(doc)
	if err != nil {
		return fmt.Errorf("zarrio: loader: state: %w", err)
	}
	*s = parsed
	return nil
}

// parseState parses the JSON form of a state.
func parseState(doc []byte) (State, error) {
	var v stateJSON
	var shuffle, tail string
	fields := meta.Document{}
	err := eachField(doc, func(name string, value json.RawMessage) error {
		fields[name] = value
		return nil
	})
	if err != nil {
		return State{}, err
	}
	// The version comes first: a later one may have other fields.
	for _, f := range []struct {
		name string
		to   any
		want string
	}{
		{"version", &v.Version, "a whole number"},
		{"description", &v.Description, "a string"},
		{"windows", &v.Windows, "a whole number"},
		{"groups", &v.Groups, "a string"},
		{"shuffle", &shuffle, "a string"},
		{"seed", &v.Seed, "a whole number of 0 or more"},
		{"epoch", &v.Epoch, "a whole number"},
		{"position", &v.Position, "a whole number"},
		{"lanes", &v.Lanes, "a whole number"},
		{"global_batch", &v.GlobalBatch, "a whole number"},
		{"tail", &tail, "a string"},
	} {
		if meta.IsNull(fields[f.name]) {
			return State{}, fmt.Errorf("%s: missing", f.name)
		}
		if err := fields.Get(f.name, f.to, f.want); err != nil {
			return State{}, err
		}
		if f.name == "version" && v.Version != stateVersion {
			return State{}, fmt.Errorf("version %d: want %d", v.Version, stateVersion)
		}
		delete(fields, f.name)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		return State{}, fmt.Errorf("unknown field %q", name)
	}
	s := State{
		Description: v.Description,
		Windows:     v.Windows,
		Groups:      v.Groups,
		Shuffle:     Shuffle(slices.Index(shuffleNames[:], shuffle)),
		Seed:        v.Seed,
		Epoch:       v.Epoch,
		Position:    v.Position,
		Lanes:       v.Lanes,
		GlobalBatch: v.GlobalBatch,
		Tail:        Tail(slices.Index(tailNames[:], tail)),
	}
	if s.Shuffle < InOrder {
		return State{}, fmt.Errorf("shuffle %q: want sequential, window or chunk", shuffle)
	}
	if s.Tail <= TailDefault {
		return State{}, fmt.Errorf("tail %q: want short, drop or pad", tail)
	}
	return s, s.check()
}
