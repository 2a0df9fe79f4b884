package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/moments"
	"zarrbench/internal/statsfile"
	"zarrbench/zarrio"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
	"zarrbench/zarrio/write"
)

// A fieldStore describes a store of two arrays of fields, "t" and "z" of two levels, and an array
// "land" without time, on a grid of 6 x 5. Elements are random, and the same for a seed.
type fieldStore struct {
	hours      []int64 // the steps' times, since 2000-01-01T00
	compressor string
	chunkSteps int
	lonFirst   bool
	change     func(name string, step int, field []float32) // before it is written
}

const fieldRows, fieldCols = 6, 5

var fieldLatitudes = []float32{90, 60, 30, 0, -30, -60}

// make writes the store and returns its folder, and the fields that it holds by channel and step.
func (f fieldStore) make(t *testing.T) (dir string, fields map[string][][]float32) {
	t.Helper()
	dir = t.TempDir()
	st, err := store.OpenDir(dir)
	require.NoError(t, err)
	defer st.Close()
	w, err := write.Create(st, 2, nil)
	require.NoError(t, err)
	put := func(name string, spec write.ArraySpec, data []byte) {
		t.Helper()
		a, err := w.Array(name, spec)
		require.NoError(t, err)
		require.NoError(t, a.Write(t.Context(), make([]int, len(spec.Shape)), spec.Shape, data))
		require.NoError(t, a.Finish(t.Context()))
	}
	n := len(f.hours)
	grid, dims, latitudes := []int{fieldRows, fieldCols}, []string{"latitude", "longitude"}, fieldLatitudes
	if f.lonFirst {
		grid, dims = []int{fieldCols, fieldRows}, []string{"longitude", "latitude"}
	}
	put("time", write.ArraySpec{Shape: []int{n}, Chunks: []int{n}, DType: meta.DType{Kind: meta.Int, Size: 8}, Dims: []string{"time"},
		Attrs: map[string]string{"units": "hours since 2000-01-01", "calendar": "proleptic_gregorian"}}, tensor.AsBytes(f.hours))
	put("latitude", write.ArraySpec{Shape: []int{fieldRows}, Chunks: []int{fieldRows}, DType: zarrio.Float32, Dims: []string{"latitude"},
		Attrs: map[string]string{"units": "degrees_north"}}, tensor.AsBytes(latitudes))
	fields = map[string][][]float32{}
	r := rand.New(rand.NewPCG(1, 2))
	make := func(channel string, step int, mean float64) []float32 {
		x := make([]float32, fieldRows*fieldCols)
		for i := range x {
			x[i] = float32(mean + 10*r.NormFloat64())
		}
		if f.change != nil {
			f.change(channel, step, x)
		}
		fields[channel] = append(fields[channel], x)
		return x
	}
	var temperature, levels []float32
	for i := range n {
		temperature = append(temperature, make("t", i, 280)...)
		levels = append(levels, make("z@level#0", i, 54000)...)
		levels = append(levels, make("z@level#1", i, 14000)...)
	}
	spec := func(shape, chunks []int, dims ...string) write.ArraySpec {
		s := write.ArraySpec{Shape: shape, Chunks: chunks, DType: zarrio.Float32, Dims: dims}
		s.Compressor.Name = f.compressor
		return s
	}
	steps := max(f.chunkSteps, 1)
	put("t", spec(slices.Concat([]int{n}, grid), slices.Concat([]int{steps}, grid), "time", dims[0], dims[1]), tensor.AsBytes(temperature))
	put("z", spec(slices.Concat([]int{n, 2}, grid), slices.Concat([]int{steps, 1}, grid), "time", "level", dims[0], dims[1]), tensor.AsBytes(levels))
	put("land", spec(grid, grid, dims...), tensor.AsBytes(make("land", 0, 0)))
	require.NoError(t, w.Finish(t.Context()))
	return dir, fields
}

// every returns n times, some hours apart.
func every(n int, hours int64) []int64 {
	times := make([]int64, n)
	for i := range times {
		times[i] = int64(i) * hours
	}
	return times
}

// checkMoments compares moments with those of values, by exact arithmetic. weight is that of the
// element i of a field.
func checkMoments(t *testing.T, fields [][]float32, weight func(i int) float64, got statsfile.Moments) {
	t.Helper()
	number := func(v float64) *big.Float { return new(big.Float).SetPrec(300).SetFloat64(v) }
	w, sum, square := number(0), number(0), number(0)
	var count, missing int64
	low, high := math.Inf(1), math.Inf(-1)
	for _, x := range fields {
		for i, v := range x {
			if v != v {
				missing++
				continue
			}
			count++
			low, high = min(low, float64(v)), max(high, float64(v))
			wi := number(weight(i))
			w.Add(w, wi)
			sum.Add(sum, wi.Mul(wi, number(float64(v))))
			square.Add(square, wi.Mul(wi, number(float64(v))))
		}
	}
	require.Equal(t, []int64{count, missing}, []int64{got.Count, got.Missing})
	if count == 0 {
		require.True(t, math.IsNaN(float64(got.Mean)))
		return
	}
	mean, variance := number(0).Quo(sum, w), number(0).Quo(square, w)
	variance.Sub(variance, number(0).Mul(mean, mean))
	m, _ := mean.Float64()
	std, _ := variance.Sqrt(variance).Float64()
	require.InDelta(t, m, float64(got.Mean), 1e-13*math.Abs(m)+1e-13*std, "mean")
	require.InDelta(t, std, float64(got.Std), 1e-13*std, "std")
	require.Equal(t, []float64{low, high}, []float64{float64(got.Min), float64(got.Max)})
}

func uniform(int) float64 { return 1 }

// differences returns the fields of later - earlier steps, for all pairs by hours in [first, end).
func differences(fields [][]float32, hours []int64, by int64, first, end int, bad ...int) (out [][]float32) {
	for i := first; i < end; i++ {
		for j := first; j < i; j++ {
			if hours[i]-hours[j] != by || slices.Contains(bad, i) || slices.Contains(bad, j) {
				continue
			}
			d := make([]float32, len(fields[i]))
			for k := range d {
				d[k] = fields[i][k] - fields[j][k]
			}
			out = append(out, d)
		}
	}
	return out
}

// statistics runs zarrinfo -stats and returns the file.
func statistics(t *testing.T, args ...string) *statsfile.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stats.json")
	info(t, "", append([]string{"-stats", path}, args...)...)
	f, err := statsfile.ReadFile(path)
	require.NoError(t, err)
	require.NoFileExists(t, path+".partial")
	return f
}

func TestStats(t *testing.T) {
	gaps := slices.Concat(every(9, 6), []int64{72, 78, 84, 90, 91, 96, 102}) // 54 to 66 are not there, 91 is on no grid
	for _, tt := range []struct {
		name       string
		store      fieldStore
		args       []string
		first, end int
	}{
		{"all", fieldStore{hours: gaps}, nil, 0, 16},
		{"compressed, several steps a chunk", fieldStore{hours: gaps, compressor: "blosc-lz4", chunkSteps: 5}, nil, 0, 16},
		{"days", fieldStore{hours: gaps, chunkSteps: 3}, []string{"-time", "2000-01-02/2000-01-04"}, 4, 14},
		{"to a moment", fieldStore{hours: gaps}, []string{"-time", "2000-01-01T12/2000-01-04T18:00"}, 2, 13},
		{"area", fieldStore{hours: gaps}, []string{"-area"}, 0, 16},
		{"area, by column", fieldStore{hours: gaps, lonFirst: true}, []string{"-area", "-time", "1990-01-01/2000-01-02"}, 0, 8},
		{"missing", fieldStore{hours: gaps, change: func(name string, step int, x []float32) {
			x[step%7] = float32(math.NaN())
			if name == "t" && step == 5 {
				for i := range x {
					x[i] = float32(math.NaN())
				}
			}
		}}, nil, 0, 16},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, fields := tt.store.make(t)
			f := statistics(t, slices.Concat(tt.args, []string{"-diff", "6h,1d", "-vars", "t,z", dir})...)
			weight, weights := uniform, statsfile.Uniform
			if slices.Contains(tt.args, "-area") {
				weights = statsfile.Area
				weight = func(i int) float64 {
					if tt.store.lonFirst {
						return math.Cos(float64(fieldLatitudes[i%fieldRows]) * math.Pi / 180)
					}
					return math.Cos(float64(fieldLatitudes[i/fieldCols]) * math.Pi / 180)
				}
			}
			require.Equal(t, weights, f.Weights)
			require.Equal(t, tt.end-tt.first, f.Steps)
			require.Equal(t, dir, f.Store)
			require.Equal(t, spellMoment(parsed(t, "2000-01-01")+gaps[tt.first]*3600e9), f.Time[0])
			require.Equal(t, spellMoment(parsed(t, "2000-01-01")+gaps[tt.end-1]*3600e9), f.Time[1])
			require.Len(t, f.Channels, 3)
			for i, name := range []string{"t", "z@level#0", "z@level#1"} {
				c := f.Channels[i]
				require.Equal(t, name, c.Name)
				checkMoments(t, fields[name][tt.first:tt.end], weight, c.Moments)
				for k, by := range []int64{6, 24} {
					pairs := differences(fields[name], gaps, by, tt.first, tt.end)
					require.Equal(t, len(pairs), c.Differences[k].Pairs)
					checkMoments(t, pairs, weight, c.Differences[k].Moments)
				}
			}
		})
	}
}

func parsed(t *testing.T, s string) int64 {
	t.Helper()
	r, err := loader.ParseTimeRange(s)
	require.NoError(t, err)
	return r.From
}

// TestStatsWorkers: the file has the same bytes for any number of workers.
func TestStatsWorkers(t *testing.T) {
	dir, _ := fieldStore{hours: every(70, 6), chunkSteps: 3, compressor: "gzip"}.make(t)
	var want []byte
	for _, workers := range []string{"1", "2", "7", "7"} {
		path := filepath.Join(t.TempDir(), "stats.json")
		out := info(t, "", "-stats", path, "-diff", "6h,30h", "-area", "-workers", workers, "-vars", "t,z,land", dir)
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		if want == nil {
			want = got
		}
		require.Equal(t, string(want), string(got), "%s workers", workers)
		contains(t, out, "channel ", "\n  over 30h ", "70 steps from 2000-01-01T00:00:00 to 2000-01-18T06:00:00, area weights\n")
	}
}

// TestStatsResume stops a run after each state that it saves, and goes on from there: the file has
// the same bytes.
func TestStatsResume(t *testing.T) {
	dir, _ := fieldStore{hours: every(150, 6), change: func(name string, step int, x []float32) {
		if step%40 == 11 {
			x[3] = float32(math.NaN())
		}
	}}.make(t)
	remove(t, dir, "t/5.0.0", "z/31.1.0.0")
	folder := t.TempDir()
	args := func(name string) []string {
		return []string{"-stats", filepath.Join(folder, name), "-list-bad", filepath.Join(folder, name+".bad"), "-diff", "6h,36h", "-vars", "t,z", "-workers", "2", dir}
	}
	info(t, "", args("whole")...)
	files := func(name string) string {
		a, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		b, err := os.ReadFile(filepath.Join(folder, name+".bad"))
		require.NoError(t, err)
		return string(a) + string(b)
	}
	stop := fmt.Errorf("killed")
	runs := 0
	for killed := true; killed; runs++ {
		// A process that goes on from the last state, and is killed after it has saved another one.
		c, flags := newCommand()
		require.NoError(t, flags.Parse(args("parts")))
		require.NoError(t, c.resolve(flags))
		c.stats.saveEvery = 0
		g, err := zarrio.Open(t.Context(), c.place, c.open)
		require.NoError(t, err)
		s, err := openSurvey(t.Context(), g, &c.stats)
		require.NoError(t, err)
		j, err := c.openJournal(s)
		require.NoError(t, err)
		require.Equal(t, runs > 0, j.resumed)
		before := s.Next
		s.save = func(state *totals) error {
			if err := j.save(state); err != nil || state.Next == before {
				return err
			}
			return stop
		}
		err = s.run(t.Context(), func() {})
		killed = err != nil
		if killed {
			require.ErrorIs(t, err, stop)
		}
		require.NoError(t, s.close())
		require.NoError(t, g.Close())
	}
	require.Greater(t, runs, 10)
	out := info(t, "", args("parts")...)
	require.Contains(t, out, "going on at ")
	require.Equal(t, files("whole"), files("parts"))

	// Another command doesn't take that state, nor does a damaged one go on.
	state := filepath.Join(folder, "other.partial")
	require.NoError(t, os.WriteFile(state, []byte(`{"zarrinfo_stats":1,"of":`), 0o666))
	info(t, "can't be used: unexpected EOF: delete it", args("other")...)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, os.Remove(state))
	require.Error(t, run(ctx, args("other"), new(bytes.Buffer), new(bytes.Buffer)))
}

// TestStatsOtherState refuses the states of other surveys.
func TestStatsOtherState(t *testing.T) {
	dir, _ := fieldStore{hours: every(12, 6)}.make(t)
	path := filepath.Join(t.TempDir(), "stats.json")
	base := []string{"-stats", path, "-vars", "t", dir}
	c, flags := newCommand()
	require.NoError(t, flags.Parse(base))
	require.NoError(t, c.resolve(flags))
	g, err := zarrio.Open(t.Context(), c.place, c.open)
	require.NoError(t, err)
	defer g.Close()
	s, err := openSurvey(t.Context(), g, &c.stats)
	require.NoError(t, err)
	defer s.close()
	j, err := c.openJournal(s)
	require.NoError(t, err)
	require.NoError(t, j.flush(&s.totals))
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"channels", []string{"-stats", path, "-vars", "z", dir}, "with another channels"},
		{"range", []string{"-stats", path, "-vars", "t", "-time", "2000-01-01/2000-01-02", dir}, "with another range of time"},
		{"offsets", []string{"-stats", path, "-vars", "t", "-diff", "6h", dir}, "with another -diff"},
		{"weights", []string{"-stats", path, "-vars", "t", "-area", dir}, "with another -area"},
		{"bad steps", []string{"-stats", path, "-list-bad", path + ".bad", "-vars", "t", dir}, "with another -list-bad"},
		{"missing chunks", []string{"-stats", path, "-missing", "ok", "-vars", "t", dir}, "with another -missing"},
	} {
		t.Run(tt.name, func(t *testing.T) { info(t, tt.want, tt.args...) })
	}
	require.NoFileExists(t, path)
	info(t, "", base...)
	require.FileExists(t, path)
	require.NoFileExists(t, path+".partial")
}

// TestSurveyMemory refuses differences whose steps don't fit the memory.
func TestSurveyMemory(t *testing.T) {
	dir, _ := fieldStore{hours: every(30, 6)}.make(t)
	g, err := zarrio.Open(t.Context(), dir, zarrio.Options{})
	require.NoError(t, err)
	defer g.Close()
	s, err := openSurvey(t.Context(), g, &statsCommand{interval: loader.TimeRange{From: math.MinInt64, To: math.MaxInt64}})
	require.NoError(t, err)
	defer s.close()
	batch, retain, err := s.batchSize(4e6)
	require.NoError(t, err)
	require.Equal(t, []int{0, s.batch}, []int{retain, batch})
	s.reach = 4
	batch, retain, err = s.batchSize(1e9)
	require.NoError(t, err)
	require.Equal(t, []int{1, 4}, []int{batch, retain})
	s.reach = 1e6
	_, _, err = s.batchSize(1e9)
	require.ErrorContains(t, err, "-diff keeps up to 1000000 steps in memory, which take ")
	require.Equal(t, moments.Sums{}, s.Channels[0].Sums)
}

func decoded[T any](t *testing.T, text []byte) (v T) {
	t.Helper()
	require.NoError(t, json.Unmarshal(text, &v))
	return v
}
