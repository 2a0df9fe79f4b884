package main

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/store"
)

// An object that changes between two answers is noticed by its generation or else by its ETag, though other answers have none.
func TestAnswers(t *testing.T) {
	tests := []struct {
		name    string
		answers []string // status, ETag, generation
		want    string
	}{
		{"the same", []string{`200 "a" 1`, `206 "a" 1`, `206 W/"a" 1`}, ""},
		{"another ETag", []string{`206 "a" -`, `206 "b" -`}, `it had ETag "a", and has ETag "b" now`},
		{"another generation", []string{`206 "a" 1`, `206 "a" 2`}, "it had generation 1, and has generation 2 now"},
		{"none between", []string{`206 "a" -`, `206 - -`, `206 "b" -`}, `it had ETag "a", and has ETag "b" now`},
		{"an error between", []string{`206 "a" -`, `503 "x" -`, `206 "a" -`}, ""},
		{"back again", []string{`206 "a" -`, `206 "b" -`, `206 "a" -`}, `it had ETag "a", and has ETag "b" now`},
	}
	for _, tt := range tests {
		l := newLedger()
		for _, answer := range tt.answers {
			f := strings.Fields(answer)
			code, err := strconv.Atoi(f[0])
			require.NoError(t, err)
			resp := &http.Response{Header: make(http.Header), StatusCode: code}
			for i, name := range []string{"ETag", "X-Goog-Generation"} {
				if f[i+1] != "-" {
					resp.Header.Set(name, f[i+1])
				}
			}
			l.answer("z/0", "https://host/z/0", resp)
		}
		objects, err := l.read()
		if tt.want == "" && err != nil || tt.want != "" && (!errors.Is(err, store.ErrChanged) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if len(objects) != 1 || objects[0].Requests != int64(len(tt.answers)) {
			t.Errorf("%s: %+v", tt.name, objects)
		}
	}
}

func TestServerProof(t *testing.T) {
	for _, tt := range []struct{ header, want string }{
		{"", proofLength},
		{"X-Goog-Hash: crc32c=AAAAAA==, md5=BBBB", proofCRC32C},
		{"X-Goog-Hash: md5=BBBB", proofMD5},
		{"Content-MD5: BBBB", proofMD5},
		{"X-Goog-Hash: crc32c=AAAAAA==; X-Goog-Stored-Content-Encoding: identity", proofCRC32C},
		{"X-Goog-Hash: crc32c=AAAAAA==; X-Goog-Stored-Content-Encoding: gzip", proofLength}, // of what is stored, not of what comes
	} {
		header := make(http.Header)
		for line := range strings.SplitSeq(tt.header, "; ") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				header.Set(name, value)
			}
		}
		if got := serverProof(header); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.header, got, tt.want)
		}
	}
}
