package zarrio

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// A changing is a directory that calls before, if it is not nil, before each read of an open value.
// It counts these reads.
type changing struct {
	*store.Dir
	before func(read int)
	reads  int
}

// OpenFile hides that of Dir: no descriptor goes around OpenValue.
func (*changing) OpenFile() {}

func (c *changing) OpenValue(ctx context.Context, key string) (store.Value, error) {
	v, err := c.Dir.OpenValue(ctx, key)
	if err != nil {
		return nil, err
	}
	return changingValue{v.(store.Versioned), c}, nil
}

type changingValue struct {
	store.Versioned
	store *changing
}

func (v changingValue) ReadRange(ctx context.Context, dst []byte, off int64) (int, int64, error) {
	v.store.reads++
	if v.store.before != nil {
		v.store.before(v.store.reads)
	}
	return v.Versioned.ReadRange(ctx, dst, off)
}

// A partOf is a part of an array that is a frame, or a shard with it: rows of one step.
type partOf struct{ step, lo, hi int }

func (p partOf) read(t *testing.T, a *Array, f arraytest.Frame) ([]byte, error) {
	got := make([]byte, (p.hi-p.lo)*f.Shape[2]*f.Size)
	_, err := a.ReadInto(t.Context(), Selection{At(p.step), Span(p.lo, p.hi)}, got)
	return got, err
}

// of returns the part of a frame, or of a missing chunk.
func (p partOf) of(f arraytest.Frame) []byte {
	row := f.Shape[2] * f.Size
	at := p.step % f.Shape[0] * f.Shape[1] * row
	if f.Decoded == nil {
		return make([]byte, (p.hi-p.lo)*row)
	}
	return f.Native()[at+p.lo*row : at+p.hi*row]
}

// TestPartsChanged changes the file of a chunk, or of a shard, before a read of it and between the
// reads of its head and its blocks. What comes is of one version, and later reads are of the new one.
func TestPartsChanged(t *testing.T) {
	old, same, longer := arraytest.Versions(t)
	gone := old
	gone.Decoded, gone.Encoded = nil, nil
	wanted := []partOf{{0, 0, old.Shape[1]}, {11, 1, 2}, {3, old.Shape[1] - 1, old.Shape[1]}}
	inner := func(list ...arraytest.Frame) []byte {
		var parts [][]byte
		for _, f := range list {
			parts = append(parts, f.Encoded)
		}
		return old.ShardOf(parts)[arraytest.FrameShard]
	}
	for _, place := range []struct {
		name, key string
		files     map[string][]byte
		value     []byte          // the file's new content
		next      arraytest.Frame // the new version of chunk 0
	}{
		{"same size", arraytest.FrameKey, old.Files(), same.Encoded, same},
		{"other size", arraytest.FrameKey, old.Files(), longer.Encoded, longer},
		{"shard", arraytest.FrameShard, old.ShardFiles(), inner(same, gone, same), same},
		{"shard of other size", arraytest.FrameShard, old.ShardFiles(), inner(longer, gone, old), longer},
		{"shard without the chunk", arraytest.FrameShard, old.ShardFiles(), inner(gone, same, same), gone},
	} {
		for k, change := range arraytest.Changes {
			for when := range 4 {
				t.Run(fmt.Sprintf("%s/%s/%d", place.name, change.Name, when), func(t *testing.T) {
					for i, p := range wanted {
						if (i+k+when)%3 != 0 && testing.Short() {
							continue
						}
						dir := arraytest.DirOf(t, place.files)
						path := filepath.Join(dir.Path(), filepath.FromSlash(place.key))
						st := &changing{Dir: dir}
						a := openArray(t, st, Options{CoalesceGap: -1})
						got, err := p.read(t, a, old)
						require.NoError(t, err)
						require.Equal(t, p.of(old), got)
						arraytest.Settle(t, path)
						changed := func() { require.NoError(t, change.To(path, place.value)) }
						if when == 0 {
							changed()
						} else {
							if when == 3 { // the head is not known
								a = openArray(t, st, Options{CoalesceGap: -1})
								arraytest.Settle(t, path)
							}
							first := st.reads
							st.before = func(read int) {
								if read-first == min(when, 2) {
									st.before = nil
									changed()
								}
							}
						}
						got, err = p.read(t, a, old)
						next, bad := place.next, false
						switch change.Name {
						case "remove":
							next = gone
						case "truncate", "empty":
							bad = true
						}
						if st.before != nil { // too few reads
							require.Equal(t, p.of(old), got)
							continue
						}
						checkVersion(t, p, got, err, bad, when > 0, old, next)
						got, err = p.read(t, a, old)
						checkVersion(t, p, got, err, bad, false, old, next)
					}
				})
			}
		}
	}
}

// checkVersion checks that a part is that of one version, or an error if the new version is bad.
// The old version is right if the change came late.
func checkVersion(t *testing.T, p partOf, got []byte, err error, bad, late bool, old, next arraytest.Frame) {
	t.Helper()
	if err != nil {
		require.True(t, bad, "%v", err)
		require.NotErrorIs(t, err, fs.ErrNotExist)
		return
	}
	if late && string(got) == string(p.of(old)) {
		return
	}
	require.False(t, bad, "part %v: the old version, or none", p)
	if string(got) != string(p.of(next)) {
		other := 0
		for i, b := range p.of(next) {
			if got[i] != b {
				other++
			}
		}
		require.Zero(t, other, "part %v: of %d bytes, so many are not of the new version", p, len(got))
	}
}

// TestPartsChangedHTTP changes a value at a server, whose head is kept, before it is read again and
// between the requests for its blocks.
func TestPartsChangedHTTP(t *testing.T) {
	old, same, longer := arraytest.Versions(t)
	for _, next := range []arraytest.Frame{same, longer} {
		for when := range 5 {
			t.Run(fmt.Sprintf("%s/%d", next.Name, when), func(t *testing.T) {
				for _, p := range []partOf{{0, 0, old.Shape[1]}, {11, 1, 2}} {
					var left atomic.Int64 // requests for the chunk until it changes
					left.Store(-1)
					var server *storetest.Server
					hook := func(_ http.ResponseWriter, r *http.Request) bool {
						if strings.HasSuffix(r.URL.Path, arraytest.FrameKey) && left.Add(-1) == 0 {
							server.Set(arraytest.FrameKey, next.Encoded) // this request is of the old version
						}
						return false
					}
					server = storetest.NewServer(t, old.Files(), storetest.ServerOptions{Hook: hook})
					a := openParts(t, server, Options{CoalesceGap: -1})
					got, err := p.read(t, a, old)
					require.NoError(t, err)
					require.Equal(t, p.of(old), got)
					server.ResetLog()
					got, err = p.read(t, a, old)
					require.NoError(t, err)
					require.Equal(t, p.of(old), got)
					for _, r := range server.Log() {
						require.NotContains(t, r.Range, "bytes=0-", "the head is kept")
					}
					if left.Store(int64(when)); when == 0 {
						server.Set(arraytest.FrameKey, next.Encoded)
					}
					got, err = p.read(t, a, old)
					checkVersion(t, p, got, err, false, when > 0, old, next)
					if left.Load() <= 0 {
						got, err = p.read(t, a, old)
						checkVersion(t, p, got, err, false, false, old, next)
					}
				}
			})
		}
	}
}
