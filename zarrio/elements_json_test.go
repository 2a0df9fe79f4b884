package zarrio

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/store"
)

// TestElementsJSON reads elements of several types: text that is none is an error, and so is what can't be read even where
// there is nothing to read.
func TestElementsJSON(t *testing.T) {
	const array = `{"zarr_format": 2, "shape": [%d], "chunks": [2], "dtype": "%s", "fill_value": %s, "order": "C", "filters": %s, "compressor": null}`
	for _, tt := range []struct {
		length             int
		dtype, fill, codec string
		chunk              string
		want, err          string
	}{
		{2, "<f4", "0", "null", "\x00\x00\x80\x3f\x01\x00\xc0\x7f", `1.0 "0x7fc00001"`, ""},
		{3, "|V2", "null", "null", "\x01\x02\x03\xff", `"AQI=" "A/8=" "AAA="`, ""},
		{2, "<U1", `""`, "null", "a\x00\x00\x00\xe9\x00\x00\x00", `"a" "é"`, ""},
		{2, "<U1", `""`, "null", "a\x00\x00\x00\x00\xd8\x00\x00", `"a"`, "element 1, in C order, is not Unicode text"},
		{2, "|S2", `""`, "null", "a\x00\xff\xff", `"YQ==" "//8="`, ""},
		{2, "|O", `""`, `[{"id": "vlen-utf8"}]`, "\x02\x00\x00\x00\x01\x00\x00\x00a\x00\x00\x00\x00", `"a" ""`, ""},
		{2, "|O", `""`, `[{"id": "vlen-utf8"}]`, "\x02\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\xff", `""`, "element 1"},
		{2, "|O", `""`, `[{"id": "vlen-bytes"}]`, "\x02\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\xff", `"" "/w=="`, ""},
		{2, "<f4", "0", "null", "short", "", "5 bytes where"},
		{0, "<f4", "0", "null", "", "", ""},
		{0, "<f4", "0", `[{"id": "nonsense"}]`, "", "", "nonsense"},
		{2, "|S0", "null", "null", "", `"" ""`, ""},
	} {
		st := store.NewMem()
		put := func(key, value string) {
			require.NoError(t, st.Put(t.Context(), key, []byte(value)))
		}
		put(".zarray", fmt.Sprintf(array, tt.length, tt.dtype, tt.fill, tt.codec))
		put("0", tt.chunk)
		g, err := OpenStore(t.Context(), st, Options{})
		require.NoError(t, err)
		a, err := g.Array(t.Context(), "")
		require.NoError(t, err)
		var got []string
		for e, err := range a.ElementsJSON(t.Context()) {
			if err != nil {
				if tt.err == "" || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%s: error %v, want %q", tt.dtype, err, tt.err)
				}
				tt.err = ""
				break
			}
			got = append(got, string(e))
		}
		if s := strings.Join(got, " "); s != tt.want || tt.err != "" {
			t.Errorf("%s: %s, want %s and error %q", tt.dtype, s, tt.want, tt.err)
		}
	}
}
