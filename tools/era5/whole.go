package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"zarrbench/zarrio/store"
)

// maxWhole bounds the objects that are read whole, whose length is the server's word: no Blosc frame is longer.
const maxWhole = 1<<31 - 1

// bodies are the objects that are fetched whole, once for each ledger: zarrio reads a chunk by several calls, and the chunks of a
// shard by several goroutines. They stay until their memory is needed or their ledger is done with. Since one of them may be most
// of what the process should have, there is a limit, which only an object by itself may exceed.
type bodies struct {
	limit int64 // bytes

	mu    sync.Mutex
	held  map[bodyKey]*body
	spare [][]byte      // memory of objects that are gone
	bytes int64         // that held and spare have
	freed chan struct{} // is closed when there may be room again; nil while nobody waits for it
}

type bodyKey struct {
	l   *ledger
	key string
}

// A body is an object that was fetched whole, or is about to be.
type body struct {
	users int           // who may be reading data, and who waits for it
	ready chan struct{} // closed when data and err are set
	data  []byte
	err   error
}

// use returns an object, which fetch fetches if it is not there, into memory from room. The caller calls leave when it has read
// what it needs, and before it uses another object: otherwise two callers might wait for each other's memory.
func (b *bodies) use(ctx context.Context, k bodyKey, fetch func() ([]byte, error)) (*body, error) {
	b.mu.Lock()
	o := b.held[k]
	if o == nil {
		if b.held == nil {
			b.held = make(map[bodyKey]*body)
		}
		o = &body{ready: make(chan struct{})}
		b.held[k] = o
		o.users++
		b.mu.Unlock()
		o.data, o.err = fetch()
		close(o.ready)
	} else {
		o.users++
		b.mu.Unlock()
		select {
		case <-o.ready:
		case <-ctx.Done():
			b.leave(o)
			return nil, context.Cause(ctx)
		}
	}
	if o.err == nil {
		return o, nil
	}
	b.mu.Lock()
	if b.held[k] == o { // the next one tries anew
		delete(b.held, k)
	}
	b.mu.Unlock()
	return nil, o.err
}

// leave gives back what use returned.
func (b *bodies) leave(o *body) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o.users--
	b.wake()
}

// release gives up the objects of a ledger, which nobody reads any more.
func (b *bodies) release(l *ledger) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for k, o := range b.held {
		if k.l == l {
			b.drop(k, o)
		}
	}
	b.wake()
}

// drop makes the memory of an object spare. b.mu is held.
func (b *bodies) drop(k bodyKey, o *body) {
	delete(b.held, k)
	if cap(o.data) > 0 {
		b.spare = append(b.spare, o.data)
	}
}

// wake tells those who wait for room to look again. b.mu is held.
func (b *bodies) wake() {
	if b.freed != nil {
		close(b.freed)
		b.freed = nil
	}
}

// room returns memory for an object of n bytes, when there is some.
func (b *bodies) room(ctx context.Context, n int) ([]byte, error) {
	for {
		b.mu.Lock()
		data, ok := b.find(n)
		if ok {
			b.mu.Unlock()
			return data, nil
		}
		if b.freed == nil {
			b.freed = make(chan struct{})
		}
		freed := b.freed
		b.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// find returns memory for n bytes within the limit, or beyond it if there is no other: spare memory that is large enough, or new
// memory, for which objects that nobody reads give way. b.mu is held.
func (b *bodies) find(n int) ([]byte, bool) {
	size := int64(n)
	if data, ok := b.reuse(n); ok {
		return data, true
	}
	if b.bytes+size > b.limit {
		for k, o := range b.held {
			if o.users == 0 {
				b.drop(k, o)
			}
		}
		if data, ok := b.reuse(n); ok {
			return data, true
		}
		if len(b.spare) > 0 {
			for _, data := range b.spare {
				b.bytes -= int64(cap(data))
			}
			b.spare = nil
			debug.FreeOSMemory() // else it counts until some collection, and its pages stay longer still
		}
	}
	if b.bytes > 0 && b.bytes+size > b.limit {
		return nil, false
	}
	b.bytes += size
	return make([]byte, n), true
}

// reuse returns the smallest spare memory that has n bytes. b.mu is held.
func (b *bodies) reuse(n int) ([]byte, bool) {
	best := -1
	for i, data := range b.spare {
		if cap(data) >= n && (best < 0 || cap(data) < cap(b.spare[best])) {
			best = i
		}
	}
	if best < 0 {
		return nil, false
	}
	data := b.spare[best][:n]
	b.spare = slices.Delete(b.spare, best, best+1)
	return data, true
}

// giveBack takes back memory from room that no object came to be in.
func (b *bodies) giveBack(data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spare = append(b.spare, data)
	b.wake()
}

// readsWhole reports whether an object is fetched whole for who reads it: chunks are, once for each ledger.
func (w *watched) readsWhole(l *ledger, key string) bool {
	return l != nil && isChunk(key) && w.wholeObjects()
}

// useWhole returns key's object, as [bodies.use] does.
func (w *watched) useWhole(ctx context.Context, l *ledger, key string) (*body, error) {
	return w.bodies.use(ctx, bodyKey{l, key}, func() ([]byte, error) { return w.fetchWhole(ctx, key) })
}

// fetchWhole fetches key's object.
func (w *watched) fetchWhole(ctx context.Context, key string) ([]byte, error) {
	_, size, err := w.under.ReadRange(withRequest(ctx, key), key, nil, 0)
	switch {
	case err != nil:
		w.note(ctx, key, nil, 0, err)
		return nil, err
	case size > maxWhole:
		return nil, fmt.Errorf("%v: %s has %d bytes, more than are fetched whole", w, key, size)
	}
	data, err := w.bodies.room(ctx, int(size))
	if err != nil {
		return nil, err
	}
	n, now, err := w.under.ReadRange(withRequest(ctx, key), key, data, 0)
	w.note(ctx, key, data[:n], now, err)
	if err == nil && now != size {
		err = fmt.Errorf("%v: %s: %w: it had %d bytes, and has %d now", w, key, store.ErrChanged, size, now)
	}
	if err != nil {
		w.bodies.giveBack(data)
		return nil, err
	}
	return data, nil
}

// readRange copies a part of the object, as [store.Store] has it.
func (o *body) readRange(dst []byte, off int64) (n int, size int64, err error) {
	size = int64(len(o.data))
	if off < 0 {
		off = max(size+off, 0)
	}
	return copy(dst, o.data[min(off, size):]), size, nil
}

// wholeValue is an open value that was fetched whole.
type wholeValue struct {
	w *watched
	o *body
}

func (v wholeValue) ReadRange(_ context.Context, dst []byte, off int64) (n int, size int64, err error) {
	return v.o.readRange(dst, off)
}

func (v wholeValue) Close() error {
	v.w.bodies.leave(v.o)
	return nil
}
