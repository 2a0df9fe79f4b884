package harness

import (
	"fmt"
	"strings"
	"testing"
)

// deferredLines are lines about a row that are printed after it: while it runs, testing may already have printed the beginning
// of the row.
type deferredLines []string

func (n *deferredLines) add(format string, args ...any) {
	*n = append(*n, fmt.Sprintf(format, args...))
}

// runRow runs a row, and prints the lines that f added.
func runRow(b *testing.B, name string, f func(*testing.B, *deferredLines)) {
	var n deferredLines
	b.Run(name, func(b *testing.B) { f(b, &n) })
	for _, line := range n {
		fmt.Println(line)
	}
}

// rowName returns the name of b without the prefix Benchmark, as tables have it.
func rowName(b *testing.B) string { return strings.TrimPrefix(b.Name(), "Benchmark") }
