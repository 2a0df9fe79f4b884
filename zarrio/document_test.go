package zarrio

import (
	"context"
	"encoding/binary"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
)

// TestDocumentMarks reads documents that begin with a byte order mark.
func TestDocumentMarks(t *testing.T) {
	wide := func(mark string, order binary.AppendByteOrder) func(string) string {
		return func(text string) string {
			b := []byte(mark)
			for _, u := range utf16.Encode([]rune(text)) {
				b = order.AppendUint16(b, u)
			}
			return string(b)
		}
	}
	v2 := map[string]string{".zgroup": zarrtest.ZGroup, ".zattrs": `{"title":"é"}`, "x/.zarray": zarrtest.ZArray(nil), "x/.zattrs": `{"units":"°C"}`}
	consolidated := map[string]string{meta.V2ConsolidatedDoc: arraytest.Consolidate(v2), ".zgroup": zarrtest.ZGroup}
	v3 := map[string]string{"zarr.json": `{"zarr_format":3,"node_type":"group","attributes":{"title":"é"}}`, "x/zarr.json": zarrtest.ZArray3(map[string]string{"attributes": `{"units":"°C"}`})}
	for _, tt := range []struct {
		name string
		mark func(string) string
		err  string
	}{
		{"none", func(s string) string { return s }, ""},
		{"UTF-8", func(s string) string { return "\xef\xbb\xbf" + s }, ""},
		{"UTF-16, little-endian", wide("\xff\xfe", binary.LittleEndian), ""},
		{"UTF-16, big-endian", wide("\xfe\xff", binary.BigEndian), ""},
		{"UTF-32", func(s string) string { return "\xff\xfe\x00\x00" + s }, "byte order mark of UTF-32, little-endian"},
		{"half of UTF-16", func(s string) string { return wide("\xff\xfe", binary.LittleEndian)(s) + "}" }, "byte order mark of UTF-16, little-endian but is not valid"},
	} {
		for format, files := range map[string]map[string]string{"v2": v2, "consolidated": consolidated, "v3": v3} {
			t.Run(tt.name+" "+format, func(t *testing.T) {
				marked := map[string]string{}
				for key, doc := range files {
					marked[key] = tt.mark(doc)
				}
				g, err := OpenStore(t.Context(), zarrtest.DirStore(t, marked), Options{})
				if tt.err != "" {
					zarrtest.WantError(t, err, tt.err, "z")
					return
				}
				require.NoError(t, err)
				require.Equal(t, "é", g.Attrs().Text("title"))
				members, err := g.Members(t.Context())
				require.NoError(t, err)
				require.Equal(t, []Member{{Name: "x", Array: true}}, members)
				a, err := g.Array(t.Context(), "x")
				require.NoError(t, err)
				require.Equal(t, "°C", a.Attrs().Text("units"))
			})
		}
	}
}

func TestSpans(t *testing.T) {
	a := openArray(t, zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(nil)}), Options{})
	for _, tt := range []struct {
		name string
		axis Axis
		n    int
		err  string
	}{
		{"forwards", Span(1, 3), 2, ""},
		{"empty", Span(2, 2), 0, ""},
		{"backwards", Span(3, 1), 0, ""},
		{"steps backwards", Steps(3, 1, 2), 0, ""},
		{"down", Steps(3, 0, -1), 3, ""},
		{"from beyond, backwards", Span(9, 5), 0, ""},
		{"down upwards", Steps(0, 3, -1), 0, ""},
		{"beyond", Span(3, 9), 0, "outside an extent of 4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Read[float32](t.Context(), a, Selection{tt.axis})
			if tt.err != "" {
				zarrtest.WantError(t, err, `array "x"`, tt.err)
				return
			}
			require.NoError(t, err)
			require.Len(t, got, tt.n)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Read[float32](ctx, a, nil)
	require.ErrorIs(t, err, context.Canceled)
	zarrtest.WantError(t, err, `array "x": context canceled`)
}
