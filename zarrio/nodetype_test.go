package zarrio

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
)

func TestNodeType(t *testing.T) {
	s := arraytest.AxisStore(t, "day", 2)
	s.Values["a/.zgroup"] = []byte(zarrtest.ZGroup)
	dir := s.WriteDir(t)
	g, err := Open(t.Context(), dir, Options{})
	require.NoError(t, err)
	defer g.Close()
	lone, err := Open(t.Context(), dir+"/z", Options{})
	require.NoError(t, err)
	defer lone.Close()
	array := func(g *Group, name string) error { _, err := g.Array(t.Context(), name); return err }
	group := func(g *Group, name string) error { _, err := g.Group(t.Context(), name); return err }
	for _, tt := range []struct {
		name   string
		err    error
		is     error
		isNot  error
		saying string
	}{
		{"a group as an array", array(g, "a"), meta.ErrNodeType, fs.ErrNotExist, "no array here, but a group"},
		{"an array as a group", group(g, "z"), meta.ErrNodeType, fs.ErrNotExist, "no group here, but an array"},
		{"nothing as an array", array(g, "q"), fs.ErrNotExist, meta.ErrNodeType, "no array here"},
		{"an array in an array", array(lone, "z"), fs.ErrNotExist, meta.ErrNodeType, "what was opened is an array, which has no nodes: open the group that it is in"},
		{"a group in an array", group(lone, "z"), fs.ErrNotExist, meta.ErrNodeType, "what was opened is an array"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			zarrtest.WantError(t, tt.err, tt.saying)
			require.ErrorIs(t, tt.err, tt.is)
			require.False(t, errors.Is(tt.err, tt.isNot))
		})
	}
	require.NoError(t, array(lone, ""))
}
