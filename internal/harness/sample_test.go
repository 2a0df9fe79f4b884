package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
	"zarrbench/zarrio/loader"
)

// epochOf runs an epoch of a store by the flags.
func epochOf(t *testing.T, path string) (digest, epoch) {
	t.Helper()
	set(t, engineFlag, "cpu")
	require.NoError(t, readSample())
	s, err := describe(t.Context(), path)
	require.NoError(t, err)
	se, err := openSession(t.Context(), &s, reading{io: ioMode(), workers: 2}, withLoss())
	require.NoError(t, err)
	defer se.Close()
	var d digest
	e, err := se.pass(t.Context(), newProgress("test", 4), func(b *loader.Batch) error { return d.add(se.engine, b) })
	require.NoError(t, err)
	return d, e
}

// setSample sets a flag that says what samples are.
func setSample[T any](t *testing.T, flag *T, value T) {
	t.Helper()
	set(t, flag, value)
	t.Cleanup(func() { described = nil })
}

// TestDigestSum: the sum doesn't depend on the batches and their order.
func TestDigestSum(t *testing.T) {
	path := synthetic(t, fixtures.Synthetic{Steps: 15, Form: "lz4", NLat: 7, NLon: 10})
	want, _ := epochOf(t, path)
	for _, batch := range []int{1, 3, 32} {
		for _, shuffle := range []string{"", "1", "chunk:2"} {
			t.Run(fmt.Sprint(batch, shuffle), func(t *testing.T) {
				set(t, batchFlag, batch)
				set(t, shuffleFlag, shuffle)
				got, _ := epochOf(t, path)
				require.Equal(t, want.sum, got.sum)
				if batch < 32 {
					require.NotEqual(t, want.places, got.places)
				}
			})
		}
	}
	other, _ := epochOf(t, synthetic(t, fixtures.Synthetic{Steps: 13, Form: "lz4", NLat: 7, NLon: 10}))
	require.NotEqual(t, want.sum, other.sum)
}

// TestSampleCases: stores as people have them, whose digests are known.
func TestSampleCases(t *testing.T) {
	cases := filepath.Join("..", "..", "..", "shared", "cases")
	if _, err := os.Stat(cases); err != nil {
		t.Skip(err)
	}
	set(t, batchFlag, 2)
	t.Run("time-gap", func(t *testing.T) {
		s, err := describe(t.Context(), filepath.Join(cases, "time-gap"))
		require.NoError(t, err)
		require.Contains(t, s.note, "1 gap: the gap behind step 2, from 2000-01-01T12:00:00 to 2000-01-03T00:00:00, 36h instead of 6h")
		d, e := epochOf(t, s.path)
		require.Equal(t, uint32(1682779305), d.places)
		require.Equal(t, 3, e.samples)
		setSample(t, gapsFlag, "drop")
		_, e = epochOf(t, s.path)
		require.Equal(t, 2, e.samples)
		set(t, windowFlag, "time=2:1")
		_, e = epochOf(t, s.path)
		require.Equal(t, 4, e.samples)
	})
	t.Run("packed-channel", func(t *testing.T) {
		setSample(t, unpackFlag, true)
		d, e := epochOf(t, filepath.Join(cases, "packed-channel"))
		require.Equal(t, uint32(2890105298), d.places)
		require.InDelta(t, 915.5, e.loss, 0.05)
	})
}

// TestSampleFlags: what the flags say of samples that can't be.
func TestSampleFlags(t *testing.T) {
	doc := filepath.Join(t.TempDir(), "sample.json")
	require.NoError(t, os.WriteFile(doc, []byte(`{"version": 1, "along": [{"dim": "time"}], "tensors": [{"name": "a", "channels": ["t"], "steps": [0]}]}`), 0o666))
	for _, tt := range []struct {
		flag  *string
		value string
		want  string
	}{
		{timeFlag, "yesterday", `-time yesterday: range "yesterday"`},
		{strideFlag, "6 h", `-stride: step "6 h"`},
		{splitFlag, "train", `-split: split "train": want FILE:NAME`},
		{dtypeFlag, "int8", `-dtype: type "int8" of a tensor`},
		{sampleFlag, "none.json", "-sample none.json"},
		{lossFlag, "mae", "-loss mae: want mse, mse:TENSOR,TENSOR or none"},
		{lossFlag, "mse:a", "-loss mse:a: want mse, mse:TENSOR,TENSOR or none"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			setSample(t, tt.flag, tt.value)
			require.ErrorContains(t, checkFlags(), tt.want)
		})
	}
	t.Run("loss of tensors that there aren't", func(t *testing.T) {
		setSample(t, sampleFlag, doc)
		text := strings.ReplaceAll(mustRead(t, doc), `"t"`, `"geopotential"`)
		require.NoError(t, os.WriteFile(doc, []byte(text), 0o666))
		set(t, engineFlag, "cpu")
		require.NoError(t, readSample())
		s, err := describe(t.Context(), synthetic(t, fixtures.Synthetic{Steps: 4, Form: "raw", NLat: 3, NLon: 4}))
		require.NoError(t, err)
		se, err := openSession(t.Context(), &s, reading{io: ioMode(), workers: 1}, true)
		require.NoError(t, err)
		defer se.Close()
		_, err = se.pass(t.Context(), newProgress("test", 4), nil)
		require.ErrorContains(t, err, `-loss mse compares the tensors "input" and "target", the samples have a`)
	})
}

func mustRead(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}
