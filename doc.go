// Package zarrbench measures how fast minibatches of a Zarr data set reach the memory where the model is.
//
// It re-does a study that timed the loading of ERA5 fields for training a weather model: windows of two time steps of three
// variables on a grid of 721x1440 points, stacked to batches of 32 samples, epoch after epoch. The package has benchmarks
// only. Package zarrbench/internal/harness is what they do, and package zarrbench/zarrio is what they measure.
//
// BenchmarkEpoch times whole epochs: one op is one epoch. BenchmarkRead sweeps the number of workers over the same work
// without the loss, BenchmarkChunk reads one chunk, and BenchmarkDecode runs one codec on one buffer. With the tag gds, batches
// end in the memory of a GPU, and BenchmarkRaw reads the stores' files by cuFile alone. Rows of two runs have the same names
// whichever engine ran, so that benchstat pairs them; what must be equal for a fair comparison stands in lower-case lines above
// the rows, and what is compared in capitalised ones, which benchstat ignores.
//
// Flags of the benchmarks come after -args:
//
//	go test -bench=Epoch -benchtime=1x -count=10 . -args -store ERA5.zarr -vars geopotential@level=500 -batch 32
package zarrbench

//go:generate go run ./tools/era5
