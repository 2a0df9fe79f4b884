package store_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"zarrbench/zarrio/store"
)

// script answers by responses as they stand on the wire, one for each request.
func script(t *testing.T, asked *[]string, responses ...string) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		*asked = append(*asked, strings.TrimSpace(r.Method+" "+r.Header.Get("Range")))
		if len(responses) == 0 {
			t.Errorf("one request more than there are answers: %q", *asked)
			return nil, errors.New("no more answers")
		}
		text := strings.ReplaceAll(responses[0], "\n", "\r\n")
		responses = responses[1:]
		return http.ReadResponse(bufio.NewReader(strings.NewReader(text)), r)
	}
}

// TestHTTPScripts reads from servers that do what no server of the other tests does.
func TestHTTPScripts(t *testing.T) {
	const (
		head    = "HTTP/1.1 200 OK\nContent-Length: 10\nLast-Modified: Mon\n\n"
		chunked = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n"
		short   = "HTTP/1.1 206 Partial Content\nContent-Range: bytes 2-5/10\nContent-Length: 4\nETag: \"1\"\n\n23"
		notHere = "HTTP/1.1 416 Range Not Satisfiable\n"
	)
	tests := []struct {
		name      string
		n         int
		off       int64
		responses []string
		asked     string
		want      string // what is read, or of the error
		fails     error
	}{
		{"ends at the connection's end", 4, 2, []string{"HTTP/1.1 200 OK\n\n0123456789"}, "GET bytes=2-5", "neither a length nor chunks", nil},
		{"chunks break off", 4, 2, []string{chunked + "a\n01234", chunked + "a\n0123456789\n0\n\n"}, "GET bytes=2-5,GET bytes=2-5", "2345", nil},
		{"chunks break off after the part", 4, 2, []string{chunked + "8\n01234567\n", chunked + "a\n0123456789\n0\n\n"}, "GET bytes=2-5,GET bytes=2-5", "2345", nil},
		{"chunks break off before the size", 0, 0, []string{"HTTP/1.1 405 No\n\n", chunked + "8\n0123", chunked + "a\n0123456789\n0\n\n"},
			"HEAD,GET bytes=0-0,GET bytes=0-0", "", nil},
		{"chunks of a wrong hash", 20, 0, []string{strings.Replace(chunked, "\n\n", "\nX-Goog-Hash: crc32c=AAAAAA==\n\n", 1) + "2\nab\n0\n\n", chunked + "2\nab\n0\n\n"},
			"GET bytes=0-19,GET bytes=0-1", "ab", nil},
		{"chunks end early", 4, 20, []string{chunked + "a\n0123456789\n0\n\n"}, "GET bytes=20-23", "", nil},
		{"chunks where ranges were", 4, 2, []string{short, chunked + "a\n0123456789\n0\n\n"}, "GET bytes=2-5,GET bytes=4-5", "2345", nil},
		{"other chunks where ranges were", 4, 2, []string{short, chunked + "9\n012345678\n0\n\n"}, "GET bytes=2-5,GET bytes=4-5", "it had 10 bytes, and has 9 now", store.ErrChanged},
		{"other ETag, range", 4, 2, []string{short, "HTTP/1.1 206 Partial Content\nContent-Range: bytes 4-5/10\nContent-Length: 2\nETag: \"2\"\n\n45"},
			"GET bytes=2-5,GET bytes=4-5", `its ETag was "\"1\"", and is "\"2\"" now`, store.ErrChanged},
		{"other ETag, whole", 4, 2, []string{short, "HTTP/1.1 200 OK\nContent-Length: 10\nETag: \"2\"\n\n0123456789"},
			"GET bytes=2-5,GET bytes=4-5", `its ETag was "\"1\"", and is "\"2\"" now`, store.ErrChanged},
		{"weak ETag", 4, 2, []string{short, "HTTP/1.1 200 OK\nContent-Length: 10\nETag: W/\"1\"\n\n0123456789"}, "GET bytes=2-5,GET bytes=4-5", "2345", nil},
		{"no ETag any more", 4, 2, []string{short, "HTTP/1.1 200 OK\nContent-Length: 10\n\n0123456789"}, "GET bytes=2-5,GET bytes=4-5", "2345", nil},
		{"breaks off before the part", 4, 2, []string{"HTTP/1.1 200 OK\nContent-Length: 10\n\n0", "HTTP/1.1 200 OK\nContent-Length: 10\n\n0123456789"},
			"GET bytes=2-5,GET bytes=2-5", "2345", nil},
		{"other date", 4, -8, []string{"HTTP/1.1 200 OK\nContent-Length: 10\nLast-Modified: Mon\n\n", "HTTP/1.1 200 OK\nContent-Length: 10\nLast-Modified: Tue\n\n"},
			"GET bytes=-8,GET bytes=2-5", `it was modified at "Mon", and at "Tue" now`, store.ErrChanged},
		{"uploaded in chunks", 4, 2, []string{"HTTP/1.1 200 OK\nContent-Length: 10\nContent-Encoding: aws-chunked\n\n0123456789"}, "GET bytes=2-5", "2345", nil},
		{"412 without being asked", 4, 2, []string{"HTTP/1.1 412 Precondition Failed\nContent-Length: 0\n\n"}, "GET bytes=2-5", "412 Precondition Failed", nil},
		{"416 without a size", 4, 2, []string{notHere + "\n", head, notHere + "\n"}, "GET bytes=2-5,HEAD,GET bytes=2-5", "refuses the range bytes=2-5 of 10 bytes", nil},
		{"416 of another size", 4, 2, []string{short, notHere + "Content-Range: bytes */3\n\n"}, "GET bytes=2-5,GET bytes=4-5", "it had 10 bytes, and has 3 now", store.ErrChanged},
		{"416 of a suffix longer than the value", 40, -30, []string{notHere + "Content-Range: bytes */2\n\n", "HTTP/1.1 206 x\nContent-Range: bytes 0-1/2\n\nab"},
			"GET bytes=-30,GET bytes=0-1", "ab", nil},
		{"HEAD without a length", 0, 0, []string{"HTTP/1.1 200 OK\n\n", "HTTP/1.1 206 x\nContent-Range: bytes 0-0/10\n\n0"}, "HEAD,GET bytes=0-0", "", nil},
		{"HEAD fails", 0, 0, []string{"HTTP/1.1 503 x\n\n", head}, "HEAD,HEAD", "", nil},
		{"HEAD refused for good", 0, 0, []string{"HTTP/1.1 403 x\n\n", "HTTP/1.1 403 x\n\n"}, "HEAD,GET bytes=0-0", "403 Forbidden", nil},
		{"neither HEAD nor range", 0, 0, []string{"HTTP/1.1 405 x\n\n", "HTTP/1.1 200 OK\nContent-Length: 10\n\n0123456789"}, "HEAD,GET bytes=0-0", "", nil},
		{"multipart", 4, 2, []string{"HTTP/1.1 206 x\nContent-Type: multipart/byteranges\n\n", "HTTP/1.1 206 x\nContent-Range: bytes 2-5/10\n\n2345"},
			"GET bytes=2-5,GET bytes=2-5", "2345", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked []string
			opt := quick
			opt.Gap = 4
			h := openTrip(t, opt, script(t, &asked, tt.responses...))
			dst := make([]byte, tt.n)
			n, size, err := h.ReadRange(t.Context(), "k", dst, tt.off)
			if strings.Join(asked, ",") != tt.asked {
				t.Errorf("asked %q, want %q", asked, tt.asked)
			}
			if err != nil {
				if !strings.Contains(err.Error(), tt.want) || tt.want == "" || tt.fails != nil && !errors.Is(err, tt.fails) {
					t.Errorf("%v, want %q", err, tt.want)
				}
				return
			}
			if string(dst[:n]) != tt.want || size != 10 && size != 2 {
				t.Errorf("read %q of %d, want %q", dst[:n], size, tt.want)
			}
		})
	}
}

// TestHTTPContradictions reads from a server that says another thing each time, without an end.
func TestHTTPContradictions(t *testing.T) {
	size := 10
	h := openTrip(t, quick, func(r *http.Request) (*http.Response, error) {
		size++
		return answer(416, http.Header{"Content-Range": {fmt.Sprintf("bytes */%d", size)}}, strings.NewReader(""), 0), nil
	})
	if _, _, err := h.ReadRange(t.Context(), "k", make([]byte, 10), -5); !errors.Is(err, store.ErrChanged) || h.Counts().Requests != 2 {
		t.Errorf("%v after %d requests", err, h.Counts().Requests)
	}
}

// TestHTTPValueRace has two first reads of an open value find two versions.
func TestHTTPValueRace(t *testing.T) {
	tags := make(chan string, 2)
	first, second := make(chan bool), make(chan bool)
	h := openTrip(t, quick, func(r *http.Request) (*http.Response, error) {
		tag := <-tags
		if tag == "1" {
			close(first)
			<-second
		}
		resp, err := value("value")
		resp.Header.Set("ETag", `"`+tag+`"`)
		return resp, err
	})
	v, err := h.OpenValue(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	tags <- "1"
	done := make(chan error)
	go func() {
		_, _, err := v.ReadRange(t.Context(), make([]byte, 9), 0)
		done <- err
	}()
	<-first
	tags <- "2"
	if _, _, err := v.ReadRange(t.Context(), make([]byte, 9), 0); err != nil {
		t.Errorf("the one that is done first: %v", err)
	}
	close(second)
	if err := <-done; !errors.Is(err, store.ErrChanged) {
		t.Errorf("the other one: %v, want ErrChanged", err)
	}
}

// TestHTTPCertificate reads from a server that nobody vouches for, which trying again would not change.
func TestHTTPCertificate(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	h := openHTTP(t, s.URL, quick)
	if _, _, err := h.ReadRange(t.Context(), "k", nil, 0); err == nil || !strings.Contains(err.Error(), "certificate") || h.Counts().Requests != 1 {
		t.Errorf("%v after %d requests, want one that speaks of the certificate after 1", err, h.Counts().Requests)
	}
}

// TestHTTPOwnRedirects checks that a client's own policy for redirects is asked.
func TestHTTPOwnRedirects(t *testing.T) {
	asked := 0
	opt := quick
	opt.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		asked++
		return http.ErrUseLastResponse
	}}
	h := openHTTP(t, serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/b", http.StatusFound) }), opt)
	_, _, err := h.ReadRange(t.Context(), "a", make([]byte, 1), 0)
	if e, ok := errors.AsType[*store.StatusError](err); !ok || e.Code != http.StatusFound || asked != 1 {
		t.Errorf("%v, asked %d times, want a StatusError of 302, asked once", err, asked)
	}
}
