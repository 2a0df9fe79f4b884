package storetest

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"

	"zarrbench/zarrio/store"
)

// A Fault says what goes wrong with the reads of a key. The zero value is no fault; fields may be combined, and act in the
// order in which they stand here.
type Fault struct {
	// After is how many reads of the key go well first, counted from the Set that put the fault in place:
	// {After: 2, Err: fs.ErrNotExist} is a value that vanishes after two reads.
	After int

	// Wait, unless nil, holds each read until it is closed. A read whose context is done before gives the context's error.
	Wait <-chan struct{}

	// Hook, unless nil, is called in the reading goroutine: it may sleep, or watch. An error from it is the read's.
	Hook func(ctx context.Context, key string) error

	// Err, unless nil, is what the read's error wraps. Nothing is read.
	Err error

	// Value, unless nil, is read in place of the key's value, which need not exist.
	Value []byte

	// Cut makes the value this many bytes shorter: size says so, and offsets from the end count from the new one.
	Cut int64

	// Short makes each read return this many bytes less than it should, while size stays as it is, which is what a
	// file that shrinks while it is read looks like. Bytes of dst beyond n are overwritten.
	Short int
}

// A Faults is a [store.Store] that counts the reads of another one and makes those that it is told to go wrong.
// Any number of goroutines may use it at once.
//
// It is a [store.Lister], whose List gives [errors.ErrUnsupported] where the inner store has none; hide the method by
// struct{ store.Store }{faults} where the reader under test must not find it. It is a [store.Opener] too, and no
// [store.Filer], so that no read can pass it by.
type Faults struct {
	inner store.Store

	mu     sync.Mutex
	reads  map[string]int
	faults map[string]*fault
}

type fault struct {
	Fault
	seen int // reads since Set
}

var (
	_ store.Lister = (*Faults)(nil)
	_ store.Opener = (*Faults)(nil)
)

// NewFaults wraps inner. There are no faults until Set.
func NewFaults(inner store.Store) *Faults {
	return &Faults{inner: inner, reads: make(map[string]int), faults: make(map[string]*fault)}
}

// Set puts fault in the place of the key's former one, from the next read on. The fault of the key "" is that of all keys
// that have none of their own; its After counts the reads of all of them.
func (f *Faults) Set(key string, ft Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[key] = &fault{Fault: ft}
}

// Clear takes all faults away. Counts stay, and reads under way go on as they began.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.faults)
}

// Reads returns how often key was read, from the moment a read begins and whether it went well or not.
func (f *Faults) Reads(key string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads[key]
}

// Total returns how many reads there were of all keys.
func (f *Faults) Total() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, r := range f.reads {
		n += r
	}
	return n
}

// Counts returns a copy of the number of reads by key.
func (f *Faults) Counts() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.reads)
}

// String names the inner store.
func (f *Faults) String() string { return fmt.Sprintf("faults(%v)", f.inner) }

// ReadRange reads from the inner store, unless key's fault says otherwise.
func (f *Faults) ReadRange(ctx context.Context, key string, dst []byte, off int64) (n int, size int64, err error) {
	return f.read(ctx, key, dst, off, func(dst []byte, off int64) (int, int64, error) {
		return f.inner.ReadRange(ctx, key, dst, off)
	})
}

// OpenValue opens key's value. Its reads are reads of the key, which count and go wrong as those of the store do. The inner
// value is opened by the first read that comes to it, so that a fault may stand for a value that isn't there.
func (f *Faults) OpenValue(ctx context.Context, key string) (store.Value, error) {
	if err := checkOpen(ctx, f, key); err != nil {
		return nil, err
	}
	return &faultsValue{f: f, key: strings.Clone(key)}, nil
}

// A faultsValue is an open value of a Faults.
type faultsValue struct {
	f   *Faults
	key string

	mu    sync.Mutex
	inner store.Value // nil until it is needed
}

func (v *faultsValue) ReadRange(ctx context.Context, dst []byte, off int64) (n int, size int64, err error) {
	return v.f.read(ctx, v.key, dst, off, func(dst []byte, off int64) (int, int64, error) {
		inner, err := v.open(ctx)
		if err != nil {
			return 0, 0, err
		}
		return inner.ReadRange(ctx, dst, off)
	})
}

func (v *faultsValue) open(ctx context.Context) (store.Value, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.inner == nil {
		inner, err := store.OpenValue(ctx, v.f.inner, v.key)
		if err != nil {
			return nil, err
		}
		v.inner = inner
	}
	return v.inner, nil
}

func (v *faultsValue) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.inner == nil {
		return nil
	}
	return v.inner.Close()
}

// read is a read of key, which inner reads if no fault keeps it from that.
func (f *Faults) read(ctx context.Context, key string, dst []byte, off int64, inner func(dst []byte, off int64) (int, int64, error)) (n int, size int64, err error) {
	ft := f.begin(key)
	if err := ft.strike(ctx, key); err != nil {
		return 0, 0, &store.KeyError{Store: f.String(), Op: "read", Key: strings.Clone(key), Err: err}
	}
	switch {
	case ft.Value != nil:
		value := ft.Value[:max(int64(len(ft.Value))-ft.Cut, 0)]
		size = int64(len(value))
		off, n = span(size, off, len(dst))
		if n > 0 {
			copy(dst[:n], value[off:])
		}
	case ft.Cut != 0:
		if _, size, err = inner(nil, 0); err != nil {
			return 0, 0, err
		}
		size = max(size-ft.Cut, 0)
		off, n = span(size, off, len(dst))
		n, _, err = inner(dst[:n], off)
	default:
		n, size, err = inner(dst, off)
	}
	if err != nil {
		return 0, 0, err
	}
	return max(n-ft.Short, 0), size, nil
}

// List lists the inner store. Faults don't concern it.
func (f *Faults) List(ctx context.Context, prefix string) ([]string, error) {
	return list(ctx, f, f.inner, prefix)
}

// begin counts a read of key and returns what is wrong with it.
func (f *Faults) begin(key string) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.reads[key]; !ok {
		key = strings.Clone(key)
	}
	f.reads[key]++
	ft, ok := f.faults[key]
	if !ok {
		ft, ok = f.faults[""]
	}
	if !ok {
		return Fault{}
	}
	if ft.seen++; ft.seen <= ft.After {
		return Fault{}
	}
	return ft.Fault
}

// strike does what comes before reading.
func (ft *Fault) strike(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ft.Wait != nil {
		select {
		case <-ft.Wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if ft.Hook != nil {
		if err := ft.Hook(ctx, key); err != nil {
			return err
		}
	}
	return ft.Err
}

// span cuts the range [off, off+n) to a value of size bytes; a negative off counts from the end.
func span(size, off int64, n int) (int64, int) {
	if off < 0 {
		off = max(size+off, 0)
	}
	return off, int(min(int64(n), max(size-off, 0)))
}
