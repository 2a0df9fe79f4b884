package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// A Fault is one altered line of a function.
type Fault struct {
	File       string `json:"file"` // where it was drawn; it is looked for there first
	Func       string `json:"func"`
	Kind       string `json:"kind"`
	Site       int    `json:"site"` // its number among those of the function; for the reader
	Before     string `json:"before"`
	Occurrence int    `json:"occurrence,omitempty"` // how many equal lines of the function are above it
	After      string `json:"after"`
	Equivalent string `json:"equivalent,omitempty"` // why no test can see it
}

func (f Fault) String() string {
	after := f.After
	if after == "" {
		after = "nothing"
	}
	return fmt.Sprintf("%s: %s: %s  =>  %s", f.File, f.Func, f.Before, after)
}

// draw prints count faults of the files of paths.
func draw(ctx context.Context, o overlay, paths []string, count int, seed uint64, tags string, w io.Writer) error {
	var functions [][]Fault // the sites of each
	for _, path := range paths {
		sources, err := walk(path)
		if err != nil {
			return err
		}
		for _, s := range sources {
			for _, f := range s.functions() {
				if sites := s.sites(f); len(sites) > 0 {
					functions = append(functions, sites)
				}
			}
		}
	}
	random := rand.New(rand.NewPCG(seed, 0))
	random.Shuffle(len(functions), func(i, k int) { functions[i], functions[k] = functions[k], functions[i] })
	encode := json.NewEncoder(w)
	encode.SetEscapeHTML(false)
	for _, sites := range functions {
		if count == 0 {
			break
		}
		fault := sites[random.IntN(len(sites))]
		flags, err := o.plant(fault.File, fault)
		if err != nil {
			return err
		}
		if exec.CommandContext(ctx, "go", "build", flags, "-tags", tags, "-o", os.DevNull, "./"+filepath.Dir(fault.File)).Run() != nil {
			if err := ctx.Err(); err != nil {
				return err
			}
			continue
		}
		if err := encode.Encode(fault); err != nil {
			return err
		}
		count--
	}
	if count > 0 {
		return fmt.Errorf("the files have %d functions: %d faults too few", len(functions), count)
	}
	return nil
}

// readFaults reads a file of faults. It replaces identifiers by names, which has an old and a new one in turn.
func readFaults(file string, names []string) ([]Fault, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var rename []func(string) string
	for i := 0; i < len(names); i += 2 {
		word := regexp.MustCompile(`\b` + regexp.QuoteMeta(names[i]) + `\b`)
		rename = append(rename, func(s string) string { return word.ReplaceAllLiteralString(s, names[i+1]) })
	}
	var all []Fault
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	for d.More() {
		var f Fault
		if err := d.Decode(&f); err != nil {
			return nil, fmt.Errorf("%s: fault %d: %w", file, len(all)+1, err)
		}
		for _, r := range rename {
			f.Func, f.Before, f.After = r(f.Func), r(f.Before), r(f.After)
		}
		all = append(all, f)
	}
	return all, nil
}

// walk parses the Go files under path, a file or a folder, but for tests and what belongs to no package of the module.
func walk(path string) ([]*source, error) {
	var all []*source
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		base := filepath.Base(p)
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != path:
			_, err := os.Stat(filepath.Join(p, "go.mod"))
			if err == nil || base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
				return fs.SkipDir
			}
			return nil
		case d.IsDir() || filepath.Ext(p) != ".go" || strings.HasSuffix(p, "_test.go"):
			return nil
		}
		s, err := parse(p)
		all = append(all, s)
		return err
	})
	return all, err
}

var errNotFound = errors.New("not found")

// find returns the file that has the function and the line of f: the one f was drawn in, or else one of the same folder, or else
// any other of the module. It is an error if several have it.
func find(sources []*source, f Fault) (string, error) {
	var nearest []string
	distance := 3
	for _, s := range sources {
		if _, err := s.line(f); err != nil {
			continue
		}
		d := 2
		if s.path == f.File {
			d = 0
		} else if filepath.Dir(s.path) == filepath.Dir(f.File) {
			d = 1
		}
		if d < distance {
			nearest, distance = nil, d
		}
		if d == distance {
			nearest = append(nearest, s.path)
		}
	}
	switch len(nearest) {
	case 0:
		return "", fmt.Errorf("%w: no function %s has the line %q: rename by -map, or edit the fault", errNotFound, f.Func, f.Before)
	case 1:
		return nearest[0], nil
	}
	return "", fmt.Errorf("%w: %s is in %s: edit the file of the fault", errNotFound, f.Func, strings.Join(nearest, " and "))
}

// line returns the number of the line of f in s, from 0.
func (s *source) line(f Fault) (int, error) {
	for _, decl := range s.functions() {
		if name(decl) != f.Func {
			continue
		}
		n := f.Occurrence
		lines, first := s.lines(decl)
		for i, line := range lines {
			if line != f.Before {
				continue
			}
			if n == 0 {
				return first + i, nil
			}
			n--
		}
	}
	return 0, errNotFound
}

// An overlay is a folder from which the go command takes files in place of those of the module.
type overlay struct{ dir string }

// plant puts the fault into the overlay's copy of the file at path, its only one, and returns the flag for the go command.
func (o overlay) plant(path string, f Fault) (flag string, err error) {
	s, err := parse(path)
	if err != nil {
		return "", err
	}
	n, err := s.line(f)
	if err != nil {
		return "", err
	}
	lines := strings.Split(string(s.text), "\n")
	lines[n] = strings.Replace(lines[n], f.Before, f.After, 1)
	altered, list := filepath.Join(o.dir, "altered.go"), filepath.Join(o.dir, "overlay.json")
	if err := os.WriteFile(altered, []byte(strings.Join(lines, "\n")), 0o666); err != nil {
		return "", err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {abs: altered}})
	if err != nil {
		return "", err
	}
	return "-overlay=" + list, os.WriteFile(list, text, 0o666)
}
