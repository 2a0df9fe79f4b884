package zarrio

import (
	"bytes"
	"errors"
	"testing"

	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
)

func openLd(tb testing.TB, s *arraytest.Store, opt Options) *Group {
	tb.Helper()
	g, err := OpenStore(tb.Context(), s, opt)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// ldLoader makes a loader that is closed, with its engine, at the end of the test.
func ldLoader(tb testing.TB, g *Group, c engine.CPUOptions, opt LoaderOptions) *Loader {
	tb.Helper()
	return ldLoaderOn(tb, g, engine.NewCPU(c), opt)
}

// ldLoaderOn is ldLoader on an engine.
func ldLoaderOn(tb testing.TB, g *Group, e engine.Engine, opt LoaderOptions) *Loader {
	tb.Helper()
	l, err := NewLoader(tb.Context(), g, e, opt)
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

// ldOrigins runs an epoch and returns where its samples came from.
func ldOrigins(tb testing.TB, l *Loader) (origins []Origin, batches []int) {
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

// ldBytes copies all tensors of a batch.
func ldBytes(tb testing.TB, b *Batch) []byte {
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

// ldEpoch runs an epoch and returns the bytes of each batch.
func ldEpoch(tb testing.TB, l *Loader) [][]byte {
	tb.Helper()
	var out [][]byte
	for b, err := range l.Batches(tb.Context()) {
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, ldBytes(tb, b))
	}
	return out
}

func ldEqual(a, b [][]byte) bool {
	return bytes.Equal(bytes.Join(a, nil), bytes.Join(b, nil)) && len(a) == len(b)
}

var allIO = []engine.IO{engine.IOAuto, engine.IOBuffered, engine.IODirect, engine.IOUring}
