package main

import (
	"context"
	"fmt"
	"slices"

	"zarrbench/fixtures"
	"zarrbench/zarrio/store"
)

// pin takes down which version of the source is fetched from: by the documents and coordinates that were read until now, which l
// has, each with the digest of the whole. Of a shard, only some chunks were read.
func (p *plan) pin(ctx context.Context, l *ledger) error {
	if err := p.readPinned(ctx); err != nil {
		return err
	}
	objects, err := l.read()
	if err != nil {
		return err
	}
	for _, o := range objects {
		if o.SHA256 != "" || o.Missing {
			continue
		}
		if _, err := store.ReadAll(ctx, p.source.store, o.Key, maxWhole); err != nil {
			return err
		}
	}
	if p.pins, err = l.read(); err != nil {
		return err
	}
	return checkPinned(p.source.place, p.pins)
}

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
