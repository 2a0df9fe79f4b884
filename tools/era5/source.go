package main

import (
	"cmp"
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
	"zarrbench/zarrio/stac"
	"zarrbench/zarrio/store"
)

// A source is the store that is fetched from.
type source struct {
	group   *zarrio.Group
	store   *watched
	place   string        // where it is, which a STAC document may have told
	moved   *atomic.Int64 // bytes that came from servers
	retries func() int64
}

func (s *source) Close() error { return s.store.Close() }

// gap is how many bytes are rather fetched than skipped: fewer than the store would choose, since several requests are under way
// at once, and a fetch is long on lines that have little to give.
const gap = 256 << 10

// openSource opens the store to fetch from. What is read meanwhile is in the ledger of ctx.
func openSource(ctx context.Context, o options) (*source, error) {
	opt := o.http
	opt.Endpoint = o.endpoint
	opt.Gap = cmp.Or(opt.Gap, gap)
	if opt.Client == nil {
		opt.Client = &http.Client{Transport: newTransport(o.requests)}
	}
	s := &source{moved: new(atomic.Int64), retries: func() int64 { return 0 }}
	opt.Client = &http.Client{Transport: meter{opt.Client.Transport, s.moved}}
	l, err := stac.Locate(ctx, o.place, store.Options{HTTP: opt, Dir: store.DirOptions{FollowLinks: o.opening.FollowLinks}})
	if err != nil {
		return nil, err
	}
	s.place = l.Place
	under, err := l.Open(ctx)
	if err != nil {
		return nil, err
	}
	if c, ok := under.(interface{ Counts() store.HTTPCounts }); ok {
		s.retries = func() int64 { return c.Counts().Retries }
	}
	s.store = &watched{under: under, moved: s.moved, local: !isRemote(l.Place), whole: o.whole, bodies: bodies{limit: memoryLimit}}
	opening := o.opening
	opening.Strict = !o.AllowMissing
	s.group, err = zarrio.OpenStore(ctx, s.store, opening)
	if err == nil && l.Asset != nil && l.Asset.Group != "" {
		s.group, err = s.group.Group(ctx, l.Asset.Group)
	}
	if err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	return s, nil
}

// watched is a store whose reads are taken down in the ledger of their context.
type watched struct {
	under store.Closer
	moved *atomic.Int64
	local bool // no request stands behind a read
	whole bool // chunks are to be fetched whole

	bodies bodies // of what is fetched whole
}

var (
	_ store.Opener    = (*watched)(nil)
	_ store.Coalescer = (*watched)(nil)
)

func (w *watched) String() string { return fmt.Sprint(w.under) }

func (w *watched) Close() error { return w.under.Close() }

// Coalesce is described at [store.Coalescer]. Of what is fetched whole, parts are to be had for nothing, so that none need be
// long: each is a copy.
func (w *watched) Coalesce() (gap, size int64) {
	if w.wholeObjects() {
		return 0, 512 << 10
	}
	return w.coalesce()
}

func (w *watched) coalesce() (gap, size int64) {
	if c, ok := w.under.(store.Coalescer); ok {
		return c.Coalesce()
	}
	return 0, 0
}

// wholeObjects reports whether chunks are fetched whole: because that was asked for, or because the server, as far as its last answer
// tells, would send them whole anyway.
func (w *watched) wholeObjects() bool {
	gap, size := w.coalesce()
	return w.whole || size > 0 && gap >= size
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
	if l := ledgerOf(ctx); w.readsWhole(l, key) {
		o, err := w.useWhole(ctx, l, strings.Clone(key))
		if err != nil {
			return 0, 0, err
		}
		defer w.bodies.leave(o)
		return o.readRange(dst, off)
	}
	n, size, err = w.under.ReadRange(withRequest(ctx, key), key, dst, off)
	w.note(ctx, key, dst[:n], size, err)
	return n, size, err
}

// OpenValue is described at [store.Opener].
func (w *watched) OpenValue(ctx context.Context, key string) (store.Value, error) {
	if l := ledgerOf(ctx); w.readsWhole(l, key) {
		o, err := w.useWhole(ctx, l, strings.Clone(key))
		if err != nil {
			return nil, err
		}
		return wholeValue{w, o}, nil
	}
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
