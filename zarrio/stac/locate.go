package stac

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"zarrbench/zarrio/internal/places"
	"zarrbench/zarrio/store"
)

// A Location is where a place leads to.
type Location struct {
	// Place is that of the store: a directory, a zip file or a URL. It is the one that was given,
	// unless that is a STAC document.
	Place string
	// Asset is the one that was chosen of a STAC document, or nil. Its Group is the group that is
	// meant of the store at Place.
	Asset *Asset
	// Document is where the STAC document is, without the query of its URL, or "".
	Document string

	opt store.Options
}

// Locate finds out where a place leads to: one that [store.Open] takes, or a STAC place. It reads
// the document of a STAC place, and asks nothing of other servers. The options are those of
// [Location.Open] too.
//
// A STAC place is a path or a URL (file, http, https, gs, s3) that ends in .json or .geojson, such
// as an Item's, or any that has the fragment "#asset", such as that of an API, whose URLs don't end
// so. "#asset=KEY" chooses an asset; without it the only Zarr asset is meant, or else the only one
// that can be opened, or the only one of these with the role "data". If that leaves none, or
// several, the error is a [ChoiceError], which lists the assets.
//
// The document is not trusted. It may lead to another server, to which no header of opt.HTTP is
// sent then, but not from a server to local files, and not from an encrypted connection to one that
// is not. Assets whose hrefs are of another scheme, or which need credentials, are refused, as are
// references to chunks in other files (kerchunk). No link is followed. An Endpoint of opt.HTTP
// takes precedence over one that the document names.
func Locate(ctx context.Context, place string, opt store.Options) (*Location, error) {
	document, key, found := Cut(place)
	name, local := places.Local(place)
	if local {
		// A directory may have a name that looks like a document's, and any file one that looks
		// like it had a fragment.
		if info, err := os.Stat(name); err == nil {
			document, key, found = name, "", found && document == place && info.Mode().IsRegular()
		} else if found {
			document, _ = places.Local(document)
		}
	}
	if !found {
		return &Location{Place: place, opt: opt}, nil
	}
	shown := document
	if !local {
		shown = places.WithoutSecrets(document)
	}
	l, err := locateAsset(ctx, document, key, local, opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown, err)
	}
	l.Document = shown
	return l, nil
}

func locateAsset(ctx context.Context, document, key string, local bool, opt store.Options) (*Location, error) {
	doc, err := readDocument(ctx, document, local, opt.HTTP)
	if err != nil {
		return nil, err
	}
	base := document
	if local && !strings.HasPrefix(base, "/") {
		base = "./" + base // A name may have a colon.
	}
	d, err := Parse(doc, base)
	if err != nil {
		return nil, err
	}
	l := &Location{opt: opt}
	if l.Asset, err = d.Choose(key); err != nil {
		return nil, err
	}
	if l.Place = l.Asset.Place; !strings.Contains(l.Place, "://") {
		l.Place = places.Existing(l.Place) // Some catalogues escape their hrefs, and some don't.
	}
	http := &l.opt.HTTP
	if http.Endpoint == "" {
		http.Endpoint = l.Asset.Endpoint
	}
	if server(l.Place) != server(document) || http.Endpoint != opt.HTTP.Endpoint {
		http.Header = nil
	}
	return l, nil
}

// server returns the part of a URL up to its path: what two places on one server have in common.
func server(place string) string {
	scheme, rest, _ := strings.Cut(place, "://")
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		rest = rest[:i]
	}
	return strings.ToLower(scheme + "://" + rest)
}

// readDocument reads a STAC document, up to the limit.
func readDocument(ctx context.Context, document string, local bool, opt store.HTTPOptions) ([]byte, error) {
	if local {
		return readFile(document)
	}
	parent, name, err := places.Split(document)
	if err != nil {
		return nil, err
	}
	opt.Header = opt.Header.Clone()
	if opt.Header == nil {
		opt.Header = make(http.Header)
	}
	if opt.Header.Get("Accept") == "" { // Some APIs answer HTML otherwise.
		opt.Header.Set("Accept", "application/geo+json, application/json")
	}
	st, err := store.OpenHTTP(parent, opt)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	doc, err := store.ReadAll(ctx, st, name, MaxSize)
	if e, ok := errors.AsType[*store.KeyError](err); ok {
		err = e.Err // The rest names the document once more.
	}
	return doc, err
}

// readFile reads a document from a file. Its errors don't name the file.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err == nil {
		err = places.CheckMode(info.Mode())
	}
	if err != nil {
		return nil, places.WithoutPath(err)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, places.WithoutPath(err)
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxSize+1)) // Parse refuses one byte too many.
}

// Open opens the store at l.Place. The caller closes it when nothing uses it any more.
func (l *Location) Open(ctx context.Context) (store.Closer, error) {
	return store.OpenWith(ctx, l.Place, l.opt)
}
