package cstr_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/cstr"
)

func TestCut(t *testing.T) {
	require.Equal(t, "ab", cstr.Cut([]byte("ab\x00c\x00")))
	require.Equal(t, "abc", cstr.Cut([]byte("abc")))
	require.Empty(t, cstr.Cut([]byte("\x00abc")))
	require.Empty(t, cstr.Cut(nil))
}

func TestString(t *testing.T) {
	b := []byte("ab\x00c")
	require.Equal(t, "ab", cstr.String(&b[0]))
	require.Empty(t, cstr.String(&b[2]))
	require.Empty(t, cstr.String(nil))
}
