// Package stac finds the Zarr store that a STAC document leads to: an Item or a Collection of the
// SpatioTemporal Asset Catalog, versions 1.0 and 1.1. [Locate] reads the document that a place
// names; [Parse] asks nothing of any server. Neither follows a link.
//
// Of a document, it looks at the assets' own fields (href, type, roles, alternate) and at those of
// the extensions zarr (zarr:consolidated, zarr:node_type, zarr:zarr_format), xarray-assets
// (xarray:open_kwargs, xarray:storage_options) and storage. What they say is a hint: the store
// itself tells what is true.
package stac

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strings"

	"zarrbench/internal/utf"
	"zarrbench/zarrio/meta"
)

// MaxSize is how many bytes a document may have. An Item with an asset for each of some hundred
// variables has a tenth of that.
const MaxSize = 16 << 20

// maxAssets bounds what is kept of a document.
const maxAssets = 10_000

// A Document is a STAC Item or Collection.
type Document struct {
	Type    string // "Item" or "Collection"
	ID      string
	Version string  // of STAC
	Assets  []Asset // sorted by key
}

// An Asset is one asset of a document.
type Asset struct {
	Key   string
	Title string
	Href  string // as the document has it
	Type  string // the media type, or ""
	Roles []string

	// Zarr is true if the document calls it a Zarr store, or a group or an array in one, native or
	// virtual.
	Zarr bool
	// Refused says why it can't be opened, or is "".
	Refused string
	// Place is where it is: a URL of http, https, gs, s3 or file, or a path. "" if it can't be
	// opened.
	Place string
	// Endpoint is the URL of the service that has the bucket of Place, if the document names
	// another one than Google's or Amazon's, else "".
	Endpoint string

	// Group is the path, in the store at Place, of the group that is meant; "" is its root.
	Group string
	// Consolidated is true if the store has consolidated metadata, and nil if the document doesn't
	// say.
	Consolidated *bool
	// Format is the version of Zarr, 2 or 3, or 0 if the document doesn't say.
	Format int
	// NodeType is "group" or "array", or "" if the document doesn't say.
	NodeType string
}

// Parse reads a document. base is the place that it came from, a URL of http, https, gs or s3 or
// else a local path, which relative hrefs are relative to; a link to the document itself (rel
// "self") plays no part, since it may name a place that is gone or another's.
//
// A field of the wrong type is an error that names it; assets that can't be opened are none, but
// say so.
//
// Documents may be nested as deep as encoding/json allows, which is no recursion here: what has no
// part in the above stays unread.
func Parse(doc []byte, base string) (*Document, error) {
	if len(doc) > MaxSize {
		return nil, fmt.Errorf("STAC document of %d bytes, more than the limit of %d", len(doc), MaxSize)
	}
	o, err := parseObject(doc)
	if err != nil {
		return nil, err
	}
	d, err := parseKind(o)
	if err != nil {
		return nil, err
	}
	if d.ID, err = o.text("id"); err != nil {
		return nil, err
	}
	assets, err := o.object("assets")
	if err != nil {
		return nil, err
	}
	if len(assets) > maxAssets {
		return nil, fmt.Errorf("assets: %d, more than the limit of %d", len(assets), maxAssets)
	}
	from := o // where an Item keeps storage:schemes
	if d.Type == "Item" {
		if from, err = o.object("properties"); err != nil {
			return nil, err
		}
	}
	schemes, err := from.object("storage:schemes")
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(assets)) {
		a, err := parseAsset(key, assets, schemes, base)
		if err != nil {
			return nil, fmt.Errorf("asset %q: %w", short(key), err)
		}
		d.Assets = append(d.Assets, a)
	}
	return d, nil
}

// parseKind tells Items and Collections from all else.
func parseKind(o object) (*Document, error) {
	version, err := o.text("stac_version")
	if err != nil {
		return nil, err
	}
	kind, err := o.text("type")
	if err != nil {
		return nil, err
	}
	switch {
	case kind == "FeatureCollection":
		return nil, errors.New("a list of STAC Items (type \"FeatureCollection\"): want one Item or Collection")
	case version == "" && o.has("zarr_format"):
		return nil, errors.New("no STAC document, but one of Zarr's own (it has zarr_format): want the directory that it is in")
	case version == "" && o.has("refs"):
		return nil, fmt.Errorf("no STAC document, but a file of references (kerchunk): %w", errors.ErrUnsupported)
	case version == "":
		return nil, errors.New("no STAC document: it has no stac_version")
	case !strings.HasPrefix(version, "1."):
		return nil, fmt.Errorf("stac_version %q: want 1.0 or 1.1", short(version))
	}
	switch kind {
	case "Feature":
		return &Document{Type: "Item", Version: version}, nil
	case "Collection":
		return &Document{Type: "Collection", Version: version}, nil
	case "Catalog":
		return nil, errors.New("a STAC Catalog, which has no assets: want one of the Items or Collections that it links to")
	}
	return nil, fmt.Errorf("STAC type %q: want \"Feature\" (an Item) or \"Collection\"", short(kind))
}

func parseAsset(key string, assets, schemes object, base string) (Asset, error) {
	a := Asset{Key: key}
	o, err := assets.object(key)
	if err != nil {
		return a, err
	}
	for _, field := range []struct {
		name string
		v    *string
	}{{"href", &a.Href}, {"type", &a.Type}, {"title", &a.Title}, {"zarr:node_type", &a.NodeType}} {
		if *field.v, err = o.text(field.name); err != nil {
			return a, err
		}
	}
	if err := o.get("roles", &a.Roles, "a list of strings"); err != nil {
		return a, err
	}
	kwargs, err := o.object("xarray:open_kwargs")
	if err != nil {
		return a, err
	}
	if a.Group, err = kwargs.text("group"); err != nil {
		return a, fmt.Errorf("xarray:open_kwargs: %w", err)
	}
	a.Group = strings.Trim(a.Group, "/")
	if err := kwargs.get("consolidated", &a.Consolidated, "a boolean"); err != nil {
		return a, fmt.Errorf("xarray:open_kwargs: %w", err)
	}
	if err := o.get("zarr:consolidated", &a.Consolidated, "a boolean"); err != nil { // takes precedence over the other
		return a, err
	}
	if err := o.get("zarr:zarr_format", &a.Format, "an integer"); err != nil {
		return a, err
	}
	media, version := mediaType(a.Type)
	if a.Format == 0 {
		a.Format = version
	}
	engine, err := kwargs.text("engine")
	if err != nil {
		return a, fmt.Errorf("xarray:open_kwargs: %w", err)
	}
	native, virtual := classify(&a, o, media, engine)
	a.Zarr = native || virtual
	if virtual {
		a.Refused = "virtual: references to chunks in other files (kerchunk, Icechunk), which are not read"
		return a, nil
	}
	return a, a.locate(o, kwargs, schemes, base)
}

// mediaType returns a media type without its parameters, in lower case, and the version of Zarr
// that these name, or 0.
func mediaType(s string) (media string, version int) {
	media, params, err := mime.ParseMediaType(s)
	if err != nil {
		media, _, _ = strings.Cut(s, ";")
		media = strings.ToLower(strings.TrimSpace(media))
	}
	switch params["version"] {
	case "2":
		version = 2
	case "3":
		version = 3
	}
	return media, version
}

// isZarr reports whether a media type is one of Zarr's: the one of pystac until 1.13, the one since
// (and in STAC's best practices for Zarr), and an older one.
func isZarr(media string) bool {
	return media == "application/vnd+zarr" || media == "application/vnd.zarr" || media == "application/x-zarr"
}

// classify reports whether an asset is called a Zarr store, and whether that is a virtual one.
func classify(a *Asset, o object, media, engine string) (native, virtual bool) {
	name, _, _ := strings.Cut(strings.ToLower(a.Href), "?")
	name = strings.TrimSuffix(name, "/")
	isJSON := media == "application/json" || strings.HasSuffix(media, "+json")
	references := slices.ContainsFunc(a.Roles, func(role string) bool {
		return role == "index" || role == "references" || role == "reference-file" || role == "virtual"
	})
	named := strings.HasSuffix(name, ".zarr") || strings.HasSuffix(name, ".zarr.zip")
	zarr := isZarr(media) || o.hasPrefix("zarr:") || engine == "zarr" || slices.Contains(a.Roles, "zarr") || media == "" && named
	switch {
	case engine == "kerchunk" || schemeOf(a.Href) == "reference" || o.hasPrefix("kerchunk:") || o.hasPrefix("icechunk:"),
		strings.Contains(media, "kerchunk") || strings.Contains(media, "icechunk"),
		isJSON && (references || zarr),
		zarr && (hasJSONName(name) || strings.HasSuffix(name, ".parq") || strings.HasSuffix(name, ".parquet")):
		return false, true
	}
	return zarr, false
}

// An object is a JSON object, whose fields are looked up by their exact names.
type object meta.Document

// parseObject reads a whole document.
func parseObject(doc []byte) (object, error) {
	doc, err := utf.Decode(doc)
	if err != nil {
		return nil, fmt.Errorf("want a STAC document: it %w", err)
	}
	doc = bytes.TrimSpace(doc)
	switch {
	case len(doc) == 0:
		return nil, errors.New("want a STAC document, found an empty one")
	case doc[0] == '<':
		return nil, errors.New("want a STAC document in JSON, found HTML or XML, such as a page for people")
	}
	o, err := meta.ParseDocument(doc)
	if err != nil {
		return nil, fmt.Errorf("want a STAC document: %w", err)
	}
	return object(o), nil
}

func (o object) has(name string) bool { return !meta.IsNull(o[name]) }

// hasPrefix reports whether a field that is not null has a name with the prefix.
func (o object) hasPrefix(prefix string) bool {
	for name := range o {
		if strings.HasPrefix(name, prefix) && o.has(name) {
			return true
		}
	}
	return false
}

// get is [meta.Document.Get].
func (o object) get(name string, v any, want string) error {
	return meta.Document(o).Get(name, v, want)
}

func (o object) text(name string) (s string, err error) {
	err = o.get(name, &s, "a string")
	return s, err
}

func (o object) object(name string) (inner object, err error) {
	err = o.get(name, &inner, "an object")
	return inner, err
}

// short cuts text from a document down to what a message can hold.
func short(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
