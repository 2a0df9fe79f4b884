package main

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/statsfile"
	"zarrbench/zarrio"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
	"zarrbench/zarrio/write"
)

// packedFields writes a store of an array of packed integers, one of float64 and one of float32, of
// 12 steps each, one of complex numbers, and one of integers without steps. It returns the folder, and the values of each.
func packedFields(t *testing.T) (dir string, fields map[string][][]float32) {
	t.Helper()
	const n, size = 12, fieldRows * fieldCols
	dir = t.TempDir()
	st, err := store.OpenDir(dir)
	require.NoError(t, err)
	defer st.Close()
	w, err := write.Create(st, 2, nil)
	require.NoError(t, err)
	put := func(name string, d meta.DType, data []byte) {
		shape := []int{n, fieldRows, fieldCols}
		a, err := w.Array(name, write.ArraySpec{Shape: shape, Chunks: []int{1, fieldRows, fieldCols}, DType: d, Dims: []string{"time", "latitude", "longitude"}})
		require.NoError(t, err)
		require.NoError(t, a.Write(t.Context(), []int{0, 0, 0}, shape, data))
		require.NoError(t, a.Finish(t.Context()))
	}
	times := make([]int64, n)
	for i := range times {
		times[i] = int64(6 * i)
	}
	a, err := w.Array("time", write.ArraySpec{Shape: []int{n}, Chunks: []int{n}, DType: meta.DType{Kind: meta.Int, Size: 8}, Dims: []string{"time"},
		Attrs: map[string]string{"units": "hours since 2000-01-01"}})
	require.NoError(t, err)
	require.NoError(t, a.Write(t.Context(), []int{0}, []int{n}, tensor.AsBytes(times)))
	require.NoError(t, a.Finish(t.Context()))
	short, double, single := make([]int16, n*size), make([]float64, n*size), make([]float32, n*size)
	fields = map[string][][]float32{"p": {}, "d": {}, "s": {}}
	for k := range n {
		var p, d, s []float32
		for i := k * size; i < (k+1)*size; i++ {
			short[i], double[i], single[i] = int16(i*37%2000-700), float64(i*i%977)/7, float32(i%313)/3
			p, d, s = append(p, float32(float64(short[i])*0.25+100)), append(d, float32(double[i])), append(s, single[i])
		}
		fields["p"], fields["d"], fields["s"] = append(fields["p"], p), append(fields["d"], d), append(fields["s"], s)
	}
	put("p", meta.DType{Kind: meta.Int, Size: 2}, tensor.AsBytes(short))
	put("d", meta.DType{Kind: meta.Float, Size: 8}, tensor.AsBytes(double))
	put("s", zarrio.Float32, tensor.AsBytes(single))
	a, err = w.Array("m", write.ArraySpec{Shape: []int{fieldRows, fieldCols}, Chunks: []int{fieldRows, fieldCols}, DType: meta.DType{Kind: meta.Int, Size: 2},
		Dims: []string{"latitude", "longitude"}})
	require.NoError(t, err)
	require.NoError(t, a.Write(t.Context(), []int{0, 0}, []int{fieldRows, fieldCols}, tensor.AsBytes(short[:size])))
	require.NoError(t, a.Finish(t.Context()))
	put("c", meta.DType{Kind: meta.Complex, Size: 8}, make([]byte, 8*n*size))
	require.NoError(t, w.Finish(t.Context()))
	attrs := func(b []byte) []byte {
		at := bytes.Index(b, []byte(`"p/.zattrs"`))
		at = max(at, 0)
		return append(b[:at:at], bytes.Replace(b[at:], []byte(`"_ARRAY_DIM`), []byte(`"scale_factor":0.25,"add_offset":100,"_ARRAY_DIM`), 1)...)
	}
	for _, doc := range []string{"p/.zattrs", ".zmetadata"} {
		damage(t, dir, doc, attrs)
	}
	return dir, fields
}

// TestStatsPacked: the statistics of packed integers and of other types are those of what a loader
// makes of them, also beside arrays that stay as they are.
func TestStatsPacked(t *testing.T) {
	dir, fields := packedFields(t)
	hours := every(12, 6)
	for _, vars := range []string{"p", "d", "s", "p,s", "s,d,p"} {
		t.Run(vars, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "stats.json")
			info(t, "", "-stats", path, "-diff", "6h", "-vars", vars, dir)
			f, err := statsfile.ReadFile(path)
			require.NoError(t, err)
			require.Len(t, f.Channels, (len(vars)+1)/2)
			for _, c := range f.Channels {
				checkMoments(t, fields[c.Name], uniform, c.Moments)
				checkMoments(t, differences(fields[c.Name], hours, 6, 0, 12), uniform, c.Differences[0].Moments)
			}
		})
	}
	t.Run("complex", func(t *testing.T) {
		info(t, `array "c": computing statistics of complex64 is not supported`, "-stats", filepath.Join(t.TempDir(), "x"), "-vars", "c", dir)
	})
}

// TestListBadPacked lists a step whose chunk of packed integers is damaged, with what is wrong with the
// other channels there.
func TestListBadPacked(t *testing.T) {
	dir, _ := packedFields(t)
	damage(t, dir, "p/4.0.0", func(b []byte) []byte { return b[:len(b)-2] })
	damage(t, dir, "s/4.0.0", func(b []byte) []byte { return bytes.Repeat([]byte{0, 0, 0xc0, 0x7f}, len(b)/4) })
	list := filepath.Join(t.TempDir(), "bad.json")
	out := info(t, "", "-list-bad", list, "-vars", "s,m,p", dir)
	contains(t, out, "bad      2000-01-02T00:00:00 p: chunk p/4.0.0: ", "bad      2000-01-02T00:00:00 s: 100% of the values are NaN", "1 of 12 steps are bad")
	require.Len(t, badList(t, list).Reasons, 2)
}
