package store_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"zarrbench/zarrio/store"
)

// A roundTrip answers in a server's place, so that time can be virtual.
type roundTrip func(r *http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answer makes a response.
func answer(status int, header http.Header, body io.Reader, length int) *http.Response {
	if header == nil {
		header = make(http.Header)
	}
	return &http.Response{StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: header, Body: io.NopCloser(body), ContentLength: int64(length)}
}

// value answers with a whole value.
func value(s string) (*http.Response, error) {
	return answer(200, nil, strings.NewReader(s), len(s)), nil
}

// openTrip opens a store whose requests f answers.
func openTrip(t *testing.T, opt store.HTTPOptions, f roundTrip) *store.HTTP {
	opt.Client = &http.Client{Transport: f}
	return openHTTP(t, "http://example.com/a", opt)
}

func TestHTTPBackoff(t *testing.T) {
	h := openHTTP(t, "http://example.com", store.HTTPOptions{Backoff: time.Second, MaxBackoff: 20 * time.Second})
	tests := []struct {
		attempt  int
		after    time.Duration
		min, max time.Duration
	}{
		{1, 0, time.Second / 2, time.Second},
		{2, 0, time.Second, 2 * time.Second},
		{5, 0, 8 * time.Second, 16 * time.Second},
		{6, 0, 10 * time.Second, 20 * time.Second},
		{1000, 0, 10 * time.Second, 20 * time.Second},
		{1, 5 * time.Second, 5 * time.Second, 6 * time.Second},
		{1, time.Hour, 20 * time.Second, 20 * time.Second},
		{6, time.Second, 10 * time.Second, 20 * time.Second},
	}
	for _, tt := range tests {
		least, most := tt.max, tt.min
		for range 1000 {
			d := h.Wait(tt.attempt, tt.after)
			if d < tt.min || d > tt.max {
				t.Fatalf("wait(%d, %v) = %v, want %v to %v", tt.attempt, tt.after, d, tt.min, tt.max)
			}
			least, most = min(least, d), max(most, d)
		}
		// Of 1000 draws, the chance that all lie in one half is nothing.
		if tt.max > tt.min && most-least < (tt.max-tt.min)/2 {
			t.Errorf("wait(%d, %v) is %v to %v: hardly random", tt.attempt, tt.after, least, most)
		}
	}
}

// TestHTTPRetries fails a number of times in each way, and looks at how long the read waits.
func TestHTTPRetries(t *testing.T) {
	status := func(code int, header http.Header) func() (*http.Response, error) {
		return func() (*http.Response, error) { return answer(code, header, strings.NewReader("x"), 1), nil }
	}
	tests := []struct {
		name     string
		fail     func() (*http.Response, error)
		min, max time.Duration // of the waits for three failures
	}{
		{"408", status(408, nil), 350 * time.Millisecond, 700 * time.Millisecond},
		{"429", status(429, nil), 350 * time.Millisecond, 700 * time.Millisecond},
		{"500", status(500, nil), 350 * time.Millisecond, 700 * time.Millisecond},
		{"502", status(502, nil), 350 * time.Millisecond, 700 * time.Millisecond},
		{"503", status(503, nil), 350 * time.Millisecond, 700 * time.Millisecond},
		{"504", status(504, nil), 350 * time.Millisecond, 700 * time.Millisecond},
		{"retry after seconds", status(429, http.Header{"Retry-After": {"3"}}), 9 * time.Second, 9300 * time.Millisecond},
		{"retry after hours", status(503, http.Header{"Retry-After": {"7200"}}), 60 * time.Second, 60 * time.Second},
		{"retry after a date", status(503, http.Header{"Retry-After": {"Sat, 01 Jan 2000 00:00:05 GMT"}}), 5150 * time.Millisecond, 5700 * time.Millisecond},
		{"retry after nonsense", status(503, http.Header{"Retry-After": {"-1"}}), 350 * time.Millisecond, 700 * time.Millisecond},
		{"reset", func() (*http.Response, error) { return nil, syscall.ECONNRESET }, 350 * time.Millisecond, 700 * time.Millisecond},
		{"closed", func() (*http.Response, error) { return nil, io.EOF }, 350 * time.Millisecond, 700 * time.Millisecond},
		{"short", func() (*http.Response, error) { return answer(200, nil, strings.NewReader("va"), 5), nil }, 350 * time.Millisecond, 700 * time.Millisecond},
		{"long", func() (*http.Response, error) { return answer(200, nil, strings.NewReader("values"), 5), nil }, 350 * time.Millisecond, 700 * time.Millisecond},
		{"broken", func() (*http.Response, error) {
			return answer(200, nil, io.MultiReader(strings.NewReader("va"), failing{syscall.ECONNRESET}), 5), nil
		}, 350 * time.Millisecond, 700 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				h := openTrip(t, store.HTTPOptions{}, func(*http.Request) (*http.Response, error) {
					if tries++; tries <= 3 {
						return tt.fail()
					}
					return value("value")
				})
				start := time.Now()
				dst := make([]byte, 9)
				n, _, err := h.ReadRange(t.Context(), "k", dst, 0)
				if err != nil || string(dst[:n]) != "value" {
					t.Errorf("read %q, %v", dst[:n], err)
				}
				if d := time.Since(start); d < tt.min || d > tt.max {
					t.Errorf("waited %v for three failures, want %v to %v", d, tt.min, tt.max)
				}
				if c := h.Counts(); c.Requests != 4 || c.Retries != 3 {
					t.Errorf("%+v, want 4 requests, 3 of them retries", c)
				}
			})
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestHTTPGivesUp never answers well.
func TestHTTPGivesUp(t *testing.T) {
	tests := []struct {
		retries int
		want    string
		tries   int
	}{
		{-1, "connection reset by peer", 1},
		{2, "attempt 3: connection reset by peer", 3},
		{0, "attempt 17: connection reset by peer", 17},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			tries := 0
			h := openTrip(t, store.HTTPOptions{Retries: tt.retries, Reach: -1}, func(*http.Request) (*http.Response, error) {
				tries++
				return nil, syscall.ECONNRESET
			})
			_, _, err := h.ReadRange(t.Context(), "k", make([]byte, 1), 0)
			if !errors.Is(err, syscall.ECONNRESET) || !strings.HasSuffix(err.Error(), `read "k": `+tt.want) || tries != tt.tries {
				t.Errorf("%d retries: %v after %d tries, want %q after %d", tt.retries, err, tries, tt.want, tt.tries)
			}
		})
	}

	// What fails for good after a retry says how many attempts there were.
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		h := openTrip(t, store.HTTPOptions{}, func(*http.Request) (*http.Response, error) {
			if tries++; tries == 1 {
				return nil, io.ErrUnexpectedEOF
			}
			return answer(404, nil, strings.NewReader(""), 0), nil
		})
		_, _, err := h.ReadRange(t.Context(), "k", nil, 0)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "attempt 2: ") || tries != 2 {
			t.Errorf("%v after %d tries, want fs.ErrNotExist in attempt 2", err, tries)
		}
	})
}

// TestHTTPLasting fails in ways that would come again.
func TestHTTPLasting(t *testing.T) {
	for _, cause := range []error{
		&net.DNSError{Err: "no such host", IsNotFound: true},
		tls.AlertError(40),
		&tls.CertificateVerificationError{Err: errors.New("unknown authority")},
		http.ErrSchemeMismatch,
	} {
		h := openTrip(t, quick, func(*http.Request) (*http.Response, error) { return nil, cause })
		if _, _, err := h.ReadRange(t.Context(), "k", nil, 0); !errors.Is(err, cause) || h.Counts().Requests != 1 {
			t.Errorf("%v after %d requests, want %v after 1", err, h.Counts().Requests, cause)
		}
	}
}

// TestHTTPCancelled cancels reads at each place where they wait.
func TestHTTPCancelled(t *testing.T) {
	hang := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	tests := []struct {
		name string
		trip roundTrip
		want string
	}{
		{"before the answer", hang, `read "k": context deadline exceeded`},
		{"in a backoff", func(*http.Request) (*http.Response, error) { return nil, syscall.ECONNRESET },
			`context deadline exceeded, waiting to try again after attempt `},
		{"in a body", func(r *http.Request) (*http.Response, error) {
			return answer(200, nil, io.MultiReader(strings.NewReader("0"), waiting{r.Context()}), 10), nil
		}, `read "k": context deadline exceeded`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := openTrip(t, store.HTTPOptions{Reach: -1}, tt.trip)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				start := time.Now()
				_, _, err := h.ReadRange(ctx, "k", make([]byte, 10), 0)
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%v, want %q", err, tt.want)
				}
				if d := time.Since(start); d != 10*time.Second {
					t.Errorf("returned after %v, want 10s", d)
				}
			})
		})
	}

	t.Run("in the queue", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := openTrip(t, store.HTTPOptions{Requests: 1, Timeout: time.Hour}, hang)
			busy, free := context.WithCancel(t.Context())
			go h.ReadRange(busy, "k", make([]byte, 10), 0)
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			if _, _, err := h.ReadRange(ctx, "k", make([]byte, 10), 0); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
				t.Errorf("%v after %v, want context.DeadlineExceeded after 1s", err, time.Since(start))
			}
			if n := h.Counts().Requests; n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
			free()
			synctest.Wait()
		})
	})
}

// waiting is a body that never comes.
type waiting struct{ ctx context.Context }

func (w waiting) Read([]byte) (int, error) {
	<-w.ctx.Done()
	return 0, w.ctx.Err()
}

// slow is a body of which a byte comes each time that so much has passed.
type slow struct {
	ctx  context.Context
	each time.Duration
	left int
}

func (s *slow) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(s.each):
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
	s.left--
	p[0] = 'x'
	return 1, nil
}

// TestHTTPTimeout checks that what makes progress goes on however long it takes, and that what makes none is tried again.
func TestHTTPTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openTrip(t, store.HTTPOptions{Timeout: 10 * time.Second}, func(r *http.Request) (*http.Response, error) {
			return answer(200, nil, &slow{r.Context(), 9 * time.Second, 20}, 20), nil
		})
		start := time.Now()
		if n, _, err := h.ReadRange(t.Context(), "k", make([]byte, 20), 0); n != 20 || err != nil || time.Since(start) != 180*time.Second {
			t.Errorf("slow body: %d, %v after %v, want 20 bytes after 3m0s", n, err, time.Since(start))
		}
	})
	for _, stall := range []struct {
		name string
		trip roundTrip
	}{
		{"answer", func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		}},
		{"body", func(r *http.Request) (*http.Response, error) {
			return answer(200, nil, &slow{r.Context(), 11 * time.Second, 20}, 20), nil
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			tries := 0
			h := openTrip(t, store.HTTPOptions{Timeout: 10 * time.Second, Retries: 1, Backoff: 2 * time.Second, Reach: -1}, func(r *http.Request) (*http.Response, error) {
				tries++
				return stall.trip(r)
			})
			start := time.Now()
			_, _, err := h.ReadRange(t.Context(), "k", make([]byte, 20), 0)
			if err == nil || !strings.Contains(err.Error(), "attempt 2: nothing arrived for 10s") || tries != 2 {
				t.Errorf("stalled %s: %v after %d tries", stall.name, err, tries)
			}
			if d := time.Since(start); d < 21*time.Second || d > 22*time.Second {
				t.Errorf("stalled %s: gave up after %v, want 21s to 22s", stall.name, d)
			}
		})
	}
}

// TestHTTPBackoffHoldsNoSlot checks that a read that waits to be tried again lets others go on.
func TestHTTPBackoffHoldsNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var under, most atomic.Int32
		h := openTrip(t, store.HTTPOptions{Requests: 2, Retries: 1}, func(r *http.Request) (*http.Response, error) {
			n := under.Add(1)
			defer under.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(time.Second)
			if strings.Contains(r.URL.Path, "busy") {
				return answer(503, http.Header{"Retry-After": {"10"}}, strings.NewReader(""), 0), nil
			}
			return value("value")
		})
		start := time.Now()
		for i := range 4 {
			go h.ReadRange(t.Context(), fmt.Sprintf("busy%d", i), make([]byte, 5), 0)
		}
		synctest.Wait()
		if _, _, err := h.ReadRange(t.Context(), "k", make([]byte, 5), 0); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("a read behind four that wait came through after %v, want 3s", d)
		}
		if most.Load() != 2 {
			t.Errorf("%d requests under way at once, want 2", most.Load())
		}
		time.Sleep(time.Minute)
	})
}
