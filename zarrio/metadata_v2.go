package zarrio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
	var numbers []json.Number
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	if err := dec.Decode(&numbers); err != nil {
		return err
	}
	if numbers == nil {
		return errors.New("want a list of whole numbers, found null")
	}
	*e = make([]int, len(numbers))
	for i, n := range numbers {
		v, err := integer(n)
		if err != nil {
			return err
		}
		if !v.IsInt64() || int64(int(v.Int64())) != v.Int64() {
			return fmt.Errorf("extent %s is too large", n)
		}
		(*e)[i] = int(v.Int64())
	}
	return nil
}

// parseV2Array reads a .zarray document, and the .zattrs beside it where there is one.
func parseV2Array(doc, attrs json.RawMessage) (*Metadata, error) {
	var z struct {
		Format     json.RawMessage   `json:"zarr_format"`
		Shape      extents           `json:"shape"`
		Chunks     extents           `json:"chunks"`
		DType      json.RawMessage   `json:"dtype"`
		Fill       json.RawMessage   `json:"fill_value"`
		Order      *string           `json:"order"`
		Separator  *string           `json:"dimension_separator"`
		Compressor json.RawMessage   `json:"compressor"`
		Filters    []json.RawMessage `json:"filters"`
	}
	if err := json.Unmarshal(doc, &z); err != nil {
		return nil, err
	}
	if string(z.Format) != "2" {
		return nil, &UnsupportedError{What: "zarr_format", Found: found(z.Format), Supported: "2 in a .zarray document"}
	}
	switch {
	case z.Shape == nil:
		return nil, errors.New("no shape")
	case z.Chunks == nil:
		return nil, errors.New("no chunks")
	case z.DType == nil:
		return nil, errors.New("no dtype")
	}
	m := &Metadata{Format: 2, Shape: z.Shape, Chunks: z.Chunks, Keys: KeyEncoding{Separator: '.'}, Order: cOrder(len(z.Shape))}
	var err error
	if m.DType, m.BigEndian, err = parseV2DType(z.DType); err != nil {
		return nil, err
	}
	if err := m.validate(); err != nil {
		return nil, err
	}
	if m.Fill, err = parseV2Fill(z.Fill, m.DType); err != nil {
		return nil, err
	}
	if z.Order != nil {
		switch *z.Order {
		case "C":
		case "F":
			slices.Reverse(m.Order)
		default:
			return nil, &UnsupportedError{What: "order", Found: strconv.Quote(*z.Order), Supported: `"C" and "F"`}
		}
	}
	if z.Separator != nil {
		if s := *z.Separator; s != "." && s != "/" {
			return nil, &UnsupportedError{What: "dimension_separator", Found: strconv.Quote(s), Supported: `"." and "/"`}
		}
		m.Keys.Separator = (*z.Separator)[0]
	}
	// Writers apply the filters in their order, then the compressor; reading goes the other way.
	steps := slices.Clone(z.Filters)
	if !isNull(z.Compressor) {
		steps = append(steps, z.Compressor)
	}
	for _, step := range slices.Backward(steps) {
		var c struct {
			ID *string `json:"id"`
		}
		if err := json.Unmarshal(step, &c); err != nil || c.ID == nil {
			return nil, fmt.Errorf("filters or compressor: want an object with an \"id\", found %s", clip(string(step)))
		}
		m.Codecs = append(m.Codecs, CodecSpec{Name: *c.ID, Config: step})
	}
	if m.Attrs, err = parseAttrs(attrs); err != nil {
		return nil, fmt.Errorf("%s: %w", v2Attrs, err)
	}
	// xarray's convention: Zarr v2 itself has no dimension names.
	m.Dims = make([]string, len(m.Shape))
	var dims []string
	if json.Unmarshal(m.Attrs["_ARRAY_DIMENSIONS"], &dims) == nil && len(dims) == len(m.Shape) {
		m.Dims = dims
	}
	return m, nil
}

func parseV2Group(doc json.RawMessage) error {
	var z struct {
		Format json.RawMessage `json:"zarr_format"`
	}
	if err := json.Unmarshal(doc, &z); err != nil {
		return err
	}
	if string(z.Format) != "2" {
		return &UnsupportedError{What: "zarr_format", Found: found(z.Format), Supported: "2 in a .zgroup document"}
	}
	return nil
}

// parseV2Consolidated reads a .zmetadata document: every other document of the hierarchy under its key.
func parseV2Consolidated(doc json.RawMessage) (map[string]json.RawMessage, error) {
	var z struct {
		Format json.RawMessage            `json:"zarr_consolidated_format"`
		Docs   map[string]json.RawMessage `json:"metadata"`
	}
	if err := json.Unmarshal(doc, &z); err != nil {
		return nil, err
	}
	if string(z.Format) != "1" {
		return nil, &UnsupportedError{What: "zarr_consolidated_format", Found: found(z.Format), Supported: "1"}
	}
	if z.Docs == nil {
		return nil, errors.New("no metadata")
	}
	return z.Docs, nil
}

func parseAttrs(doc json.RawMessage) (Attributes, error) {
	if isNull(doc) {
		return Attributes{}, nil
	}
	a := Attributes{}
	return a, json.Unmarshal(doc, &a)
}

func isNull(doc json.RawMessage) bool { return len(doc) == 0 || string(doc) == "null" }

// found quotes a value for a message, and says so where there is none.
func found(doc json.RawMessage) string {
	if len(doc) == 0 {
		return "(none)"
	}
	return clip(string(doc))
}
