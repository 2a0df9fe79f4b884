package summary

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/perf/benchunit"
)

// A note is a line that benchfmt skips: "Key: value" with a capital.
type note struct {
	Line
	line int // its number, from 1
}

// splitLines returns the lines of a text, numbered as benchfmt does, and those among them that are notes.
func splitLines(text []byte) (lines [][]byte, notes []note) {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		lines = append(lines, line)
		if l, ok := parseNote(line); ok {
			notes = append(notes, note{l, len(lines)})
		}
	}
	return lines, notes
}

// parseNote parses a line "Key: value" whose key is a word of ASCII letters that begins with a capital.
func parseNote(line []byte) (Line, bool) {
	key, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(key) == 0 || key[0] < 'A' || key[0] > 'Z' || len(value) == 0 || value[0] != ' ' && value[0] != '\t' {
		return Line{}, false
	}
	for _, c := range key {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return Line{}, false
		}
	}
	value = bytes.TrimSpace(value)
	return Line{Key: string(key), Value: clean(string(value))}, len(value) > 0
}

// addPath notes the way that a row's bytes took, which a line behind it tells: "Path: NAME: path=true GDS, epochs=1, ...". The row is
// the one of that name whose results were read last.
func addPath(last map[string]*samples, n note, file int) {
	if n.Key != "Path" {
		return
	}
	name, rest, ok := strings.Cut(n.Value, ": path=")
	row := last[name]
	if !ok || row == nil {
		return
	}
	path, _, _ := strings.Cut(rest, ", epochs=")
	if !slices.Contains(row.paths[file], path) {
		row.paths[file] = append(row.paths[file], path)
	}
}

// rawValue returns the measurement in a unit as it stands in a result line. A digest and a loss are compared by what was
// written, not by what that is as a number: two may be the same number.
func rawValue(line []byte, unit string) string {
	fields := bytes.Fields(line)
	for i := 2; i+1 < len(fields); i += 2 { // behind the name and the number of iterations
		if _, tidy := benchunit.Tidy(1, string(fields[i+1])); tidy == unit {
			return string(fields[i])
		}
	}
	return ""
}

// values returns the values of the notes with a key, each different one once.
func values(lines []Line, key string) []string {
	var all []string
	for _, l := range lines {
		if l.Key == key {
			all = append(all, l.Value)
		}
	}
	return distinct(all)
}

// firstWords returns the first words of texts, each different one once.
func firstWords(texts []string) []string {
	var words []string
	for _, t := range texts {
		if f := strings.Fields(t); len(f) > 0 {
			words = append(words, f[0])
		}
	}
	return distinct(words)
}
