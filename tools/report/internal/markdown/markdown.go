// Package markdown writes texts that others chose, names of benchmarks above all, into Markdown as GitHub shows it.
package markdown

import "strings"

// Escape makes a text stand for itself in a line of Markdown, in a table's cell too. It becomes one line.
func Escape(s string) string { return escape.Replace(s) }

// Of characters that Markdown gives a meaning, a backslash takes it away; where GitHub reads HTML it needs references.
var escape = strings.NewReplacer(
	"\\", "\\\\", "|", "\\|", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[", "]", "\\]", "#", "\\#", "~", "\\~",
	"<", "&lt;", ">", "&gt;", "&", "&amp;", "\n", " ", "\r", " ",
)

// Code makes a code span of a text, in a table's cell too. A span ends at a run of backticks as long as that which began it, and
// a table splits its cells at a | even within one, unless it is escaped.
func Code(s string) string {
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		s = " " + s + " "
	}
	return fence + inCode.Replace(s) + fence
}

var inCode = strings.NewReplacer("|", "\\|", "\n", " ", "\r", " ")
