package store

import (
	"context"
	"strings"
	"sync"
)

// OpenValue is described at [Opener]. It asks nothing of the server. All reads of the value it returns are of one version, as
// far as the server tells versions apart: once it has changed, they give an error that is [ErrChanged].
func (h *HTTP) OpenValue(ctx context.Context, key string) (Value, error) {
	err := h.ready(ctx)
	if err == nil {
		err = CheckKey(key)
	}
	if err != nil {
		return nil, h.fail("open", key, err)
	}
	return &httpValue{h: h, key: strings.Clone(key), found: unknownVersion}, nil
}

type httpValue struct {
	h   *HTTP
	key string

	mu    sync.Mutex
	found version
}

func (v *httpValue) ReadRange(ctx context.Context, dst []byte, off int64) (int, int64, error) {
	v.mu.Lock()
	found := v.found
	v.mu.Unlock()
	n, size, err := v.h.readRange(ctx, v.key, dst, off, &found)
	if err != nil {
		return 0, 0, err
	}
	// Several first reads may have run at once.
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.found.check(found); err != nil {
		return 0, 0, v.h.fail("read", v.key, err)
	}
	if v.found.size < 0 {
		v.found = found
	}
	return n, size, nil
}

// Version implements [Versioned]. It is unknown if the server gives neither ETag nor Last-Modified.
func (v *httpValue) Version() (Version, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f := v.found
	if f.size < 0 || f.tag == "" && f.date == "" {
		return Version{}, nil
	}
	if f.tag != "" {
		return Version{Size: f.size, Tag: strings.TrimPrefix(f.tag, "W/")}, nil
	}
	return Version{Size: f.size, Tag: f.date}, nil
}

func (v *httpValue) Close() error { return nil }
