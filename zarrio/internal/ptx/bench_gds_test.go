//go:build gds && linux && (amd64 || arm64)

package ptx

import (
	"math/rand/v2"
	"testing"

	"zarrbench/zarrio/internal/cuda"
)

// BenchmarkOnGPU times the kernels on a whole batch of the study: 32 samples of three fields, in two
// tensors. Rates count the bytes that a kernel reads and those that it writes. Beside them stands a
// copy within the GPU, which is the most that a kernel can reach.
func BenchmarkOnGPU(b *testing.B) {
	if !onGPU {
		b.Skip("ZARRBENCH_GPU=real times the kernels on a GPU")
	}
	planes, elements := uint64(192), uint64(721*1440)
	if testing.Short() {
		planes, elements = 6, 65*64
	}
	plane := 4 * elements
	g := newGPU(b, 4096)
	batch, other := g.alloc(b, int(planes*plane)), g.alloc(b, int(planes*plane))
	fillNoise(b, g, batch, plane, planes)

	half := planes / 2 // of a tensor
	second := batch + half*plane
	const piece = 16384 // as the engines cut planes
	segments := g.alloc(b, int(8*half*Segments(elements)))
	sums, crcs := g.alloc(b, int(8*half)), g.alloc(b, int(4*half*Pieces(plane, piece)))
	table := g.alloc(b, 4096)
	g.write(b, table, u32Bytes(CRCTable()))

	g.time(b, "copy", 2*planes*plane, func() error {
		return g.CopyDtoDAsync(cuda.Ptr(other), cuda.Ptr(batch), int64(planes*plane), 0)
	})
	g.time(b, "copy-field", 2*plane, func() error {
		return g.CopyDtoDAsync(cuda.Ptr(other), cuda.Ptr(batch), int64(plane), 0)
	})
	kernel := func(name string, bytes uint64, grid, block uint32, args []uint64) {
		g.time(b, name, bytes, func() error {
			f, err := g.Function(g.module, name)
			if err != nil {
				return err
			}
			return g.Launch(f, grid, block, 0, args...)
		})
	}
	grid, block, squares := SegmentSquares(batch, second, plane, plane, elements, half, segments)
	kernel(NameSegmentSquares, 2*half*plane, grid, block, squares[:])
	grid, block, add := PlaneSums(segments, Segments(elements), half, sums)
	kernel(NamePlaneSums, 8*half*Segments(elements), grid, block, add[:])
	grid, block, check := PlaneCRCs(batch, plane, plane, piece, half, table, crcs)
	kernel(NamePlaneCRCs, half*plane, grid, block, check[:])
	grid, block, rows := CopyRows(other, plane, batch, plane, plane, half)
	kernel(NameCopyRows, 2*half*plane, grid, block, rows[:])
	grid, block, fill := FillPattern(other, plane, 7, 0, 4, elements, half)
	kernel(NameFillPattern, half*plane, grid, block, fill[:])
}

// fillNoise writes planes of random bytes: a GPU computes faster on zeros.
func fillNoise(b *testing.B, g *gpu, dst, plane, planes uint64) {
	b.Helper()
	r := rand.NewChaCha8([32]byte{})
	noise := make([]byte, plane)
	for i := range planes {
		if i < 4 {
			r.Read(noise) // it returns no error
		}
		g.write(b, dst+i*plane, noise)
	}
}

// time runs a benchmark of what is queued by launch. An op is ten launches and the wait for them.
func (g *gpu) time(b *testing.B, name string, bytes uint64, launch func() error) {
	b.Run(name, func(b *testing.B) {
		const launches = 10
		b.SetBytes(int64(launches * bytes))
		run := func() error {
			for range launches {
				if err := launch(); err != nil {
					return err
				}
			}
			return g.Synchronize(0)
		}
		err := g.Do(func() error {
			if err := run(); err != nil { // the first is slower
				return err
			}
			for b.Loop() {
				if err := run(); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(launches*b.N), "us/launch")
	})
}
