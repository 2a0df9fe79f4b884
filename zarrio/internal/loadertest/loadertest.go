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

func Open(tb testing.TB, s *arraytest.Store, opt zarrio.Options) *zarrio.Group {
	tb.Helper()
	g, err := zarrio.OpenStore(tb.Context(), s, opt)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// New makes a loader that is closed, with its engine, at the end of the test.
func New(tb testing.TB, g *zarrio.Group, c engine.CPUOptions, opt loader.Options) *loader.Loader {
	tb.Helper()
	return NewOn(tb, g, engine.NewCPU(c), opt)
}

// NewOn is ldLoader on an engine.
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

// Origins runs an epoch and returns where its samples came from.
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

// Bytes copies all tensors of a batch.
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

// Epoch runs an epoch and returns the bytes of each batch.
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

func Equal(a, b [][]byte) bool {
	return bytes.Equal(bytes.Join(a, nil), bytes.Join(b, nil)) && len(a) == len(b)
}

var AllIO = []engine.IO{engine.IOAuto, engine.IOBuffered, engine.IODirect, engine.IOUring}
