package main

import (
	"encoding/json"
	"io"

	"zarrbench/tools/report/internal/gate"
	"zarrbench/tools/report/internal/history"
	"zarrbench/tools/report/internal/summary"
)

// writeJSON writes a report as one JSON document, with the verdict and the history as members of their own.
func writeJSON(w io.Writer, r *result) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		*summary.Report
		Gate    *gate.Verdict    `json:"gate,omitempty"`
		History *history.History `json:"history,omitempty"`
	}{r.report, r.verdict, r.history})
}
