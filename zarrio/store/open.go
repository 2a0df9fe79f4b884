package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// A Closer is a Store that holds something open: connections, a directory, a file.
type Closer interface {
	Store
	Close() error
}

// Open opens the store at a place: a directory, a zip file, a URL that [OpenHTTP] or [OpenBucket] takes, or the URL of a zip
// file, whose path ends in ".zip". The caller closes it when nothing uses it any more.
func Open(ctx context.Context, place string) (Closer, error) {
	scheme, rest, isURL := strings.Cut(place, "://")
	switch {
	case !isURL:
		return openPath(place)
	case strings.EqualFold(scheme, "file"):
		return openPath(rest)
	}
	bucket := strings.EqualFold(scheme, "gs") || strings.EqualFold(scheme, "s3")
	base, query := place, ""
	if i := strings.IndexByte(place, '?'); i >= 0 && !bucket { // a prefix in a bucket is literal
		base, query = place[:i], place[i:]
	}
	if i := strings.LastIndexByte(base, '/'); strings.HasSuffix(strings.ToLower(base), ".zip") && i > len(scheme)+len("://") {
		return openRemoteZip(ctx, base[:i]+query, base[i+1:], !bucket)
	}
	if bucket {
		return opened(OpenBucket(place, HTTPOptions{}))
	}
	return opened(OpenHTTP(place, HTTPOptions{}))
}

// opened keeps a nil pointer that comes with an error from becoming a store that is not nil.
func opened[T Closer](s T, err error) (Closer, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

func openPath(name string) (Closer, error) {
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
		return opened(OpenZip(name))
	}
	return opened(OpenDir(name))
}

// remoteZip is a zip file on a server, which closes the server's store too.
type remoteZip struct {
	*Zip
	server *HTTP
}

func (z remoteZip) Close() error { return errors.Join(z.Zip.Close(), z.server.Close()) }

// openRemoteZip opens the zip file that is name below a URL. Where name is escaped, as in URLs, the key is not.
func openRemoteZip(ctx context.Context, parent, name string, escaped bool) (Closer, error) {
	if escaped {
		key, err := url.PathUnescape(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		name = key
	}
	server, err := OpenHTTP(parent, HTTPOptions{})
	if err != nil {
		return nil, err
	}
	z, err := OpenZipIn(ctx, server, name)
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return remoteZip{z, server}, nil
}
