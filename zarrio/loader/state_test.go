package loader_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
)

func marshal(t *testing.T, s loader.State) []byte {
	t.Helper()
	doc, err := json.Marshal(s)
	require.NoError(t, err)
	return doc
}

func unmarshal(t *testing.T, doc []byte) (s loader.State) {
	t.Helper()
	require.NoError(t, json.Unmarshal(doc, &s))
	return s
}

// aState is a state that is valid.
var aState = loader.State{
	Description: "0123456789abcdef",
	Windows:     731,
	Groups:      "fedcba9876543210",
	Shuffle:     loader.ByChunk,
	Seed:        math.MaxUint64,
	Epoch:       3,
	Position:    12,
	Lanes:       24,
	GlobalBatch: 48,
	Tail:        loader.TailDrop,
}

const aStateJSON = `{"version":1,"description":"0123456789abcdef","windows":731,"groups":"fedcba9876543210","shuffle":"chunk",` +
	`"seed":18446744073709551615,"epoch":3,"position":12,"lanes":24,"global_batch":48,"tail":"drop"}`

func TestStateJSON(t *testing.T) {
	require.Equal(t, aStateJSON, string(marshal(t, aState)))
	require.Equal(t, aState, unmarshal(t, []byte(aStateJSON)))
	for _, tt := range []struct{ name, old, new, want string }{
		{"another version", `"version":1`, `"version":2`, "version 2: want 1"},
		{"no version", `"version":1,`, ``, "version: missing"},
		{"null", `"windows":731`, `"windows":null`, "windows: missing"},
		{"missing", `,"tail":"drop"`, ``, "tail: missing"},
		{"unknown", `"epoch"`, `"extra":1,"epoch"`, `unknown field "extra"`},
		{"case", `"epoch"`, `"Epoch"`, `epoch: missing`},
		{"twice", `"epoch":3`, `"epoch":3,"epoch":4`, `duplicate field "epoch"`},
		{"type", `"lanes":24`, `"lanes":"24"`, `lanes: want a whole number, found "24"`},
		{"fraction", `"lanes":24`, `"lanes":24.5`, `lanes: want a whole number, found 24.5`},
		{"negative seed", `"seed":18446744073709551615`, `"seed":-1`, `seed: want a whole number of 0 or more, found -1`},
		{"large seed", `"seed":18446744073709551615`, `"seed":18446744073709551616`, `seed: want a whole number`},
		{"shuffle", `"chunk"`, `"random"`, `shuffle "random": want sequential, window or chunk`},
		{"tail", `"drop"`, `"default"`, `tail "default": want short, drop or pad`},
		{"digest", `0123456789abcdef`, `0123456789ABCDEF`, `description "0123456789ABCDEF": want 16 hex digits`},
		{"groups", `fedcba9876543210`, `fedc`, `groups "fedc": want 16 hex digits`},
		{"lanes", `"lanes":24`, `"lanes":0`, "0 lanes: want at least 1"},
		{"windows", `"windows":731`, `"windows":23`, "23 windows: want at least 1 for each of 24 lanes"},
		{"global batch", `"global_batch":48`, `"global_batch":49`, "global batch of 49: want a multiple of the 24 lanes"},
		{"epoch", `"epoch":3`, `"epoch":-3`, "epoch -3: want 0 to"},
		{"position", `"position":12`, `"position":-1`, "position -1: want 0 to 731"},
		{"far position", `"position":12`, `"position":732`, "position 732: want 0 to 731"},
		{"array", aStateJSON, `[]`, "want a JSON object, found []"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := strings.Replace(aStateJSON, tt.old, tt.new, 1)
			require.NotEqual(t, aStateJSON, doc)
			s := aState
			err := json.Unmarshal([]byte(doc), &s)
			require.ErrorContains(t, err, "zarrio: loader: state: "+tt.want)
			require.Equal(t, aState, s, "an error leaves the state alone")
		})
	}
	_, err := json.Marshal(loader.State{})
	require.ErrorContains(t, err, "want 16 hex digits")
}

func FuzzState(f *testing.F) {
	f.Add([]byte(aStateJSON))
	f.Add([]byte(strings.ReplaceAll(aStateJSON, ",", " ,\n")))
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var s, again loader.State
		if json.Unmarshal(doc, &s) != nil {
			if s != again {
				t.Fatalf("an error left %+v", s)
			}
			return
		}
		out, err := json.Marshal(s)
		if err != nil || json.Unmarshal(out, &again) != nil || s != again {
			t.Fatalf("%+v is %s, and that %+v, %v", s, out, again, err)
		}
	})
}

// TestState follows the state through loops, breaks, errors and streams.
func TestState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := loadertest.Open(t, arraytest.Steps(t, 22, 4, false), zarrio.Options{})
		l := loadertest.New(t, g, engine.CPUOptions{}, iterOptions(3))
		at := func(epoch, position int) {
			t.Helper()
			require.Equal(t, []int{epoch, position}, []int{l.State().Epoch, int(l.State().Position)})
		}
		at(0, 0)
		for b, err := range l.Batches(t.Context()) {
			require.NoError(t, err)
			synctest.Wait() // until the next batches are filled
			if b.Index < 6 {
				at(0, b.First+b.Len)
				require.ErrorContains(t, l.Restore(l.State()), "an epoch is in progress")
			} else {
				at(1, 0)
			}
		}
		at(1, 0)
		for b := range l.Batches(t.Context()) {
			if b.Index == 1 {
				break
			}
		}
		at(1, 6)
		for _, err := range l.Stream(t.Context(), func(yield func([]int64) bool) { yield([]int64{3}) }) {
			require.NoError(t, err)
			at(1, 6)
		}
		_, err := l.Ceiling(t.Context())
		require.NoError(t, err)
		at(1, 6)
		s := l.State()
		for b := range l.Batches(t.Context()) { // it was cut short, so the next one begins
			require.Equal(t, []int{2, 0}, []int{b.Epoch, b.First})
			require.NoError(t, l.Seek(7, 5)) // of the next loop
			at(2, 3)
			break
		}
		for b := range l.Batches(t.Context()) {
			require.Equal(t, []int{7, 5}, []int{b.Epoch, b.First})
			at(7, 8)
			break
		}
		require.NoError(t, l.Restore(s))
		at(1, 6)
		for b := range l.Batches(t.Context()) {
			require.Equal(t, []int{1, 6}, []int{b.Epoch, b.First})
			break
		}
		require.NoError(t, l.Seek(4, l.Samples()))
		at(5, 0)
	})
}

// TestRestore: a state of a loader that would go on differently is refused by name.
func TestRestore(t *testing.T) {
	s := arraytest.Steps(t, 48, 4, false)
	s.Put(t, &arraytest.Array{Name: "u", Dims: []string{"time", "y", "x"}, Shape: []int{48, 4, 6}, Chunks: []int{3, 4, 6}})
	more := loadertest.Open(t, arraytest.Steps(t, 50, 4, false), zarrio.Options{})
	g := loadertest.Open(t, s, zarrio.Options{})
	base := loader.Options{Channels: []string{"t"}, World: 2, Lanes: 4, Batch: 4, Shuffle: loader.ByChunk, Seed: 1}
	state := loadertest.New(t, g, engine.CPUOptions{}, base).State()
	for _, tt := range []struct {
		name   string
		change func(o *loader.Options)
		group  *zarrio.Group
		want   string // in the error
	}{
		{"the same", func(*loader.Options) {}, g, ""},
		{"rank", func(o *loader.Options) { o.Rank = 1 }, g, ""},
		{"world", func(o *loader.Options) { o.World, o.Batch = 4, 2 }, g, ""},
		{"prefetch", func(o *loader.Options) { o.Prefetch = 4 }, g, ""},
		{"channels", func(o *loader.Options) { o.Channels = []string{"u"} }, g, "the description is "},
		{"windows", func(o *loader.Options) { o.Windows = []loader.Window{{Dim: "time", Size: 3, Overlap: 1}} }, g, "the description is "},
		{"partial", func(o *loader.Options) { o.Partial = true }, g, "the description is "},
		{"store", func(*loader.Options) {}, more, "the number of windows is 24 in the state, 25 here: use the same data and selection"},
		{"order", func(o *loader.Options) { o.Shuffle = loader.ByWindow }, g, "the order is chunk in the state, window here: use the same shuffle"},
		{"seed", func(o *loader.Options) { o.Seed = 2 }, g, "the seed is 1 in the state, 2 here"},
		{"lanes", func(o *loader.Options) { o.Lanes = 2 }, g, "the number of lanes is 4 in the state, 2 here: use 4 lanes"},
		{"batch", func(o *loader.Options) { o.Batch = 2 }, g, "the global batch is 8 in the state, 4 here: use a batch of 4 on each of 2 ranks"},
		{"tail", func(o *loader.Options) { o.Tail = loader.TailPad }, g, "the tail is drop in the state, pad here"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opt := base
			tt.change(&opt)
			l := loadertest.New(t, tt.group, engine.CPUOptions{}, opt)
			before := l.State()
			err := l.Restore(state)
			if tt.want == "" {
				require.NoError(t, err)
				require.Equal(t, state, l.State())
				return
			}
			require.ErrorContains(t, err, "zarrio: loader: restore: "+tt.want)
			require.Equal(t, before, l.State())
		})
	}
	t.Run("selection", func(t *testing.T) {
		var states []loader.State
		for k, picked := range [][]int32{{0, 1, 2, 3, 5, 6, 7, 9}, {0, 1, 2, 3, 5, 6, 7, 8}} {
			l := loadertest.New(t, g, engine.CPUOptions{}, base)
			require.NoError(t, l.SelectSteps(picked...))
			states = append(states, l.State())
			if k == 1 {
				require.ErrorContains(t, l.Restore(states[0]), "the selection of windows or their chunks is ")
			}
		}
	})
	t.Run("chunks", func(t *testing.T) {
		var groups []string
		for _, shuffle := range []loader.Shuffle{loader.ByWindow, loader.ByChunk} {
			for _, chunk := range []int{4, 6} {
				opt := base
				opt.Shuffle = shuffle
				g := loadertest.Open(t, arraytest.Steps(t, 48, chunk, false), zarrio.Options{})
				groups = append(groups, loadertest.New(t, g, engine.CPUOptions{}, opt).State().Groups)
			}
		}
		require.Equal(t, groups[0], groups[1], "chunks make no difference")
		require.NotEqual(t, groups[2], groups[3])
	})
	t.Run("position", func(t *testing.T) {
		l := loadertest.New(t, g, engine.CPUOptions{}, base)
		far := state
		far.Position = 7
		require.ErrorContains(t, l.Restore(far), "position 7 of lanes of 6 samples")
		require.ErrorContains(t, l.Restore(loader.State{}), "want 16 hex digits")
	})
	t.Run("seek", func(t *testing.T) {
		l := loadertest.New(t, g, engine.CPUOptions{}, base)
		require.ErrorContains(t, l.Seek(0, 3), "seek to epoch 0, sample 3: want a multiple of 2, the number of this rank's lanes")
		require.ErrorContains(t, l.Seek(0, 14), "want a sample of 0 to 12")
		require.NoError(t, l.Seek(0, 4))
		for b := range l.Batches(t.Context()) {
			require.Equal(t, "4 1 4", fmt.Sprint(b.First, b.Index, b.Len))
			break
		}
	})
}
