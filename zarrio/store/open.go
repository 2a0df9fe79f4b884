package store

import (
	"context"
	"errors"
	"os"
	"strings"

	"zarrbench/zarrio/internal/places"
)

// A Closer is a Store that holds something open: connections, a directory, a file.
type Closer interface {
	Store
	Close() error
}

// Options are how [OpenWith] opens a place.
type Options struct {
	HTTP HTTPOptions // of places on servers
	Dir  DirOptions  // of local directories
}

// Open opens the store at a place: a directory, a zip file, a URL that [OpenHTTP] or [OpenBucket] takes, or the URL of a zip
// file, whose path ends in ".zip". A path may be written as a URL of file. The caller closes the store when nothing uses it any
// more. Package stac opens the stores that STAC documents lead to.
func Open(ctx context.Context, place string) (Closer, error) {
	return OpenWith(ctx, place, Options{})
}

// OpenWith is [Open] with options.
func OpenWith(ctx context.Context, place string, opt Options) (Closer, error) {
	if name, local := places.Local(place); local {
		return openPath(name, opt.Dir)
	}
	if strings.HasSuffix(strings.ToLower(places.WithoutQuery(place)), ".zip") {
		if parent, name, err := places.Split(place); err == nil {
			return openRemoteZip(ctx, parent, name, opt.HTTP)
		}
	}
	if places.IsBucket(place) {
		return opened(OpenBucket(place, opt.HTTP))
	}
	return opened(OpenHTTP(place, opt.HTTP))
}

// opened keeps a nil pointer that comes with an error from becoming a store that is not nil.
func opened[T Closer](s T, err error) (Closer, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

func openPath(name string, opt DirOptions) (Closer, error) {
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
		return opened(OpenZip(name))
	}
	return opened(OpenDirWith(name, opt))
}

// remoteZip is a zip file on a server, which closes the server's store too.
type remoteZip struct {
	*Zip
	server *HTTP
}

func (z remoteZip) Close() error { return errors.Join(z.Zip.Close(), z.server.Close()) }

// openRemoteZip opens the zip file that is key's value in the store at parent, a URL.
func openRemoteZip(ctx context.Context, parent, key string, opt HTTPOptions) (Closer, error) {
	server, err := OpenHTTP(parent, opt)
	if err != nil {
		return nil, err
	}
	z, err := OpenZipIn(ctx, server, key)
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return remoteZip{z, server}, nil
}
