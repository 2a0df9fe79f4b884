package store_test

import (
	"bytes"
	"slices"
	"sync"
	"testing"

	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// memOf makes a Mem that holds files.
func memOf(tb testing.TB, files map[string][]byte) *store.Mem {
	tb.Helper()
	m := store.NewMem()
	for key, value := range files {
		if err := m.Put(tb.Context(), key, value); err != nil {
			tb.Fatal(err)
		}
	}
	return m
}

func TestMem(t *testing.T) {
	storetest.Run(t, func(t *testing.T, files map[string][]byte) store.Store { return memOf(t, files) })
}

// TestOpenValue opens values of a store that is no Opener.
func TestOpenValue(t *testing.T) {
	storetest.Run(t, func(t *testing.T, files map[string][]byte) store.Store {
		return struct{ store.Store }{memOf(t, files)}
	})
}

// TestMemCopies changes what was put, and puts anew under an open value: neither reaches those who read.
func TestMemCopies(t *testing.T) {
	m := store.NewMem()
	value := []byte("first")
	if err := m.Put(t.Context(), "a/b", value); err != nil {
		t.Fatal(err)
	}
	clear(value)
	v, err := m.OpenValue(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Put(t.Context(), "a/b", []byte("second")); err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, 10)
	if n, _, err := v.ReadRange(t.Context(), dst, 0); err != nil || string(dst[:n]) != "first" {
		t.Errorf("the open value reads %q, %v, want first", dst[:n], err)
	}
	if got, err := store.ReadAll(t.Context(), m, "a/b", 10); err != nil || string(got) != "second" {
		t.Errorf("after Put: %q, %v, want second", got, err)
	}
	if got := m.String(); got != "memory" {
		t.Errorf("String() = %q, want memory", got)
	}
}

func TestMemTree(t *testing.T) {
	m := store.NewMem()
	for _, key := range []string{"a/b/c", "a/d"} {
		if err := m.Put(t.Context(), key, nil); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, "Put of a directory's name", m.Put(t.Context(), "a/b", nil), "is a directory")
	wantError(t, "Put below a value", m.Put(t.Context(), "a/d/e/f", nil), "not a directory")
	for prefix, want := range map[string][]string{"": {"a/"}, "a": {"b/", "d"}, "a/b": {"c"}} {
		if got, err := m.List(t.Context(), prefix); err != nil || !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q, %v, want %q", prefix, got, err, want)
		}
	}
}

// TestMemConcurrent puts, reads and lists at once: a read sees one value whole.
func TestMemConcurrent(t *testing.T) {
	m := store.NewMem()
	if err := m.Put(t.Context(), "c/0", bytes.Repeat([]byte{'a'}, 3000)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			dst := make([]byte, 3000)
			for range 50 {
				if err := m.Put(t.Context(), "c/0", bytes.Repeat([]byte{byte('a' + w)}, 3000)); err != nil {
					t.Error(err)
				}
				n, size, err := m.ReadRange(t.Context(), "c/0", dst, 0)
				if n != 3000 || size != 3000 || err != nil || bytes.Count(dst, dst[:1]) != 3000 {
					t.Errorf("ReadRange = %d, %d, %v, or a mixture of two values", n, size, err)
				}
				if names, err := m.List(t.Context(), "c"); err != nil || len(names) != 1 {
					t.Errorf("List = %q, %v", names, err)
				}
			}
		})
	}
	wg.Wait()
}
