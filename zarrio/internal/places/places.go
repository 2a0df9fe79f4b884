// Package places takes apart the places that stores are opened at, paths and URLs, and words the
// errors of local ones.
package places

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// IsBucket reports whether a URL is one of gs or s3.
func IsBucket(place string) bool {
	scheme, _, _ := strings.Cut(place, "://")
	return strings.EqualFold(scheme, "gs") || strings.EqualFold(scheme, "s3")
}

// WithoutQuery returns a URL without its query. What follows a bucket is literal.
func WithoutQuery(place string) string {
	if !IsBucket(place) {
		place, _, _ = strings.Cut(place, "?")
	}
	return place
}

// WithoutSecrets returns a URL for messages: without its query, and without a user's name and
// password.
func WithoutSecrets(place string) string {
	place = WithoutQuery(place)
	scheme, rest, _ := strings.Cut(place, "://")
	host, path, slash := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	if slash {
		path = "/" + path
	}
	return scheme + "://" + host + path
}

// Split splits the URL of one value into that of a store, which has the same query, and the value's
// key there.
func Split(place string) (parent, key string, err error) {
	base := WithoutQuery(place)
	i := strings.LastIndexByte(base, '/')
	if scheme, _, _ := strings.Cut(base, "://"); i < len(scheme)+len("://") {
		return "", "", errors.New("URL of a server or a bucket, want one of a document")
	}
	key = base[i+1:]
	if !IsBucket(place) {
		if key, err = url.PathUnescape(key); err != nil {
			return "", "", fmt.Errorf("%s: %w", base[i+1:], err)
		}
	}
	return base[:i] + place[len(base):], key, nil
}

// Local returns the path that a place names, or false if it is a URL of another scheme than file
// (RFC 8089). The path of a file URL is percent-decoded, unless a file or directory has the name as
// it stands.
func Local(place string) (string, bool) {
	const scheme = "file:"
	if len(place) < len(scheme) || !strings.EqualFold(place[:len(scheme)], scheme) {
		return place, !strings.Contains(place, "://")
	}
	name := place[len(scheme):]
	if rest, ok := strings.CutPrefix(name, "//"); ok {
		name = rest
		if rest, ok := strings.CutPrefix(name, "localhost/"); ok {
			name = "/" + rest
		}
	}
	return Existing(name), true
}

// Existing returns name if there is a file or directory of that name, else name percent-decoded.
func Existing(name string) string {
	if _, err := os.Lstat(name); err != nil {
		if decoded, err := url.PathUnescape(name); err == nil {
			return decoded
		}
	}
	return name
}
