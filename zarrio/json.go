package zarrio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// plainJSON quotes the bare words NaN, Infinity and -Infinity, which Python's json module writes and JSON doesn't have, so
// that documents with such attributes or fill values can be parsed. Other documents are returned as they are.
func plainJSON(doc []byte) []byte {
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

// A document is a JSON object whose fields are looked up by their exact names.
type document map[string]json.RawMessage

func parseDocument(doc json.RawMessage) (document, error) {
	var d document
	err := json.Unmarshal(doc, &d)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok || err == nil && d == nil {
		return nil, fmt.Errorf("want a JSON object, found %s", found(doc))
	}
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	return d, nil
}

// get stores the field name in v, which it leaves alone where the field is not there or null. want says what it is to be.
func (d document) get(name string, v any, want string) error {
	if isNull(d[name]) {
		return nil
	}
	if err := json.Unmarshal(d[name], v); err != nil {
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return fmt.Errorf("%s: want %s, found %s", name, want, found(d[name]))
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func isNull(doc json.RawMessage) bool { return len(doc) == 0 || string(doc) == "null" }

// found quotes a value for a message, shortened, and says so where there is none.
func found(doc json.RawMessage) string {
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
