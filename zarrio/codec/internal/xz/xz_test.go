package xz_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/codec/codectest"
	"zarrbench/zarrio/codec/internal/lzma"
	"zarrbench/zarrio/codec/internal/xz"
)

func TestDecode(t *testing.T) {
	src, err := os.ReadFile("../../testdata/streams/pattern.crc64.xz")
	require.NoError(t, err)
	want := codectest.Pattern()
	z := new(lzma.Decoder)
	t.Run("into place", func(t *testing.T) {
		got := make([]byte, len(want))
		n, err := xz.Decode(z, got, src, len(got))
		require.NoError(t, err)
		require.Equal(t, want, got[:n])
	})
	t.Run("length alone", func(t *testing.T) {
		n, err := xz.Decode(nil, nil, src, len(want))
		require.NoError(t, err)
		require.Equal(t, len(want), n)
	})
	t.Run("over the limit", func(t *testing.T) {
		_, err := xz.Decode(z, make([]byte, len(want)-1), src, len(want)-1)
		require.ErrorIs(t, err, lzma.ErrLong)
	})
	t.Run("cut short", func(t *testing.T) {
		for n := range src {
			_, err := xz.Decode(z, make([]byte, len(want)), src[:n], len(want))
			require.Error(t, err, "the first %d bytes", n)
		}
	})
}
