package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// newDir makes a Dir that holds files.
func newDir(t *testing.T, files map[string][]byte) *store.Dir {
	t.Helper()
	d, err := store.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	for key, value := range files {
		if err := d.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func newFaults(t *testing.T) *storetest.Faults {
	return storetest.NewFaults(newDir(t, map[string][]byte{"a": []byte("0123456789"), "b": []byte("abc")}))
}

// read reads key whole and says what it got.
func read(ctx context.Context, s store.Store, key string, off int64) string {
	dst := make([]byte, 100)
	n, size, err := s.ReadRange(ctx, key, dst, off)
	if err != nil {
		return fmt.Sprint(err)
	}
	return fmt.Sprintf("%s of %d", dst[:n], size)
}

func TestFaultsWithoutFaults(t *testing.T) {
	storetest.Run(t, func(t *testing.T, files map[string][]byte) store.Store {
		return storetest.NewFaults(newDir(t, files))
	})
}

func TestFaults(t *testing.T) {
	broken := errors.New("broken cable")
	tests := []struct {
		name  string
		fault storetest.Fault
		off   int64
		want  string
	}{
		{"none", storetest.Fault{}, 0, "0123456789 of 10"},
		{"value", storetest.Fault{Value: []byte("new")}, 0, "new of 3"},
		{"value end", storetest.Fault{Value: []byte("new")}, -2, "ew of 3"},
		{"value past end", storetest.Fault{Value: []byte("new")}, 4, " of 3"},
		{"value empty", storetest.Fault{Value: []byte{}}, 0, " of 0"},
		{"value cut", storetest.Fault{Value: []byte("new"), Cut: 1}, 0, "ne of 2"},
		{"cut", storetest.Fault{Cut: 3}, 0, "0123456 of 7"},
		{"cut end", storetest.Fault{Cut: 3}, -2, "56 of 7"},
		{"cut middle", storetest.Fault{Cut: 3}, 5, "56 of 7"},
		{"cut past end", storetest.Fault{Cut: 3}, 8, " of 7"},
		{"cut all", storetest.Fault{Cut: 11}, -1, " of 0"},
		{"short", storetest.Fault{Short: 4}, 0, "012345 of 10"},
		{"short of all", storetest.Fault{Short: 40}, 0, " of 10"},
		{"later", storetest.Fault{After: 1, Err: broken}, 0, "0123456789 of 10"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFaults(t)
			f.Set("a", tt.fault)
			if got := read(t.Context(), f, "a", tt.off); got != tt.want {
				t.Errorf("read %q, want %q", got, tt.want)
			}
			if got, want := read(t.Context(), f, "b", 0), "abc of 3"; got != want {
				t.Errorf("another key: read %q, want %q", got, want)
			}
		})
	}
}

func TestFaultsError(t *testing.T) {
	f := newFaults(t)
	f.Set("a", storetest.Fault{After: 2, Err: fs.ErrNotExist})
	for i := range 4 {
		_, _, err := f.ReadRange(t.Context(), "a", nil, 0)
		if gone := errors.Is(err, fs.ErrNotExist); gone != (i >= 2) {
			t.Errorf("read %d: %v", i, err)
		}
		if e, ok := errors.AsType[*store.KeyError](err); err != nil && (!ok || e.Key != "a") {
			t.Errorf("read %d: %v, want a KeyError for a", i, err)
		}
	}
	if got := f.Reads("a"); got != 4 {
		t.Errorf("Reads(a) = %d, want 4", got)
	}
	if got := f.Reads("b"); got != 0 {
		t.Errorf("Reads(b) = %d, want 0", got)
	}

	f.Clear()
	f.Set("", storetest.Fault{Err: fs.ErrPermission})
	f.Set("b", storetest.Fault{})
	if _, _, err := f.ReadRange(t.Context(), "a", nil, 0); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("with a fault of all keys: %v", err)
	}
	if _, _, err := f.ReadRange(t.Context(), "b", nil, 0); err != nil {
		t.Errorf("a key with a fault of its own: %v", err)
	}
	if got := f.Total(); got != 6 {
		t.Errorf("Total() = %d, want 6", got)
	}
	if got := f.Counts(); len(got) != 2 || got["a"] != 5 || got["b"] != 1 {
		t.Errorf("Counts() = %v, want 5 of a, 1 of b", got)
	}
}

func TestFaultsWaitAndHook(t *testing.T) {
	f := newFaults(t)
	synctest.Test(t, func(t *testing.T) {
		wait := make(chan struct{})
		f.Set("a", storetest.Fault{Wait: wait})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, _, err := f.ReadRange(ctx, "a", nil, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("read that waits for ever: %v, want context.DeadlineExceeded", err)
		}
		time.AfterFunc(time.Minute, func() { close(wait) })
		if got, want := read(t.Context(), f, "a", 0), "0123456789 of 10"; got != want {
			t.Errorf("read %q, want %q", got, want)
		}

		f.Set("a", storetest.Fault{Hook: func(_ context.Context, key string) error {
			time.Sleep(time.Second)
			return fmt.Errorf("no %s today", key)
		}})
		start := time.Now()
		if _, _, err := f.ReadRange(t.Context(), "a", nil, 0); err == nil || time.Since(start) != time.Second {
			t.Errorf("read with a hook: %v after %v", err, time.Since(start))
		}
	})
}

func TestFaultsConcurrent(t *testing.T) {
	f := newFaults(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 100 {
				f.Set("a", storetest.Fault{After: i % 3, Err: fs.ErrNotExist})
				f.ReadRange(t.Context(), "a", nil, 0)
				f.ReadRange(t.Context(), "b", nil, 0)
			}
		})
	}
	wg.Wait()
	if f.Reads("a") != 800 || f.Total() != 1600 {
		t.Errorf("Reads(a), Total() = %d, %d, want 800, 1600", f.Reads("a"), f.Total())
	}
}

func TestFaultsList(t *testing.T) {
	f := newFaults(t)
	if names, err := f.List(t.Context(), ""); err != nil || len(names) != 2 {
		t.Errorf("List = %q, %v, want a and b", names, err)
	}
	plain := storetest.NewFaults(struct{ store.Store }{f})
	if _, err := plain.List(t.Context(), ""); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("List of a store that is no Lister: %v, want errors.ErrUnsupported", err)
	}
}
