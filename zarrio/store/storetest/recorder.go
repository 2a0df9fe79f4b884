package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"zarrbench/zarrio/store"
)

// A Read is one read of a value: Len bytes were asked for, from Off on, which is negative where it counts from the end.
type Read struct {
	Off int64
	Len int
}

// A Recorder is a [store.Store] that notes what is opened and read of another one. Any number of goroutines may use it at
// once.
//
// It is a [store.Opener], whose values are the inner store's where that is one, a [store.Lister], whose List gives
// [errors.ErrUnsupported] where the inner store has none; hide a method by struct{ store.Store }{recorder} where the reader
// under test must not find it. It is no [store.Coalescer]: a test that wants one embeds it and says which.
type Recorder struct {
	inner store.Store

	mu    sync.Mutex
	opens map[string]int
	reads map[string][]Read
}

var (
	_ store.Lister = (*Recorder)(nil)
	_ store.Opener = (*Recorder)(nil)
)

// NewRecorder wraps inner.
func NewRecorder(inner store.Store) *Recorder {
	return &Recorder{inner: inner, opens: make(map[string]int), reads: make(map[string][]Read)}
}

// Opens returns how often OpenValue was called for key, whether it went well or not.
func (r *Recorder) Opens(key string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.opens[key]
}

// Reads returns the reads of key, by the store or by open values, in the order in which they began.
func (r *Recorder) Reads(key string) []Read {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.reads[key])
}

// Total returns how many opens and reads there were of all keys.
func (r *Recorder) Total() (opens, reads int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.opens {
		opens += n
	}
	for _, list := range r.reads {
		reads += len(list)
	}
	return opens, reads
}

// Clear forgets what was noted.
func (r *Recorder) Clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.opens)
	clear(r.reads)
}

// String names the inner store.
func (r *Recorder) String() string { return fmt.Sprintf("recorder(%v)", r.inner) }

// ReadRange reads from the inner store.
func (r *Recorder) ReadRange(ctx context.Context, key string, dst []byte, off int64) (n int, size int64, err error) {
	r.note(key, dst, off)
	return r.inner.ReadRange(ctx, key, dst, off)
}

// OpenValue opens the inner store's value.
func (r *Recorder) OpenValue(ctx context.Context, key string) (store.Value, error) {
	key = strings.Clone(key)
	r.mu.Lock()
	r.opens[key]++
	r.mu.Unlock()
	if err := checkOpen(ctx, r, key); err != nil {
		return nil, err
	}
	v, err := store.OpenValue(ctx, r.inner, key)
	if err != nil {
		return nil, err
	}
	return recorderValue{r, key, v}, nil
}

// List lists the inner store.
func (r *Recorder) List(ctx context.Context, prefix string) ([]string, error) {
	return list(ctx, r, r.inner, prefix)
}

func (r *Recorder) note(key string, dst []byte, off int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.reads[key]; !ok {
		key = strings.Clone(key)
	}
	r.reads[key] = append(r.reads[key], Read{off, len(dst)})
}

type recorderValue struct {
	r     *Recorder
	key   string
	inner store.Value
}

func (v recorderValue) ReadRange(ctx context.Context, dst []byte, off int64) (n int, size int64, err error) {
	v.r.note(v.key, dst, off)
	return v.inner.ReadRange(ctx, dst, off)
}

func (v recorderValue) Close() error { return v.inner.Close() }

// checkOpen is what an Opener of this package refuses at once.
func checkOpen(ctx context.Context, s fmt.Stringer, key string) error {
	err := ctx.Err()
	if err == nil {
		err = store.CheckKey(key)
	}
	if err != nil {
		return &store.KeyError{Store: s.String(), Op: "open", Key: strings.Clone(key), Err: err}
	}
	return nil
}

// list lists inner for s, which wraps it.
func list(ctx context.Context, s fmt.Stringer, inner store.Store, prefix string) ([]string, error) {
	if l, ok := inner.(store.Lister); ok {
		return l.List(ctx, prefix)
	}
	return nil, &store.KeyError{Store: s.String(), Op: "list", Key: strings.Clone(prefix), Err: errors.ErrUnsupported}
}
