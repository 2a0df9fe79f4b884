//go:build !race

package docs

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A command is a command line of the documentation.
type command struct {
	line  string
	where string // file:line of its first occurrence
}

var (
	// inline are the code spans that are commands of this project.
	inline   = regexp.MustCompile("`((?:[A-Z_]+=\\S+ )*(?:go (?:build|doc|generate|get|list|mod|run|test|tool|vet)|make|report) [^`]+)`")
	comments = regexp.MustCompile(`\s+# .*$`)
)

// extract returns the commands of a text: the lines of fenced blocks of sh, and code spans that are commands. In Go source they
// are the indented lines of comments.
func extract(name, text string) (found []command) {
	fenced := false
	s := bufio.NewScanner(strings.NewReader(text))
	add := func(n int, line string) {
		line = strings.TrimSpace(comments.ReplaceAllString(line, ""))
		if line != "" && !strings.HasPrefix(line, "#") {
			found = append(found, command{line, fmt.Sprintf("%s:%d", name, n)})
		}
	}
	for n := 1; s.Scan(); n++ {
		line := s.Text()
		switch {
		case strings.HasSuffix(name, ".go"):
			if indented, ok := strings.CutPrefix(line, "//\t"); ok {
				add(n, indented)
			}
		case strings.HasPrefix(line, "```"):
			fenced = line == "```sh"
		case fenced:
			add(n, line)
		default:
			for _, m := range inline.FindAllStringSubmatch(line, -1) {
				add(n, strings.ReplaceAll(m[1], `\|`, "|"))
			}
		}
	}
	return found
}

// documented returns the commands of README.md, doc.go and the pages of docs, each once, in the order in which they are written.
func documented(t *testing.T, root string) (found []command) {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	for _, path := range append([]string{filepath.Join(root, "README.md"), filepath.Join(root, "doc.go")}, pages...) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		name, err := filepath.Rel(root, path)
		require.NoError(t, err)
		for _, c := range extract(filepath.ToSlash(name), string(text)) {
			if !slices.ContainsFunc(found, func(other command) bool { return other.line == c.line }) {
				found = append(found, c)
			}
		}
	}
	return found
}

// program returns the first whole Go program of a page.
func program(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "```go\npackage main\n")
	require.True(t, found, "%s has no program", path)
	body, _, _ := strings.Cut(rest, "```")
	return "package main\n" + body
}

// What is a command of a page, and what isn't.
func TestExtract(t *testing.T) {
	const page = "Type `make bench` or `go run ./tools/report [-html FILE]`, not `make` or `go vetted`: `go` is Go.\n" +
		"| `A=1 go test -bench=. -args -x a\\|b` | `report -history DIR` |\n" +
		"```sh\ngo doc x   # what x is\n\n# a comment\n./report -gate a#b\n```\n" +
		"```go\nmake(x)\n```\n```\nmake it\n```\n"
	const source = "// Package x:\n//\n//\tgo test -bench=. # all\npackage x\n\n//go:generate go run ./tools/era5\n"
	for _, c := range []struct {
		name, text string
		want       []command
	}{
		{"page.md", page, []command{{"make bench", "page.md:1"}, {"go run ./tools/report [-html FILE]", "page.md:1"},
			{"A=1 go test -bench=. -args -x a|b", "page.md:2"}, {"report -history DIR", "page.md:2"}, {"go doc x", "page.md:4"}, {"./report -gate a#b", "page.md:7"}}},
		{"doc.go", source, []command{{"go test -bench=.", "doc.go:3"}}},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, extract(c.name, c.text)) })
	}
}
