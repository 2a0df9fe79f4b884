package store

import (
	"bytes"
	"context"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// A Mem is a store in memory. It is a [Store], a [Lister], an [Opener] and a [Putter], and any number of goroutines may use
// it at once. As in a directory, nothing can be put below a value, and no value where others lie below.
type Mem struct {
	mu     sync.RWMutex
	values map[string][]byte              // what is here never changes: a Put puts another in its place
	dirs   map[string]map[string]struct{} // the names that List returns; "" is the root
}

var (
	_ Lister = (*Mem)(nil)
	_ Opener = (*Mem)(nil)
	_ Putter = (*Mem)(nil)
)

// NewMem returns an empty store.
func NewMem() *Mem {
	return &Mem{values: make(map[string][]byte), dirs: map[string]map[string]struct{}{"": {}}}
}

// String returns "memory".
func (m *Mem) String() string { return "memory" }

// ReadRange is described at [Store].
func (m *Mem) ReadRange(ctx context.Context, key string, dst []byte, off int64) (n int, size int64, err error) {
	value, err := m.find(ctx, "read", key)
	if err != nil {
		return 0, 0, err
	}
	n, size = copyRange(dst, value, off)
	return n, size, nil
}

// OpenValue is described at [Opener]. The value stays what it was, whatever is put later.
func (m *Mem) OpenValue(ctx context.Context, key string) (Value, error) {
	value, err := m.find(ctx, "open", key)
	if err != nil {
		return nil, err
	}
	return memValue{value, strings.Clone(key)}, nil
}

// Put makes a copy of value the value of key.
func (m *Mem) Put(ctx context.Context, key string, value []byte) error {
	err := ctx.Err()
	if err == nil {
		err = CheckKey(key)
	}
	if err == nil {
		err = m.put(strings.Clone(key), bytes.Clone(value))
	}
	if err != nil {
		return m.fail("put", key, err)
	}
	return nil
}

func (m *Mem) put(key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.values[key]; !ok {
		if _, ok := m.dirs[key]; ok {
			return syscall.EISDIR
		}
		// Nothing is changed before it is known that every parent may be a directory.
		for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
			if _, ok := m.values[dir]; ok {
				return errParent
			}
		}
		m.enter(key)
	}
	m.values[key] = value
	return nil
}

// enter makes key a name in its directory, and that one in the one above it, up to one that is there.
func (m *Mem) enter(key string) {
	for name := key; ; {
		parent, base := "", name
		if i := strings.LastIndexByte(strings.TrimSuffix(name, "/"), '/'); i >= 0 {
			parent, base = name[:i], name[i+1:]
		}
		dir, ok := m.dirs[parent]
		if !ok {
			dir = make(map[string]struct{})
			m.dirs[parent] = dir
		}
		dir[base] = struct{}{}
		if ok {
			return
		}
		name = parent + "/"
	}
}

// List is described at [Lister].
func (m *Mem) List(ctx context.Context, prefix string) ([]string, error) {
	err := ctx.Err()
	if err == nil && prefix != "" {
		err = CheckKey(prefix)
	}
	if err != nil {
		return nil, m.fail("list", prefix, err)
	}
	m.mu.RLock()
	dir, ok := m.dirs[prefix]
	names := make([]string, 0, len(dir))
	for name := range dir {
		names = append(names, name)
	}
	m.mu.RUnlock()
	if !ok {
		return nil, m.fail("list", prefix, fs.ErrNotExist)
	}
	slices.Sort(names)
	return names, nil
}

// find returns key's value, which the caller must not change.
func (m *Mem) find(ctx context.Context, op, key string) ([]byte, error) {
	err := ctx.Err()
	if err == nil {
		err = CheckKey(key)
	}
	if err != nil {
		return nil, m.fail(op, key, err)
	}
	m.mu.RLock()
	value, ok := m.values[key]
	_, isDir := m.dirs[key]
	m.mu.RUnlock()
	switch {
	case ok:
		return value, nil
	case isDir:
		return nil, m.fail(op, key, syscall.EISDIR)
	default:
		return nil, m.fail(op, key, fs.ErrNotExist)
	}
}

func (m *Mem) fail(op, key string, err error) error {
	return &KeyError{Store: m.String(), Op: op, Key: strings.Clone(key), Err: err}
}

// A memValue is an open value of a Mem.
type memValue struct {
	value []byte
	key   string
}

func (v memValue) ReadRange(ctx context.Context, dst []byte, off int64) (n int, size int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, &KeyError{Store: (*Mem)(nil).String(), Op: "read", Key: v.key, Err: err}
	}
	n, size = copyRange(dst, v.value, off)
	return n, size, nil
}

func (v memValue) Close() error { return nil }

// copyRange is ReadRange for a value in memory.
func copyRange(dst, value []byte, off int64) (n int, size int64) {
	size = int64(len(value))
	off, n = span(size, off, len(dst))
	if n > 0 { // else off may lie beyond
		copy(dst[:n], value[off:])
	}
	return n, size
}
