package loader_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
)

// openDir opens a store as a directory.
func openDir(t *testing.T, s *arraytest.Store, opt zarrio.Options) *zarrio.Group {
	t.Helper()
	g, err := zarrio.Open(t.Context(), s.WriteDir(t), opt)
	require.NoError(t, err)
	t.Cleanup(func() { g.Close() })
	return g
}

// badForms are forms of samples of the arrays of loadertest.Damaged.
func badForms(t *testing.T) map[string]func(name string) loader.Options {
	bfloat16, err := loader.ParseType("bfloat16")
	require.NoError(t, err)
	along := []loader.Axis{{Dim: "time"}}
	return map[string]func(name string) loader.Options{
		"windows": func(name string) loader.Options {
			return loader.Options{Channels: []string{name}, Batch: 3}
		},
		"patches": func(name string) loader.Options {
			return loader.Options{Channels: []string{name}, Batch: 2, Shuffle: loader.ByChunk, Partial: true,
				Windows: []loader.Window{{Dim: "time", Size: 3}, {Dim: "y", Size: 3}, {Dim: "x", Size: 80}}}
		},
		"bfloat16": func(name string) loader.Options {
			return loader.Options{Batch: 4, Sample: loader.Description{Along: along, Tensors: []loader.TensorSpec{
				{Name: "input", Channels: []string{name}, Steps: []loader.Step{{}, {N: 3}}, Type: bfloat16, Unpack: true,
					Normalize: map[string]loader.Affine{name: {Mean: 3, Std: 7}}},
				{Name: "target", Channels: []string{name}, Steps: []loader.Step{{N: 1}}, Unpack: true},
			}}}
		},
	}
}

// TestBad loads damaged chunks: as NaN they are what chunks of NaN are, and else the first ends the
// epoch.
func TestBad(t *testing.T) {
	bad, good := loadertest.Damaged(t)
	for _, gap := range []int64{0, -1} {
		opened := zarrio.Options{Strict: true, CoalesceGap: gap}
		damaged, whole := openDir(t, bad, opened), openDir(t, good, opened)
		for form, options := range badForms(t) {
			for _, name := range append(loadertest.DamagedNames, "packed") {
				if name == "packed" && form != "bfloat16" {
					continue
				}
				opt := options(name)
				want := loadertest.Epoch(t, loadertest.New(t, whole, engine.CPUOptions{}, opt))
				for i, keep := range []int64{0, -1, 50_000, 1 << 30} {
					for _, io := range loadertest.AllIO {
						if testing.Short() && (i+int(io))%2 == 0 {
							continue
						}
						t.Run(fmt.Sprint(form, "/", name, "/", gap, "/", io, "/", keep), func(t *testing.T) {
							testBad(t, damaged, engine.CPUOptions{Workers: 3, IO: io, KeepBytes: keep}, opt, name, want)
						})
					}
				}
			}
		}
	}
}

func testBad(t *testing.T, g *zarrio.Group, c engine.CPUOptions, opt loader.Options, name string, want [][]byte) {
	l := loadertest.New(t, g, c, opt)
	var failed error
	for _, err := range l.Batches(t.Context()) {
		failed = err
	}
	e, ok := errors.AsType[*meta.ChunkError](failed)
	require.True(t, ok, "%v", failed)
	require.Equal(t, name, e.Array)
	require.Zero(t, l.Bad())

	opt.Bad = loader.BadNaN
	var done atomic.Int64
	opt.OnSample = func(*loader.Batch, int) error {
		done.Add(1)
		return nil
	}
	l = loadertest.New(t, g, c, opt)
	for epoch := range 2 {
		require.NoError(t, l.Seek(0, 0))
		require.True(t, loadertest.Equal(want, loadertest.Epoch(t, l)), "epoch %d differs", epoch)
		require.EqualValues(t, (epoch+1)*l.Samples(), done.Load(), "each sample is complete once")
		list := l.Bad()
		require.Equal(t, 2, list.Count)
		for i, b := range list.First {
			require.Equal(t, name, b.Array)
			require.Equal(t, loadertest.DamagedChunks[i], b.Chunk)
			require.Equal(t, [2]int{2 * b.Chunk[0], 2*b.Chunk[0] + 2}, b.Steps)
			require.NotEmpty(t, b.Samples)
			require.IsIncreasing(t, append([]int64{-1}, b.Samples...))
			require.NotEmpty(t, b.Reason)
		}
	}
	require.GreaterOrEqual(t, l.Stats().Bad, int64(4))
	_, err := l.Ceiling(t.Context())
	require.NoError(t, err)
}

// TestBadHalfway has a chunk fail when some of its pieces are in place.
func TestBadHalfway(t *testing.T) {
	for _, convert := range []bool{false, true} {
		for _, keep := range []int64{-1, 1 << 30} {
			t.Run(fmt.Sprint(convert, keep), func(t *testing.T) {
				g := loadertest.Open(t, loadertest.Halfway(t), zarrio.Options{CoalesceGap: -1})
				l := loadertest.New(t, g, engine.CPUOptions{Workers: 1, KeepBytes: keep}, loadertest.HalfwayOptions(convert))
				for b, err := range l.Batches(t.Context()) {
					require.NoError(t, err)
					loadertest.WantNaN(t, b)
				}
				require.Equal(t, 1, l.Bad().Count)
			})
		}
	}
}

// TestBadWay: what is wrong with the way to a chunk ends the epoch, and so does a missing chunk.
func TestBadWay(t *testing.T) {
	fail := func(err error) func(*arraytest.Store) {
		return func(s *arraytest.Store) {
			s.Hook = func(key string) error {
				if key == "t/3.0.0" {
					return err
				}
				return nil
			}
		}
	}
	ofKey := func(err error) error {
		return &store.KeyError{Store: "mem", Op: "read", Key: "t/3.0.0", Err: err}
	}
	for _, tt := range []struct {
		name   string
		change func(*arraytest.Store)
		nan    bool
	}{
		{"a bad sector", fail(ofKey(&fs.PathError{Op: "read", Path: "3.0.0", Err: syscall.EIO})), true},
		{"a directory", fail(ofKey(syscall.EISDIR)), true},
		{"an entry of a zip file", fail(ofKey(fmt.Errorf("%w: CRC-32", store.ErrZip))), true},
		{"an empty file", func(s *arraytest.Store) { s.Values["t/3.0.0"] = []byte{} }, true},
		{"a number that no store gave", fail(syscall.EIO), false},
		{"a server", fail(ofKey(&store.StatusError{Code: 503})), false},
		{"a network", fail(ofKey(syscall.ECONNRESET)), false},
		{"a mount that went away", fail(ofKey(syscall.ENOTCONN)), false},
		{"permission", fail(ofKey(fs.ErrPermission)), false},
		{"descriptors", fail(ofKey(syscall.EMFILE)), false},
		{"a value that changed", fail(ofKey(store.ErrChanged)), false},
		{"time", fail(ofKey(context.DeadlineExceeded)), false},
		{"cancelled", fail(ofKey(context.Canceled)), false},
		{"a missing chunk", func(s *arraytest.Store) { delete(s.Values, "t/3.0.0") }, false},
	} {
		for _, blosc := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, "/", blosc), func(t *testing.T) {
				s := arraytest.Steps(t, 8, 1, blosc)
				tt.change(s)
				l := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{Strict: true}), engine.CPUOptions{},
					loader.Options{Channels: []string{"t"}, Batch: 2, Bad: loader.BadNaN})
				var failed error
				for _, err := range l.Batches(t.Context()) {
					failed = err
				}
				if !tt.nan {
					require.Error(t, failed)
					require.Zero(t, l.Bad())
					return
				}
				require.NoError(t, failed)
				require.Equal(t, 1, l.Bad().Count)
				require.Equal(t, []int64{1}, l.Bad().First[0].Samples)
				require.Contains(t, l.Bad().First[0].String(), "array t, chunk 3.0.0 (step 3): ")
			})
		}
	}
}

// TestBadZip damages a chunk of a zip file.
func TestBadZip(t *testing.T) {
	s := arraytest.Steps(t, 6, 1, false)
	path := filepath.Join(t.TempDir(), "a.zip")
	arraytest.WriteZip(t, path, s.Values)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	at := bytes.Index(content, s.Values["t/2.0.0"])
	require.Positive(t, at)
	content[at+10] ^= 8
	require.NoError(t, os.WriteFile(path, content, 0o666))
	g, err := zarrio.Open(t.Context(), path, zarrio.Options{})
	require.NoError(t, err)
	defer g.Close()
	l := loadertest.New(t, g, engine.CPUOptions{}, loader.Options{Channels: []string{"t"}, Batch: 2, Bad: loader.BadNaN})
	loadertest.Epoch(t, l)
	require.Equal(t, 1, l.Bad().Count)
	require.Contains(t, l.Bad().First[0].Reason, "CRC-32")
}

// TestBadShard: of a shard whose index is damaged, all chunks are bad. The list has the first 20.
func TestBadShard(t *testing.T) {
	s := arraytest.NewStore()
	s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{60, 2, 3}, Chunks: []int{30, 2, 3}, FullShards: true,
		Form: &arraytest.Form{Inner: []int{1, 2, 3}, IndexChecksum: true, InnerForm: &arraytest.Form{}}})
	shard := s.Values["t/c/1/0/0"]
	shard[len(shard)-50] ^= 1
	l := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{}, loader.Options{Channels: []string{"t"}, Bad: loader.BadNaN})
	for range 2 {
		loadertest.Epoch(t, l)
		list := l.Bad()
		require.Equal(t, 30, list.Count)
		require.Len(t, list.First, 20)
		for i, b := range list.First {
			require.GreaterOrEqual(t, b.Chunk[0], 30)
			require.Contains(t, b.Reason, "index: crc32c: checksum")
			if i > 0 {
				require.Greater(t, b.Chunk[0], list.First[i-1].Chunk[0])
			}
		}
	}
}

// TestBadShared: of a tensor that all batches share, no sample is named.
func TestBadShared(t *testing.T) {
	s := arraytest.Steps(t, 6, 1, false)
	s.Put(t, &arraytest.Array{Name: "mask", Dims: []string{"y", "x"}, Shape: []int{4, 6}, Chunks: []int{2, 6}})
	s.Values["mask/1.0"] = nil
	l := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{}, loader.Options{Bad: loader.BadNaN,
		Sample: loader.Description{Along: []loader.Axis{{Dim: "time"}}, Tensors: []loader.TensorSpec{
			{Name: "x", Channels: []string{"t"}, Steps: []loader.Step{{}}}, {Name: "static", Channels: []string{"mask"}, Static: true}}}})
	for b, err := range l.Batches(t.Context()) {
		require.NoError(t, err)
		static, _ := b.Tensor("static")
		plane := static.NthPlane(0)
		require.Equal(t, bytes.Repeat([]byte{0, 0, 0xc0, 0x7f}, 12), plane[48:])
		require.NotContains(t, string(plane[:48]), "\x00\x00\xc0\x7f")
	}
	require.Equal(t, 1, l.Bad().Count)
	require.Nil(t, l.Bad().First[0].Samples)
	require.Equal(t, [2]int{}, l.Bad().First[0].Steps)
	require.Contains(t, l.Bad().First[0].String(), "array mask, chunk 1.0: ")
}

// TestBadHook: an error of OnSample ends the epoch, whatever it is.
func TestBadHook(t *testing.T) {
	for _, blosc := range []bool{false, true} {
		for _, keep := range []int64{-1, 1 << 20} {
			t.Run(fmt.Sprint(blosc, keep), func(t *testing.T) {
				other := &meta.ChunkError{Array: "t", Key: "t/1.0.0", Step: "blosc", Err: errors.New("of another loader")}
				l := loadertest.New(t, loadertest.Open(t, arraytest.Steps(t, 6, 1, blosc), zarrio.Options{}), engine.CPUOptions{KeepBytes: keep},
					loader.Options{Channels: []string{"t"}, Bad: loader.BadNaN, OnSample: func(*loader.Batch, int) error { return other }})
				for _, err := range l.Batches(t.Context()) {
					require.ErrorIs(t, err, other)
				}
				require.Zero(t, l.Bad())
			})
		}
	}
}

// TestBadTypes: types without NaN are refused by the tensor's name.
func TestBadTypes(t *testing.T) {
	for _, tt := range []struct {
		dtype string
		ok    bool
	}{{"<f4", true}, {">f8", true}, {"<f2", true}, {"<c8", true}, {"<i2", false}, {"|u1", false}, {"<i8", false}} {
		t.Run(tt.dtype, func(t *testing.T) {
			s := arraytest.NewStore()
			s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{4, 2, 3}, Chunks: []int{1, 2, 3}, Dtype: tt.dtype})
			g := loadertest.Open(t, s, zarrio.Options{})
			l, err := loader.New(t.Context(), g, nil, loader.Options{Channels: []string{"t"}, Bad: loader.BadNaN})
			if !tt.ok {
				require.ErrorContains(t, err, `zarrio: loader: mem: bad chunks can't become NaN: tensor "input" has the type`)
				l, err = loader.New(t.Context(), g, nil, loader.Options{Channels: []string{"t"}})
			}
			require.NoError(t, err)
			require.NoError(t, l.Close())
		})
	}
}

// TestParseBad: the text of a Bad is what ParseBad takes.
func TestParseBad(t *testing.T) {
	for _, want := range []loader.Bad{loader.BadError, loader.BadNaN} {
		t.Run(want.String(), func(t *testing.T) {
			text, err := want.MarshalText()
			require.NoError(t, err)
			var got loader.Bad
			require.NoError(t, got.UnmarshalText(text))
			require.Equal(t, want, got)
		})
	}
	_, err := loader.ParseBad("zero")
	require.EqualError(t, err, `bad chunks "zero": want error or nan`)
	_, err = loader.New(t.Context(), nil, engine.NewCPU(engine.CPUOptions{}), loader.Options{Bad: 2})
	require.ErrorContains(t, err, "invalid Bad 2")
}
