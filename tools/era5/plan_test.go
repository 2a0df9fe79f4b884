package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// studySource answers as the store does that the study took its data from: 92,044 steps of 6 hours from 1959-01-01, 37 levels,
// 721x1440 points. Of its chunks only the heads are there; each is said to have so many bytes.
func studySource(t *testing.T, chunkBytes int64) *httptest.Server {
	t.Helper()
	const steps = 92044
	array := func(shape, chunks []int, dtype string, compressed bool, fill any) any {
		a := map[string]any{"zarr_format": 2, "shape": shape, "chunks": chunks, "dtype": dtype, "order": "C", "filters": nil, "fill_value": fill, "compressor": nil}
		if compressed {
			a["compressor"] = map[string]any{"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}
		}
		return a
	}
	dims := func(attrs map[string]any, names ...string) any {
		attrs["_ARRAY_DIMENSIONS"] = names
		return attrs
	}
	meta := map[string]any{".zgroup": map[string]int{"zarr_format": 2}, ".zattrs": map[string]any{}}
	for name := range strings.SplitSeq(defaultVars, ",") {
		meta[name+"/.zarray"] = array([]int{steps, 37, 721, 1440}, []int{1, 37, 721, 1440}, "<f4", true, "NaN")
		meta[name+"/.zattrs"] = dims(map[string]any{}, "time", "level", "latitude", "longitude")
	}
	meta["time/.zarray"] = array([]int{steps}, []int{steps}, "<i8", false, nil)
	meta["time/.zattrs"] = dims(map[string]any{"units": "hours since 1959-01-01", "calendar": "proleptic_gregorian"}, "time")
	meta["level/.zarray"] = array([]int{37}, []int{37}, "<i8", false, nil)
	meta["level/.zattrs"] = dims(map[string]any{}, "level")
	meta["latitude/.zarray"] = array([]int{721}, []int{721}, "<f4", false, "NaN")
	meta["latitude/.zattrs"] = dims(map[string]any{"units": "degrees_north"}, "latitude")
	meta["longitude/.zarray"] = array([]int{1440}, []int{1440}, "<f4", false, "NaN")
	meta["longitude/.zattrs"] = dims(map[string]any{"units": "degrees_east"}, "longitude")
	document, err := json.Marshal(map[string]any{"zarr_consolidated_format": 1, "metadata": meta})
	require.NoError(t, err)
	var times, levels []byte
	for i := range steps {
		times = binary.LittleEndian.AppendUint64(times, uint64(6*i))
	}
	for _, p := range []uint64{1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 125, 150, 175, 200, 225, 250, 300, 350, 400, 450, 500, 550, 600,
		650, 700, 750, 775, 800, 825, 850, 875, 900, 925, 950, 975, 1000} {
		levels = binary.LittleEndian.AppendUint64(levels, p)
	}
	const root = "/weatherbench2/datasets/era5/1959-2022-full_37-6h-0p25deg-chunk-1.zarr-v2/"
	values := map[string][]byte{".zmetadata": document, "time/0": times, "level/0": levels, "latitude/0": make([]byte, 4*721), "longitude/0": make([]byte, 4*1440)}
	for name := range strings.SplitSeq(defaultVars, ",") {
		values[name+"/59900.0.0.0"] = bloscHead(37*721*1440*4, 512<<10, chunkBytes)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.URL.Path, root)
		value, ok := values[key]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", `"1"`)
		var last int
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=0-%d", &last); err == nil && strings.HasSuffix(key, ".0.0.0") {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", last, chunkBytes))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(append(value, make([]byte, last)...)[:last+1])
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(value))
	}))
	t.Cleanup(server.Close)
	return server
}

// bloscHead makes the header and the table of offsets of a Blosc frame of n decoded bytes, whose blocks are all of one length.
func bloscHead(n, blocksize int, frame int64) []byte {
	blocks := (n + blocksize - 1) / blocksize
	head := []byte{2, 1, 0x21, 4}
	for _, x := range []int{n, blocksize, int(frame)} {
		head = binary.LittleEndian.AppendUint32(head, uint32(x))
	}
	first := 16 + 4*blocks
	each := (int(frame) - first) / blocks
	for i := range blocks {
		head = binary.LittleEndian.AppendUint32(head, uint32(first+i*each))
	}
	return head
}

// The plan of the study's year has the study's numbers, and moves about 3 % of what whole objects have.
func TestPlanOfTheStudy(t *testing.T) {
	const chunkBytes = 106e6
	server := studySource(t, chunkBytes)
	out := filepath.Join(t.TempDir(), "data", "era5.zarr")
	args := []string{"-study", "-plan", "-endpoint", server.URL, "-out", out}
	c, err := parse(args...)
	require.NoError(t, err)
	p, err := makePlan(t.Context(), c.options)
	require.NoError(t, err)
	defer p.source.Close()
	if p.sel.lo != 59900 || p.sel.hi != 61364 || p.sel.vars[0].index != 21 {
		t.Errorf("steps %d to %d, level %d, want 59900 to 61364 and 21", p.sel.lo, p.sel.hi, p.sel.vars[0].index)
	}
	e := p.total
	if e.objects != 4392 || e.chunks != 4392 || e.requests != 2*4392 || e.output != 18_239_800_320 || e.stored != 4392*chunkBytes {
		t.Errorf("%+v", e)
	}
	if share := float64(e.moved) / float64(e.stored); share < 0.029 || share > 0.033 {
		t.Errorf("%d bytes to move are %.4f of the whole", e.moved, share)
	}
	var stdout, stderr bytes.Buffer
	require.NoError(t, run(t.Context(), args, &stdout, &stderr))
	for _, want := range []string{"1464 steps, 2000-01-01T00:00:00Z to 2000-12-31T18:00:00Z", "level 500, index 21 of 37",
		"to fetch: 4392 objects by about 8784 requests, about 14.", "estimated from the head of one chunk a variable", "whole objects would be about 465.6 GB",
		"to write: 4392 chunks, 18239800320 bytes of fields, to " + out} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%s\nwant %q in it", stdout.String(), want)
		}
	}
	if isDir(filepath.Dir(out)) {
		t.Error("-plan made a folder")
	}
}

// What is asked for and is not there is an error that says what is.
func TestSelectionErrors(t *testing.T) {
	w := newWorld(t, small, storetest.ServerOptions{})
	tests := []struct{ args, want string }{
		{"-vars temperature", `has no variable "temperature"; there are geopotential, latitude, level, longitude, time, u_component_of_wind, v_component_of_wind`},
		{"-level 501", `"level" has no level 501; there are 50, 100, 150,`},
		{"-level high", `level "high": want a number`},
		{"-start 1999-12-31", "-start 1999-12-31T00:00:00Z: the store has 2000-01-01T00:00:00Z to 2000-01-04T18:00:00Z"},
		{"-start 2000-01-05", "the store has 2000-01-01T00:00:00Z to 2000-01-04T18:00:00Z"},
		{"-steps 17", "17 steps from 2000-01-01T00:00:00Z reach beyond the end"},
		{"-end 2000-01-05", "-end 2000-01-05T23:59:59Z: the store has"},
		{"-start 2000-01-01T01 -end 2000-01-01T02", "there is no step from 2000-01-01T01:00:00Z to 2000-01-01T02:00:00Z"},
	}
	for _, tt := range tests {
		_, _, err := w.fetch(t.Context(), w.command(t, tt.args))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.args, err, tt.want)
		}
		w.gone(t)
	}
	_, stderr := w.must(t, "-start 2000-01-01T01 -end 2000-01-04 -level level=850 -vars geopotential")
	if !strings.Contains(stderr, "note: no step is at 2000-01-01T01:00:00Z: the first one is at 2000-01-01T06:00:00Z") || !strings.Contains(stderr, "15 steps") {
		t.Errorf("stderr %q", stderr)
	}
	o := w.command(t, "-store gs://b/era5/none.zarr")
	if _, _, err := w.fetch(t.Context(), o); err == nil || strings.Contains(err.Error(), "-synthetic") {
		t.Errorf("no store: %v", err)
	}
	if _, err := store.OpenDir(w.out); err != nil {
		t.Error(err)
	}
}
