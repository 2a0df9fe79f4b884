package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"zarrbench/zarrio/store"
)

// A meter is a RoundTripper that counts the bytes that arrive, and takes down, in the ledger of the request's context, what the
// server tells of the object's version.
type meter struct {
	next  http.RoundTripper
	moved *atomic.Int64
}

// newTransport returns what sends the requests: one connection for each that may be under way, since HTTP/2 would put them all
// into one, and bodies as they are stored.
func newTransport(requests int) http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = requests, requests
	t.DisableCompression = true
	t.ForceAttemptHTTP2 = false
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	return t
}

// requestKey finds, in a request's context, the key of the object that it asks for.
type requestKey struct{}

func (m meter) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := m.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	l, key := ledgerOf(req.Context()), ""
	if l != nil {
		key, _ = req.Context().Value(requestKey{}).(string)
	}
	if key != "" {
		at := *req.URL
		at.RawQuery, at.User = "", nil // which may be secrets
		l.answer(key, at.String(), resp)
	}
	resp.Body = &metered{ReadCloser: resp.Body, count: func(n int64) {
		m.moved.Add(n)
		if key != "" {
			l.update(key, func(o *object) { o.Moved += n })
		}
	}}
	return resp, nil
}

// answer takes down what an answer tells of key's object.
func (l *ledger) answer(key, source string, resp *http.Response) {
	header := resp.Header
	good := resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent
	var before, now string
	l.update(key, func(o *object) {
		o.Requests++
		o.Source = source
		if !good {
			return
		}
		tag, generation := header.Get("ETag"), header.Get("X-Goog-Generation")
		if o.Generation != "" && generation != "" && o.Generation != generation {
			before, now = "generation "+o.Generation, "generation "+generation
		} else if o.ETag != "" && tag != "" && strings.TrimPrefix(o.ETag, "W/") != strings.TrimPrefix(tag, "W/") {
			before, now = "ETag "+o.ETag, "ETag "+tag
		}
		o.ETag, o.Generation = cmp.Or(tag, o.ETag), cmp.Or(generation, o.Generation) // some answers lack them
		o.Proof = serverProof(header)
	})
	if before != "" {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.changed == nil {
			l.changed = fmt.Errorf("%s: %w: it had %.100s, and has %.100s now", source, store.ErrChanged, before, now)
		}
	}
}

// serverProof says which checksum the store compares a whole object with.
func serverProof(header http.Header) string {
	goog := strings.Join(header.Values("X-Goog-Hash"), ",")
	switch {
	case header.Get("X-Goog-Stored-Content-Encoding") != "" && header.Get("X-Goog-Stored-Content-Encoding") != "identity":
	case strings.Contains(goog, "crc32c="):
		return proofCRC32C
	case strings.Contains(goog, "md5="):
		return proofMD5
	}
	if header.Get("Content-MD5") != "" {
		return proofMD5
	}
	return proofLength
}

// metered is a body that counts what is read of it.
type metered struct {
	io.ReadCloser
	count func(int64)
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	if n > 0 {
		m.count(int64(n))
	}
	return n, err
}

// withRequest returns a context whose requests are for key's object.
func withRequest(ctx context.Context, key string) context.Context {
	if ledgerOf(ctx) == nil {
		return ctx
	}
	return context.WithValue(ctx, requestKey{}, strings.Clone(key))
}
