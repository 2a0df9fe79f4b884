package loader

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"zarrbench/zarrio/internal/affine"
	"zarrbench/zarrio/meta"
)

// descriptionVersion is the version of the JSON of descriptions.
const descriptionVersion = 1

// ReadDescription reads a description from a file of JSON, such as
//
//	{"version": 1, "along": [{"dim": "time"}],
//	 "tensors": [
//	  {"name": "input", "channels": ["z@level=500,850", "t2m"], "steps": ["-6h", "0h"], "type": "bfloat16", "normalize": "stats.json"},
//	  {"name": "target", "channels": ["z@level=500"], "steps": ["6h", "24h"]},
//	  {"name": "static", "channels": ["land_sea_mask"], "static": true}],
//	 "select": {"time": ["1979-01-01/2015-12-31"], "stride": "6h", "gaps": "drop"}}
//
// Files that it names, of statistics and of splits, are beside it. Unknown fields are errors.
func ReadDescription(name string) (Description, error) {
	doc, err := os.ReadFile(name)
	if err != nil {
		return Description{}, err
	}
	return parseDescription(doc, func(file string) string {
		if filepath.IsAbs(file) {
			return file
		}
		return filepath.Join(filepath.Dir(name), file)
	})
}

// UnmarshalJSON parses the JSON of a description. Files that it names are relative to the working
// directory.
func (d *Description) UnmarshalJSON(doc []byte) error {
	parsed, err := parseDescription(doc, func(file string) string { return file })
	if err == nil {
		*d = parsed
	}
	return err
}

// parseDescription parses a description. beside returns the path of a file that it names.
func parseDescription(doc []byte, beside func(file string) string) (Description, error) {
	var d Description
	version := 0
	err := eachField(doc, func(name string, value json.RawMessage) (err error) {
		switch name {
		case "version":
			err = json.Unmarshal(value, &version)
		case "along":
			d.Along, err = parseList(value, "dimensions", parseAxis)
		case "tensors":
			d.Tensors, err = parseList(value, "tensors", func(t *TensorSpec, doc []byte) error { return parseTensor(t, doc, beside) })
		case "select":
			err = json.Unmarshal(value, &d.Select)
		default:
			return unknownField(name, "version", "along", "tensors", "select")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	switch {
	case err != nil:
		return d, err
	case version != descriptionVersion:
		return d, fmt.Errorf("version %d of descriptions: want %d", version, descriptionVersion)
	}
	if s := d.Select.Split; s != nil {
		s.File = beside(s.File)
	}
	return d, d.check()
}

func parseAxis(a *Axis, doc []byte) error {
	return eachField(doc, func(name string, value json.RawMessage) error {
		switch name {
		case "dim":
			return field(value, &a.Dim, name, "a dimension's name")
		case "size":
			return field(value, &a.Size, name, "a number of indices")
		case "stride":
			return field(value, &a.Stride, name, "a number of indices")
		}
		return unknownField(name, "dim", "size", "stride")
	})
}

// field parses the value of a field. The text want describes the wanted value in the error.
func field(value json.RawMessage, v any, name, want string) error {
	if meta.IsNull(value) || json.Unmarshal(value, v) != nil {
		return fmt.Errorf("%s: want %s, found %s", name, want, meta.Quote(value))
	}
	return nil
}

func parseTensor(t *TensorSpec, doc []byte, beside func(string) string) error {
	err := eachField(doc, func(name string, value json.RawMessage) (err error) {
		switch name {
		case "name":
			return field(value, &t.Name, name, "a name")
		case "channels":
			return field(value, &t.Channels, name, "a list of channels")
		case "static":
			return field(value, &t.Static, name, "true or false")
		case "unpack":
			return field(value, &t.Unpack, name, "true or false")
		case "squeeze":
			return field(value, &t.Squeeze, name, "a list of dimensions")
		case "steps":
			t.Steps, err = parseList(value, "steps", func(s *Step, doc []byte) error { return s.UnmarshalJSON(doc) })
		case "crop":
			err = json.Unmarshal(value, &t.Crop)
		case "type":
			t.Type, err = parseType(value)
		case "normalize":
			t.Normalize, err = parseNormalize(value, beside)
		default:
			return unknownField(name, "name", "channels", "static", "unpack", "squeeze", "steps", "crop", "type", "normalize")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	if err != nil && t.Name != "" {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	return err
}

// tensorTypes are the types that a description can ask for.
var tensorTypes = []meta.DType{
	meta.Float32, {Kind: meta.Float, Size: 8}, {Kind: meta.Float, Size: 2}, affine.BFloat16,
}

// parseType parses the name of a tensor's type.
func parseType(doc json.RawMessage) (meta.DType, error) {
	text, err := jsonText(doc, "a type's name")
	if err != nil {
		return meta.DType{}, err
	}
	return ParseType(text)
}

// ParseType returns the type of a tensor's elements that has a name: float32, float64, float16 or
// bfloat16.
func ParseType(name string) (meta.DType, error) {
	for _, d := range tensorTypes {
		if d.String() == name {
			return d, nil
		}
	}
	return meta.DType{}, fmt.Errorf("type %q of a tensor: want %v", name, tensorTypes)
}

// parseNormalize parses the statistics of channels: an object of them, or the name of a file.
func parseNormalize(doc json.RawMessage, beside func(string) string) (map[string]Affine, error) {
	if len(doc) > 0 && doc[0] == '"' {
		file, err := jsonText(doc, "a file's name")
		if err != nil {
			return nil, err
		}
		return ReadStatistics(beside(file))
	}
	stats := map[string]Affine{}
	err := eachField(doc, func(channel string, value json.RawMessage) error {
		var a Affine
		seen := 0
		err := eachField(value, func(name string, value json.RawMessage) error {
			seen++
			switch name {
			case "mean":
				return field(value, &a.Mean, name, "a number")
			case "std":
				return field(value, &a.Std, name, "a number")
			}
			return unknownField(name, "mean", "std")
		})
		if err == nil && seen < 2 {
			err = errors.New("want mean and std")
		}
		if err != nil {
			return fmt.Errorf("%q: %w", channel, err)
		}
		stats[channel] = a
		return nil
	})
	return stats, err
}

// MarshalJSON returns the canonical JSON of a description. Two descriptions that give the same samples
// of the same stores, written with the same words, have the same.
func (d Description) MarshalJSON() ([]byte, error) {
	type axis struct {
		Dim    string `json:"dim"`
		Size   int    `json:"size,omitempty"`
		Stride int    `json:"stride,omitempty"`
	}
	type tensor struct {
		Name      string            `json:"name"`
		Channels  []string          `json:"channels"`
		Steps     []Step            `json:"steps,omitempty"`
		Static    bool              `json:"static,omitempty"`
		Crop      map[string]Range  `json:"crop,omitempty"`
		Type      string            `json:"type,omitempty"`
		Unpack    bool              `json:"unpack,omitempty"`
		Normalize map[string]Affine `json:"normalize,omitempty"`
		Squeeze   []string          `json:"squeeze,omitempty"`
	}
	doc := struct {
		Version int      `json:"version"`
		Along   []axis   `json:"along"`
		Tensors []tensor `json:"tensors"`
		Select  *Select  `json:"select,omitempty"`
	}{Version: descriptionVersion}
	for _, a := range d.Along {
		doc.Along = append(doc.Along, axis(a))
	}
	for _, t := range d.Tensors {
		out := tensor{Name: t.Name, Channels: t.Channels, Steps: t.Steps, Static: t.Static, Crop: t.Crop, Unpack: t.Unpack,
			Normalize: t.Normalize, Squeeze: slices.Sorted(slices.Values(t.Squeeze))}
		if t.Type.Kind != 0 {
			out.Type = t.Type.String()
		}
		doc.Tensors = append(doc.Tensors, out)
	}
	if !d.Select.isZero() {
		doc.Select = &d.Select
	}
	return json.Marshal(doc)
}
