package zarrio

import (
	"bytes"
	"encoding/json"
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
