package stac

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Cut reports whether place names a document, by its form alone: a URL or a path that ends in .json
// or .geojson, apart from a URL's query, or that has the fragment "#asset" or "#asset=KEY". It
// returns the place without the fragment and the KEY, or "". A KEY is escaped as in URLs; one that
// is not, though it has a "%", is taken as it stands.
func Cut(place string) (document, key string, found bool) {
	i := strings.LastIndexByte(place, '#')
	if i < 0 {
		return place, "", hasJSONName(pathOf(place))
	}
	name, key, _ := strings.Cut(place[i+1:], "=")
	if name != "asset" {
		return place, "", hasJSONName(pathOf(place))
	}
	if unescaped, err := url.PathUnescape(key); err == nil {
		key = unescaped
	}
	return place[:i], key, true
}

// hasJSONName reports whether a path is that of a JSON document.
func hasJSONName(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".geojson")
}

// pathOf takes the query, and what follows it, off a URL of http or https. Other places have none.
func pathOf(place string) string {
	if s := schemeOf(place); s == "http" || s == "https" {
		place, _, _ = strings.Cut(place, "?")
	}
	return place
}

// schemeOf returns the scheme of a URL, in lower case, or "" for a path (RFC 3986, 3.1).
func schemeOf(place string) string {
	scheme, _, ok := strings.Cut(place, ":")
	if !ok || scheme == "" {
		return ""
	}
	scheme = strings.ToLower(scheme)
	for i, c := range []byte(scheme) {
		if (c < 'a' || c > 'z') && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return ""
		}
	}
	return scheme
}

// locate sets Place and Endpoint, or Refused. If href can't be opened, an alternate asset that
// can takes its place: the extension has it that both are the same data.
func (a *Asset) locate(o, kwargs, schemes object, base string) error {
	err := a.locateAt(o, kwargs, schemes, base)
	if err != nil || a.Refused == "" {
		return err
	}
	alternates, err := o.object("alternate")
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(alternates)) {
		inner, err := alternates.object(name)
		if err != nil {
			return fmt.Errorf("alternate: %w", err)
		}
		other := Asset{}
		if other.Href, err = inner.text("href"); err == nil {
			err = other.locateAt(inner, nil, schemes, base)
		}
		if err != nil {
			return fmt.Errorf("alternate %q: %w", short(name), err)
		}
		if other.Refused == "" {
			a.Place, a.Endpoint, a.Refused = other.Place, other.Endpoint, ""
			return nil
		}
	}
	return nil
}

// locateAt does it for the href of one object.
func (a *Asset) locateAt(o, kwargs, schemes object, base string) error {
	place, err := resolve(base, a.Href)
	if err != nil {
		a.Refused = err.Error()
		return nil
	}
	endpoint := ""
	if s := schemeOf(place); s == "gs" || s == "s3" {
		if endpoint, a.Refused, err = access(o, kwargs, schemes); err != nil || a.Refused != "" {
			return err
		}
		if schemeOf(endpoint) == "http" && !mayBePlain(base) {
			a.Refused = plainText
			return nil
		}
	}
	a.Place, a.Endpoint = place, endpoint
	return nil
}

const plainText = "a document that came encrypted leads to a server without encryption"

// mayBePlain reports whether a document from base may lead to a server without encryption.
func mayBePlain(base string) bool {
	s := schemeOf(base)
	return s == "http" || s == ""
}

// resolve returns the place that href names in a document from base.
func resolve(base, href string) (string, error) {
	if href == "" {
		return "", errors.New("no href")
	}
	place := href
	switch s := schemeOf(href); s {
	case "http", "https", "gs", "s3":
	case "gcs": // a second name
		place = "gs" + href[len(s):]
	case "file":
		if schemeOf(base) != "" {
			return "", errors.New("a document on a server names a local file")
		}
	case "":
		var err error
		if place, err = join(base, href); err != nil {
			return "", err
		}
	default:
		return "", fmt.Errorf("scheme %s: is not supported; supported: https, http, gs, s3 and local files", short(s))
	}
	to := schemeOf(place)
	switch {
	case to == "http" && !mayBePlain(base):
		return "", errors.New(plainText)
	case (to == "http" || to == "https") && strings.Contains(place, "#"):
		return "", errors.New("a href with a fragment")
	}
	if _, _, found := Cut(place); found {
		return "", errors.New("it is a document itself, and documents are not followed")
	}
	return place, nil
}

// join returns the place that a relative href names in a document from base.
func join(base, href string) (string, error) {
	switch s := schemeOf(base); s {
	case "http", "https":
		b, err := url.Parse(base)
		if err != nil {
			return "", errors.New("the document's own URL can't be parsed")
		}
		ref, err := url.Parse(href)
		if err != nil {
			return "", errors.New("the href is no URL")
		}
		return b.ResolveReference(ref).String(), nil
	case "gs", "s3": // names in a bucket are literal
		bucket, name, _ := strings.Cut(strings.TrimLeft(base[len(s)+1:], "/"), "/")
		if !strings.HasPrefix(href, "/") {
			href = path.Dir("/"+name) + "/" + href
		}
		return s + "://" + bucket + path.Clean(href), nil
	case "":
		if name := filepath.FromSlash(href); !filepath.IsAbs(name) {
			href = filepath.Join(filepath.Dir(base), name)
		}
		return filepath.Clean(href), nil
	default:
		return "", fmt.Errorf("a document from scheme %s", s)
	}
}

// access says what the storage options of an object ask for: the endpoint of another service than
// the scheme's own, or what is refused, such as credentials. They are read as fsspec, and the
// storage extension in versions 1 and 2, have them.
func access(o, kwargs, schemes object) (endpoint, refused string, err error) {
	options, err := o.object("xarray:storage_options")
	if err != nil {
		return "", "", err
	}
	within, err := kwargs.object("storage_options")
	if err != nil {
		return "", "", fmt.Errorf("xarray:open_kwargs: %w", err)
	}
	for _, opt := range []object{options, within} {
		if endpoint == "" {
			if endpoint, err = opt.endpoint(); err != nil {
				return "", "", fmt.Errorf("storage_options: %w", err)
			}
		}
		if secret := opt.secret(); secret != "" {
			refused = needs("storage option " + secret)
		}
	}
	if o.asks("storage:requester_pays") {
		refused = needs("storage:requester_pays")
	}
	var refs []string
	if err := o.get("storage:refs", &refs, "a list of strings"); err != nil {
		return "", "", err
	}
	for _, ref := range refs {
		s, err := schemes.object(ref)
		if err != nil {
			return "", "", fmt.Errorf("storage:schemes: %w", err)
		}
		kind, err := s.text("type")
		platform := ""
		if err == nil {
			platform, err = s.text("platform")
		}
		switch {
		case err != nil:
			return "", "", fmt.Errorf("storage:schemes: %q: %w", short(ref), err)
		case s.asks("requester_pays"):
			refused = needs("requester_pays in storage:schemes")
		case kind != "custom-s3" || endpoint != "":
		case strings.Contains(platform, "{"): // whose bucket may be anywhere
			refused = "the platform " + short(platform) + " is a template, which is not supported"
		default:
			endpoint = platform
		}
	}
	return endpoint, refused, nil
}

func needs(what string) string {
	return "it needs credentials (" + what + "), and only public data can be read"
}

// asks reports whether a field has a value that asks for something.
func (o object) asks(name string) bool {
	v := string(o[name])
	return o.has(name) && v != "false" && v != `""` && v != `"anon"`
}

// endpoint returns the URL of the service that options of fsspec's s3 and gcs file systems name, or
// "".
func (o object) endpoint() (string, error) {
	client, err := o.object("client_kwargs")
	if err != nil {
		return "", err
	}
	for _, from := range []object{o, client} {
		if url, err := from.text("endpoint_url"); url != "" || err != nil {
			return url, err
		}
	}
	return "", nil
}

// secret returns the option, of those file systems, that asks for credentials, or "". anon, where
// it is false, is one.
func (o object) secret() string {
	if string(o["anon"]) == "false" {
		return "anon: false"
	}
	for _, name := range []string{"key", "secret", "token", "username", "password", "profile", "requester_pays"} {
		if o.asks(name) {
			return name
		}
	}
	return ""
}
