package storetest

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"zarrbench/zarrio/store"
)

// opened is a store each read of which opens a value and closes it, so that values pass what stores do.
type opened struct{ store.Store }

func (s opened) ReadRange(ctx context.Context, key string, dst []byte, off int64) (n int, size int64, err error) {
	v, err := store.OpenValue(ctx, s.Store, key)
	if err != nil {
		return 0, 0, err
	}
	n, size, err = v.ReadRange(ctx, dst, off)
	if e := v.Close(); err == nil {
		err = e
	}
	return n, size, err
}

// openedLister is opened for a store that is a Lister.
type openedLister struct{ store.Lister }

func (s openedLister) ReadRange(ctx context.Context, key string, dst []byte, off int64) (n int, size int64, err error) {
	return opened{s.Lister}.ReadRange(ctx, key, dst, off)
}

// byValues returns s with its reads replaced by those of open values.
func byValues(s store.Store) store.Store {
	if l, ok := s.(store.Lister); ok {
		return openedLister{l}
	}
	return opened{s}
}

func openValue(t *testing.T, s store.Store, key string) store.Value {
	t.Helper()
	v, err := store.OpenValue(t.Context(), s, key)
	if err != nil {
		t.Fatalf("OpenValue(%.40q): %v", key, err)
	}
	return v
}

// testValues opens values once and reads them many times.
func testValues(t *testing.T, s store.Store) {
	for key, want := range files {
		v := openValue(t, s, key)
		for range 2 {
			dst := make([]byte, len(want)+1)
			n, size, err := v.ReadRange(t.Context(), dst, 0)
			if err != nil || size != int64(len(want)) || !bytes.Equal(dst[:n], want) {
				t.Errorf("an open %.40q: ReadRange = %d, %d, %v, or other bytes than the value's", key, n, size, err)
			}
			checkRange(t, v, want, 5000, math.MinInt64)
			checkRange(t, v, want, 3, -1)
			checkRange(t, v, want, 3, math.MaxInt64)
			checkRange(t, v, want, 0, 1)
		}
		if err := v.Close(); err != nil {
			t.Errorf("Close of %.40q: %v", key, err)
		}
	}

	const key = "t2m/c/0/10"
	value := files[key]
	v := openValue(t, s, key)
	defer v.Close()
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 25 {
				off := int64((w*25 + i) * 997 % len(value))
				checkRange(t, v, value, 1+i*100, off)
				checkRange(t, v, value, 1+i*100, -1-off)
			}
		})
	}
	wg.Wait()
}

// checkRange reads length bytes of v from off on.
func checkRange(t *testing.T, v store.Value, value []byte, length int, off int64) {
	size := int64(len(value))
	from := off
	if off < 0 {
		from = max(size+off, 0)
	}
	want := value[min(from, size):]
	want = want[:min(len(want), length)]
	dst := bytes.Repeat([]byte{0xa5}, length+8)
	n, got, err := v.ReadRange(t.Context(), dst[:length], off)
	if n != len(want) || got != size || err != nil {
		t.Errorf("an open value of %d bytes: ReadRange(%d bytes, %d) = %d, %d, %v, want %d", size, length, off, n, got, err, len(want))
	} else if !bytes.Equal(dst[:n], want) || !bytes.Equal(dst[length:], bytes.Repeat([]byte{0xa5}, 8)) {
		t.Errorf("an open value of %d bytes: ReadRange(%d bytes, %d) read other bytes than the value's, or wrote beyond dst", size, length, off)
	}
}

// testValueErrors looks at what OpenValue refuses, and at the errors of values whose key's memory was overwritten.
func testValueErrors(t *testing.T, s store.Store) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if o, ok := s.(store.Opener); ok {
		for _, key := range []string{"", "/", "..", "../empty", "empty/", "t2m//0.0", "t2m/\xff", "\x00"} {
			v, err := o.OpenValue(t.Context(), key)
			wantKeyError(t, err, key, store.ErrBadKey)
			if v != nil {
				t.Errorf("OpenValue(%q) gave a value and an error", key)
			}
		}
	}
	for _, key := range []string{"t2m/c/0/1", longKey} {
		buf := []byte(key)
		v := openValue(t, s, unsafe.String(&buf[0], len(buf)))
		copy(buf, bytes.Repeat([]byte("x"), len(buf)))
		_, _, err := v.ReadRange(cancelled, make([]byte, 8), 0)
		wantKeyError(t, err, key, context.Canceled)
		checkRange(t, v, files[key], 8, 0)
		if err := v.Close(); err != nil {
			t.Errorf("Close of %.40q: %v", key, err)
		}
	}
}

// testPut puts values, and reads them.
func testPut(t *testing.T, s store.Store, p store.Putter) {
	check := func(key, want string) {
		t.Helper()
		if got, err := store.ReadAll(t.Context(), s, key, 1000); err != nil || string(got) != want {
			t.Errorf("after Put(%q): %q, %v, want %q", key, got, err, want)
		}
	}
	for _, key := range []string{"new", "t2m/c/0/2", "new dir/ü/0", "t2m/0.0", "empty"} {
		for _, value := range []string{"first", "", "a longer value than the first", "short"} {
			// The key and the value are the store's for the call only.
			k, v := []byte(key), []byte(value)
			if err := p.Put(t.Context(), unsafe.String(&k[0], len(k)), v); err != nil {
				t.Errorf("Put(%q): %v", key, err)
				continue
			}
			clear(k)
			clear(v)
			check(key, value)
		}
	}
	if err := p.Put(t.Context(), "nil", nil); err != nil {
		t.Errorf("Put of nil: %v", err)
	}
	check("nil", "")
	check("t2m/c/0/1", "abcdefgh")
	if l, ok := s.(store.Lister); ok {
		for prefix, want := range map[string][]string{"t2m/c/0": {"1", "10", "2"}, "new dir": {"ü/"}, "new dir/ü": {"0"}} {
			if got, err := l.List(t.Context(), prefix); err != nil || !slices.Equal(got, want) {
				t.Errorf("List(%q) after Put = %q, %v, want %q", prefix, got, err, want)
			}
		}
	}
	for _, key := range []string{"", "/", ".", "../x", "a//b", "a/", "a\x00b", "\xff"} {
		wantKeyError(t, p.Put(t.Context(), key, []byte("x")), key, store.ErrBadKey)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	wantKeyError(t, p.Put(cancelled, "new", []byte("late")), "new", context.Canceled)
	check("new", "short")
	if err := p.Put(t.Context(), "t2m", nil); err == nil {
		if _, isLister := s.(store.Lister); isLister {
			t.Error("Put of a name that others lie under: no error")
		}
	} else if _, ok := errors.AsType[*store.KeyError](err); !ok {
		t.Errorf("Put of a name that others lie under: %v, want a *store.KeyError", err)
	}
}
