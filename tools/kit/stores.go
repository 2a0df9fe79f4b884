package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"zarrbench/fixtures"
	"zarrbench/zarrio"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
	"zarrbench/zarrio/write"
)

const (
	smallSteps  = 16
	shardSteps  = 8
	formRaw     = fixtures.FormRaw
	formSharded = "rawshard" // shards of chunks that aren't compressed
)

// fileForms are the forms whose chunks are the bytes of fields, so that cuFile can read them.
var fileForms = []string{formRaw, formSharded}

// measuredForms are the forms of the large stores.
var measuredForms = []string{formRaw, fixtures.FormLZ4, fixtures.FormShard, fixtures.FormZstd}

// A storeSet is the stores of a run. They stay for the next one.
type storeSet struct {
	small []string // one of each form, for comparisons
	large []string // for speed
	half  string   // a raw one, for what is read from the disk
}

// flags names stores for a benchmark.
func storeFlags(paths []string) []string {
	var flags []string
	for _, p := range paths {
		flags = append(flags, "-store", p)
	}
	return flags
}

// storePath is where a store is. Stores of other steps or another grid don't get in its way.
func (k *kit) storePath(steps int, form string) string {
	return filepath.Join(k.data, fmt.Sprintf("%dx%d-%d", k.lat, k.lon, steps), form+".zarr")
}

// synthetic describes a store.
func (k *kit) synthetic(steps int, form string) fixtures.Synthetic {
	return fixtures.Synthetic{Steps: steps, Form: form, NLat: k.lat, NLon: k.lon}
}

// halfSteps is how many steps the store has that is read from the disk.
func (c config) halfSteps() int { return max(c.steps/2, 2) }

// storeBytes is how much disk the stores take, about.
func (k *kit) storeBytes() int64 {
	var n int64
	for _, form := range measuredForms {
		n += k.synthetic(k.steps, form).Bytes() + k.synthetic(smallSteps, form).Bytes()
	}
	return n + k.synthetic(smallSteps, formRaw).Bytes() + k.synthetic(k.halfSteps(), formRaw).Bytes()
}

// makeStores makes the stores that aren't there.
func (k *kit) makeStores(ctx context.Context) error {
	ctx, cancel := context.WithDeadline(ctx, k.deadline)
	defer cancel()
	k.title("stores")
	begin := time.Now()
	write := func(steps int, form string) (string, error) {
		path := k.storePath(steps, form)
		return path, k.synthetic(steps, form).Write(ctx, path)
	}
	for _, form := range measuredForms {
		small, err := write(smallSteps, form)
		if err != nil {
			return err
		}
		large, err := write(k.steps, form)
		if err != nil {
			return err
		}
		k.stores.small, k.stores.large = append(k.stores.small, small), append(k.stores.large, large)
	}
	var err error
	if k.stores.half, err = write(k.halfSteps(), formRaw); err != nil {
		return err
	}
	sharded := k.storePath(smallSteps, formSharded)
	if err := shardRaw(ctx, k.stores.small[0], sharded); err != nil {
		return fmt.Errorf("%s: %w", sharded, err)
	}
	k.stores.small = append(k.stores.small, sharded)
	k.ok("stores", time.Since(begin), fmt.Sprintf("%d MB in %s", k.storeBytes()/1e6, k.data))
	return nil
}

// shardRaw copies the fields of a raw store to one with shards of chunks that aren't compressed,
// unless it is there.
func shardRaw(ctx context.Context, from, to string) (err error) {
	if exists(to) {
		return nil
	}
	g, err := zarrio.Open(ctx, from, zarrio.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	partial := to + ".new"
	if err := errors.Join(os.RemoveAll(partial), os.Mkdir(partial, 0o777)); err != nil {
		return err
	}
	dir, err := store.OpenDir(partial)
	if err != nil {
		return err
	}
	w, err := write.Create(dir, 3, g.Attrs())
	if err != nil {
		return errors.Join(err, dir.Close())
	}
	for _, name := range []string{"geopotential", "u_component_of_wind", "v_component_of_wind"} {
		if err := copySharded(ctx, w, g, name); err != nil {
			return errors.Join(err, dir.Close())
		}
	}
	if err := errors.Join(w.Finish(ctx), dir.Close()); err != nil {
		return err
	}
	return os.Rename(partial, to)
}

func copySharded(ctx context.Context, w *write.Writer, g *zarrio.Group, name string) error {
	a, err := g.Array(ctx, name)
	if err != nil {
		return err
	}
	data, err := zarrio.Read[float32](ctx, a, nil)
	if err != nil {
		return err
	}
	m := a.Metadata()
	shards := slices.Clone(m.Chunks)
	shards[0] *= shardSteps
	to, err := w.Array(name, write.ArraySpec{Shape: m.Shape, Chunks: m.Chunks, Shards: shards, DType: m.DType, Dims: m.Dims})
	if err != nil {
		return err
	}
	if err := to.Write(ctx, make([]int, len(m.Shape)), m.Shape, tensor.AsBytes(data)); err != nil {
		return err
	}
	return to.Finish(ctx)
}
