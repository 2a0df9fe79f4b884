package store_test

import (
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/store"
)

// TestHTTPReach: a server that has never answered is given up within seconds, and one that has is waited for.
func TestHTTPReach(t *testing.T) {
	refused := func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	silent := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	unknown := func(*http.Request) (*http.Response, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "example.com", IsNotFound: true}
	}
	status := func(code int) roundTrip {
		return func(*http.Request) (*http.Response, error) { return answer(code, nil, strings.NewReader(""), 0), nil }
	}
	const hint = "(example.com has answered nothing: check that the server is up, and the URL's scheme, host and port)"
	for _, tt := range []struct {
		name     string
		opt      store.HTTPOptions
		first    roundTrip // answers the first read; nil for none
		then     roundTrip
		least    time.Duration
		most     time.Duration
		requests int64 // of the second read
		want     string
	}{
		{"refused", store.HTTPOptions{}, nil, refused, time.Second, 3100 * time.Millisecond, 6, "connection refused " + hint},
		{"refused, no retries", store.HTTPOptions{Retries: -1}, nil, refused, 0, 0, 1, "connection refused " + hint},
		{"refused, two retries", store.HTTPOptions{Retries: 2}, nil, refused, 0, time.Second, 3, "connection refused " + hint},
		{"refused, slow retries", store.HTTPOptions{Backoff: 8 * time.Second}, nil, refused, 4 * time.Second, 8 * time.Second, 2, "connection refused " + hint},
		{"silent", store.HTTPOptions{}, nil, silent, 10 * time.Second, 10 * time.Second, 1, "nothing arrived for 10s " + hint},
		{"silent, less patience", store.HTTPOptions{Reach: 3 * time.Second}, nil, silent, 3 * time.Second, 3 * time.Second, 1, "nothing arrived for 3s " + hint},
		{"silent, short timeout", store.HTTPOptions{Timeout: 2 * time.Second}, nil, silent, 10 * time.Second, 12 * time.Second, 5, "nothing arrived for 2s " + hint},
		{"no such host", store.HTTPOptions{}, nil, unknown, 0, 0, 1, "no such host " + hint},
		{"refused, patient", store.HTTPOptions{Reach: -1}, nil, refused, time.Minute, 5 * time.Minute, 17, "attempt 17: dial tcp: connection refused"},
		{"refused after an answer", store.HTTPOptions{}, status(200), refused, time.Minute, 5 * time.Minute, 17, "attempt 17: dial tcp: connection refused"},
		{"refused after 404", store.HTTPOptions{}, status(404), refused, time.Minute, 5 * time.Minute, 17, "attempt 17: dial tcp: connection refused"},
		{"silent after an answer", store.HTTPOptions{Retries: 1}, status(200), silent, time.Minute, 61 * time.Second, 2, "attempt 2: nothing arrived for 30s"},
		{"overloaded", store.HTTPOptions{}, nil, status(503), time.Minute, 5 * time.Minute, 17, "attempt 17: the server answered 503 Service Unavailable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				trip := tt.first
				h := openTrip(t, tt.opt, func(r *http.Request) (*http.Response, error) { return trip(r) })
				if trip != nil {
					if _, _, err := h.ReadRange(t.Context(), "k", nil, 0); err != nil {
						require.ErrorIs(t, err, fs.ErrNotExist)
					}
				}
				trip = tt.then
				before, start := h.Counts().Requests, time.Now()
				_, _, err := h.ReadRange(t.Context(), "k", nil, 0)
				took := time.Since(start)
				require.ErrorContains(t, err, `http://example.com/a: read "k": `)
				require.True(t, strings.HasSuffix(err.Error(), tt.want), "%v, want %q", err, tt.want)
				require.Equal(t, tt.requests, h.Counts().Requests-before)
				require.GreaterOrEqual(t, took, tt.least)
				require.LessOrEqual(t, took, tt.most)
			})
		})
	}
	t.Run("slow body", func(t *testing.T) { // an answer has come: the rest may take its time
		synctest.Test(t, func(t *testing.T) {
			h := openTrip(t, store.HTTPOptions{}, func(r *http.Request) (*http.Response, error) {
				return answer(200, nil, io.Reader(&slow{r.Context(), 9 * time.Second, 5}), 5), nil
			})
			n, _, err := h.ReadRange(t.Context(), "k", make([]byte, 5), 0)
			require.NoError(t, err)
			require.Equal(t, 5, n)
		})
	})
}
