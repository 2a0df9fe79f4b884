package meta

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// PlainJSON returns doc with the bare words NaN, Infinity and -Infinity in quotes, so that it can be
// parsed: Python's json module writes them, but JSON has no such words. It returns other documents as
// they are.
func PlainJSON(doc []byte) []byte {
	if json.Valid(doc) {
		return doc
	}
	var out []byte
	inString := false
	for i := 0; i < len(doc); i++ {
		c := doc[i]
		switch {
		case inString && c == '\\' && i+1 < len(doc):
			out = append(out, c)
			i++
			c = doc[i]
		case c == '"':
			inString = !inString
		case !inString && (c == 'N' || c == 'I' || c == '-'):
			word := ""
			for _, w := range []string{"NaN", "Infinity", "-Infinity"} {
				if bytes.HasPrefix(doc[i:], []byte(w)) {
					word = w
				}
			}
			if word != "" {
				out = append(append(append(out, '"'), word...), '"')
				i += len(word) - 1
				continue
			}
		}
		out = append(out, c)
	}
	return out
}

// A Document is a JSON object whose fields are looked up by their exact names.
type Document map[string]json.RawMessage

// ParseDocument returns the fields of a JSON object.
func ParseDocument(doc json.RawMessage) (Document, error) {
	var d Document
	err := json.Unmarshal(doc, &d)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok || err == nil && d == nil {
		return nil, fmt.Errorf("want a JSON object, found %s", Quote(doc))
	}
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	return d, nil
}

// Get stores the field name in v. It leaves v alone if the field is missing or null. The text want
// describes the wanted value in the error.
func (d Document) Get(name string, v any, want string) error {
	if IsNull(d[name]) {
		return nil
	}
	if err := json.Unmarshal(d[name], v); err != nil {
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return fmt.Errorf("%s: want %s, found %s", name, want, Quote(d[name]))
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// IsNull reports whether a document's field is missing or null.
func IsNull(doc json.RawMessage) bool { return len(doc) == 0 || string(doc) == "null" }

// Quote returns a JSON value for a message, shortened if it is long, or "(none)" if there is none.
func Quote(doc json.RawMessage) string {
	if len(doc) == 0 {
		return "(none)"
	}
	var b bytes.Buffer
	if json.Compact(&b, doc) != nil {
		return "(none)"
	}
	if b.Len() > 100 {
		return b.String()[:100] + "..."
	}
	return b.String()
}

// Difference returns the first field in which a and b differ, with both values, or "" if they are
// equal. Consolidated metadata in a document don't count: writers leave them out, or empty, if they
// repeat a document.
func Difference(a, b json.RawMessage) (field string, inA, inB json.RawMessage) {
	x, errA := ParseDocument(a)
	y, errB := ParseDocument(b)
	if errA != nil || errB != nil {
		return "the document", a, b
	}
	delete(x, "consolidated_metadata")
	delete(y, "consolidated_metadata")
	for _, name := range slices.Sorted(maps.Keys(x)) {
		if !sameJSON(x[name], y[name]) {
			return name, x[name], y[name]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(y)) {
		if x[name] == nil {
			return name, nil, y[name]
		}
	}
	return "", nil, nil
}

// sameJSON compares two documents as values.
func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// Prefix returns what the keys of the node at path begin with.
func Prefix(path string) string {
	if path == "" {
		return ""
	}
	return path + "/"
}
