package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"

	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// openBucket opens a bucket that s serves.
func openBucket(t *testing.T, s *storetest.Server, url string) *store.Bucket {
	t.Helper()
	opt := quick
	opt.Endpoint = strings.TrimSuffix(s.URL, "/b")
	b, err := store.OpenBucket(url, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestBucket(t *testing.T) {
	for prefix, pageSize := range map[string]int{"": 2, "/data 1/x+y.zarr": 1000} {
		t.Run("prefix="+prefix, func(t *testing.T) {
			storetest.RunFlat(t, func(t *testing.T, files map[string][]byte) store.Store {
				all := map[string][]byte{"data 1/x+y.zarr2/other": nil}
				if prefix == "" {
					all = make(map[string][]byte)
				}
				for key, value := range files {
					all[strings.TrimPrefix(prefix+"/"+key, "/")] = value
				}
				return openBucket(t, storetest.NewServer(t, all, storetest.ServerOptions{Bucket: "b", PageSize: pageSize}), "s3://b"+prefix)
			})
		})
	}
}

func TestBucketList(t *testing.T) {
	files := map[string][]byte{"t2m/": nil, "t2m/0": nil, "t2m/0/1": nil, "t2m//x": nil, "t2m/../y": nil, "empty/": nil}
	for i := range 25 {
		files[fmt.Sprintf("c/%d", i)] = nil
	}
	s := storetest.NewServer(t, files, storetest.ServerOptions{Bucket: "b", PageSize: 10, Rate: 0.05, Faults: storetest.ServerFaults(), Seed: 3})
	b := openBucket(t, s, "gs://b")
	for prefix, want := range map[string][]string{
		"":      {"c/", "empty/", "t2m/"},
		"t2m":   {"0", "0/"},
		"empty": {},
	} {
		if got, err := b.List(t.Context(), prefix); err != nil || !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q, %v, want %q", prefix, got, err, want)
		}
	}
	if got, err := b.List(t.Context(), "c"); err != nil || len(got) != 25 || !slices.IsSorted(got) {
		t.Errorf("List(c) = %q, %v, want 25 names", got, err)
	}
	for _, r := range s.Log() {
		if r.Header.Get("Authorization") != "" || strings.Contains(r.Query, "+") || r.Path != "/b" {
			t.Errorf("asked %+v", r)
		}
	}
	if _, err := openBucket(t, s, "gs://other").List(t.Context(), ""); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("List of a bucket that is not there: %v", err)
	}
	var plain store.Store = b.HTTP
	if _, ok := plain.(store.Lister); ok {
		t.Error("an HTTP is a Lister")
	}
}

// TestBucketListAnswers lists where the answer is no list, or has no end.
func TestBucketListAnswers(t *testing.T) {
	const list = `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">%s</ListBucketResult>`
	tests := []struct {
		name, body, want string
		status           int
	}{
		{"not XML", "<html><p>Welcome</html>", "the answer is no list of a bucket", 200},
		{"other XML", "<Error></Error>", "the answer is no list of a bucket", 200},
		{"cut", "<ListBucketResult><Contents>", "the answer is no list of a bucket", 200},
		{"no token", fmt.Sprintf(list, "<IsTruncated>true</IsTruncated>"), "it does not say where", 200},
		{"same token", fmt.Sprintf(list, "<IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>"), "it does not say where", 200},
		{"other prefix", fmt.Sprintf(list, "<Contents><Key>z/a</Key></Contents>"), `asked for names under "p/", the server lists "z/a"`, 200},
		{"nothing", fmt.Sprintf(list, ""), "file does not exist", 200},
		{"denied", "<Code>AccessDenied</Code>", "403 Forbidden", 403},
		{"long", strings.Repeat(" ", 9<<20), "a list of more than 8388608 bytes a page", 200},
	}
	for _, tt := range tests {
		opt := quick
		opt.Endpoint = serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(tt.status)
			w.Write([]byte(tt.body))
		})
		b, err := store.OpenBucket("s3://b/p", opt)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.List(t.Context(), ""); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: List = %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
}

func FuzzBucketList(f *testing.F) {
	f.Add(`<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken><Contents><Key>p/a b</Key></Contents></ListBucketResult>`)
	f.Add(`<ListBucketResult><CommonPrefixes><Prefix>p/a/</Prefix></CommonPrefixes><Contents><Key>p/</Key></Contents></ListBucketResult>`)
	f.Fuzz(func(t *testing.T, body string) {
		b, err := store.OpenBucket("gs://b/p", store.HTTPOptions{Retries: -1, Client: &http.Client{Transport: roundTrip(
			func(*http.Request) (*http.Response, error) { return value(body) })}})
		if err != nil {
			t.Fatal(err)
		}
		names, err := b.List(t.Context(), "")
		if err != nil {
			return
		}
		for _, name := range names {
			if part := strings.TrimSuffix(name, "/"); store.CheckKey(part) != nil || strings.Contains(part, "/") {
				t.Errorf("List of %q gives %q", body, name)
			}
		}
		if !slices.IsSorted(names) {
			t.Errorf("List of %q gives %q", body, names)
		}
	})
}
