package meta

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Documents of Zarr v2, by the specification "Zarr storage specification version 2".
const (
	V2ArrayDoc        = ".zarray"
	V2GroupDoc        = ".zgroup"
	V2AttrsDoc        = ".zattrs"
	V2ConsolidatedDoc = ".zmetadata"
)

// Extents is a list of whole numbers. Its method UnmarshalJSON returns an error that names a number
// which doesn't fit an int, rather than round it.
type Extents []int

func (e *Extents) UnmarshalJSON(doc []byte) error {
	var numbers []json.RawMessage
	if json.Unmarshal(doc, &numbers) != nil {
		return fmt.Errorf("want a list of whole numbers, found %s", Quote(doc))
	}
	*e = make([]int, len(numbers))
	for i, n := range numbers {
		u, neg, err := whole(string(n))
		switch {
		case err != nil:
			return fmt.Errorf("extent %s: %w", Quote(n), err)
		case neg:
			return fmt.Errorf("extent %s: negative", Quote(n))
		case u > math.MaxInt:
			return fmt.Errorf("extent %s: %w", Quote(n), errRange)
		}
		(*e)[i] = int(u)
	}
	return nil
}

// checkFormat refuses documents of another version than theirs.
func (d Document) checkFormat(field, want, kind string) error {
	if string(d[field]) == want {
		return nil
	}
	return &UnsupportedError{What: field, Found: Quote(d[field]), Supported: want + " in a " + kind + " document"}
}

// ParseV2Array returns what a .zarray document describes. attrs is the .zattrs document beside it, or
// empty if there is none.
func ParseV2Array(doc, attrs json.RawMessage) (*Metadata, error) {
	z, err := ParseDocument(doc)
	if err != nil {
		return nil, err
	}
	if err := z.checkFormat("zarr_format", "2", V2ArrayDoc); err != nil {
		return nil, err
	}
	var shape, chunks Extents
	order, separator := "C", "."
	if err := errors.Join(
		z.Get("shape", &shape, "a list of whole numbers"),
		z.Get("chunks", &chunks, "a list of whole numbers"),
		z.Get("order", &order, "a string"),
		z.Get("dimension_separator", &separator, "a string"),
	); err != nil {
		return nil, err
	}
	switch {
	case shape == nil:
		return nil, errors.New("no shape")
	case chunks == nil:
		return nil, errors.New("no chunks")
	case z["dtype"] == nil:
		return nil, errors.New("no dtype")
	case order != "C" && order != "F":
		return nil, &UnsupportedError{What: "order", Found: Quote(z["order"]), Supported: `"C" and "F"`}
	case separator != "." && separator != "/":
		return nil, &UnsupportedError{What: "dimension_separator", Found: Quote(z["dimension_separator"]), Supported: `"." and "/"`}
	}
	m := &Metadata{Format: 2, Shape: shape, Chunks: chunks, Order: COrder(len(shape)), Keys: KeyEncoding{Separator: separator[0]}}
	if order == "F" {
		slices.Reverse(m.Order)
	}
	if m.DType, m.BigEndian, err = ParseV2DType(z["dtype"]); err != nil {
		return nil, err
	}
	m.repairChunks(nil)
	if err := m.Validate(); err != nil {
		return nil, err
	}
	if m.Codecs, err = parseV2Codecs(z); err != nil {
		return nil, err
	}
	if m.DType.Kind == Object && len(m.Codecs) > 0 { // what objects are is said by the filter that makes bytes of them
		switch m.Codecs[len(m.Codecs)-1].Name {
		case "vlen-utf8":
			m.DType.Variant = "string"
		case "vlen-bytes":
			m.DType.Variant = "bytes"
		}
	}
	if m.Fill, err = ParseV2Fill(z["fill_value"], m.DType); err != nil {
		return nil, err
	}
	if m.Attrs, err = ParseAttrs(attrs); err != nil {
		return nil, fmt.Errorf("%s: %w", V2AttrsDoc, err)
	}
	// xarray's convention: Zarr v2 itself has no dimension names.
	m.Dims = make([]string, len(shape))
	var dims []string
	if json.Unmarshal(m.Attrs["_ARRAY_DIMENSIONS"], &dims) == nil && len(dims) == len(shape) {
		m.Dims = dims
	}
	return m, nil
}

// parseV2Codecs lists the compressor and the filters in the order of decoding. Writers apply the filters in theirs, then the
// compressor; reading goes the other way.
func parseV2Codecs(z Document) ([]CodecSpec, error) {
	var steps []json.RawMessage
	if err := z.Get("filters", &steps, "a list"); err != nil {
		return nil, err
	}
	if c := z["compressor"]; !IsNull(c) {
		steps = append(steps, c)
	}
	var codecs []CodecSpec
	for _, step := range slices.Backward(steps) {
		var id string
		if c, err := ParseDocument(step); err != nil || c.Get("id", &id, "a string") != nil || id == "" {
			return nil, fmt.Errorf("filters or compressor: want an object with an \"id\", found %s", Quote(step))
		}
		codecs = append(codecs, CodecSpec{Name: id, Config: step})
	}
	return codecs, nil
}

// CheckV2Group returns an error if doc is not a .zgroup document of format 2.
func CheckV2Group(doc json.RawMessage) error {
	z, err := ParseDocument(doc)
	if err != nil {
		return err
	}
	return z.checkFormat("zarr_format", "2", V2GroupDoc)
}

// ParseV2Consolidated returns the documents in a .zmetadata document by their keys.
func ParseV2Consolidated(doc json.RawMessage) (map[string]json.RawMessage, error) {
	z, err := ParseDocument(doc)
	if err != nil {
		return nil, err
	}
	if err := z.checkFormat("zarr_consolidated_format", "1", V2ConsolidatedDoc); err != nil {
		return nil, err
	}
	var docs map[string]json.RawMessage
	if err := z.Get("metadata", &docs, "an object"); err != nil {
		return nil, err
	}
	if docs == nil {
		return nil, errors.New("no metadata")
	}
	return docs, nil
}

// ParseAttrs returns the attributes in a .zattrs document, or none if doc is empty.
func ParseAttrs(doc json.RawMessage) (Attributes, error) {
	if IsNull(doc) {
		return Attributes{}, nil
	}
	d, err := ParseDocument(doc)
	return Attributes(d), err
}
