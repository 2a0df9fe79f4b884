package main

import (
	"context"
	"fmt"
	"slices"

	"zarrbench/fixtures"
	"zarrbench/zarrio/store"
)

// readPinned reads the documents of the variables that are known beforehand: consolidated metadata stand in for them
// otherwise, and have no digest that is known.
func (p *plan) readPinned(ctx context.Context) error {
	for _, v := range slices.Concat(p.sel.vars, p.sel.coords) {
		key := v.array.Path() + "/.zarray"
		f, ok := fixtures.Pinned(p.source.place, key)
		if !ok {
			continue
		}
		if _, err := store.ReadAll(ctx, p.source.store, key, 2*f.Bytes); err != nil {
			return err
		}
	}
	return nil
}

// checkPinned holds the objects that are known beforehand against what is known, and notes that as their proof.
func checkPinned(place string, objects []object) error {
	for i := range objects {
		o := &objects[i]
		f, ok := fixtures.Pinned(place, o.Key)
		if !ok || o.SHA256 == "" {
			continue
		}
		if o.SHA256 != f.SHA256 {
			return fmt.Errorf("%s has %d bytes and SHA-256 %s, it is known to have %d and %s", o.Source, o.Bytes, o.SHA256, f.Bytes, f.SHA256)
		}
		o.Proof = proofPinned
	}
	return nil
}
