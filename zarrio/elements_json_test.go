package zarrio

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/store"
)

// TestParts checks that parts follow each other in C order, cover the array, and keep to their limit.
func TestParts(t *testing.T) {
	for _, tt := range []struct {
		shape, chunks []int
		limit, count  int
	}{
		{nil, nil, 100, 1},
		{[]int{0, 3}, []int{1, 1}, 100, 0},
		{[]int{3, 0}, []int{1, 1}, 100, 0},
		{[]int{10}, []int{3}, 100, 1},             // far less than what is worth a part
		{[]int{10}, []int{100}, 4, 3},             // a chunk is too large
		{[]int{4, 5}, []int{2, 5}, 100, 1},        // several rows of chunks in a part
		{[]int{4, 5}, []int{4, 5}, 10, 2},         // a row of chunks is too large, two rows aren't
		{[]int{4, 5}, []int{4, 5}, 4, 8},          // so is a row
		{[]int{2, 3, 4}, []int{2, 3, 4}, 1, 24},   // each element
		{[]int{2, 3, 4}, []int{2, 3, 4}, 12, 2},   // all but the first dimension
		{[]int{7, 3, 4}, []int{3, 3, 4}, 36, 1},   // whole chunks
		{[]int{2, 300, 4}, []int{2, 7, 4}, 50, 2}, // whole chunks of the second dimension
	} {
		var covered []string
		count := 0
		for sel := range parts(tt.shape, tt.chunks, 1, tt.limit) {
			g := grid.New(tt.shape, tt.chunks, nil)
			picks, err := sel.resolve(&g)
			if err != nil {
				t.Fatal(err)
			}
			count++
			covered = append(covered, pickText(picks)...)
		}
		var want []string
		if g := grid.New(tt.shape, tt.chunks, nil); !slices.Contains(tt.shape, 0) {
			picks, err := Selection(nil).resolve(&g)
			if err != nil {
				t.Fatal(err)
			}
			want = pickText(picks)
		}
		if count != tt.count || !slices.Equal(covered, want) {
			t.Errorf("%v in chunks of %v, %d bytes at most: %d parts of %d elements, want %d of %d", tt.shape, tt.chunks, tt.limit, count, len(covered), tt.count, len(want))
		}
	}
}

// pickText lists what picks without a list select, in C order.
func pickText(picks []grid.Pick) []string {
	all := []string{""}
	for _, p := range picks {
		var longer []string
		for _, before := range all {
			for i := range p.N {
				longer = append(longer, fmt.Sprintf("%s,%d", before, p.Run.Start+i*p.Run.Step))
			}
		}
		all = longer
	}
	return all
}

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
			if err := st.Put(t.Context(), key, []byte(value)); err != nil {
				t.Fatal(err)
			}
		}
		put(".zarray", fmt.Sprintf(array, tt.length, tt.dtype, tt.fill, tt.codec))
		put("0", tt.chunk)
		g, err := OpenStore(t.Context(), st, Options{})
		if err != nil {
			t.Fatal(err)
		}
		a, err := g.Array(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
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
