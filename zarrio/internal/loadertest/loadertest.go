// Package loadertest tests loaders: on random stores and options, against a simple definition of
// what they must return, and on stores whose requests are counted.
package loadertest

import (
	"bytes"
	"errors"
	"testing"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/loader"
)

// Open opens the root group of s.
func Open(tb testing.TB, s *arraytest.Store, opt zarrio.Options) *zarrio.Group {
	tb.Helper()
	g, err := zarrio.OpenStore(tb.Context(), s, opt)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// New returns a loader on a CPU engine. Both are closed at the end of the test.
func New(tb testing.TB, g *zarrio.Group, c engine.CPUOptions, opt loader.Options) *loader.Loader {
	tb.Helper()
	return NewOn(tb, g, engine.NewCPU(c), opt)
}

// NewOn returns a loader on e. Both are closed at the end of the test.
func NewOn(tb testing.TB, g *zarrio.Group, e engine.Engine, opt loader.Options) *loader.Loader {
	tb.Helper()
	l, err := loader.New(tb.Context(), g, e, opt)
	if err != nil {
		tb.Fatal(errors.Join(err, e.Close()))
	}
	tb.Cleanup(func() {
		if err := errors.Join(l.Close(), e.Close()); err != nil {
			tb.Error(err)
		}
	})
	return l
}

// Origins runs an epoch, and returns the origins of its samples and the number of samples of each
// batch.
func Origins(tb testing.TB, l *loader.Loader) (origins []loader.Origin, batches []int) {
	tb.Helper()
	for b, err := range l.Batches(tb.Context()) {
		if err != nil {
			tb.Fatal(err)
		}
		origins = append(origins, b.Windows...)
		batches = append(batches, b.Len)
	}
	return origins, batches
}

// Bytes returns a copy of all tensors of a batch, one behind the other.
func Bytes(tb testing.TB, b *loader.Batch) []byte {
	tb.Helper()
	var out []byte
	for _, t := range b.Tensors {
		dst := make([]byte, t.Elements()*t.DType.Size)
		if err := t.CopyTo(dst); err != nil {
			tb.Fatal(err)
		}
		out = append(out, dst...)
	}
	return out
}

// Epoch runs an epoch, and returns the bytes of each batch.
func Epoch(tb testing.TB, l *loader.Loader) [][]byte {
	tb.Helper()
	var out [][]byte
	for b, err := range l.Batches(tb.Context()) {
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, Bytes(tb, b))
	}
	return out
}

// Equal reports whether two epochs have the same number of batches and the same bytes.
func Equal(a, b [][]byte) bool {
	return bytes.Equal(bytes.Join(a, nil), bytes.Join(b, nil)) && len(a) == len(b)
}

// AllIO lists all ways to read files.
var AllIO = []engine.IO{engine.IOAuto, engine.IOBuffered, engine.IODirect, engine.IOUring}
