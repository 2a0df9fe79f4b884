// Package storetest tests stores: [Run] holds one to the contract of [store.Store], [Faults] makes one fail on
// purpose, and a [Server] serves values over HTTP, or fails to.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"zarrbench/zarrio/store"
)

// longKey is longer than what fits a small buffer on the stack, though none of its parts is longer than a file system allows.
var longKey = strings.Repeat(strings.Repeat("long", 50)+"/", 5) + "0.0"

// files is what every store under test holds.
var files = map[string][]byte{
	".zgroup":             []byte(`{"zarr_format":2}`),
	"empty":               {},
	"t2m/.zarray":         []byte(`{"zarr_format":2,"shape":[3]}`),
	"t2m/0.0":             []byte("0123456789"),
	"t2m/c/0/1":           []byte("abcdefgh"),
	"t2m/c/0/10":          pattern(70_001),
	"t2m.bak/0.0":         []byte("."),
	"sea ice/höhe/Ω 1%2B": []byte("spaces and letters"),
	longKey:               []byte("long"),
}

// pattern makes n bytes without a short period, so that a read from a wrong offset shows.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * (i>>8 + 1))
	}
	return b
}

// Run checks the contract of [store.Store], of the values that [store.OpenValue] opens, and those of [store.Lister] and
// [store.Putter] where the store is one, sentence by sentence. open makes a store that holds files, for one test; what must
// be closed is for its t.Cleanup.
func Run(t *testing.T, open func(t *testing.T, files map[string][]byte) store.Store) {
	run(t, false, open)
}

// RunFlat is Run for a [store.Lister] whose names lie flat, as those of a bucket: a name with names under it may be a value
// too, and reads as missing where it is none.
func RunFlat(t *testing.T, open func(t *testing.T, files map[string][]byte) store.Store) {
	run(t, true, open)
}

func run(t *testing.T, flat bool, open func(t *testing.T, files map[string][]byte) store.Store) {
	reads := []struct {
		name string
		test func(*testing.T, store.Store)
	}{
		{"read", testRead},
		{"ranges", testRanges},
		{"all", testReadAll},
		{"missing", func(t *testing.T, s store.Store) { testMissing(t, s, flat) }},
		{"badkeys", testBadKeys},
		{"keyreuse", testKeyReuse},
		{"cancelled", testCancelled},
		{"concurrent", testConcurrent},
	}
	for _, tt := range reads {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t, files)) })
		t.Run(tt.name+"/opened", func(t *testing.T) { tt.test(t, byValues(open(t, files))) })
	}
	t.Run("values", func(t *testing.T) { testValues(t, open(t, files)) })
	t.Run("valueerrors", func(t *testing.T) { testValueErrors(t, open(t, files)) })
	t.Run("list", func(t *testing.T) {
		l, ok := open(t, files).(store.Lister)
		if !ok {
			t.Skip("not a store.Lister")
		}
		testList(t, l)
	})
	t.Run("put", func(t *testing.T) {
		s := open(t, files)
		p, ok := s.(store.Putter)
		if !ok {
			t.Skip("not a store.Putter")
		}
		testPut(t, s, p)
	})
	t.Run("nothing", func(t *testing.T) {
		for _, s := range []store.Store{open(t, nil), byValues(open(t, nil))} {
			if _, _, err := s.ReadRange(t.Context(), "a", nil, 0); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("ReadRange from an empty store: %v, want fs.ErrNotExist", err)
			}
		}
	})
}

// testRead reads each value into exactly its size, into more, and asks for its size alone.
func testRead(t *testing.T, s store.Store) {
	for key, want := range files {
		for _, extra := range []int{0, 1, 4096} {
			dst := bytes.Repeat([]byte{0xa5}, len(want)+extra)
			n, size, err := s.ReadRange(t.Context(), key, dst, 0)
			if n != len(want) || size != int64(len(want)) || err != nil {
				t.Errorf("ReadRange(%.40q) into %d bytes = %d, %d, %v, want %d, %d", key, len(dst), n, size, err, len(want), len(want))
				continue
			}
			if !bytes.Equal(dst[:n], want) {
				t.Errorf("ReadRange(%.40q) read other bytes than the value's", key)
			}
		}
		n, size, err := s.ReadRange(t.Context(), key, nil, 0)
		if n != 0 || size != int64(len(want)) || err != nil {
			t.Errorf("ReadRange(%.40q) into nothing = %d, %d, %v, want 0, %d", key, n, size, err, len(want))
		}
	}
}

func testRanges(t *testing.T, s store.Store) {
	for _, key := range []string{"empty", "t2m/c/0/1", "t2m/c/0/10"} {
		value := files[key]
		size := int64(len(value))
		offs := []int64{0, 1, size / 2, size - 1, size, size + 1, size + 5000, math.MaxInt64,
			-1, -size / 2, 1 - size, -size, -size - 1, -size - 5000, math.MinInt64}
		for _, off := range offs {
			for _, length := range []int{0, 1, 3, len(value) / 2, len(value), len(value) + 7} {
				from := off
				if from < 0 {
					from = max(size+from, 0)
				}
				want := value[min(from, size):]
				want = want[:min(len(want), length)]

				dst := bytes.Repeat([]byte{0xa5}, length+8)
				n, got, err := s.ReadRange(t.Context(), key, dst[:length], off)
				if n != len(want) || got != size || err != nil {
					t.Errorf("ReadRange(%q, %d bytes, %d) = %d, %d, %v, want %d, %d", key, length, off, n, got, err, len(want), size)
					continue
				}
				if !bytes.Equal(dst[:n], want) {
					t.Errorf("ReadRange(%q, %d bytes, %d) read other bytes than the value's", key, length, off)
				}
				if !bytes.Equal(dst[length:], bytes.Repeat([]byte{0xa5}, 8)) {
					t.Errorf("ReadRange(%q, %d bytes, %d) wrote beyond dst", key, length, off)
				}
			}
		}
	}
}

func testReadAll(t *testing.T, s store.Store) {
	for key, want := range files {
		got, err := store.ReadAll(t.Context(), s, key, int64(len(want)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("ReadAll(%.40q) = %d bytes, %v, want %d, the value's", key, len(got), err, len(want))
		}
		if len(want) == 0 {
			continue
		}
		if _, err := store.ReadAll(t.Context(), s, key, int64(len(want))-1); err == nil {
			t.Errorf("ReadAll(%.40q) with a limit below its size: no error", key)
		}
	}
}

func testMissing(t *testing.T, s store.Store, flat bool) {
	missing := []string{
		"nosuch",
		"t2m/nosuch",
		"no/such/parent",
		"t2m/0.0/below-a-value",
		"T2M/0.0",
		"t2m/c/0/1 ",
		"sea%20ice/höhe/Ω 1%2B",
		longKey + "0",
	}
	for _, key := range missing {
		n, size, err := s.ReadRange(t.Context(), key, make([]byte, 8), 0)
		if n != 0 || size != 0 {
			t.Errorf("ReadRange(%.40q) = %d, %d with an error, want 0, 0", key, n, size)
		}
		wantKeyError(t, err, key, fs.ErrNotExist)
	}

	// A store without directories can't tell a part of a key from nothing.
	_, _, err := s.ReadRange(t.Context(), "t2m", make([]byte, 8), 0)
	if err == nil {
		t.Error("ReadRange of a directory: no error")
	}
	if _, ok := s.(store.Lister); ok && !flat && errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadRange of a directory: %v: it must not read as a missing value", err)
	}
}

func testBadKeys(t *testing.T, s store.Store) {
	bad := []string{
		"", "/", ".", "..", "/empty", "empty/", "./empty", "../empty", "t2m//0.0", "t2m/./0.0", "t2m/../empty", "t2m/..",
		"t2m/0.0\x00", "\x00", "t2m/\xff",
	}
	for _, key := range bad {
		_, _, err := s.ReadRange(t.Context(), key, make([]byte, 8), 0)
		wantKeyError(t, err, key, store.ErrBadKey)
		if errors.Is(err, fs.ErrNotExist) {
			t.Errorf("ReadRange(%q): %v: it must not read as a missing value", key, err)
		}
	}
	if l, ok := s.(store.Lister); ok {
		for _, key := range bad[1:] {
			_, err := l.List(t.Context(), key)
			wantKeyError(t, err, key, store.ErrBadKey)
		}
	}
}

// testKeyReuse hands in keys over memory that it overwrites after each call, as the readers do.
func testKeyReuse(t *testing.T, s store.Store) {
	const found, missing = "t2m/c/0/1", "t2m/c/9/9"
	buf := []byte(found)
	key := unsafe.String(&buf[0], len(buf))

	dst := make([]byte, 16)
	if n, _, err := s.ReadRange(t.Context(), key, dst, 0); err != nil || string(dst[:n]) != "abcdefgh" {
		t.Errorf("ReadRange(%q) = %q, %v", found, dst[:n], err)
	}
	copy(buf, missing)
	_, _, err := s.ReadRange(t.Context(), key, dst, 0)
	copy(buf, "xxxxxxxxx")
	wantKeyError(t, err, missing, fs.ErrNotExist)

	copy(buf, found)
	if n, _, err := s.ReadRange(t.Context(), key, dst, 0); err != nil || string(dst[:n]) != "abcdefgh" {
		t.Errorf("ReadRange(%q) after another key in the same memory = %q, %v", found, dst[:n], err)
	}
	copy(buf, "t2m//////")
	_, _, err = s.ReadRange(t.Context(), key, dst, 0)
	copy(buf, "xxxxxxxxx")
	wantKeyError(t, err, "t2m//////", store.ErrBadKey)
}

func testCancelled(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := s.ReadRange(ctx, "t2m/0.0", make([]byte, 8), 0)
	wantKeyError(t, err, "t2m/0.0", context.Canceled)
	if l, ok := s.(store.Lister); ok {
		_, err := l.List(ctx, "t2m")
		wantKeyError(t, err, "t2m", context.Canceled)
	}
}

func testConcurrent(t *testing.T, s store.Store) {
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			dst := make([]byte, 70_001)
			for i := range 10 {
				for key, want := range files {
					n, _, err := s.ReadRange(t.Context(), key, dst, 0)
					if err != nil || !bytes.Equal(dst[:n], want) {
						t.Errorf("reader %d, round %d: ReadRange(%.40q) = %d, %v, or other bytes than the value's", w, i, key, n, err)
						return
					}
				}
				if _, _, err := s.ReadRange(t.Context(), "nosuch", dst, 0); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("reader %d, round %d: ReadRange(nosuch): %v, want fs.ErrNotExist", w, i, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func testList(t *testing.T, l store.Lister) {
	long, _, _ := strings.Cut(longKey, "/")
	lists := map[string][]string{
		"":             {".zgroup", "empty", long + "/", "sea ice/", "t2m.bak/", "t2m/"},
		"t2m":          {".zarray", "0.0", "c/"},
		"t2m/c":        {"0/"},
		"t2m/c/0":      {"1", "10"},
		"sea ice":      {"höhe/"},
		"sea ice/höhe": {"Ω 1%2B"},
	}
	for prefix, want := range lists {
		got, err := l.List(t.Context(), prefix)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q, %v, want %q", prefix, got, err, want)
		}
	}
	for _, prefix := range []string{"nosuch", "t2", "t2m/nosuch/c", "t2m/0.0", "t2m/0.0/below-a-value"} {
		_, err := l.List(t.Context(), prefix)
		wantKeyError(t, err, prefix, fs.ErrNotExist)
	}
}

// wantKeyError checks that err is a KeyError for key, in its field and its text, and wraps target.
func wantKeyError(t *testing.T, err error, key string, target error) {
	t.Helper()
	e, ok := errors.AsType[*store.KeyError](err)
	switch {
	case !ok:
		t.Errorf("key %.40q: error %v (%T), want a *store.KeyError", key, err, err)
	case e.Key != key || !strings.Contains(err.Error(), fmt.Sprintf("%q", key)):
		t.Errorf("key %.40q: the error names another: %v", key, err)
	case !errors.Is(err, target):
		t.Errorf("key %.40q: error %v, want %v", key, err, target)
	}
}
