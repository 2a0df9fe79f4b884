package harness

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
	"zarrbench/zarrio/loader"
)

// TestBadRows runs epochs of a store with damaged chunks: they fail, or the rows list the chunks.
func TestBadRows(t *testing.T) {
	needEngine(t, defaultEngine)
	store := synthetic(t, fixtures.Synthetic{Steps: 6, Form: "lz4", NLat: 5, NLon: 8})
	epoch := func(t *testing.T, args ...string) (stdout, stderr string, err error) {
		return bench(t, append([]string{"-test.bench=^BenchmarkEpoch$", "-store", store, "-vars", "geopotential", "-loss", "none"}, args...)...)
	}
	t.Run("whole", func(t *testing.T) {
		stdout, stderr, err := epoch(t, "-bad", "nan")
		require.NoError(t, err, stderr)
		require.Contains(t, stdout, "\nbad: nan\n")
		require.Regexp(t, `\nBad: Epoch/\S+: no chunks\n`, stdout)
		require.Regexp(t, `\s0 bad/op`, stdout)
		stdout, _, err = epoch(t)
		require.NoError(t, err)
		require.NotContains(t, stdout, "bad:")
		require.NotContains(t, stdout, "Bad:")
		require.NotRegexp(t, `\d bad/op`, stdout)
	})
	files, err := filepath.Glob(filepath.Join(store, "geopotential", "*.*.*"))
	require.NoError(t, err)
	require.Len(t, files, 6)
	for _, name := range files[1:] {
		require.NoError(t, os.Truncate(name, 20))
	}
	t.Run("nan", func(t *testing.T) {
		stdout, stderr, err := epoch(t, "-bad", "nan")
		require.NoError(t, err, stderr)
		require.Regexp(t, `\nBad: Epoch/\S+: 5 chunks: array geopotential, chunk 1\.0\.0 \(step 1\): blosc: .*; array geopotential, chunk 3\.0\.0 \(step 3\): .*; \.\.\.\n`, stdout)
		require.Regexp(t, `\s5(\.0*)? bad/op`, stdout)
	})
	t.Run("loss", func(t *testing.T) {
		stdout, _, err := epoch(t, "-bad", "nan", "-loss", "mse")
		require.Error(t, err)
		require.Contains(t, stdout, "-bad nan")
		require.Contains(t, stdout, "-loss none")
	})
	t.Run("error", func(t *testing.T) {
		stdout, _, err := epoch(t)
		require.Error(t, err)
		require.Contains(t, stdout, "blosc: ")
	})
	t.Run("value", func(t *testing.T) {
		_, stderr, err := epoch(t, "-bad", "zero")
		require.Error(t, err)
		require.Equal(t, "zarrbench: -bad zero: want error or nan\n", stderr)
	})
}

// TestBadLine: a row's line has the first three chunks.
func TestBadLine(t *testing.T) {
	set(t, badFlag, "nan")
	var lines deferredLines
	addBad(loader.BadChunks{Count: 1, First: []loader.BadChunk{{Array: "z", Chunk: []int{1, 2}, Reason: "lost"}}}, "Epoch/x", &lines)
	require.Equal(t, deferredLines{"Bad: Epoch/x: 1 chunk: array z, chunk 1.2: lost"}, lines)
}
