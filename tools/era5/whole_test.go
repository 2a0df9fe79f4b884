package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
	"zarrbench/zarrio/store/storetest"
)

// Whoever uses objects at once, each is fetched once while there is room for it, and no more memory is taken than the limit, but
// by an object that is longer.
func TestBodies(t *testing.T) {
	const limit, longest = 1000, 1500
	b := bodies{limit: limit}
	size := func(key string) int { return 100 + int(key[0])*7%500 }
	var wg sync.WaitGroup
	for g := range 8 {
		random := rand.New(rand.NewPCG(uint64(g), 0))
		wg.Go(func() {
			l := newLedger()
			defer b.release(l)
			for range 300 {
				key := string(rune('a' + random.IntN(26)))
				n := size(key)
				if random.IntN(20) == 0 {
					key, n = "long", longest
				}
				o, err := b.use(t.Context(), bodyKey{l, key}, func() ([]byte, error) {
					data, err := b.room(t.Context(), n)
					if err == nil {
						copy(data, fmt.Sprint(g, key))
					}
					return data, err
				})
				if err != nil {
					t.Error(err)
					return
				}
				if got := string(o.data[:len(fmt.Sprint(g, key))]); len(o.data) != n || got != fmt.Sprint(g, key) {
					t.Errorf("%d bytes that begin with %q, want %d of %q for %d", len(o.data), got, n, key, g)
				}
				b.mu.Lock()
				if b.bytes > limit && b.bytes > longest {
					t.Errorf("%d bytes are held", b.bytes)
				}
				b.mu.Unlock()
				b.leave(o)
			}
		})
	}
	wg.Wait()
	if len(b.held) != 0 {
		t.Errorf("%d objects are held, and nobody is there", len(b.held))
	}
}

// An object that can't be fetched is tried again by who needs it next, and who waits for room stops when all stops.
func TestBodiesErrors(t *testing.T) {
	b, k := bodies{limit: 100}, bodyKey{newLedger(), "a"}
	bad := errors.New("bad")
	if _, err := b.use(t.Context(), k, func() ([]byte, error) { return nil, bad }); err != bad {
		t.Errorf("error %v, want %v", err, bad)
	}
	o, err := b.use(t.Context(), k, func() ([]byte, error) { return b.room(t.Context(), 60) })
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.room(ctx, 60); !errors.Is(err, context.Canceled) {
		t.Errorf("no room: %v, want %v", err, context.Canceled)
	}
	b.leave(o)
	if data, err := b.room(t.Context(), 60); err != nil || len(b.held) != 0 {
		t.Errorf("%d bytes, %v; %d objects are held", len(data), err, len(b.held))
	}
}

// The chunks of a shard are read by several goroutines, whatever the form of the output, and the shard comes once.
func TestWholeObjectsOnce(t *testing.T) {
	var mu sync.Mutex
	count := make(map[string]int)
	w := newWorld(t, fixtures.Synthetic{Steps: 16, Form: "shard", NLat: 46, NLon: 90, Levels: 13}, storetest.ServerOptions{
		Hook: func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/0/0/0") && r.Method == http.MethodGet {
				mu.Lock()
				defer mu.Unlock()
				count[r.URL.Path]++
			}
			return false
		},
	})
	for _, form := range []string{"raw", "shard"} {
		clear(count)
		w.out = filepath.Join(t.TempDir(), "era5.zarr")
		w.must(t, "-steps 16 -j 16 -whole-objects -form "+form)
		if len(count) != 6 {
			t.Errorf("-form %s: %d shards were fetched, want 6", form, len(count))
		}
		for path, n := range count {
			want := 1
			if strings.HasSuffix(path, "/c/0/0/0/0") { // whose head is looked at for the plan
				want = 2
			}
			if n != want {
				t.Errorf("-form %s: %s was fetched %d times, want %d", form, path, n, want)
			}
		}
	}
}
