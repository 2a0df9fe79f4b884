package store

import (
	"net/http"
	"time"
)

// EscapeKey makes the path of a key.
func EscapeKey(key string) string { return escapeKey(key) }

// ParseContentRange returns the range and the total of a Content-Range header.
func ParseContentRange(s string) (first, last, total int64, err error) {
	r, err := parseContentRange(s)
	return r.first, r.last, r.total, err
}

// Wait is how long h waits after an attempt.
func (h *HTTP) Wait(attempt int, after time.Duration) time.Duration { return h.wait(attempt, after) }

// KeyURL is where key's value is.
func (h *HTTP) KeyURL(key string) string { return join(h.root.Load(), h.prefix+key).String() }

// Client is the client that h asks by.
func (h *HTTP) Client() *http.Client { return h.client }
