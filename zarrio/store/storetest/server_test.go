package storetest_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"zarrbench/zarrio/store/storetest"
)

// ask asks url for a range and says what came.
func ask(t *testing.T, url, spec string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if spec != "" {
		req.Header.Set("Range", spec)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "no answer"
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Sprintf("%d and %d of %d bytes", resp.StatusCode, len(body), resp.ContentLength)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s %s", resp.StatusCode, strings.TrimSpace(string(body)), resp.Header.Get("Content-Range")))
}

func TestServer(t *testing.T) {
	files := map[string][]byte{"a": []byte("0123456789"), "empty": {}, "b c/ü": []byte("x")}
	tests := []struct {
		name, path, spec string
		opt              storetest.ServerOptions
		want             string
	}{
		{"whole", "/a", "", storetest.ServerOptions{}, "200 0123456789"},
		{"range", "/a", "bytes=2-4", storetest.ServerOptions{}, "206 234 bytes 2-4/10"},
		{"from", "/a", "bytes=8-", storetest.ServerOptions{}, "206 89 bytes 8-9/10"},
		{"past the end", "/a", "bytes=8-20", storetest.ServerOptions{}, "206 89 bytes 8-9/10"},
		{"suffix", "/a", "bytes=-3", storetest.ServerOptions{}, "206 789 bytes 7-9/10"},
		{"long suffix", "/a", "bytes=-30", storetest.ServerOptions{}, "206 0123456789 bytes 0-9/10"},
		{"beyond", "/a", "bytes=10-12", storetest.ServerOptions{}, "416  bytes */10"},
		{"of nothing", "/empty", "bytes=0-0", storetest.ServerOptions{}, "416  bytes */0"},
		{"escaped", "/b%20c/%C3%BC", "", storetest.ServerOptions{}, "200 x"},
		{"missing", "/c", "", storetest.ServerOptions{}, "404 <Error><Code>NoSuchKey</Code></Error>"},
		{"private", "/c", "", storetest.ServerOptions{Private: true}, "403 <Error><Code>AccessDenied</Code></Error>"},
		{"no range", "/a", "bytes=2-4", storetest.ServerOptions{NoRange: true}, "200 0123456789"},
		{"no suffix", "/a", "bytes=-3", storetest.ServerOptions{NoSuffix: true}, "200 0123456789"},
		{"no total", "/a", "bytes=10-12", storetest.ServerOptions{NoTotal: true}, "416"},
		{"hook", "/a", "", storetest.ServerOptions{Hook: func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusTeapot)
			return true
		}}, "418"},
		{"408", "/a", "", always(storetest.RequestTimeout), "408 a fault: 408"},
		{"429", "/a", "", always(storetest.RetryAfter), "429 a fault: 429 with Retry-After"},
		{"504", "/a", "", always(storetest.GatewayTimeout), "504 a fault: 504"},
		{"truncated", "/a", "bytes=0-7", always(storetest.Truncated), "206 and 4 of 8 bytes"},
		{"wrong range", "/a", "bytes=2-4", always(storetest.WrongRange), "206 234 bytes 3-5/10"},
		{"wrong bytes", "/a", "bytes=2-4", always(storetest.WrongBytes), "206 274 bytes 2-4/10"},
		{"whole value", "/a", "bytes=2-4", always(storetest.WholeValue), "200 0123456789"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := storetest.NewServer(t, files, tt.opt)
			if got := ask(t, s.URL+tt.path, tt.spec); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if log := s.Log(); len(log) != 1 || log[0].Path != tt.path || log[0].Range != tt.spec {
				t.Errorf("log %+v", log)
			}
			if got, want := s.Faults(), len(tt.opt.Faults); got != want {
				t.Errorf("Faults() = %d, want %d", got, want)
			}
		})
	}
	// How much of a body arrives before a reset is for the kernel to say, but it is never all.
	if got := ask(t, storetest.NewServer(t, files, always(storetest.Reset)).URL+"/a", ""); strings.Contains(got, "0123456789") {
		t.Errorf("reset: got %q", got)
	}
}

// always makes a fault befall each request.
func always(f storetest.ServerFault) storetest.ServerOptions {
	return storetest.ServerOptions{Rate: 1, Faults: []storetest.ServerFault{f}}
}

// TestServerSeed checks that a seed settles what befalls which request.
func TestServerSeed(t *testing.T) {
	faults := []storetest.ServerFault{storetest.InternalError, storetest.BadGateway}
	draw := func(seed uint64) (got []string) {
		s := storetest.NewServer(t, map[string][]byte{"a": []byte("0123456789")}, storetest.ServerOptions{Rate: 0.25, Faults: faults, Seed: seed})
		for i := range 100 {
			got = append(got, ask(t, s.URL+"/a", fmt.Sprintf("bytes=%d-", i/10))[:3])
		}
		return got
	}
	first := draw(1)
	if !slices.Equal(first, draw(1)) {
		t.Error("the same seed gives other faults")
	}
	if slices.Equal(first, draw(2)) {
		t.Error("another seed gives the same faults")
	}
	for _, status := range []string{"206", "500", "502"} {
		n := 0
		for _, s := range first {
			if s == status {
				n++
			}
		}
		if want := map[string]int{"206": 50, "500": 25, "502": 25}[status]; n < want-20 || n > want+20 {
			t.Errorf("%d answers of %s, want about %d", n, status, want)
		}
	}
}
