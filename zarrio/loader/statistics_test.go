package loader_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/statsfile"
	"zarrbench/zarrio"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
)

// TestReadStatistics: a description beside a file of statistics normalizes by it, and only the channels that it has.
func TestReadStatistics(t *testing.T) {
	nan := statsfile.Number(math.NaN())
	some := statsfile.Moments{Count: 4, Mean: 0.5, Std: 2, Max: 3}
	dir := t.TempDir()
	require.NoError(t, statsfile.WriteFile(filepath.Join(dir, "stats.json"), &statsfile.File{
		Version: statsfile.Version, Store: "x.zarr", Weights: statsfile.Uniform, Steps: 1, Time: []string{},
		Channels: []statsfile.Channel{
			{Name: "t2m", Moments: some, Differences: []statsfile.Difference{}},
			{Name: "z@level=500", Moments: statsfile.Moments{Count: 1}, Differences: []statsfile.Difference{}},
			{Name: "z@level=700", Moments: statsfile.Moments{Missing: 9, Mean: nan, Std: nan, Min: nan, Max: nan}, Differences: []statsfile.Difference{}},
		}}))
	stats, err := loader.ReadStatistics(filepath.Join(dir, "stats.json"))
	require.NoError(t, err)
	require.Equal(t, map[string]loader.Affine{"t2m": {Mean: 0.5, Std: 2}, "z@level=500": {}}, stats)

	g := loadertest.Open(t, newWeather(t).Store, zarrio.Options{})
	for _, tt := range []struct{ channel, want string }{
		{"t2m", ""},
		{"z@level=500", "standard deviation"},
		{"z@level=700", `there are no statistics of its channel "z@level=700" to normalize it: there are those of t2m, z@level=500`},
		{"z@level=850", `there are no statistics of its channel "z@level=850"`},
	} {
		t.Run(tt.channel, func(t *testing.T) {
			name := filepath.Join(dir, "sample.json")
			doc := `{"version": 1, "along": [{"dim": "time"}], "tensors": [{"name": "x", "channels": ["` + tt.channel + `"], "steps": [0], "normalize": "stats.json"}]}`
			require.NoError(t, os.WriteFile(name, []byte(doc), 0o666))
			d, err := loader.ReadDescription(name)
			require.NoError(t, err)
			l, err := loader.New(t.Context(), g, nil, loader.Options{Sample: d})
			if tt.want != "" {
				require.ErrorContains(t, err, tt.want)
				return
			}
			require.NoError(t, err)
			require.NoError(t, l.Close())
		})
	}
}
