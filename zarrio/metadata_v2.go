package zarrio

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Documents of Zarr v2, by the specification "Zarr storage specification version 2".
const (
	v2Array        = ".zarray"
	v2Group        = ".zgroup"
	v2Attrs        = ".zattrs"
	v2Consolidated = ".zmetadata"
)

// extents reads a list of whole numbers that fit the machine. Numbers beyond it are named rather than rounded.
type extents []int

func (e *extents) UnmarshalJSON(doc []byte) error {
	var numbers []json.RawMessage
	if json.Unmarshal(doc, &numbers) != nil {
		return fmt.Errorf("want a list of whole numbers, found %s", found(doc))
	}
	*e = make([]int, len(numbers))
	for i, n := range numbers {
		u, neg, err := whole(string(n))
		switch {
		case err != nil:
			return fmt.Errorf("extent %s: %w", found(n), err)
		case neg:
			return fmt.Errorf("extent %s: negative", found(n))
		case u > math.MaxInt:
			return fmt.Errorf("extent %s: %w", found(n), errRange)
		}
		(*e)[i] = int(u)
	}
	return nil
}

// checkFormat refuses documents of another version than theirs.
func (d document) checkFormat(field, want, kind string) error {
	if string(d[field]) == want {
		return nil
	}
	return &UnsupportedError{What: field, Found: found(d[field]), Supported: want + " in a " + kind + " document"}
}

// parseV2Array reads a .zarray document, and the .zattrs beside it where there is one.
func parseV2Array(doc, attrs json.RawMessage) (*Metadata, error) {
	z, err := parseDocument(doc)
	if err != nil {
		return nil, err
	}
	if err := z.checkFormat("zarr_format", "2", v2Array); err != nil {
		return nil, err
	}
	var shape, chunks extents
	order, separator := "C", "."
	if err := errors.Join(
		z.get("shape", &shape, "a list of whole numbers"),
		z.get("chunks", &chunks, "a list of whole numbers"),
		z.get("order", &order, "a string"),
		z.get("dimension_separator", &separator, "a string"),
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
		return nil, &UnsupportedError{What: "order", Found: found(z["order"]), Supported: `"C" and "F"`}
	case separator != "." && separator != "/":
		return nil, &UnsupportedError{What: "dimension_separator", Found: found(z["dimension_separator"]), Supported: `"." and "/"`}
	}
	m := &Metadata{Format: 2, Shape: shape, Chunks: chunks, Order: cOrder(len(shape)), Keys: KeyEncoding{Separator: separator[0]}}
	if order == "F" {
		slices.Reverse(m.Order)
	}
	if m.DType, m.BigEndian, err = parseV2DType(z["dtype"]); err != nil {
		return nil, err
	}
	m.repairChunks(nil)
	if err := m.validate(); err != nil {
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
	if m.Fill, err = parseV2Fill(z["fill_value"], m.DType); err != nil {
		return nil, err
	}
	if m.Attrs, err = parseAttrs(attrs); err != nil {
		return nil, fmt.Errorf("%s: %w", v2Attrs, err)
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
func parseV2Codecs(z document) ([]CodecSpec, error) {
	var steps []json.RawMessage
	if err := z.get("filters", &steps, "a list"); err != nil {
		return nil, err
	}
	if c := z["compressor"]; !isNull(c) {
		steps = append(steps, c)
	}
	var codecs []CodecSpec
	for _, step := range slices.Backward(steps) {
		var id string
		if c, err := parseDocument(step); err != nil || c.get("id", &id, "a string") != nil || id == "" {
			return nil, fmt.Errorf("filters or compressor: want an object with an \"id\", found %s", found(step))
		}
		codecs = append(codecs, CodecSpec{Name: id, Config: step})
	}
	return codecs, nil
}

func checkV2Group(doc json.RawMessage) error {
	z, err := parseDocument(doc)
	if err != nil {
		return err
	}
	return z.checkFormat("zarr_format", "2", v2Group)
}

// parseV2Consolidated reads a .zmetadata document: every other document of the hierarchy under its key.
func parseV2Consolidated(doc json.RawMessage) (map[string]json.RawMessage, error) {
	z, err := parseDocument(doc)
	if err != nil {
		return nil, err
	}
	if err := z.checkFormat("zarr_consolidated_format", "1", v2Consolidated); err != nil {
		return nil, err
	}
	var docs map[string]json.RawMessage
	if err := z.get("metadata", &docs, "an object"); err != nil {
		return nil, err
	}
	if docs == nil {
		return nil, errors.New("no metadata")
	}
	return docs, nil
}

func parseAttrs(doc json.RawMessage) (Attributes, error) {
	if isNull(doc) {
		return Attributes{}, nil
	}
	d, err := parseDocument(doc)
	return Attributes(d), err
}
