package meta

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// V3Doc is the name of every document of Zarr v3, by the core specification 3.1.
const V3Doc = "zarr.json"

// The fields of documents that the core specification defines, and the one that groups have by custom.
var (
	v3ArrayFields = []string{"zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs", "attributes",
		"storage_transformers", "dimension_names"}
	v3GroupFields = []string{"zarr_format", "node_type", "attributes", "consolidated_metadata"}
	v2ArrayFields = []string{"chunks", "dtype", "compressor", "order", "filters", "dimension_separator"} // those that v3 has not
)

// An extension is what stands at an extension point: a name, and a configuration that it may lack.
type extension struct {
	point    string // such as "chunk_grid", for messages
	name     string
	config   json.RawMessage
	optional bool // the document says that readers needn't understand it
}

// parseExtension reads an extension object, or the name alone that may stand for one.
func parseExtension(point string, doc json.RawMessage) (extension, error) {
	x := extension{point: point}
	if len(doc) == 0 {
		return x, fmt.Errorf("no %s", point)
	}
	if json.Unmarshal(doc, &x.name) == nil && x.name != "" {
		return x, nil
	}
	z, err := ParseDocument(doc)
	if err != nil || json.Unmarshal(z["name"], &x.name) != nil || x.name == "" {
		return x, fmt.Errorf("%s: want a name, or an object with one, found %s", point, Quote(doc))
	}
	if err := only(z, "name", "configuration", "must_understand"); err != nil {
		return x, x.wrap(err)
	}
	x.optional = string(z["must_understand"]) == "false"
	if x.config = z["configuration"]; IsNull(x.config) {
		x.config = nil
	} else if _, err := ParseDocument(x.config); err != nil {
		return x, x.wrap(fmt.Errorf("configuration: %w", err))
	}
	return x, nil
}

// options returns the fields of the configuration, refusing all but those named.
func (x extension) options(fields ...string) (Document, error) {
	if x.config == nil {
		return nil, nil
	}
	opt, err := ParseDocument(x.config)
	if err != nil {
		return nil, err
	}
	return opt, only(opt, fields...)
}

// wrap says which extension an error is about.
func (x extension) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %.100s: %w", x.point, x.name, err)
}

// only refuses fields of a document besides those named: what is not understood may change what the rest means.
func only(d Document, fields ...string) error {
	for _, name := range slices.Sorted(maps.Keys(d)) {
		if !slices.Contains(fields, name) {
			return &UnsupportedError{What: "field", Found: fmt.Sprintf("%.100q", name), Supported: strings.Join(fields, ", ")}
		}
	}
	return nil
}

// checkV3 checks the fields that every v3 document has. Fields that no specification defines are allowed if they say that
// they needn't be understood.
func (d Document) checkV3(nodeType string, fields []string) error {
	if err := d.checkFormat("zarr_format", "3", V3Doc); err != nil {
		return err
	}
	if found := NodeTypeOf(d); found != nodeType {
		return fmt.Errorf("node_type %q: want %q", found, nodeType)
	}
	for _, name := range slices.Sorted(maps.Keys(d)) {
		if slices.Contains(fields, name) {
			continue
		}
		z, err := ParseDocument(d[name])
		if err == nil && string(z["must_understand"]) == "false" {
			continue
		}
		found := fmt.Sprintf("%.100q", name)
		if slices.Contains(v2ArrayFields, name) {
			found += " (of Zarr v2, whose document is " + V2ArrayDoc + ")"
		}
		return &UnsupportedError{What: "field", Found: found, Supported: strings.Join(fields, ", ") + `, and objects with "must_understand": false`}
	}
	return nil
}

// NodeTypeOf returns the node_type of a v3 document, such as "array" or "group".
func NodeTypeOf(d Document) (s string) {
	if json.Unmarshal(d["node_type"], &s) != nil {
		return Quote(d["node_type"])
	}
	return s
}

// ParseV3Array returns what the zarr.json document of an array describes.
func ParseV3Array(doc json.RawMessage) (*Metadata, error) {
	z, err := ParseDocument(doc)
	if err != nil {
		return nil, err
	}
	if err := z.checkV3("array", v3ArrayFields); err != nil {
		return nil, err
	}
	var shape Extents
	if err := z.Get("shape", &shape, "a list of whole numbers"); err != nil {
		return nil, err
	}
	if shape == nil {
		return nil, errors.New("no shape")
	}
	m := &Metadata{Format: 3, Shape: shape, Order: COrder(len(shape))}
	t, err := parseV3DType(z["data_type"], 0)
	if err != nil {
		return nil, err
	}
	m.DType, m.Record = t.DType, t.swaps(nil)
	if m.Codecs, err = ParseV3Codecs(z["codecs"]); err != nil {
		return nil, err
	}
	if err := m.parseV3Grid(z["chunk_grid"]); err != nil {
		return nil, err
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	if m.Keys, err = parseV3Keys(z["chunk_key_encoding"]); err != nil {
		return nil, err
	}
	if m.Fill, err = parseV3Fill(z["fill_value"], t); err != nil {
		return nil, err
	}
	if m.Dims, err = parseV3Dims(z["dimension_names"], len(shape)); err != nil {
		return nil, err
	}
	if err := checkTransformers(z["storage_transformers"]); err != nil {
		return nil, err
	}
	if m.Attrs, err = ParseAttrs(z["attributes"]); err != nil {
		return nil, fmt.Errorf("attributes: %w", err)
	}
	return m, nil
}

// ParseV3Codecs returns a list of codecs, of an array or of a shard, in the order of decoding, which is
// the reverse of the list's. Config is the "configuration" of each. A codec that the document marks as
// one that needn't be understood is Optional.
func ParseV3Codecs(list json.RawMessage) ([]CodecSpec, error) {
	var steps []json.RawMessage
	if json.Unmarshal(list, &steps) != nil || IsNull(list) {
		return nil, fmt.Errorf("codecs: want a list, found %s", Quote(list))
	}
	if len(steps) == 0 {
		return nil, errors.New("codecs: the list is empty: want one codec at least, which makes bytes of an array")
	}
	codecs := make([]CodecSpec, 0, len(steps))
	for _, step := range slices.Backward(steps) {
		x, err := parseExtension("codec", step)
		if err != nil {
			return nil, err
		}
		codecs = append(codecs, CodecSpec{Name: x.name, Config: x.config, Optional: x.optional})
	}
	return codecs, nil
}

// parseV3Keys reads a chunk_key_encoding.
func parseV3Keys(doc json.RawMessage) (k KeyEncoding, err error) {
	x, err := parseExtension("chunk_key_encoding", doc)
	if err != nil {
		return k, err
	}
	separator := "/"
	switch x.name {
	case "default":
		k.Prefix = "c"
	case "v2":
		separator = "."
	default:
		return k, &UnsupportedError{What: x.point, Found: fmt.Sprintf("%.100q", x.name), Supported: "default and v2"}
	}
	opt, err := x.options("separator")
	if err == nil {
		err = opt.Get("separator", &separator, "a string")
	}
	if err != nil {
		return k, x.wrap(err)
	}
	if separator != "." && separator != "/" {
		return k, &UnsupportedError{What: "separator of chunk_key_encoding", Found: Quote(opt["separator"]), Supported: `"." and "/"`}
	}
	k.Separator = separator[0]
	return k, nil
}

// parseV3Dims reads dimension_names: one for each dimension, null where it has none.
func parseV3Dims(doc json.RawMessage, rank int) ([]string, error) {
	dims := make([]string, rank)
	if IsNull(doc) {
		return dims, nil
	}
	var names []*string
	if json.Unmarshal(doc, &names) != nil {
		return nil, fmt.Errorf("dimension_names: want a list of strings and nulls, found %s", Quote(doc))
	}
	if len(names) != rank {
		return nil, fmt.Errorf("dimension_names %s: %d names for %d dimensions", Quote(doc), len(names), rank)
	}
	for i, name := range names {
		if name != nil {
			dims[i] = *name
		}
	}
	return dims, nil
}

// checkTransformers refuses storage transformers, none of which exist, but for those that needn't be understood.
func checkTransformers(doc json.RawMessage) error {
	if IsNull(doc) {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(doc, &list) != nil {
		return fmt.Errorf("storage_transformers: want a list, found %s", Quote(doc))
	}
	for _, t := range list {
		x, err := parseExtension("storage_transformers", t)
		if err != nil {
			return err
		}
		if !x.optional {
			return &UnsupportedError{What: "storage transformer", Found: fmt.Sprintf("%.100q", x.name), Supported: "none"}
		}
	}
	return nil
}

// ParseV3Group returns the attributes of a group's zarr.json document and, unparsed, its consolidated
// metadata.
func ParseV3Group(doc json.RawMessage) (attrs Attributes, consolidated json.RawMessage, err error) {
	z, err := ParseDocument(doc)
	if err != nil {
		return nil, nil, err
	}
	if err := z.checkV3("group", v3GroupFields); err != nil {
		return nil, nil, err
	}
	if attrs, err = ParseAttrs(z["attributes"]); err != nil {
		return nil, nil, fmt.Errorf("attributes: %w", err)
	}
	return attrs, z["consolidated_metadata"], nil
}

// ParseV3Consolidated returns the documents in a group's consolidated metadata, by the members' paths
// below the group. It returns nil if there are none, or none that must be understood.
func ParseV3Consolidated(doc json.RawMessage) (members map[string]json.RawMessage, err error) {
	if IsNull(doc) {
		return nil, nil
	}
	c, err := ParseDocument(doc)
	if err != nil {
		return nil, err
	}
	if string(c["kind"]) != `"inline"` {
		if string(c["must_understand"]) == "false" {
			return nil, nil
		}
		return nil, &UnsupportedError{What: "kind", Found: Quote(c["kind"]), Supported: `"inline"`}
	}
	if err := c.Get("metadata", &members, "an object"); err != nil {
		return nil, err
	}
	if members == nil {
		return nil, errors.New("no metadata")
	}
	return members, nil
}
