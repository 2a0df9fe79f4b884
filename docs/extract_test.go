//go:build !race

package docs

import (
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
	n     int    // the line of the file that it is in
	where string // file:line of its first occurrence
}

var (
	// spans are the code spans that are commands of this project. One may go on in the next line.
	spans    = regexp.MustCompile("`((?:[A-Z_]+=\\S+\\s)*(?:go (?:build|doc|generate|get|list|mod|run|test|tool|vet)|make|report|\\.kit/run\\.sh)\\s[^`]+|\\.kit/run\\.sh)`")
	comments = regexp.MustCompile(`\s+# .*$`)
)

// extract returns the commands of a text: the lines of fenced blocks of sh, and code spans that are commands. In Go source they
// are the indented lines of comments.
func extract(name, text string) (found []command) {
	var prose strings.Builder // without fenced blocks, whose lines are empty in it
	fenced, source := "", strings.HasSuffix(name, ".go")
	add := func(n int, line string) {
		line = strings.Join(strings.Fields(comments.ReplaceAllString(line, "")), " ")
		if line != "" && !strings.HasPrefix(line, "#") {
			found = append(found, command{line, n, fmt.Sprintf("%s:%d", name, n)})
		}
	}
	for i, line := range strings.Split(text, "\n") {
		switch indented, ok := strings.CutPrefix(line, "//\t"); {
		case source && ok:
			add(i+1, indented)
		case strings.HasPrefix(line, "```") && fenced == "":
			fenced = line
		case strings.HasPrefix(line, "```"):
			fenced = ""
		case fenced == "```sh":
			add(i+1, line)
		case fenced == "" && !source:
			prose.WriteString(line)
		}
		prose.WriteString("\n")
	}
	for _, m := range spans.FindAllStringSubmatchIndex(prose.String(), -1) {
		before, span := prose.String()[:m[2]], prose.String()[m[2]:m[3]]
		add(strings.Count(before, "\n")+1, strings.ReplaceAll(span, `\|`, "|"))
	}
	slices.SortStableFunc(found, func(a, b command) int { return a.n - b.n })
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

// excerpt returns the first block of a page in a language that begins with begin.
func excerpt(t *testing.T, path, language, begin string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "```"+language+"\n"+begin)
	require.True(t, found, "%s has no %s", path, language)
	body, _, _ := strings.Cut(rest, "```")
	return begin + body
}

// What is a command of a page, and what isn't.
func TestExtract(t *testing.T) {
	const page = "Type `make bench` or `go run ./tools/report [-html FILE]`, not `make` or `go vetted`: `go` is Go.\n" +
		"It goes on: `go run ./tools/report\nA.txt` and `.kit/run.sh`.\n" +
		"| `A=1 go test -bench=. -args -x a\\|b` | `report -history DIR` |\n" +
		"```sh\ngo doc x   # what x is\n\n# a comment\n./report -gate a#b\n```\n" +
		"```go\nmake(x)\n```\n```\nmake it\n```\n"
	const source = "// Package x:\n//\n//\tgo test -bench=. # all\npackage x\n\n//go:generate go run ./tools/era5\n"
	for _, c := range []struct {
		name, text string
		want       []command
	}{
		{"page.md", page, []command{
			{"make bench", 1, "page.md:1"},
			{"go run ./tools/report [-html FILE]", 1, "page.md:1"},
			{"go run ./tools/report A.txt", 2, "page.md:2"},
			{".kit/run.sh", 3, "page.md:3"},
			{"A=1 go test -bench=. -args -x a|b", 4, "page.md:4"},
			{"report -history DIR", 4, "page.md:4"},
			{"go doc x", 6, "page.md:6"},
			{"./report -gate a#b", 9, "page.md:9"},
		}},
		{"doc.go", source, []command{{"go test -bench=.", 3, "doc.go:3"}}},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, extract(c.name, c.text)) })
	}
}
