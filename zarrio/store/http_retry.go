package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// A StatusError is an answer of HTTP that is neither the value nor its absence. It is [fs.ErrPermission] where the server
// wants to know who asks, and where it says that nobody may.
type StatusError struct {
	Code int    // such as 403
	Text string // the beginning of what the server said, printable and short; it may be empty
	Hint string // what may help, or empty
}

func (e *StatusError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the server answered %d %s", e.Code, http.StatusText(e.Code))
	if e.Text != "" {
		fmt.Fprintf(&b, ", %q", e.Text)
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, " (%s)", e.Hint)
	}
	return b.String()
}

func (e *StatusError) Is(target error) bool {
	return target == fs.ErrPermission && (e.Code == http.StatusUnauthorized || e.Code == http.StatusForbidden)
}

// Of a store that may not be listed, Google and Amazon answer 403 for what is missing, so as not to tell.
const deniedHint = "either it is missing and its bucket may not be listed, or it is not public: " +
	"only public objects can be read here, so sign the URL, or mount the bucket and open the directory"

var errStalled = errors.New("nothing arrived")

// temporary marks the error of an attempt that may go well another time.
type temporary struct {
	err   error
	after time.Duration // what the server asked for by Retry-After, or 0
}

func (e *temporary) Error() string { return e.err.Error() }
func (e *temporary) Unwrap() error { return e.err }

// again is a temporary error of a text.
func again(format string, args ...any) error {
	return &temporary{err: fmt.Errorf(format, args...)}
}

// reachAttempts is how often a read is tried while the server has not answered anything: for 3 s at most, where each fails at once
// and the first retry waits 100 ms.
const reachAttempts = 6

// unreached reports whether the server has not answered yet, and so is to be given up soon.
func (h *HTTP) unreached() bool { return h.reach > 0 && !h.answered.Load() }

// retry calls try until it succeeds, fails for good, or has been called as often as it may.
func (h *HTTP) retry(ctx context.Context, try func(context.Context) error) error {
	start := time.Now()
	for attempt := 1; ; attempt++ {
		err := try(ctx)
		if err == nil || err == ctx.Err() {
			return err
		}
		t, ok := errors.AsType[*temporary](err)
		var wait time.Duration
		if ok {
			err, wait = t.err, h.wait(attempt, t.after)
		}
		last := !ok || attempt > h.retries
		if h.unreached() {
			last = last || attempt >= reachAttempts || time.Since(start)+wait >= h.reach
			if _, dns := errors.AsType[*net.DNSError](err); last && (ok || dns) {
				err = fmt.Errorf("%w (%s has answered nothing: check that the server is up, and the URL's scheme, host and port)",
					err, h.root.Load().Host)
			}
		}
		if last {
			if attempt == 1 {
				return err
			}
			return fmt.Errorf("attempt %d: %w", attempt, err)
		}
		if e := sleep(ctx, wait); e != nil {
			return fmt.Errorf("%w, waiting to try again after attempt %d: %w", e, attempt, err)
		}
		h.counts.retries.Add(1)
	}
}

// wait is how long to wait after an attempt that failed, counted from 1. What it adds to the least wait is random, so that
// requests that failed together don't come back together.
func (h *HTTP) wait(attempt int, after time.Duration) time.Duration {
	d := h.maxBackoff
	if shift := min(attempt-1, 62); h.backoff <= h.maxBackoff>>shift {
		d = h.backoff << shift
	}
	d = d/2 + jitter(d/2)
	if after > 0 {
		d = max(d, min(after, h.maxBackoff)+jitter(h.backoff))
	}
	return min(d, h.maxBackoff)
}

// jitter returns a random part of d.
func jitter(d time.Duration) time.Duration { return rand.N(d + 1) }

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retryAfter parses a Retry-After header of RFC 9110 (10.2.3), seconds or a date. What it can't parse is no wait.
func retryAfter(s string) time.Duration {
	if sec, ok := decimal(s); ok {
		return time.Duration(min(sec, 1<<30)) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(time.Until(t), 0)
	}
	return 0
}

// statusError makes an error of an answer that is no value.
func statusError(resp *http.Response, body io.Reader) error {
	text := excerpt(body)
	e := &StatusError{Code: resp.StatusCode, Text: text}
	switch code := resp.StatusCode; code {
	case http.StatusNotFound, http.StatusGone:
		if !strings.Contains(text, "NoSuchBucket") { // Else all chunks would read as missing.
			return fs.ErrNotExist
		}
	case http.StatusUnauthorized, http.StatusForbidden:
		e.Hint = deniedHint
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &temporary{err: e, after: retryAfter(resp.Header.Get("Retry-After"))}
	default:
		if region := resp.Header.Get("X-Amz-Bucket-Region"); region != "" && code/100 == 3 {
			e.Hint = fmt.Sprintf("the bucket is in the region %.40q", region)
		}
	}
	return e
}

// maxExcerpt is how many bytes of a body an error shows.
const maxExcerpt = 256

// excerpt returns the beginning of a body in one printable line.
func excerpt(body io.Reader) string {
	buf := make([]byte, maxExcerpt+1)
	n, _ := io.ReadFull(body, buf)
	text := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, string(buf[:n]))
	text = strings.Join(strings.Fields(text), " ")
	if n > maxExcerpt {
		text += " ..."
	}
	return text
}

// bare takes off what net/http puts before an error: it shows the URL with its query, which may be a secret.
func bare(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// lasting reports whether an error of the transport will come again. Most are of the network, and may not.
func lasting(err error) bool {
	if _, ok := errors.AsType[redirectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return true
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound && !e.IsTemporary {
		return true
	}
	return errors.Is(err, http.ErrSchemeMismatch)
}
