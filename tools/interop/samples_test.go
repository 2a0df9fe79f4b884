package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
)

// A sampleCase is samples that samples.py computes: those of a description, or of windows.
type sampleCase struct {
	Name        string   `json:"name"`
	Store       string   `json:"store"`
	Description string   `json:"description,omitempty"` // a file
	Window      string   `json:"window,omitempty"`
	Channels    []string `json:"channels,omitempty"` // of windows
}

// computedSamples is what samples.py says of the samples of a case.
type computedSamples struct {
	Samples []int64 // the numbers of their windows; none if the loader has to refuse the description
	Tensors []computedTensor
}

// A computedTensor is a tensor of each sample, or of all if its shape and its elements say so.
type computedTensor struct {
	Name  string
	Shape []int   // of a sample
	Type  string  // of NumPy
	Times []times // by sample
	data  []byte
}

// times are those of a sample's steps, in nanoseconds since 1970.
type times []int64

// TestInteropSamples compares the samples of a loader with those that xarray, NumPy and xbatcher make.
func TestInteropSamples(t *testing.T) {
	exe := os.Getenv("ZARRBENCH_XARRAY")
	if exe == "" {
		t.Skip("ZARRBENCH_XARRAY names no Python with xarray and xbatcher: make interop prepares one")
	}
	dir := t.TempDir()
	var cases []sampleCase
	for name := range strings.FieldsSeq(samplesPython(t, exe, "write", dir)) {
		store := filepath.Join(dir, name)
		for _, f := range fixedDescriptions {
			cases = append(cases, describedCase(t, dir, store, f.name, f.description))
		}
		for seed := range uint64(6) {
			r := rand.New(rand.NewPCG(seed, uint64(len(cases))))
			cases = append(cases, describedCase(t, dir, store, fmt.Sprint("random ", seed), randomDescription(r)))
		}
		for _, w := range []string{"time=2", "time=3:1,latitude=4:2", "longitude=5,time=1,latitude=3:1", "latitude=9,time=4:3"} {
			cases = append(cases, sampleCase{Name: name + " window " + w, Store: store, Window: w, Channels: []string{"z@level=850,500", "t2m", "ens@number#1"}})
		}
	}
	list, err := json.Marshal(cases)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cases.json"), list, 0o666))
	out := filepath.Join(dir, "out")
	samplesPython(t, exe, "compute", filepath.Join(dir, "cases.json"), out)
	refused := 0
	for i, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			want := readComputed(t, filepath.Join(out, c.Name))
			if len(want.Samples) == 0 {
				refused++
				require.Regexp(t, "random|nothing", c.Name, "it has no samples")
			}
			c.compare(t, want, uint64(i))
		})
	}
	require.Less(t, refused, len(cases)/4, "cases without samples")
}

// samplesPython runs samples.py and returns what it prints.
func samplesPython(t *testing.T, exe string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), exe, append([]string{"-B", "samples.py"}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%v: %s", args, &stderr)
	return string(out)
}

// describedCase writes a description, and returns the case of it.
func describedCase(t *testing.T, dir, store, name, description string) sampleCase {
	t.Helper()
	c := sampleCase{Name: filepath.Base(store) + " " + name, Store: store}
	c.Description = filepath.Join(dir, c.Name+".json")
	require.NoError(t, os.WriteFile(c.Description, []byte(description), 0o666))
	for name, text := range besideDescriptions {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
	}
	return c
}

// readComputed reads what samples.py wrote for a case.
func readComputed(t *testing.T, dir string) computedSamples {
	t.Helper()
	var want computedSamples
	doc, err := os.ReadFile(filepath.Join(dir, "samples.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(doc, &want))
	for i := range want.Tensors {
		want.Tensors[i].data, err = os.ReadFile(filepath.Join(dir, want.Tensors[i].Name+".bin"))
		require.NoError(t, err)
	}
	return want
}

// options returns the loader's options for the case.
func (c *sampleCase) options() (opt loader.Options, err error) {
	if c.Window == "" {
		opt.Sample, err = loader.ReadDescription(c.Description)
		return opt, err
	}
	opt.Channels = c.Channels
	opt.Windows, err = loader.ParseWindows(c.Window)
	return opt, err
}

// compare runs an epoch of the case in order and one by chunks, and compares each sample.
func (c *sampleCase) compare(t *testing.T, want computedSamples, seed uint64) {
	g, err := zarrio.Open(t.Context(), c.Store, zarrio.Options{})
	require.NoError(t, err)
	defer g.Close()
	for _, shuffle := range []loader.Shuffle{loader.InOrder, loader.ByChunk} {
		opt, err := c.options()
		require.NoError(t, err)
		opt.Batch, opt.Shuffle, opt.Seed = int(1+seed%7), shuffle, seed
		l, err := loader.New(t.Context(), g, nil, opt)
		if len(want.Samples) == 0 {
			require.Error(t, err, "there are no samples")
			return
		}
		require.NoError(t, err)
		place := map[int64]int{}
		for i, n := range want.Samples {
			place[n] = i
		}
		var order []int64
		for b, err := range l.Batches(t.Context()) {
			require.NoError(t, err)
			order = append(order, b.Samples[:b.Len]...)
			require.Len(t, b.Tensors, len(want.Tensors))
			for k := range want.Tensors {
				for i, n := range b.Samples[:b.Len] {
					at, ok := place[n]
					require.True(t, ok, "window %d", n)
					want.Tensors[k].compare(t, b, i, at, len(want.Samples))
				}
			}
		}
		if shuffle == loader.InOrder {
			require.Equal(t, want.Samples, order)
		} else {
			require.ElementsMatch(t, want.Samples, order)
		}
		require.NoError(t, l.Close())
	}
}

// compare compares the tensor of sample i of a batch with that of sample at of n.
func (w *computedTensor) compare(t *testing.T, b *loader.Batch, i, at, n int) {
	t.Helper()
	x, ok := b.Tensor(w.Name)
	require.True(t, ok, "tensor %q", w.Name)
	require.Equal(t, w.Type, x.DType.String())
	size := x.DType.Size
	for _, n := range w.Shape {
		size *= n
	}
	shared := x.Dims[0] != "sample"
	if shared {
		require.Equal(t, w.Shape, x.Shape)
		require.Len(t, w.data, size)
		at, i = 0, 0
	} else {
		require.Equal(t, append([]int{b.Len}, w.Shape...), x.Shape)
		require.Len(t, w.data, n*size)
	}
	want := w.data[at*size:][:size]
	got := make([]byte, 0, size)
	planes := x.Planes()
	if !shared {
		planes /= b.Len
	}
	for k := range planes {
		got = append(got, x.NthPlane(i*planes+k)...)
	}
	if e := differentElement(x.DType, got, want); e >= 0 {
		d := x.DType.Size
		t.Fatalf("%v, sample %d: tensor %q, element %d of %v: % x, want % x", b, i, w.Name, e, w.Shape, got[e*d:][:d], want[e*d:][:d])
	}
	if w.Times != nil {
		for s, row := range b.Times(w.Name) {
			require.Equal(t, w.Times[at][s], row[i], "tensor %q: time of step %d, %v", w.Name, s, time.Unix(0, row[i]).UTC())
		}
	}
}

// differentElement returns the first little-endian element that differs, or -1. A NaN equals any other.
func differentElement(d zarrio.DType, got, want []byte) int {
	if bytes.Equal(got, want) {
		return -1
	}
	for e := range len(want) / d.Size {
		g, w := got[e*d.Size:][:d.Size], want[e*d.Size:][:d.Size]
		if !bytes.Equal(g, w) && !(isNaN(d, g) && isNaN(d, w)) {
			return e
		}
	}
	return -1
}

// isNaN reports whether a little-endian float is NaN.
func isNaN(d zarrio.DType, e []byte) bool {
	if d.Kind != meta.Float {
		return false
	}
	var bits, exponent uint64
	for i, b := range e {
		bits |= uint64(b) << (8 * i)
	}
	switch {
	case d.Variant == "bfloat16":
		exponent = 0x7f80
	case d.Size == 2:
		exponent = 0x7c00
	case d.Size == 4:
		exponent = 0x7f800000
	default:
		exponent = 0x7ff0000000000000
	}
	return bits&(1<<(8*d.Size-1)-1) > exponent
}
