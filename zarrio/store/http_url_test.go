package store_test

import (
	"errors"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"zarrbench/zarrio/store"
)

func TestOpenHTTPURL(t *testing.T) {
	const key = "t2m/c 1"
	long := strings.Repeat("a", 64)
	tests := []struct {
		url  string
		opt  store.HTTPOptions
		name string
		want string
	}{
		{"https://h/a.zarr", store.HTTPOptions{}, "https://h/a.zarr", "https://h/a.zarr/t2m/c%201"},
		{"https://h/a.zarr/", store.HTTPOptions{}, "https://h/a.zarr", "https://h/a.zarr/t2m/c%201"},
		{"HTTP://h:80", store.HTTPOptions{}, "http://h:80", "http://h:80/t2m/c%201"},
		{"http://h/", store.HTTPOptions{}, "http://h", "http://h/t2m/c%201"},
		{"http://h/a//", store.HTTPOptions{}, "http://h/a/", "http://h/a//t2m/c%201"},
		{"http://h/a%2Fb%2F/c%20d+%C3%A9", store.HTTPOptions{}, "http://h/a%2Fb%2F/c%20d+%C3%A9", "http://h/a%2Fb%2F/c%20d+%C3%A9/t2m/c%201"},
		{"http://h/c d+é", store.HTTPOptions{}, "http://h/c%20d+%C3%A9", "http://h/c%20d+%C3%A9/t2m/c%201"},
		{"http://h/a%2F", store.HTTPOptions{}, "http://h/a%2F", "http://h/a%2F/t2m/c%201"},
		{"https://h/a/?sv=1&sig=x%2By", store.HTTPOptions{}, "https://h/a", "https://h/a/t2m/c%201?sv=1&sig=x%2By"},
		{"gs://b/p/q.zarr/", store.HTTPOptions{}, "gs://b/p/q.zarr", "https://storage.googleapis.com/b/p/q.zarr/t2m/c%201"},
		{"gs://b_c.org", store.HTTPOptions{}, "gs://b_c.org", "https://storage.googleapis.com/b_c.org/t2m/c%201"},
		{"gs://b/p%20?#é", store.HTTPOptions{}, "gs://b/p%20?#é", "https://storage.googleapis.com/b/p%2520%3F%23%C3%A9/t2m/c%201"},
		{"gs://b//p", store.HTTPOptions{}, "gs://b//p", "https://storage.googleapis.com/b//p/t2m/c%201"},
		{"s3://b/p", store.HTTPOptions{}, "s3://b/p", "https://b.s3.amazonaws.com/p/t2m/c%201"},
		{"S3://b", store.HTTPOptions{}, "S3://b", "https://b.s3.amazonaws.com/t2m/c%201"},
		{"s3://b.c/p", store.HTTPOptions{}, "s3://b.c/p", "https://s3.amazonaws.com/b.c/p/t2m/c%201"},
		{"s3://B_c/p", store.HTTPOptions{Region: "eu-north-1"}, "s3://B_c/p", "https://s3.eu-north-1.amazonaws.com/B_c/p/t2m/c%201"},
		{"s3://" + long + "/p", store.HTTPOptions{}, "s3://" + long + "/p", "https://s3.amazonaws.com/" + long + "/p/t2m/c%201"},
		{"s3://b/p", store.HTTPOptions{Region: "eu-north-1"}, "s3://b/p", "https://b.s3.eu-north-1.amazonaws.com/p/t2m/c%201"},
		{"s3://b/p", store.HTTPOptions{Region: "cn-north-1"}, "s3://b/p", "https://b.s3.cn-north-1.amazonaws.com.cn/p/t2m/c%201"},
		{"s3://b/p", store.HTTPOptions{Endpoint: "http://localhost:9000/"}, "s3://b/p", "http://localhost:9000/b/p/t2m/c%201"},
		{"gs://b/p", store.HTTPOptions{Endpoint: "https://h/x y"}, "gs://b/p", "https://h/x%20y/b/p/t2m/c%201"},
		{"https://h/a", store.HTTPOptions{Endpoint: "http://other", Region: "x"}, "https://h/a", "https://h/a/t2m/c%201"},
	}
	t.Setenv("AWS_REGION", "")
	for _, tt := range tests {
		h := openHTTP(t, tt.url, tt.opt)
		if got := h.String(); got != tt.name {
			t.Errorf("OpenHTTP(%q): String() = %q, want %q", tt.url, got, tt.name)
		}
		if got := h.KeyURL(key); got != tt.want {
			t.Errorf("OpenHTTP(%q): %q is at %q, want %q", tt.url, key, got, tt.want)
		}
	}
	t.Setenv("AWS_REGION", "us-west-2")
	if got, want := openHTTP(t, "s3://b", store.HTTPOptions{}).KeyURL("k"), "https://b.s3.us-west-2.amazonaws.com/k"; got != want {
		t.Errorf("with AWS_REGION: %q, want %q", got, want)
	}

	bad := []string{"", "a.zarr", "/a.zarr", "ftp://h/a", "file:///a", "az://c/p", "http://", "http:///a", "http://h/%zz?secret", "http://h/a#b", "http://h/a#", "http://h/a%2Fb c",
		"https://me:secret@h/a", "https://me@h/a", "gs://", "gs:///p", "gs://b c/p", "gs://b@c/p", "s3://b:80/p", "s3://../p", "s3://b/../p", "s3://b/./p",
		"gs://b/\xff", "gs://b/a\x00"}
	for _, u := range bad {
		h, err := store.OpenHTTP(u, store.HTTPOptions{})
		if err == nil {
			t.Errorf("OpenHTTP(%q) = %v, want an error", u, h)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("OpenHTTP(%q): %v: shows a secret", u, err)
		}
	}
	for _, opt := range []store.HTTPOptions{{Region: "a.b/c"}, {Endpoint: "localhost:9000"}, {Endpoint: "http://me@h"}} {
		if _, err := store.OpenHTTP("s3://b/p", opt); err == nil {
			t.Errorf("OpenHTTP with %+v: no error", opt)
		}
	}
	for _, u := range []string{"https://h/a", "ftp://h/a"} {
		if _, err := store.OpenBucket(u, store.HTTPOptions{}); err == nil {
			t.Errorf("OpenBucket(%q): no error", u)
		}
	}
}

// TestHTTPRegion asks for a bucket of which the answer says that it is in another region.
func TestHTTPRegion(t *testing.T) {
	for _, status := range []int{http.StatusMovedPermanently, http.StatusBadRequest} {
		var hosts []string
		opt := quick
		opt.Region = "us-east-1"
		opt.Client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			hosts = append(hosts, r.URL.Host)
			if r.URL.Host != "b.s3.eu-north-1.amazonaws.com" {
				return answer(status, http.Header{"X-Amz-Bucket-Region": {"eu-north-1"}}, strings.NewReader("<Code>PermanentRedirect</Code>"), -1), nil
			}
			if r.URL.Query().Has("list-type") {
				return value(`<ListBucketResult><Contents><Key>p/k</Key></Contents></ListBucketResult>`)
			}
			return value("value")
		})}
		for _, listing := range []bool{false, true} {
			hosts = nil
			b, err := store.OpenBucket("s3://b/p", opt)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if listing {
					_, err = b.List(t.Context(), "")
				} else {
					_, _, err = b.ReadRange(t.Context(), "k", make([]byte, 9), 0)
				}
				if err != nil {
					t.Error(err)
				}
			}
			if got, want := strings.Join(hosts, " "), "b.s3.us-east-1.amazonaws.com b.s3.eu-north-1.amazonaws.com b.s3.eu-north-1.amazonaws.com"; got != want {
				t.Errorf("asked %q, want %q", got, want)
			}
		}
	}
}

func TestEscapeKey(t *testing.T) {
	for key, want := range map[string]string{
		"t2m/.zarray":         "t2m/.zarray",
		"a b":                 "a%20b",
		"1%2B+?#&=:@!$'()*,;": "1%252B%2B%3F%23%26%3D%3A%40%21%24%27%28%29%2A%2C%3B",
		"höhe/Ω":              "h%C3%B6he/%CE%A9",
		"A-Z_a.z~09\x01\\":    "A-Z_a.z~09%01%5C",
	} {
		if got := store.EscapeKey(key); got != want {
			t.Errorf("escape(%q) = %q, want %q", key, got, want)
		}
	}
}

// FuzzKeyURL checks that every key is found again in its URL, and reaches nothing outside the prefix.
func FuzzKeyURL(f *testing.F) {
	for _, key := range []string{"t2m/.zarray", "sea ice/höhe/Ω 1%2B", "a?b#c&d=e+f", "..a/b..", "a\\b", "%2e%2e/x"} {
		f.Add("https://h/a%2Fb/c?sig=1", key)
		f.Add("gs://b/p", key)
	}
	f.Fuzz(func(t *testing.T, base, key string) {
		h, err := store.OpenHTTP(base, store.HTTPOptions{})
		if err != nil || store.CheckKey(key) != nil {
			t.Skip()
		}
		root, err := url.Parse(h.KeyURL("x"))
		if err != nil {
			t.Fatalf("the URL of x below %q: %v", base, err)
		}
		u, err := url.Parse(h.KeyURL(key))
		if err != nil {
			t.Fatalf("the URL of %q below %q: %v", key, base, err)
		}
		if got, want := u.Path, strings.TrimSuffix(root.Path, "x")+key; got != want {
			t.Errorf("%q below %q: path %q, want %q", key, base, got, want)
		}
		if strings.Count(u.EscapedPath(), "/") != strings.Count(root.EscapedPath(), "/")+strings.Count(key, "/") {
			t.Errorf("%q below %q: path %q has other slashes", key, base, u.EscapedPath())
		}
		if u.Host != root.Host || u.Scheme != root.Scheme || u.RawQuery != root.RawQuery || u.Fragment != "" || u.User != nil {
			t.Errorf("%q below %q: leads to %q", key, base, u)
		}
	})
}

func TestParseContentRange(t *testing.T) {
	tests := []struct {
		header             string
		first, last, total int64
		want               string // of the error
	}{
		{"bytes 0-9/100", 0, 9, 100, ""},
		{"Bytes 0-0/1", 0, 0, 1, ""},
		{"bytes 5-9/*", 5, 9, -1, ""},
		{"bytes */100", 0, -1, 100, ""},
		{"bytes */0", 0, -1, 0, ""},
		{"bytes 0-9223372036854775806/9223372036854775807", 0, math.MaxInt64 - 1, math.MaxInt64, ""},
		{"", 0, 0, 0, "no Content-Range"},
		{"bytes", 0, 0, 0, "no total"},
		{"bytes=0-9/100", 0, 0, 0, "want the unit bytes"},
		{"bytes 0-9", 0, 0, 0, "no total"},
		{"bytes */*", 0, 0, 0, "neither a range nor a total"},
		{"bytes 9-0/100", 0, 0, 0, "ends before it begins"},
		{"bytes 0-100/100", 0, 0, 0, "ends beyond the total"},
		{"bytes 0-9/", 0, 0, 0, "the total is no number"},
		{"bytes 0-9/-1", 0, 0, 0, "the total is no number"},
		{"bytes +0-9/100", 0, 0, 0, "not a range of numbers"},
		{"bytes -9/100", 0, 0, 0, "not a range of numbers"},
		{"bytes 0-/100", 0, 0, 0, "not a range of numbers"},
		{"bytes 0-9, 20-29/100", 0, 0, 0, "not a range of numbers"},
		{"bytes 0-9/9223372036854775808", 0, 0, 0, "the total is no number"},
	}
	for _, tt := range tests {
		first, last, total, err := store.ParseContentRange(tt.header)
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q: %v, want %q", tt.header, err, tt.want)
			}
		} else if first != tt.first || last != tt.last || total != tt.total || err != nil {
			t.Errorf("%q = %d, %d, %d, %v, want %d, %d, %d", tt.header, first, last, total, err, tt.first, tt.last, tt.total)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-9/100", "bytes 0-9/*", "bytes */100", "bytes 9223372036854775807-9223372036854775807/*", "pages 1-2/3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		first, last, total, err := store.ParseContentRange(s)
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		unsatisfied := first == 0 && last == -1 && total >= 0
		satisfied := 0 <= first && first <= last && (total == -1 || last < total)
		if !unsatisfied && !satisfied {
			t.Errorf("%q = %d, %d, %d", s, first, last, total)
		}
	})
}

// FuzzHTTPAnswer reads from a server that answers what it likes. Nothing may come of it that contradicts itself.
func FuzzHTTPAnswer(f *testing.F) {
	f.Add(206, "bytes 0-9/10", "0123456789", 10, int64(0), 10)
	f.Add(206, "bytes 5-9/10", "56789", -1, int64(-5), 5)
	f.Add(200, "", "0123456789", 10, int64(3), 4)
	f.Add(200, "", "0123456789", -1, int64(-3), 4)
	f.Add(416, "bytes */3", "", 0, int64(7), 2)
	f.Add(200, "", "", math.MaxInt, int64(math.MinInt64), 0)
	f.Fuzz(func(t *testing.T, status int, contentRange, body string, length int, off int64, n int) {
		if n < 0 || n > 1000 {
			t.Skip()
		}
		requests := 0
		h := openTrip(t, store.HTTPOptions{Retries: -1}, func(*http.Request) (*http.Response, error) {
			requests++
			resp := answer(status, http.Header{"Content-Range": {contentRange}}, strings.NewReader(body), length)
			resp.ProtoMajor = 2
			return resp, nil
		})
		dst := make([]byte, n)
		got, size, err := h.ReadRange(t.Context(), "k", dst, off)
		if err != nil {
			if _, ok := errors.AsType[*store.KeyError](err); !ok || got != 0 || size != 0 {
				t.Errorf("%d, %d, %v", got, size, err)
			}
			return
		}
		first := off
		if off < 0 {
			first = max(size+off, 0)
		}
		if want := min(int64(n), max(size-first, 0)); size < 0 || int64(got) != want || requests > 10 {
			t.Errorf("read %d of %d in %d requests, want %d", got, size, requests, want)
		}
	})
}
