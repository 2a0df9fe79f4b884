package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/store"
)

// bandOptions have batches of a band of rows of each step of a frame.
func bandOptions(f arraytest.Frame) loader.Options {
	return loader.Options{
		Channels: []string{"x"},
		Windows:  []loader.Window{{Dim: "y", Size: f.Shape[1] / 10}, {Dim: "time", Size: 1}},
		Batch:    3,
	}
}

// bandOf returns the field of a sample of a frame.
func bandOf(f arraytest.Frame, o loader.Origin) []byte {
	at := (o.Start[0]%f.Shape[0]*f.Shape[1] + o.Start[1]) * f.Shape[2]
	return f.Decoded[at : at+o.Size[1]*f.Shape[2]]
}

// TestFilesChanged changes the file of a chunk between epochs: the next one has the new version.
func TestFilesChanged(t *testing.T) {
	old, same, longer := arraytest.Versions(t)
	for _, io := range loadertest.AllIO {
		for i, change := range arraytest.Changes {
			t.Run(fmt.Sprintf("%v/%s", io, change.Name), func(t *testing.T) {
				next := []arraytest.Frame{same, longer}[i%2]
				dir := arraytest.DirOf(t, old.Files())
				path := filepath.Join(dir.Path(), filepath.FromSlash(arraytest.FrameKey))
				opt := bandOptions(old)
				opt.Shuffle = loader.ByWindow
				l := loadertest.New(t, openGroup(t, dir, noGap), engine.CPUOptions{Workers: 2, IO: io, KeepBytes: -1}, opt)
				for range 2 {
					for b, err := range l.Batches(t.Context()) {
						require.NoError(t, err)
						requireBands(t, b, old)
					}
				}
				arraytest.Settle(t, path)
				require.NoError(t, change.To(path, next.Encoded))
				for b, err := range l.Batches(t.Context()) {
					switch {
					case change.Name == "remove":
						require.NoError(t, err)
						for i := range b.Len {
							require.Equal(t, make([]byte, len(bandOf(old, b.Windows[i]))), b.Tensors[0].PlaneBytes(i, 0))
						}
					case change.Damages:
						require.ErrorContains(t, err, `array "x": chunk "x/0.0.0": `)
					default:
						require.NoError(t, err)
						requireBands(t, b, next)
					}
				}
			})
		}
	}
}

func requireBands(t *testing.T, b *loader.Batch, f arraytest.Frame) {
	t.Helper()
	for i := range b.Len {
		if !bytes.Equal(bandOf(f, b.Windows[i]), b.Tensors[0].PlaneBytes(i, 0)) {
			require.Fail(t, "another version, or a mixture", "%v, sample %d, of %s", b, i, f.Name)
		}
	}
}

// TestFilesReplaced has files replaced all the time while they are read: what comes of a chunk is of
// one version in each batch, or an error that says that it changed.
func TestFilesReplaced(t *testing.T) {
	old, same, longer := arraytest.Versions(t)
	versions := []arraytest.Frame{old, same, longer}
	const chunks = 4
	for _, sharded := range []bool{false, true} {
		for _, io := range loadertest.AllIO {
			t.Run(fmt.Sprintf("sharded=%t/%v", sharded, io), func(t *testing.T) {
				var files map[string][]byte
				var keys []string
				value := func(f arraytest.Frame) []byte { return f.Encoded }
				if sharded {
					files, keys = old.ShardFiles(), []string{arraytest.FrameShard}
					value = func(f arraytest.Frame) []byte {
						return f.ShardOf([][]byte{f.Encoded, f.Encoded, f.Encoded})[arraytest.FrameShard]
					}
					files[arraytest.FrameShard] = value(old)
				} else {
					files = old.Files()
					shape := fmt.Sprintf(`"shape":[%d,`, chunks*old.Shape[0])
					doc := strings.ReplaceAll(string(files["x/.zarray"]), " ", "")
					files["x/.zarray"] = []byte(strings.Replace(doc, fmt.Sprintf(`"shape":[%d,`, old.Shape[0]), shape, 1))
					for i := range chunks {
						keys = append(keys, fmt.Sprintf("x/%d.0.0", i))
						files[keys[i]] = old.Encoded
					}
				}
				dir := arraytest.DirOf(t, files)
				l := loadertest.New(t, openGroup(t, dir, noGap), engine.CPUOptions{Workers: 3, IO: io, KeepBytes: -1}, bandOptions(old))
				var stop atomic.Bool
				var writer sync.WaitGroup
				writer.Go(func() {
					for i := 0; !stop.Load(); i++ {
						key := keys[i%len(keys)]
						path := filepath.Join(dir.Path(), filepath.FromSlash(key))
						if err := arraytest.Replace(path, value(versions[i/len(keys)%3])); err != nil {
							t.Error(err)
							return
						}
					}
				})
				defer writer.Wait()
				defer stop.Store(true)
				for epoch := range 8 {
					for b, err := range l.Batches(t.Context()) {
						if err != nil {
							known := errors.Is(err, store.ErrChanged) || errors.Is(err, chunk.ErrChanged) || errors.Is(err, chunk.ErrVanished)
							require.True(t, known, "epoch %d: %v", epoch, err)
							continue
						}
						requireOneVersion(t, b, versions)
					}
				}
			})
		}
	}
}

// requireOneVersion checks that all samples of a batch that are of one chunk are of one version.
func requireOneVersion(t *testing.T, b *loader.Batch, versions []arraytest.Frame) {
	t.Helper()
	possible := map[int][]arraytest.Frame{}
	for i := range b.Len {
		o := b.Windows[i]
		k := o.Start[0] / versions[0].Shape[0]
		if possible[k] == nil {
			possible[k] = versions
		}
		var left []arraytest.Frame
		for _, f := range possible[k] {
			if bytes.Equal(bandOf(f, o), b.Tensors[0].PlaneBytes(i, 0)) {
				left = append(left, f)
			}
		}
		require.NotEmpty(t, left, "%v, sample %d: a mixture of versions", b, i)
		possible[k] = left
	}
}
