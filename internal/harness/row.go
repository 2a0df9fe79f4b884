package harness

import (
	"fmt"
	"strings"
	"testing"
)

// deferredLines are lines about a row that are printed when it is whole. Within a row, testing may have begun its line already.
type deferredLines []string

func (n *deferredLines) add(format string, args ...any) {
	*n = append(*n, fmt.Sprintf(format, args...))
}

// runRow runs a row, each of whose runs may leave notes.
func runRow(b *testing.B, name string, f func(*testing.B, *deferredLines)) {
	var n deferredLines
	b.Run(name, func(b *testing.B) { f(b, &n) })
	for _, line := range n {
		fmt.Println(line)
	}
}

// rowName is a row's name as it stands in tables: without the word that all begin with.
func rowName(b *testing.B) string { return strings.TrimPrefix(b.Name(), "Benchmark") }
