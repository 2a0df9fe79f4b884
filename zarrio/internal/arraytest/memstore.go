package arraytest

import (
	"testing"

	"zarrbench/zarrio/store"
)

// MemStore returns a store in memory with the given values. It is no store.Coalescer.
func MemStore[V string | []byte](t testing.TB, values map[string]V) *store.Mem {
	t.Helper()
	mem := store.NewMem()
	for key, value := range values {
		if err := mem.Put(t.Context(), key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	return mem
}
