// Package write makes Zarr hierarchies of format 2 or 3 in a store.
package write

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
)

// A Writer writes a hierarchy of groups and arrays into a store. Chunks come first, the documents of an array once all of
// its chunks are there, those of the groups after the last array, and consolidated metadata at the very end: a writer that
// is interrupted leaves chunks that no document describes, and no array that looks whole but isn't. Nothing needs to be
// called for one that is given up.
//
// It may be used by many goroutines at once.
type Writer struct {
	dst    store.Putter
	name   string // of the store, for errors
	format int

	mu       sync.Mutex
	groups   map[string]meta.Attributes // by path; "" is the root
	arrays   map[string]*ArrayWriter
	docs     map[string]json.RawMessage // written: what is to be consolidated, under the key that it has there
	finished bool

	scratch sync.Pool // of *writeScratch
}

// Create begins a hierarchy in Zarr format 2 or 3, with the attributes of its root group: a map or a struct that makes a
// JSON object, or nil. It writes nothing yet. What is in the store already is neither looked at nor removed.
func Create(dst store.Putter, format int, attrs any) (*Writer, error) {
	w := &Writer{dst: dst, name: fmt.Sprint(dst), format: format, groups: map[string]meta.Attributes{}, arrays: map[string]*ArrayWriter{},
		docs: map[string]json.RawMessage{}, scratch: sync.Pool{New: func() any { return new(writeScratch) }}}
	if format != 2 && format != 3 {
		return nil, w.fail("", &meta.UnsupportedError{What: "writing Zarr format", Found: fmt.Sprint(format), Supported: "2, 3"})
	}
	a, err := encodeAttrs(attrs)
	if err != nil {
		return nil, w.fail("", err)
	}
	w.groups[""] = a
	return w, nil
}

// Group adds the group at path, such as "era5/pressure", with attributes as Create takes them. The group that it lies in
// must have been added before.
func (w *Writer) Group(path string, attrs any) error {
	a, err := encodeAttrs(attrs)
	if err != nil {
		return w.fail(path, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.vacant(path); err != nil {
		return w.fail(path, err)
	}
	w.groups[path] = a
	return nil
}

// Array adds the array at path. The group that it lies in must have been added before.
func (w *Writer) Array(path string, spec ArraySpec) (*ArrayWriter, error) {
	a, err := newArrayWriter(w, path, spec)
	if err != nil {
		return nil, w.fail(path, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.vacant(path); err != nil {
		return nil, w.fail(path, err)
	}
	w.arrays[path] = a
	return a, nil
}

// vacant says why there can't be a node at path, or nil. The caller holds w.mu.
func (w *Writer) vacant(node string) error {
	if w.finished {
		return errFinished
	}
	if err := store.CheckKey(node); err != nil {
		return err
	}
	parent, name := path.Split(node)
	parent = strings.TrimSuffix(parent, "/")
	// Names that Zarr v2 (".z") and v3 ("__") keep for themselves, or that a document has.
	if strings.HasPrefix(name, ".z") || strings.HasPrefix(name, "__") || name == meta.V3Doc {
		return fmt.Errorf("the name %q is reserved", name)
	}
	if _, ok := w.groups[parent]; !ok {
		return fmt.Errorf("%q is not a group of this writer", parent)
	}
	_, isGroup := w.groups[node]
	_, isArray := w.arrays[node]
	if isGroup || isArray {
		return errors.New("there is a node of this path already")
	}
	return nil
}

// errFinished is what a writer gives that is asked for more after its end.
var errFinished = errors.New("its writer has finished")

// Finish writes the documents of the groups, the root's last, and then consolidated metadata, which a format 3 root has in
// its document. It is an error, and nothing is written, where an array has not finished; after an error it can be called
// again.
func (w *Writer) Finish(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.finished {
		return w.fail("", errFinished)
	}
	for _, path := range slices.Sorted(maps.Keys(w.arrays)) {
		if !w.arrays[path].finished.Load() {
			return w.fail(path, errors.New("the array has not finished"))
		}
	}
	for _, path := range slices.Backward(slices.Sorted(maps.Keys(w.groups))) { // children before parents
		docs := v2GroupDocuments(path, w.groups[path])
		if w.format == 3 {
			docs = v3GroupDocuments(path, w.groups[path], w.docs)
		}
		if err := w.put(ctx, docs); err != nil {
			return w.fail(path, err)
		}
	}
	if w.format == 2 {
		if err := w.put(ctx, v2ConsolidatedDocuments(w.docs)); err != nil {
			return w.fail("", err)
		}
	}
	w.finished = true
	return nil
}

// A keyedDocument is put under its key, and stands under its entry among consolidated metadata, unless that is "" and it
// doesn't.
type keyedDocument struct {
	key, entry string
	doc        any
}

// put writes documents in their order. The caller holds w.mu.
func (w *Writer) put(ctx context.Context, docs []keyedDocument) error {
	indent := "    " // as zarr-python 2 has it
	if w.format == 3 {
		indent = "  " // as zarr-python 3 has it
	}
	for _, d := range docs {
		text, err := encodeJSON(d.doc, indent)
		if err != nil {
			return fmt.Errorf("%s: %w", d.key, err)
		}
		if err := w.dst.Put(ctx, d.key, text); err != nil {
			return err
		}
		if d.entry != "" {
			w.docs[d.entry] = text
		}
	}
	return nil
}

// fail makes the error of the node at path.
func (w *Writer) fail(path string, err error) error {
	return fmt.Errorf("zarrio: %s: node %q: %w", w.name, path, err)
}

// encodeJSON is v as text that is for people too, without a newline at the end. Maps come sorted by key.
func encodeJSON(v any, indent string) (json.RawMessage, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false) // "<f4" stays as it is
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// encodeAttrs makes attributes of what a caller gave: nil, or what makes a JSON object.
func encodeAttrs(attrs any) (meta.Attributes, error) {
	if attrs == nil {
		return meta.Attributes{}, nil
	}
	text, err := encodeJSON(attrs, "")
	if err != nil {
		return nil, fmt.Errorf("attributes: %w", err)
	}
	a, err := meta.ParseAttrs(text)
	if err != nil {
		return nil, fmt.Errorf("attributes: %w", err)
	}
	return a, nil
}
