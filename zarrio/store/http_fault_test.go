package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// TestHTTPFaults reads many values from a server of which every second request fails, in eleven ways: what is read must be
// exact, and never more requests under way than may be.
func TestHTTPFaults(t *testing.T) {
	const limit = 8
	files := make(map[string][]byte)
	for i := range 60 {
		files[fmt.Sprintf("t2m/%d.0", i)] = noise(100 + 997*i)
	}
	for _, chunked := range []bool{false, true} {
		s := storetest.NewServer(t, files, storetest.ServerOptions{Rate: 0.05, Faults: storetest.ServerFaults(), Seed: 7,
			Hash: true, Chunked: chunked, Latency: time.Millisecond})
		opt := quick
		opt.Requests = limit
		opt.Retries = 40
		h := openHTTP(t, s.URL, opt)
		var wg sync.WaitGroup
		for range 2 {
			for key, value := range files {
				wg.Go(func() {
					v, err := h.OpenValue(t.Context(), key)
					if err != nil {
						t.Error(err)
						return
					}
					size := len(value)
					for _, r := range []struct{ n, off int }{{0, 0}, {16, -16}, {size + 5, 0}, {size / 2, size / 3}, {50, -100}} {
						dst := make([]byte, r.n)
						n, got, err := v.ReadRange(t.Context(), dst, int64(r.off))
						from := (r.off + size) % size
						if want := value[from:min(from+r.n, size)]; err != nil || got != int64(size) || !bytes.Equal(dst[:n], want) {
							t.Errorf("%s: %d bytes from %d: %d of %d, %v, or other bytes than the value's", key, r.n, r.off, n, got, err)
						}
					}
				})
			}
		}
		wg.Wait()
		if got := s.MostInFlight(); got > limit {
			t.Errorf("%d requests under way at once, want %d at most", got, limit)
		}
		c := h.Counts()
		if s.Faults() < s.Requests()/3 || c.Retries < int64(s.Requests()/4) {
			t.Errorf("%d faults and %d retries in %d requests, want about every second", s.Faults(), c.Retries, s.Requests())
		}
	}
}

// TestHTTPLimit holds requests until as many as may be are there, and checks that no more come.
func TestHTTPLimit(t *testing.T) {
	const limit, reads = 4, 32
	var came atomic.Int32
	full := make(chan struct{})
	s := storetest.NewServer(t, map[string][]byte{"a": noise(1000)}, storetest.ServerOptions{
		Hook: func(http.ResponseWriter, *http.Request) bool {
			if came.Add(1) == limit {
				close(full)
			}
			<-full
			return false
		}})
	h := openHTTP(t, s.URL, store.HTTPOptions{Requests: limit})
	var wg sync.WaitGroup
	for range reads {
		wg.Go(func() {
			if _, _, err := h.ReadRange(t.Context(), "a", make([]byte, 1000), 0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := s.MostInFlight(); got != limit {
		t.Errorf("%d requests under way at once, want %d", got, limit)
	}
	if s.Requests() != reads {
		t.Errorf("%d requests, want %d", s.Requests(), reads)
	}
}

// serve starts a server of one handler.
func serve(t *testing.T, handler http.HandlerFunc) string {
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

// TestHTTPStatus reads where the answer is no value.
func TestHTTPStatus(t *testing.T) {
	tests := []struct {
		name   string
		status int
		header http.Header
		body   string
		is     error
		want   string // of the error's text
		tries  int64
	}{
		{"missing", 404, nil, "<Code>NoSuchKey</Code>", fs.ErrNotExist, "file does not exist", 1},
		{"gone", 410, nil, "", fs.ErrNotExist, "file does not exist", 1},
		{"bucket", 404, nil, "<Code>NoSuchBucket</Code>", nil, "404 Not Found, \"<Code>NoSuchBucket</Code>\"", 1},
		{"denied", 403, nil, "<Code>AccessDenied</Code>", fs.ErrPermission, "403 Forbidden, \"<Code>AccessDenied</Code>\" (either it is missing and its bucket may not be listed", 1},
		{"unauthorized", 401, nil, "", fs.ErrPermission, "only public objects can be read here, so sign the URL, or mount the bucket", 1},
		{"teapot", 418, nil, "I\x00am\na\t\xffteapot" + strings.Repeat(".", 500), nil, "418 I'm a teapot, \"I am a teapot......", 1},
		{"broken", 500, nil, "sorry", nil, "attempt 3: the server answered 500 Internal Server Error, \"sorry\"", 3},
		{"not implemented", 501, nil, "", nil, "501 Not Implemented", 1},
		{"no content", 204, nil, "", nil, "204 No Content", 1},
		{"moved nowhere", 301, http.Header{"X-Amz-Bucket-Region": {"eu-north-1"}}, "", nil, "the bucket is in the region \"eu-north-1\"", 1},
		{"compressed", 200, http.Header{"Content-Encoding": {"gzip"}}, "xx", nil, "Content-Encoding \"gzip\"", 1},
		{"no range", 206, nil, "0123456789", nil, "attempt 3: no Content-Range", 3},
		{"other unit", 206, http.Header{"Content-Range": {"pages 0-9/10"}}, "0123456789", nil, "want the unit bytes", 3},
		{"other bytes", 206, http.Header{"Content-Range": {"bytes 1-9/10"}}, "123456789", nil, "attempt 3: asked for bytes=0-9 of 10 bytes, the answer holds bytes 1 to 9", 3},
		{"fewer bytes", 206, http.Header{"Content-Range": {"bytes 0-8/10"}}, "012345678", nil, "bytes 0 to 8", 3},
		{"no total", 206, http.Header{"Content-Range": {"bytes 0-9/*"}}, "0123456789", nil, "does not tell the value's size", 1},
		{"other length", 206, http.Header{"Content-Range": {"bytes 0-9/20"}}, "0123456789a", nil, "a Content-Length of 11 for bytes 0 to 9", 3},
		{"within", 416, http.Header{"Content-Range": {"bytes */20"}}, "", nil, "refuses the range bytes=0-9 of 20 bytes", 1},
		{"wrong crc", 206, http.Header{"Content-Range": {"bytes 0-9/10"}, "X-Goog-Hash": {"crc32c=AAAAAA==,md5=x"}}, "0123456789", nil,
			"attempt 3: what arrived has x-goog-hash: crc32c 280c069e, the server says 00000000", 3},
		{"wrong md5", 200, http.Header{"Content-Md5": {"AAAAAAAAAAAAAAAAAAAAAA=="}}, "0123456789", nil,
			"Content-MD5 781e5e245d69b566979b86e28d23f2c7, the server says 00000000000000000000000000000000", 3},
		{"no hash", 200, http.Header{"X-Goog-Hash": {"crc32c=?"}}, "0123456789", nil, "\"?\" is not the base64 of 4 bytes", 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				maps.Copy(w.Header(), tt.header)
				w.WriteHeader(tt.status)
				w.Write([]byte(tt.body))
			})
			opt := quick
			opt.Retries = 2
			h := openHTTP(t, url, opt)
			n, size, err := h.ReadRange(t.Context(), "a/b", make([]byte, 10), 0)
			if err == nil || n != 0 || size != 0 {
				t.Fatalf("read %d of %d, %v, want an error", n, size, err)
			}
			if e, ok := errors.AsType[*store.KeyError](err); !ok || e.Key != "a/b" || e.Store != url {
				t.Errorf("%v names neither the store nor the key", err)
			}
			if !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 700 {
				t.Errorf("error %q, want %q", err, tt.want)
			}
			for _, category := range []error{fs.ErrNotExist, fs.ErrPermission} {
				if errors.Is(err, category) != (category == tt.is) {
					t.Errorf("%v: errors.Is %v: %v", err, category, category != tt.is)
				}
			}
			if got := h.Counts(); got.Requests != tt.tries || got.Retries != tt.tries-1 {
				t.Errorf("%+v, want %d requests", got, tt.tries)
			}
		})
	}
}

// TestHTTPHashes reads with checksums that hold, or that are of something else.
func TestHTTPHashes(t *testing.T) {
	const crc, md5 = "KAwGng==", "eB5eJF1ptWaXm4bijSPyxw=="
	tests := []struct {
		name   string
		header http.Header
		n      int
	}{
		{"crc32c", http.Header{"X-Goog-Hash": {"crc32c=" + crc}}, 10},
		{"two headers", http.Header{"X-Goog-Hash": {"md5=x", "crc32c=" + crc}}, 10},
		{"one header", http.Header{"X-Goog-Hash": {"md5=x, crc32c=" + crc}}, 10},
		{"md5", http.Header{"X-Goog-Hash": {"md5=" + md5}}, 20},
		{"Content-MD5", http.Header{"Content-Md5": {md5}}, 10},
		{"of what is stored", http.Header{"X-Goog-Hash": {"crc32c=AAAAAA=="}, "X-Goog-Stored-Content-Encoding": {"gzip"}}, 10},
		{"of a part", http.Header{"X-Goog-Hash": {"crc32c=AAAAAA=="}}, 9},
	}
	for _, tt := range tests {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			maps.Copy(w.Header(), tt.header)
			w.Write([]byte("0123456789"))
		})
		dst := make([]byte, tt.n)
		n, _, err := openHTTP(t, url, store.HTTPOptions{Retries: -1}).ReadRange(t.Context(), "a", dst, 0)
		if err != nil || string(dst[:n]) != "0123456789"[:min(tt.n, 10)] {
			t.Errorf("%s: read %q, %v", tt.name, dst[:n], err)
		}
	}
}

// TestHTTPWrongBytes reads values of which a bit changes under way now and then.
func TestHTTPWrongBytes(t *testing.T) {
	value := noise(3000)
	s := storetest.NewServer(t, map[string][]byte{"a": value}, storetest.ServerOptions{Rate: 0.5, Faults: []storetest.ServerFault{storetest.WrongBytes}, Hash: true})
	opt := quick
	opt.Retries = 30
	h := openHTTP(t, s.URL, opt)
	for range 20 {
		dst := make([]byte, 3000)
		if _, _, err := h.ReadRange(t.Context(), "a", dst, 0); err != nil || !bytes.Equal(dst, value) {
			t.Errorf("read other bytes than the value's, or %v", err)
		}
	}
	if s.Faults() == 0 || h.Counts().Retries != int64(s.Faults()) {
		t.Errorf("%d retries, want one for each of %d wrong answers", h.Counts().Retries, s.Faults())
	}
}

// TestHTTPResume breaks the first body off, and looks at what is asked then.
func TestHTTPResume(t *testing.T) {
	value := noise(1000)
	tests := []struct {
		name string
		opt  storetest.ServerOptions
		off  int64
		next string
		then func(s *storetest.Server)
		want string
	}{
		{"resumed", storetest.ServerOptions{}, 0, "bytes=50-99", nil, ""},
		{"resumed at the end", storetest.ServerOptions{}, -100, "bytes=950-999", nil, ""},
		{"resumed without ranges", storetest.ServerOptions{NoRange: true}, 300, "bytes=350-399", nil, ""},
		{"from the start without an ETag", storetest.ServerOptions{NoETag: true}, 0, "bytes=0-99", nil, ""},
		{"changed", storetest.ServerOptions{}, 0, "bytes=50-99", func(s *storetest.Server) { s.Set("a", noise(1000)[1:]) },
			"the value changed while it was read: it has no longer the ETag"},
		{"shortened", storetest.ServerOptions{NoETag: true}, 0, "bytes=0-99", func(s *storetest.Server) { s.Set("a", value[:999]) },
			"the value changed while it was read: it had 1000 bytes, and has 999 now"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s *storetest.Server
			var broken atomic.Bool
			tt.opt.Hook = func(w http.ResponseWriter, r *http.Request) bool {
				if broken.Swap(true) {
					return false
				}
				at := (tt.off + 1000) % 1000
				status, from, to := http.StatusPartialContent, at, at+100
				if tt.opt.NoRange {
					status, from, to = http.StatusOK, 0, 1000
				}
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/1000", from, to-1))
				w.Header().Set("Content-Length", fmt.Sprint(to-from))
				w.Header().Set("ETag", s.ETag("a"))
				if tt.opt.NoETag {
					w.Header().Del("ETag")
				}
				w.WriteHeader(status)
				w.Write(value[from : at+50])
				if tt.then != nil {
					tt.then(s)
				}
				return true
			}
			s = storetest.NewServer(t, map[string][]byte{"a": value}, tt.opt)
			h := openHTTP(t, s.URL, quick)
			dst := make([]byte, 100)
			n, size, err := h.ReadRange(t.Context(), "a", dst, tt.off)
			at := (tt.off + 1000) % 1000
			if tt.want != "" {
				if !errors.Is(err, store.ErrChanged) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%v, want %q", err, tt.want)
				}
			} else if n != 100 || size != 1000 || err != nil || !bytes.Equal(dst, value[at:at+100]) {
				t.Errorf("read %d of %d, %v, or other bytes than the value's", n, size, err)
			}
			log := s.Log()
			if len(log) != 2 || log[1].Range != tt.next {
				t.Fatalf("asked %+v, want %s in the second of two requests", log, tt.next)
			}
			if got := log[1].Header.Get("If-Match") != ""; got == tt.opt.NoETag {
				t.Errorf("If-Match %q, with NoETag %v", log[1].Header.Get("If-Match"), tt.opt.NoETag)
			}
		})
	}
}

// TestHTTPValueChanged changes a value that is open.
func TestHTTPValueChanged(t *testing.T) {
	for _, noTag := range []bool{false, true} {
		s := storetest.NewServer(t, map[string][]byte{"a": noise(1000)}, storetest.ServerOptions{NoETag: noTag})
		h := openHTTP(t, s.URL, quick)
		v, err := h.OpenValue(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]byte, 10)
		if _, _, err := v.ReadRange(t.Context(), dst, -10); err != nil {
			t.Fatal(err)
		}
		s.Set("a", noise(1001))
		if _, _, err := v.ReadRange(t.Context(), dst, 50); !errors.Is(err, store.ErrChanged) {
			t.Errorf("after a change: %v, want ErrChanged", err)
		}
		if _, size, err := h.ReadRange(t.Context(), "a", dst, 50); size != 1001 || err != nil {
			t.Errorf("by the store: %d, %v, want the new size", size, err)
		}
	}
}

func TestHTTPNoServer(t *testing.T) {
	url := serve(t, func(http.ResponseWriter, *http.Request) {})
	s := httptest.NewServer(http.NotFoundHandler())
	gone := s.URL
	s.Close()
	for _, tt := range []struct {
		url  string
		want int64
	}{
		{gone, 3}, // connection refused: it may be on its way up
		{strings.Replace(url, "http:", "https:", 1), 1},
	} {
		opt := quick
		opt.Retries = 2
		h := openHTTP(t, tt.url+"/?secret", opt)
		_, _, err := h.ReadRange(t.Context(), "a", nil, 0)
		if err == nil || errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want an error that shows no secret", tt.url, err)
		}
		if got := h.Counts().Requests; got != tt.want {
			t.Errorf("%s: %d requests, want %d: %v", tt.url, got, tt.want, err)
		}
	}
}

func TestHTTPRedirect(t *testing.T) {
	files := map[string][]byte{"a": noise(100)}
	target := storetest.NewServer(t, files, storetest.ServerOptions{})
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
	}
	opt := quick
	opt.Header = http.Header{"X-Api-Key": {"k"}}
	h := openHTTP(t, serve(t, redirect(target.URL+"/a"))+"?secret", opt)
	dst := make([]byte, 10)
	if n, size, err := h.ReadRange(t.Context(), "a", dst, -10); n != 10 || size != 100 || err != nil || !bytes.Equal(dst, files["a"][90:]) {
		t.Errorf("redirected: %d of %d, %v", n, size, err)
	}
	for _, r := range target.Log() {
		if r.Range != "bytes=-10" || r.Header.Get("Referer") != "" || r.Header.Get("X-Api-Key") != "" || r.Query != "" {
			t.Errorf("the target was asked %+v", r)
		}
	}

	safe := httptest.NewTLSServer(redirect(target.URL + "/a"))
	t.Cleanup(safe.Close)
	target.ResetLog()
	loop := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) })
	for url, want := range map[string]string{
		safe.URL:                                   "redirected from https to http on 127.0.0.1:",
		serve(t, redirect("ftp://localhost/a")):    "redirected from http to ftp on localhost",
		serve(t, redirect("http://me@127.0.0.1/")): "with a user name, which is refused",
		loop: "redirected 10 times",
	} {
		opt := quick
		opt.Client = safe.Client()
		h := openHTTP(t, url, opt)
		if _, _, err := h.ReadRange(t.Context(), "a", dst, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if c := h.Counts(); c.Requests != 1 {
			t.Errorf("%q: %d requests, want 1", want, c.Requests)
		}
	}
	if n := target.Requests(); n != 0 {
		t.Errorf("%d requests came where redirects lead that are refused", n)
	}
}
