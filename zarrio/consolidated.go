package zarrio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"

	"zarrbench/zarrio/store"
)

// errStale is what errors.Is finds if consolidated metadata lack a node that the store has.
var errStale = fmt.Errorf("it is in the store but not in the consolidated metadata, which are stale: open without them: %w", fs.ErrNotExist)

// consolidatedV2 returns the consolidated metadata of a v2 hierarchy, or nil where there are none.
func (h *hierarchy) consolidatedV2(ctx context.Context) (documents, error) {
	doc, err := h.single(ctx, v2Consolidated)
	if err != nil {
		return nil, err
	}
	if doc == nil {
		return nil, h.unconsolidated(v2Consolidated)
	}
	docs, err := parseV2Consolidated(doc)
	if err != nil {
		return nil, &MetadataError{h.name, v2Consolidated, err}
	}
	return docs, h.verifyAll(ctx, "", 2, v2Consolidated, docs)
}

// consolidatedV3 returns the documents of the members that the document of the v3 group at path holds, or nil where it has
// none. Those that a member's document holds in turn are not looked at: the outer ones list all nodes.
func (h *hierarchy) consolidatedV3(ctx context.Context, path string, doc json.RawMessage) (documents, error) {
	key := prefix(path) + v3Document
	members, err := parseV3Consolidated(doc)
	if err != nil {
		return nil, &MetadataError{h.name, key, fmt.Errorf("consolidated_metadata: %w", err)}
	}
	if members == nil {
		return nil, h.unconsolidated(key)
	}
	docs := documents{}
	for name, doc := range members {
		docs[prefix(path)+name+"/"+v3Document] = doc
	}
	return docs, h.verifyAll(ctx, path, 3, key, docs)
}

// unconsolidated is the error of consolidated metadata that are not there, where they are asked for.
func (h *hierarchy) unconsolidated(key string) error {
	if h.opt.Consolidated != Verify {
		return nil
	}
	return &MetadataError{h.name, key, fmt.Errorf("there are no consolidated metadata to verify: %w", fs.ErrNotExist)}
}

// verifyAll compares the consolidated metadata of the group at path with the store, where that is asked for. in is the key of
// the document that holds them.
func (h *hierarchy) verifyAll(ctx context.Context, path string, format int, in string, docs documents) error {
	if h.opt.Consolidated != Verify {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(docs)) {
		if err := h.verify(ctx, in, key, docs[key]); err != nil {
			return err
		}
	}
	return h.verifyMembers(ctx, path, format, docs)
}

// verify compares an entry of the consolidated metadata with the document itself.
func (h *hierarchy) verify(ctx context.Context, in, key string, entry json.RawMessage) error {
	if err := store.CheckKey(key); err != nil {
		return &MetadataError{h.name, in, fmt.Errorf("entry %q: %w", key, err)}
	}
	own, err := h.single(ctx, key)
	if err != nil {
		return err
	}
	if own == nil {
		return &MetadataError{h.name, key, errors.New("consolidated metadata describe it, but it is not in the store")}
	}
	if where, a, b := difference(entry, own); where != "" {
		return &MetadataError{h.name, key, fmt.Errorf("consolidated metadata are stale: %s is %s there, %s in the document itself; consolidate anew, or open without them",
			where, found(a), found(b))}
	}
	return nil
}

// verifyMembers looks for nodes that the consolidated metadata don't know, in stores that can list their keys.
func (h *hierarchy) verifyMembers(ctx context.Context, path string, format int, docs documents) error {
	if _, ok := h.store.(store.Lister); !ok {
		return nil
	}
	nodes, err := h.list(ctx, path, format)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if docs[n.key] == nil {
			return &MetadataError{h.name, n.key, errors.New("consolidated metadata are stale: they lack it; consolidate anew, or open without them")}
		}
		if !n.Array {
			if err := h.verifyMembers(ctx, prefix(path)+n.Name, format, docs); err != nil {
				return err
			}
		}
	}
	return nil
}

// difference returns the first field in which two documents differ, with both values, or "". The consolidated metadata
// within one don't count: writers leave them out, or empty, where a document is repeated.
func difference(a, b json.RawMessage) (field string, inA, inB json.RawMessage) {
	x, errA := parseDocument(a)
	y, errB := parseDocument(b)
	if errA != nil || errB != nil {
		return "the document", a, b
	}
	delete(x, "consolidated_metadata")
	delete(y, "consolidated_metadata")
	for _, name := range slices.Sorted(maps.Keys(x)) {
		if !sameJSON(x[name], y[name]) {
			return name, x[name], y[name]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(y)) {
		if x[name] == nil {
			return name, nil, y[name]
		}
	}
	return "", nil, nil
}

// sameJSON compares two documents as values.
func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
