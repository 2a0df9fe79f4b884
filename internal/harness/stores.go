package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"zarrbench/fixtures"
	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
)

// A benchStore is a store that the benchmarks run on, with what the names of its rows say about it.
type benchStore struct {
	path  string
	name  string // the base name, as a value in a row's name
	form         // of all arrays of the flags
	first form   // of the first of them
	data  string // what the data are: "synthetic", or the store's name
	note  string

	warmed  bool // the page cache holds what epochs read
	steps   int
	samples int // an epoch; 0 if no loader takes the flags

	converted []string // paths of the arrays whose elements are converted
}

// A form describes how an array is stored.
type form struct {
	codec string // "none", "blosc-lz4"; of a sharded array, that of the inner chunks
	chunk string // "1x721x1440"; of a sharded array, with the next key of the name: "1x721x1440/shard=8x721x1440"
}

// mixed is the value in a row's name if the arrays differ.
const mixed = "mixed"

// with returns the form that describes f and other together.
func (f form) with(other form) form {
	if f.codec != other.codec {
		f.codec = mixed
	}
	if f.chunk != other.chunk {
		f.chunk = mixed
	}
	return f
}

// rowName returns the part of a row's name that tells which store the row reads, and the form of its arrays.
func (s *benchStore) rowName(f form) string {
	return fmt.Sprintf("store=%s/codec=%s/chunk=%s", s.name, f.codec, f.chunk)
}

// batch returns the size of the largest batch, which is less than -batch if an epoch has fewer samples.
func (s *benchStore) batch() int {
	if s.samples == 0 {
		return *batchFlag
	}
	return min(*batchFlag, s.samples)
}

// freshSteps is the number of steps of a store that is made for one run: a quarter of the study's batch, so that a first try takes
// seconds.
const freshSteps = 16

// findStores returns the stores to run on: those of -store, or the fetched subset, or the largest synthetic stores that make bench
// keeps, or small ones that are made for this run and removed by cleanup.
func findStores(ctx context.Context) (found []benchStore, cleanup func(), err error) {
	cleanup = func() {}
	paths := []string(storeFlag)
	note := ""
	data := filepath.Join(fixtures.Dir(), "data")
	if len(paths) == 0 {
		if p := filepath.Join(data, "era5.zarr"); exists(p) {
			paths = []string{p}
		}
	}
	if len(paths) == 0 {
		paths = keptStores(data)
	}
	if len(paths) == 0 {
		dir, err := os.MkdirTemp("", "zarrbench-")
		if err != nil {
			return nil, cleanup, err
		}
		cleanup = func() { os.RemoveAll(dir) }
		note = ", made for this run: too small for figures, make bench keeps larger ones"
		for _, form := range []string{fixtures.FormRaw, fixtures.FormLZ4, fixtures.FormShard} {
			p := filepath.Join(dir, form+".zarr")
			if err := (fixtures.Synthetic{Steps: freshSteps, Form: form}).Write(ctx, p); err != nil {
				cleanup()
				return nil, cleanup, err
			}
			paths = append(paths, p)
		}
	}
	for _, p := range paths {
		s, err := describe(ctx, p)
		if err != nil {
			cleanup()
			return nil, func() {}, err
		}
		s.note += note
		found = append(found, s)
	}
	return found, cleanup, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// keptStores returns the synthetic stores with the most steps, raw first.
func keptStores(data string) []string {
	dirs, _ := filepath.Glob(filepath.Join(data, "synthetic-*"))
	steps := func(dir string) int {
		n, _ := strconv.Atoi(filepath.Base(dir)[len("synthetic-"):])
		return n
	}
	slices.SortFunc(dirs, func(a, b string) int { return steps(b) - steps(a) })
	for _, dir := range dirs {
		var paths []string
		for _, form := range fixtures.Forms() {
			if p := filepath.Join(dir, form+".zarr"); exists(p) {
				paths = append(paths, p)
			}
		}
		if paths != nil {
			return paths
		}
	}
	return nil
}

// openStore opens a store as the flags say. strict refuses missing chunks.
func openStore(ctx context.Context, path string, strict bool) (*zarrio.Group, error) {
	opt := openFlags
	opt.Strict = strict
	return zarrio.Open(ctx, path, opt)
}

// describe opens a store and returns what its rows' names need.
func describe(ctx context.Context, path string) (benchStore, error) {
	s := benchStore{path: path, name: rowValue(strings.TrimSuffix(filepath.Base(path), ".zarr"))}
	g, err := openStore(ctx, path, false)
	if err != nil {
		return s, err
	}
	defer g.Close()
	arrays, err := channelArrays(ctx, g)
	if err != nil {
		return s, err
	}
	var forms []string
	for i, a := range arrays {
		f := formOf(a.Metadata())
		if i == 0 {
			s.first, s.form = f, f
		}
		s.form = s.with(f)
		forms = append(forms, fmt.Sprintf("%s: codec=%s, chunk=%s", a.Path(), f.codec, f.chunk))
	}
	s.data = s.name
	if _, ok := g.Attrs()["zarrbench_synthetic"]; ok {
		s.data = "synthetic"
		s.note = " (synthetic: made up, with the entropy of weather)"
	}
	if s.codec == mixed || s.chunk == mixed {
		s.note += " (mixed: " + strings.Join(forms, "; ") + ")"
	}
	s.steps = stepsOf(arrays)
	// An error here is left to the rows that need a loader.
	if l, err := loader.New(ctx, g, outline{}, loaderOptions()); err == nil {
		s.samples, s.converted = l.Samples(), l.Converted()
		if gaps := l.Gaps(); gaps != "" {
			s.note += " (" + gaps + "; -gaps says what becomes of samples that cross it)"
		}
		err = l.Close()
		return s, err
	}
	return s, nil
}

// arrayNames returns the names of the arrays of -vars, each once.
func arrayNames() (names []string) {
	for _, channel := range channelNames() {
		if name, _, _ := strings.Cut(channel, "@"); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// channelArrays opens the arrays of -vars.
func channelArrays(ctx context.Context, g *zarrio.Group) (arrays []*zarrio.Array, err error) {
	for _, name := range arrayNames() {
		a, err := g.Array(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("%w (-vars chooses the arrays)", err)
		}
		arrays = append(arrays, a)
	}
	return arrays, nil
}

// stepsOf returns the extent of the dimension of -window that is not one of the grid's two: the last two dimensions of the first
// array. Arrays such as a land-sea mask don't have it.
func stepsOf(arrays []*zarrio.Array) int {
	dims := arrays[0].Dims()
	grid := dims[max(0, len(dims)-2):]
	for _, dim := range sampledDims() {
		for _, a := range arrays {
			if i := slices.Index(a.Dims(), dim); i >= 0 && !slices.Contains(grid, dim) {
				return a.Shape()[i]
			}
		}
	}
	if shape := arrays[0].Shape(); len(shape) > 0 { // dimensions without names
		return shape[0]
	}
	return 0
}

// An outline is an engine that allocates nothing, for a loader that only counts its samples.
type outline struct {
	engine.Engine // nil: its Fill is never called
}

func (outline) Alloc(n int64, _ tensor.Layout) (tensor.Memory, error) { return noMemory(n), nil }
func (outline) Available() int64                                      { return math.MaxInt64 }
func (outline) Sync(tensor.Memory) error                              { return nil }
func (outline) Close() error                                          { return nil }

type noMemory int64

func (m noMemory) Len() int64          { return int64(m) }
func (noMemory) Device() tensor.Device { return tensor.Device{} }
func (noMemory) Bytes() []byte         { return nil }
func (noMemory) Free() error           { return nil }

// rowValue returns s as a value in a row's name: in lower case, without characters that would end it.
func rowValue(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == '/' || r == '=' {
			return '_'
		}
		return r
	}, strings.ToLower(s))
}

// codecName returns the name of the codecs that compress. It leaves out bytes and crc32c.
func codecName(codecs []zarrio.CodecSpec) string {
	names := []string{}
	for _, c := range codecs {
		if c.Name == "bytes" || c.Name == "crc32c" {
			continue
		}
		name := c.Name
		var config struct {
			Cname string `json:"cname"`
		}
		if json.Unmarshal(c.Config, &config) == nil && config.Cname != "" {
			name += "-" + config.Cname
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return "none"
	}
	return rowValue(strings.Join(names, "+"))
}

// formOf returns the form of an array.
func formOf(m *zarrio.Metadata) form {
	if inner, codecs, ok := sharding(m.Codecs); ok {
		return form{codecName(codecs), join(inner) + "/shard=" + join(m.Chunks)}
	}
	return form{codecName(m.Codecs), join(m.Chunks)}
}

// sharding returns the shape of inner chunks and their codecs, in the order of decoding, or false if there are no shards.
func sharding(codecs []zarrio.CodecSpec) (inner []int, of []zarrio.CodecSpec, ok bool) {
	i := slices.IndexFunc(codecs, func(c zarrio.CodecSpec) bool { return c.Name == "sharding_indexed" })
	if i < 0 {
		return nil, nil, false
	}
	var config struct {
		ChunkShape []int `json:"chunk_shape"`
		Codecs     []struct {
			Name   string          `json:"name"`
			Config json.RawMessage `json:"configuration"`
		} `json:"codecs"`
	}
	if json.Unmarshal(codecs[i].Config, &config) != nil {
		return nil, nil, false
	}
	for _, c := range slices.Backward(config.Codecs) {
		of = append(of, zarrio.CodecSpec{Name: c.Name, Config: c.Config})
	}
	return config.ChunkShape, of, true
}

func join(shape []int) string {
	parts := make([]string, len(shape))
	for i, n := range shape {
		parts[i] = strconv.Itoa(n)
	}
	return strings.Join(parts, "x")
}

// chunkFiles calls f with each file of the arrays that the flags name, metadata included.
func (s *benchStore) chunkFiles(f func(*os.File) error) error {
	d, err := store.OpenDirWith(s.path, store.DirOptions{FollowLinks: openFlags.FollowLinks})
	if err != nil {
		return fmt.Errorf("-cache cold needs a store of local files: %w", err)
	}
	defer d.Close()
	for _, name := range arrayNames() {
		if err := eachFile(d, name, f); err != nil {
			return err
		}
	}
	return nil
}

// eachFile calls f with each file beneath a folder of a store. It follows the links that reading follows.
func eachFile(d *store.Dir, dir string, f func(*os.File) error) error {
	names, err := d.List(context.Background(), dir)
	for _, name := range names {
		if err != nil {
			break
		}
		key := path.Join(dir, name)
		if strings.HasSuffix(name, "/") {
			err = eachFile(d, key, f)
			continue
		}
		file, e := d.OpenFile(key, 0)
		if errors.Is(e, fs.ErrNotExist) {
			continue // a link to nothing
		}
		if err = e; err == nil {
			err = errors.Join(f(file), file.Close())
		}
	}
	return err
}
