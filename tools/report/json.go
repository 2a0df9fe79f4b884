package main

import (
	"encoding/json"
	"io"

	"zarrbench/tools/report/internal/summary"
)

// writeJSON writes a report as one JSON document.
func writeJSON(w io.Writer, rep *summary.Report) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(rep)
}
