package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zarrbench/tools/report/internal/summary"
)

// FuzzWriters holds that whatever files say can be written: no line of a table or a list is broken by a name, and no text of a file
// becomes a tag in Markdown.
func FuzzWriters(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.txt"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		text = text[:min(len(text), 1200)]
		f.Add(text, []byte{})
		f.Add(text, text)
	}
	f.Add([]byte("Engine: <script>\nBenchmarkEpoch/a|b`c<d> 1 1 ns/op\n"), []byte("x<y>: |\nBenchmarkEpoch/a|b`c<d> 1 -1 ns/op 0 |\n"))
	f.Fuzz(func(t *testing.T, base, to []byte) {
		in := []summary.Input{{Path: "base.txt", Text: base}, {Path: "new.txt", Text: to}}
		if len(to) == 0 {
			in = in[:1]
		}
		rep, err := summary.New(in, summary.Options{})
		if err != nil {
			return
		}
		var text, markdown, document bytes.Buffer
		writeText(&text, rep)
		writeMarkdown(&markdown, rep)
		if err := writeJSON(&document, &result{report: rep}); err != nil {
			t.Fatal(err)
		}
		names := 0
		for line := range strings.Lines(text.String()) {
			if slices.ContainsFunc(rep.Rows, func(r summary.Row) bool { return line == r.Key()+"\n" }) {
				names++
			}
		}
		if names < len(rep.Rows) {
			t.Errorf("the text has %d of %d rows", names, len(rep.Rows))
		}
		columns := 0
		for line := range strings.Lines(markdown.String()) {
			if !strings.HasPrefix(line, "|") {
				columns = 0
				continue
			}
			n := strings.Count(line, "|") - strings.Count(line, "\\|")
			if columns > 0 && n != columns {
				t.Errorf("%d columns, want %d: %s", n, columns, line)
			}
			columns = n
		}
		if n, want := strings.Count(markdown.String(), "<details>"), len(rep.Rows)+len(rep.Files); n < want {
			t.Errorf("%d folded parts, want %d or more", n, want)
		}
	})
}
