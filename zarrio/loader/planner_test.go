package loader_test

import (
	"testing"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
)

// BenchmarkPlan plans batches of many small chunks.
func BenchmarkPlan(b *testing.B) {
	s := arraytest.NewStore()
	s.Put(b, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{400, 256, 256}, Chunks: []int{100, 16, 16}, MetadataOnly: true})
	l := loadertest.New(b, loadertest.Open(b, s, zarrio.Options{}), engine.CPUOptions{Workers: 1}, loader.Options{Channels: []string{"t"}, Batch: 32})
	at := make([]loader.Point, 32)
	for i := range at {
		at[i][0] = i
	}
	b.ReportAllocs()
	pieces := 0
	for b.Loop() {
		pieces = l.PlanSteps(at)
	}
	b.ReportMetric(float64(pieces), "pieces")
}
