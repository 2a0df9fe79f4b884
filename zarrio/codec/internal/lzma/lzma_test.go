package lzma_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/codec/codectest"
	"zarrbench/zarrio/codec/internal/lzma"
)

// TestDecode1 decodes what follows the 13 bytes of a .lzma file's header.
func TestDecode1(t *testing.T) {
	src, err := os.ReadFile("../../testdata/streams/pattern.sized.lzma")
	require.NoError(t, err)
	want := codectest.Pattern()
	z := new(lzma.Decoder)
	require.NoError(t, z.SetProperties(src[0]))
	got := make([]byte, len(want))
	n, err := z.Decode1(got, src[13:], true)
	require.NoError(t, err)
	require.Equal(t, want, got[:n])
	_, err = z.Decode1(got[:100], src[13:], true)
	require.Error(t, err)
}

func TestDecode2(t *testing.T) {
	src, err := os.ReadFile("../../testdata/streams/pattern.raw2")
	require.NoError(t, err)
	want := codectest.Pattern()
	z := new(lzma.Decoder)
	got := make([]byte, len(want))
	n, used, err := z.Decode2(got, append(src, 1, 2, 3), len(got))
	require.NoError(t, err)
	require.Equal(t, len(src), used)
	require.Equal(t, want, got[:n])
	n, _, err = (*lzma.Decoder)(nil).Decode2(nil, src, len(got))
	require.NoError(t, err)
	require.Equal(t, len(want), n)
	_, _, err = z.Decode2(got[:len(got)-1], src, len(got)-1)
	require.ErrorIs(t, err, lzma.ErrLong)
	_, _, err = z.Decode2(got, src[:len(src)-1], len(got))
	require.ErrorIs(t, err, lzma.ErrShort)
}

func TestSetProperties(t *testing.T) {
	require.NoError(t, new(lzma.Decoder).SetProperties((2*5+0)*9+3))
	require.ErrorContains(t, new(lzma.Decoder).SetProperties(225), "properties are 0xe1")
}
