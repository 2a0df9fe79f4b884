package store

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"strings"
)

// ErrChanged is what errors.Is finds when a value changed between the requests of one read, or while it was open.
var ErrChanged = errors.New("the value changed while it was read")

// A version is what tells one version of a value from another, as far as a server tells.
type version struct {
	size int64  // -1: unknown
	tag  string // the ETag, or empty
	date string // the Last-Modified, or empty
}

var unknownVersion = version{size: -1}

// versionOf is the version of an answer, whose value has size bytes.
func versionOf(resp *http.Response, size int64) version {
	return version{size: size, tag: resp.Header.Get("ETag"), date: resp.Header.Get("Last-Modified")}
}

// check returns an error unless now may be the same version. What is unknown may be anything.
func (v version) check(now version) error {
	weak := func(tag string) string { return strings.TrimPrefix(tag, "W/") }
	switch {
	case v.size >= 0 && now.size >= 0 && v.size != now.size:
		return fmt.Errorf("%w: it had %d bytes, and has %d now", ErrChanged, v.size, now.size)
	case v.tag != "" && now.tag != "":
		if weak(v.tag) != weak(now.tag) {
			return fmt.Errorf("%w: its ETag was %.100q, and is %.100q now", ErrChanged, v.tag, now.tag)
		}
	case v.date != "" && now.date != "" && v.date != now.date:
		return fmt.Errorf("%w: it was modified at %.100q, and at %.100q now", ErrChanged, v.date, now.date)
	}
	return nil
}

// strong reports whether the version has an ETag that no other version has, to the byte (RFC 9110, 8.8.3).
func (v version) strong() bool { return len(v.tag) >= 2 && v.tag[0] == '"' }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checkHash compares a whole value with the checksum that header has of it, if any: the CRC-32C or else the MD5 of x-goog-hash,
// or Content-MD5. A difference is a temporary error, since it most likely came about under way.
func checkHash(header http.Header, whole []byte) error {
	// x-goog-hash is that of the object as it is stored, compressed perhaps.
	if enc := header.Get("X-Goog-Stored-Content-Encoding"); enc == "" || enc == "identity" {
		if want, ok := googHash(header, "crc32c"); ok {
			got := binary.BigEndian.AppendUint32(nil, crc32.Checksum(whole, castagnoli))
			return compareHash("x-goog-hash: crc32c", got, want)
		}
		if want, ok := googHash(header, "md5"); ok {
			got := md5.Sum(whole)
			return compareHash("x-goog-hash: md5", got[:], want)
		}
	}
	if want := header.Get("Content-MD5"); want != "" {
		got := md5.Sum(whole)
		return compareHash("Content-MD5", got[:], want)
	}
	return nil
}

// googHash finds a hash among the headers x-goog-hash, of which each may hold several.
func googHash(header http.Header, name string) (string, bool) {
	for _, line := range header.Values("X-Goog-Hash") {
		for part := range strings.SplitSeq(line, ",") {
			if v, ok := strings.CutPrefix(strings.TrimSpace(part), name+"="); ok {
				return v, true
			}
		}
	}
	return "", false
}

func compareHash(name string, got []byte, want string) error {
	w, err := base64.StdEncoding.DecodeString(want)
	if err != nil || len(w) != len(got) {
		return again("%s %.100q is not the base64 of %d bytes", name, want, len(got))
	}
	if !bytes.Equal(got, w) {
		return again("what arrived has %s %x, the server says %x", name, got, w)
	}
	return nil
}
