package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"zarrbench/zarrio/stac"
)

// A Location is where a place leads to.
type Location struct {
	// Place is that of the store: a directory, a zip file or a URL. It is the one that was given, unless that is a STAC document.
	Place string
	// Asset is the one that was chosen of a STAC document, or nil. Its Group is the group that is meant of the store at Place.
	Asset *stac.Asset
	// Document is where the STAC document is, without the query of its URL, or "".
	Document string
	// Dir is how Open opens a local directory. Locate leaves it zero.
	Dir DirOptions

	opt HTTPOptions
}

// Locate finds out where a place that [Open] takes leads to. It reads the document of a STAC place, and asks nothing of
// other servers.
//
// A STAC place is a path or a URL (file, http, https, gs, s3) that ends in .json or .geojson, such as an Item's, or any that has
// the fragment "#asset", such as that of an API, whose URLs don't end so. "#asset=KEY" chooses an asset; without it the
// only Zarr asset is meant, or else the only one that can be opened, or the only one of these with the role "data". Where
// that leaves none, or several, the error is a [stac.ChoiceError], which lists the assets.
//
// The document is not trusted. It may lead to another server, to which no header of opt is sent then, but not from a server
// to local files, and not from an encrypted connection to one that is not. Assets whose hrefs are of another scheme, or
// which need credentials, are refused, as are references to chunks in other files (kerchunk). No link is followed. An Endpoint of
// opt stands above one that the document names.
func Locate(ctx context.Context, place string, opt HTTPOptions) (*Location, error) {
	document, key, found := stac.Cut(place)
	name, local := localPath(place)
	if local {
		// A directory may have a name that looks like a document's, and any file one that looks like it had a fragment.
		if info, err := os.Stat(name); err == nil {
			document, key, found = name, "", found && document == place && info.Mode().IsRegular()
		} else if found {
			document, _ = localPath(document)
		}
	}
	if !found {
		return &Location{Place: place, opt: opt}, nil
	}
	shown := document
	if !local {
		shown = withoutSecrets(document)
	}
	l, err := locateAsset(ctx, document, key, local, opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown, err)
	}
	l.Document = shown
	return l, nil
}

func locateAsset(ctx context.Context, document, key string, local bool, opt HTTPOptions) (*Location, error) {
	doc, err := readDocument(ctx, document, local, opt)
	if err != nil {
		return nil, err
	}
	base := document
	if local && !strings.HasPrefix(base, "/") {
		base = "./" + base // A name may have a colon.
	}
	d, err := stac.Parse(doc, base)
	if err != nil {
		return nil, err
	}
	l := &Location{opt: opt}
	if l.Asset, err = d.Choose(key); err != nil {
		return nil, err
	}
	if l.Place = l.Asset.Place; !strings.Contains(l.Place, "://") {
		l.Place = existing(l.Place) // Some catalogues escape their hrefs, and some don't.
	}
	if l.opt.Endpoint == "" {
		l.opt.Endpoint = l.Asset.Endpoint
	}
	if server(l.Place) != server(document) || l.opt.Endpoint != opt.Endpoint {
		l.opt.Header = nil
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

// readDocument reads a STAC document, of which it takes no more than the limit.
func readDocument(ctx context.Context, document string, local bool, opt HTTPOptions) ([]byte, error) {
	if local {
		info, err := os.Stat(document)
		if err == nil {
			err = checkMode(info.Mode())
		}
		if err != nil {
			return nil, bareError(err)
		}
		f, err := os.Open(document)
		if err != nil {
			return nil, bareError(err)
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, stac.MaxSize+1)) // Parse refuses one byte too many.
	}
	parent, name, err := splitURL(document)
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
	server, err := OpenHTTP(parent, opt)
	if err != nil {
		return nil, err
	}
	defer server.Close()
	doc, err := ReadAll(ctx, server, name, stac.MaxSize)
	if e, ok := errors.AsType[*KeyError](err); ok {
		err = e.Err // The rest names the document once more.
	}
	return doc, err
}

// Open opens the store at l.Place. The caller closes it when nothing uses it any more.
func (l *Location) Open(ctx context.Context) (Closer, error) {
	if name, local := localPath(l.Place); local {
		return openPath(name, l.Dir)
	}
	if strings.HasSuffix(strings.ToLower(withoutQuery(l.Place)), ".zip") {
		if parent, name, err := splitURL(l.Place); err == nil {
			return openRemoteZip(ctx, parent, name, l.opt)
		}
	}
	if isBucket(l.Place) {
		return opened(OpenBucket(l.Place, l.opt))
	}
	return opened(OpenHTTP(l.Place, l.opt))
}

// isBucket says whether a URL is one of gs or s3.
func isBucket(place string) bool {
	scheme, _, _ := strings.Cut(place, "://")
	return strings.EqualFold(scheme, "gs") || strings.EqualFold(scheme, "s3")
}

// withoutQuery takes a URL's query off. What follows a bucket is literal.
func withoutQuery(place string) string {
	if !isBucket(place) {
		place, _, _ = strings.Cut(place, "?")
	}
	return place
}

// withoutSecrets takes the query off a URL, and a user's name and password, which are refused later.
func withoutSecrets(place string) string {
	place = withoutQuery(place)
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

// splitURL splits the URL of one value into that of a store, with the same query, and the value's key there.
func splitURL(place string) (parent, key string, err error) {
	base := withoutQuery(place)
	i := strings.LastIndexByte(base, '/')
	if scheme, _, _ := strings.Cut(base, "://"); i < len(scheme)+len("://") {
		return "", "", errors.New("URL of a server or a bucket, want one of a document")
	}
	key = base[i+1:]
	if !isBucket(place) {
		if key, err = url.PathUnescape(key); err != nil {
			return "", "", fmt.Errorf("%s: %w", base[i+1:], err)
		}
	}
	return base[:i] + place[len(base):], key, nil
}

// localPath returns the path that a place names, or false where it is a URL of another scheme than file (RFC 8089). The path
// of a file URL is percent-decoded, unless there is something that has the name as it stands.
func localPath(place string) (string, bool) {
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
	return existing(name), true
}

// existing returns the name of a file or directory, or, where there is none, what it is percent-decoded.
func existing(name string) string {
	if _, err := os.Lstat(name); err != nil {
		if decoded, err := url.PathUnescape(name); err == nil {
			return decoded
		}
	}
	return name
}
