package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/perf/benchfmt"

	"zarrbench/internal/utf"
)

// A kind is what a run measured: a file of one kind of run is not replaced by another.
type kind struct {
	lines map[string]string // the lines above the rows that benchstat compares, Endpoint, and the name of the engine
	rows  map[string]bool
}

// readKind returns the kind of run that text is the output of.
func readKind(text []byte) kind {
	k := kind{map[string]string{}, map[string]bool{}}
	add := func(key, value string) {
		if old, ok := k.lines[key]; !ok {
			k.lines[key] = value
		} else if !slices.Contains(strings.Split(old, ", "), value) {
			k.lines[key] = old + ", " + value
		}
	}
	for line := range strings.Lines(string(text)) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), ": "); key {
		case "Endpoint":
			add(key, value)
		case "Engine": // its workers, and how it reads, may be what is being tried out
			name, _, _ := strings.Cut(value, " ")
			add(key, name)
		}
	}
	r := benchfmt.NewReader(bytes.NewReader(text), "")
	for r.Scan() {
		result, ok := r.Result().(*benchfmt.Result)
		if !ok {
			continue
		}
		k.rows[string(result.Name.Full())] = true
		for _, c := range result.Config {
			if c.File && c.Key != "" && unicode.IsLower(rune(c.Key[0])) {
				add(c.Key, string(c.Value))
			}
		}
	}
	return k
}

// losses says what a file of kind k has that runs of another kind lack, or "" if they may replace it.
func (k kind) losses(other kind) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(k.lines)) {
		if a, b := k.lines[key], other.lines[key]; a != b {
			parts = append(parts, fmt.Sprintf("%s: %s (now %s)", key, a, orNothing(b)))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(other.lines)) {
		if _, ok := k.lines[key]; !ok {
			parts = append(parts, fmt.Sprintf("%s: nothing (now %s)", key, other.lines[key]))
		}
	}
	for _, row := range slices.Sorted(maps.Keys(k.rows)) {
		if !other.rows[row] {
			parts = append(parts, "the row "+row)
			break // the others are of the same store or benchmark, most likely
		}
	}
	return strings.Join(parts, "; ")
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// mayReplace returns an error if the side's file holds anything but runs of the same kind as run.
func (s *side) mayReplace(run []byte) error {
	if !s.info.Mode().IsRegular() { // such as /dev/stdout
		return nil
	}
	text, err := utf.ReadLines(s.path)
	if err != nil || len(bytes.TrimSpace(text)) == 0 {
		return err
	}
	const wayOut = "write to another file (-o FILE; make has OUT=PREFIX), or remove this one"
	old := readKind(text)
	if len(old.rows) == 0 {
		return fmt.Errorf("%s holds no results of benchmarks: %s", s.path, wayOut)
	}
	if lost := old.losses(readKind(run)); lost != "" {
		return fmt.Errorf("%s holds another kind of run, with %s: %s", s.path, lost, wayOut)
	}
	s.old = results(text)
	return nil
}

// mayAppend returns an error if the side's file is in an encoding that runs can't be added to, and notes whether its last line has
// an end.
func (s *side) mayAppend() error {
	if !s.info.Mode().IsRegular() || s.size == 0 {
		return nil
	}
	text, err := os.ReadFile(s.path)
	if err != nil {
		return err
	}
	if _, err := utf.DecodeLines(text); err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	if bytes.IndexByte(text, 0) >= 0 { // else Decode finds fault with it
		return fmt.Errorf("%s is UTF-16: write it as UTF-8, to which runs can be added", s.path)
	}
	s.open = !bytes.HasSuffix(text, []byte("\n"))
	return nil
}
