package store_test

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// quick are options under which retries take no time to speak of.
var quick = store.HTTPOptions{Backoff: time.Microsecond, MaxBackoff: time.Millisecond}

// openHTTP opens url for the test's duration.
func openHTTP(tb testing.TB, url string, opt store.HTTPOptions) *store.HTTP {
	tb.Helper()
	h, err := store.OpenHTTP(url, opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { h.Close() })
	return h
}

// noise makes n bytes in which every offset differs from its neighbours.
func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(uint32(i) * 2654435761 >> 13)
	}
	return b
}

// servers are the ways of a server to answer, all of which are right or at least frequent.
var servers = []struct {
	name string
	opt  storetest.ServerOptions
}{
	{"ranges", storetest.ServerOptions{Hash: true}},
	{"nosuffix", storetest.ServerOptions{NoSuffix: true}},
	{"nothing", storetest.ServerOptions{NoTotal: true, NoHead: true, NoSuffix: true, NoETag: true}},
	{"whole", storetest.ServerOptions{NoRange: true, Hash: true}},
	{"whole chunked", storetest.ServerOptions{NoRange: true, Chunked: true, NoHead: true}},
}

func TestHTTP(t *testing.T) {
	for _, srv := range servers {
		t.Run(srv.name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T, files map[string][]byte) store.Store {
				opt := quick
				if srv.opt.NoSuffix {
					opt.Gap = -1
				}
				return openHTTP(t, storetest.NewServer(t, files, srv.opt).URL+"/", opt)
			})
		})
	}
}

// TestHTTPValue reads as TestHTTP, each value through an open one.
func TestHTTPValue(t *testing.T) {
	for _, srv := range servers {
		value := noise(5000)
		s := storetest.NewServer(t, map[string][]byte{"a": value, "empty": {}}, srv.opt)
		v, err := store.OpenValue(t.Context(), openHTTP(t, s.URL, quick), "a")
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Requests(); got != 0 {
			t.Errorf("%s: OpenValue made %d requests", srv.name, got)
		}
		for range 2 {
			for _, off := range []int64{-100, 0, 77, 4990, 6000, -5000, math.MinInt64, -4000} {
				from := max(off, 0)
				if off < 0 {
					from = max(5000+off, 0)
				}
				want := value[min(from, 5000):]
				want = want[:min(len(want), 100)]
				dst := make([]byte, 100)
				n, size, err := v.ReadRange(t.Context(), dst, off)
				if err != nil || size != 5000 || !bytes.Equal(dst[:n], want) {
					t.Errorf("%s: ReadRange(%d) = %d, %d, %v, want %d bytes of 5000", srv.name, off, n, size, err, len(want))
				}
			}
		}
		if err := v.Close(); err != nil {
			t.Errorf("%s: Close: %v", srv.name, err)
		}
	}
}

// TestHTTPRequests counts what reads cost, and looks at what is asked.
func TestHTTPRequests(t *testing.T) {
	const size = 3 << 20
	value := noise(size)
	tests := []struct {
		name string
		opt  storetest.ServerOptions
		n    int
		off  int64
		want []string
	}{
		{"small value", storetest.ServerOptions{}, size + 10, 0, []string{"GET bytes=0-3145737"}},
		{"range", storetest.ServerOptions{}, 10, 100, []string{"GET bytes=100-109"}},
		{"suffix", storetest.ServerOptions{}, 10, -10, []string{"GET bytes=-10"}},
		{"before the end", storetest.ServerOptions{}, 10, -100, []string{"GET bytes=-100"}},
		{"far from the end", storetest.ServerOptions{}, 10, -2 << 20, []string{"HEAD ", "GET bytes=1048576-1048585"}},
		{"size", storetest.ServerOptions{}, 0, 0, []string{"HEAD "}},
		{"size without HEAD", storetest.ServerOptions{NoHead: true}, 0, 0, []string{"HEAD ", "GET bytes=0-0"}},
		{"beyond the end", storetest.ServerOptions{}, 10, size, []string{"GET bytes=3145728-3145737"}},
		{"beyond an unknown end", storetest.ServerOptions{NoTotal: true}, 10, size, []string{"GET bytes=3145728-3145737", "HEAD "}},
		{"very far", storetest.ServerOptions{}, 10, math.MaxInt64, []string{"GET bytes=9223372036854775807-9223372036854775807"}},
		{"no suffix", storetest.ServerOptions{NoSuffix: true}, 10, -10, []string{"GET bytes=-10", "GET bytes=3145718-3145727"}},
		{"no ranges", storetest.ServerOptions{NoRange: true}, 10, 1 << 20, []string{"GET bytes=1048576-1048585"}},
		{"no ranges, end", storetest.ServerOptions{NoRange: true}, 10, -10, []string{"GET bytes=-10", "GET bytes=3145718-3145727"}},
		{"no ranges or length, end", storetest.ServerOptions{NoRange: true, Chunked: true}, 10, -10,
			[]string{"GET bytes=-10", "GET bytes=3145718-3145727"}},
		{"missing", storetest.ServerOptions{}, -1, 0, []string{"GET bytes=0-9"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := storetest.NewServer(t, map[string][]byte{"a": value}, tt.opt)
			h := openHTTP(t, s.URL, quick)
			key := "a"
			if tt.n < 0 {
				key, tt.n = "b", 10
			}
			dst := make([]byte, tt.n)
			n, _, err := h.ReadRange(t.Context(), key, dst, tt.off)
			from := tt.off
			if from < 0 {
				from += size
			}
			want := value[min(from, size):]
			want = want[:min(len(want), tt.n)]
			if key == "a" && (err != nil || !bytes.Equal(dst[:n], want)) {
				t.Errorf("read %d, %v, or other bytes than the value's", n, err)
			}
			var got []string
			for _, r := range s.Log() {
				got = append(got, r.Method+" "+r.Range)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("requests %q, want %q", got, tt.want)
			}
			if c := h.Counts(); c.Requests != int64(len(tt.want)) || c.Retries != 0 {
				t.Errorf("Counts() = %+v, want %d requests, no retries", c, len(tt.want))
			}
		})
	}
}

// TestHTTPLearns checks that what a server can't do is asked of it a few times only.
func TestHTTPLearns(t *testing.T) {
	files := map[string][]byte{"a": noise(3 << 20)}
	count := func(s *storetest.Server, f func()) int {
		s.ResetLog()
		f()
		return s.Requests()
	}
	dst := make([]byte, 10)

	s := storetest.NewServer(t, files, storetest.ServerOptions{NoHead: true})
	h := openHTTP(t, s.URL, quick)
	size := func() { h.ReadRange(t.Context(), "a", nil, 0) }
	if first, second := count(s, size), count(s, size); first != 2 || second != 1 {
		t.Errorf("without HEAD: %d, %d requests for a size, want 2, 1", first, second)
	}

	s = storetest.NewServer(t, files, storetest.ServerOptions{NoSuffix: true})
	h = openHTTP(t, s.URL, quick)
	end := func() { h.ReadRange(t.Context(), "a", dst, -10) }
	for range 3 {
		end()
	}
	before := h.Counts().Bytes
	end()
	if log := s.Log(); log[len(log)-2].Method != "HEAD" || h.Counts().Bytes-before != 10 {
		t.Errorf("without suffix ranges: asked %+v for %d bytes", log[len(log)-2:], h.Counts().Bytes-before)
	}

	s = storetest.NewServer(t, files, storetest.ServerOptions{NoRange: true})
	h = openHTTP(t, s.URL, store.HTTPOptions{Gap: 5, MaxRead: 70})
	if gap, size := h.Coalesce(); gap != 5 || size != 70 {
		t.Errorf("Coalesce() = %d, %d, want 5, 70", gap, size)
	}
	h.ReadRange(t.Context(), "a", dst, 20)
	if gap, size := h.Coalesce(); gap != 70 || size != 70 {
		t.Errorf("Coalesce() of a server without ranges = %d, %d, want 70, 70", gap, size)
	}
	if got := count(s, func() { h.ReadRange(t.Context(), "a", dst, -10) }); got != 1 {
		t.Errorf("%d requests for the end of a value of a server without ranges, want 1", got)
	}

	// An open value's size is asked once.
	s = storetest.NewServer(t, files, storetest.ServerOptions{})
	v, err := openHTTP(t, s.URL, quick).OpenValue(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	v.ReadRange(t.Context(), dst, -10)
	if got := count(s, func() { v.ReadRange(t.Context(), nil, 0); v.ReadRange(t.Context(), dst, 4<<20) }); got != 0 {
		t.Errorf("%d requests for the size of a value that was read from, want 0", got)
	}
	if gap, size := openHTTP(t, s.URL, store.HTTPOptions{}).Coalesce(); gap != 1<<20 || size != 16<<20 {
		t.Errorf("Coalesce() by default = %d, %d, want 1 MiB, 16 MiB", gap, size)
	}
}

func TestHTTPHeaders(t *testing.T) {
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".netrc"), []byte("default login me password secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"HOME": home, "NETRC": filepath.Join(home, ".netrc"),
		"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret", "GOOGLE_APPLICATION_CREDENTIALS": filepath.Join(home, "key.json")} {
		t.Setenv(name, value)
	}
	s := storetest.NewServer(t, map[string][]byte{"a": noise(100)}, storetest.ServerOptions{})
	h := openHTTP(t, s.URL+"?sig=a%2Bb&x", store.HTTPOptions{Header: http.Header{"x-api-key": {"k"}}})
	for _, n := range []int{0, 10, 200} {
		if _, _, err := h.ReadRange(t.Context(), "a", make([]byte, n), 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range s.Log() {
		for _, name := range []string{"Authorization", "Cookie", "Proxy-Authorization"} {
			if v := r.Header.Values(name); v != nil {
				t.Errorf("%s %s: header %s: %q", r.Method, r.Range, name, v)
			}
		}
		if got := r.Header.Values("Accept-Encoding"); !slices.Equal(got, []string{"identity"}) {
			t.Errorf("%s %s: Accept-Encoding %q, want identity", r.Method, r.Range, got)
		}
		if got := r.Header.Get("X-Api-Key"); got != "k" {
			t.Errorf("%s %s: X-Api-Key %q, want k", r.Method, r.Range, got)
		}
		if r.Query != "sig=a%2Bb&x" {
			t.Errorf("%s %s: query %q, want the one of the URL", r.Method, r.Range, r.Query)
		}
	}
	if got := h.String(); strings.Contains(got, "sig") || got != s.URL {
		t.Errorf("String() = %q, want %q without the query", got, s.URL)
	}
	_, _, err := h.ReadRange(t.Context(), "nosuch", nil, 0)
	if err == nil || strings.Contains(err.Error(), "sig") {
		t.Errorf("error %v, want one without the query", err)
	}
}

func TestHTTPClosed(t *testing.T) {
	s := storetest.NewServer(t, map[string][]byte{"a": {1}}, storetest.ServerOptions{})
	h, err := store.OpenHTTP(s.URL, quick)
	if err != nil {
		t.Fatal(err)
	}
	v, err := h.OpenValue(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, readErr := h.ReadRange(t.Context(), "a", nil, 0)
	_, _, valueErr := v.ReadRange(t.Context(), nil, 0)
	_, openErr := h.OpenValue(t.Context(), "a")
	for _, err := range []error{readErr, valueErr, openErr, h.Close()} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("after Close: %v, want fs.ErrClosed", err)
		}
	}
}

func TestHTTPOptions(t *testing.T) {
	bad := []store.HTTPOptions{
		{Requests: -1}, {Backoff: -1}, {MaxBackoff: -1}, {Timeout: -1}, {MaxRead: -1},
		{Header: http.Header{"range": {"bytes=0-1"}}}, {Header: http.Header{"Accept-Encoding": {"gzip"}}},
	}
	for _, opt := range bad {
		if _, err := store.OpenHTTP("http://localhost", opt); err == nil {
			t.Errorf("OpenHTTP with %+v: no error", opt)
		}
	}
	own := new(http.Client)
	h := openHTTP(t, "http://localhost", store.HTTPOptions{Client: own})
	if h.Client() == own || own.CheckRedirect != nil {
		t.Error("OpenHTTP changed the client that it was given")
	}
}
