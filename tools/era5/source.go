package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync/atomic"

	"zarrbench/zarrio"
	"zarrbench/zarrio/store"
)

// A source is the store that is fetched from.
type source struct {
	group   *zarrio.Group
	store   *watched
	moved   *atomic.Int64 // bytes that came from servers
	retries func() int64
}

func (s *source) Close() error { return s.group.Close() }

// openSource opens the store to fetch from. What is read meanwhile is in the ledger of ctx.
func openSource(ctx context.Context, o options) (*source, error) {
	s := &source{moved: new(atomic.Int64), retries: func() int64 { return 0 }}
	under, err := s.openStore(ctx, o)
	if err != nil {
		return nil, err
	}
	s.store = &watched{under: under, moved: s.moved, whole: o.whole}
	_, s.store.local = under.(store.Filer)
	s.group, err = zarrio.OpenStore(ctx, s.store, zarrio.Options{Strict: !o.AllowMissing})
	if err != nil {
		under.Close()
		return nil, err
	}
	return s, nil
}

// openStore opens the store that the place names. Bytes from servers are metered.
func (s *source) openStore(ctx context.Context, o options) (store.Closer, error) {
	scheme, _, isURL := strings.Cut(o.Store, "://")
	opt := o.http
	opt.Endpoint = o.endpoint
	next := newTransport(o.requests)
	if opt.Client != nil && opt.Client.Transport != nil {
		next = opt.Client.Transport
	}
	opt.Client = &http.Client{Transport: meter{next, s.moved}}
	switch {
	case !isURL || strings.EqualFold(scheme, "file"):
		return store.Open(ctx, o.Store)
	case strings.EqualFold(scheme, "gs") || strings.EqualFold(scheme, "s3"):
		b, err := store.OpenBucket(o.Store, opt)
		if err != nil {
			return nil, err
		}
		s.retries = func() int64 { return b.Counts().Retries }
		return b, nil
	}
	h, err := store.OpenHTTP(o.Store, opt)
	if err != nil {
		return nil, err
	}
	s.retries = func() int64 { return h.Counts().Retries }
	return h, nil
}

// watched is a store whose reads are taken down in the ledger of their context.
type watched struct {
	under store.Closer
	moved *atomic.Int64
	local bool // no request stands behind a read
	whole bool // parts of values are not asked for
}

var (
	_ store.Opener    = (*watched)(nil)
	_ store.Coalescer = (*watched)(nil)
)

func (w *watched) String() string { return fmt.Sprint(w.under) }

func (w *watched) Close() error { return w.under.Close() }

// Coalesce is described at [store.Coalescer]. Where values are to be fetched whole, no gap is too wide and no read too long.
func (w *watched) Coalesce() (gap, size int64) {
	if w.whole {
		return 1 << 40, 1 << 40
	}
	if c, ok := w.under.(store.Coalescer); ok {
		return c.Coalesce()
	}
	return 0, 0
}

// Requests is described at [store.Coalescer].
func (w *watched) Requests() int {
	if c, ok := w.under.(store.Coalescer); ok {
		return c.Requests()
	}
	return 0
}

// ReadRange is described at [store.Store].
func (w *watched) ReadRange(ctx context.Context, key string, dst []byte, off int64) (n int, size int64, err error) {
	n, size, err = w.under.ReadRange(withRequest(ctx, key), key, dst, off)
	w.note(ctx, key, dst[:n], size, err)
	return n, size, err
}

// OpenValue is described at [store.Opener].
func (w *watched) OpenValue(ctx context.Context, key string) (store.Value, error) {
	v, err := store.OpenValue(ctx, w.under, key)
	if err != nil {
		w.note(ctx, key, nil, 0, err)
		return nil, err
	}
	return &watchedValue{v, w, strings.Clone(key)}, nil
}

// note takes down a read: got are the bytes that were read, of a value of size bytes.
func (w *watched) note(ctx context.Context, key string, got []byte, size int64, err error) {
	l := ledgerOf(ctx)
	if l == nil || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return
	}
	sum := ""
	if err == nil && int64(len(got)) == size {
		b := sha256.Sum256(got)
		sum = hex.EncodeToString(b[:])
	}
	if w.local {
		w.moved.Add(int64(len(got)))
	}
	l.update(key, func(o *object) {
		if o.Missing = err != nil; o.Missing {
			return
		}
		o.Bytes = size
		if sum != "" {
			o.SHA256 = sum
		}
		if w.local {
			o.Moved += int64(len(got))
			o.Source, o.Proof = path.Join(w.String(), key), proofLength
		}
		if o.SHA256 == "" {
			o.Proof = proofParts
		}
	})
}

// watchedValue is an open value of a watched store.
type watchedValue struct {
	store.Value
	w   *watched
	key string
}

func (v *watchedValue) ReadRange(ctx context.Context, dst []byte, off int64) (n int, size int64, err error) {
	n, size, err = v.Value.ReadRange(withRequest(ctx, v.key), dst, off)
	v.w.note(ctx, v.key, dst[:n], size, err)
	return n, size, err
}
