package loader_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
)

// TestStateDigests: states that were written once can be restored for ever.
func TestStateDigests(t *testing.T) {
	g := loadertest.Open(t, arraytest.Steps(t, 24, 3, false), zarrio.Options{})
	d := loader.Description{Along: []loader.Axis{{Dim: "time", Stride: 2}, {Dim: "x", Size: 3, Stride: 2}},
		Tensors: []loader.TensorSpec{{Name: "a", Channels: []string{"t"}, Steps: []loader.Step{{N: -1}, {N: 1}}}}}
	for _, tt := range []struct {
		name                string
		opt                 loader.Options
		description, groups string
	}{
		{"windows", loader.Options{Channels: []string{"t"}}, "f09ff30bae564e9c", "88cdedea1ca65c65"},
		{"by chunk", loader.Options{Channels: []string{"t"}, Shuffle: loader.ByChunk, Windows: []loader.Window{{Dim: "y", Size: 2}, {Dim: "time", Size: 1}}}, "0a3a5d2e4f8abfe2", "3e002fb4f4e7548b"},
		{"described", loader.Options{Sample: d, Shuffle: loader.ByChunk}, "1aeba7fd62f47f75", "505e0b7e2825847e"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := loadertest.New(t, g, engine.CPUOptions{Workers: 1}, tt.opt).State()
			require.Equal(t, []string{tt.description, tt.groups}, []string{s.Description, s.Groups})
		})
	}
}
