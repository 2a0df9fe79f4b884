package main

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
)

// parse resolves a command line.
func parse(args ...string) (*command, error) {
	c, flags := newCommand()
	err := flags.Parse(args)
	if err == nil {
		err = c.resolve(flags)
	}
	return c, err
}

func TestDefaults(t *testing.T) {
	t.Setenv("ERA5_STEPS", "")
	t.Setenv("ERA5_STORE", "")
	c, err := parse()
	require.NoError(t, err)
	want := parameters{Store: defaultStore, Variables: strings.Split(defaultVars, ","), Level: "500", Start: "2000-01-01T00:00:00Z", Steps: 64, Form: "raw", Format: 2}
	if !c.parameters.equal(want) || c.out != filepath.Join(fixtures.Dir(), "data", "era5.zarr") || c.requests != 8 {
		t.Errorf("%+v to %s by %d", c.parameters, c.out, c.requests)
	}
}

func TestOptions(t *testing.T) {
	tests := []struct{ env, args, want string }{
		{"", "-study", "-start 2000-01-01T00:00:00Z -end 2000-12-31T23:59:59Z -form raw -format 2"},
		{"", "-end 2000-01-02T06", "-start 2000-01-01T00:00:00Z -end 2000-01-02T06:00:00Z -form raw -format 2"},
		{"12", "", "-start 2000-01-01T00:00:00Z -steps 12 -form raw -format 2"},
		{"12", "-steps 3 -form shard", "-start 2000-01-01T00:00:00Z -steps 3 -form shard -format 3"},
		{"12", "-end 2000-01-01", "-start 2000-01-01T00:00:00Z -end 2000-01-01T23:59:59Z -form raw -format 2"},
		{"", "-start 2010-02-03T12:30 -format 3 -allow-missing", "-start 2010-02-03T12:30:00Z -steps 64 -form raw -format 3 -allow-missing"},
	}
	for _, tt := range tests {
		t.Setenv("ERA5_STEPS", tt.env)
		t.Setenv("ERA5_STORE", "gs://other/store")
		c, err := parse(strings.Fields(tt.args)...)
		want := "-store gs://other/store -vars " + defaultVars + " -level 500 " + tt.want
		if err != nil || c.parameters.String() != want {
			t.Errorf("%s: %v, %v, want %s", tt.args, c.parameters, err, want)
		}
	}
}

func TestBadOptions(t *testing.T) {
	tests := []struct{ env, args, want string }{
		{"", "-steps 0", "0 steps: want 1 to"},
		{"many", "", `ERA5_STEPS "many": want a number`},
		{"", "-steps 3 -study", "-steps and -study: want one of them"},
		{"", "-steps 3 -end 2000-01-02", "-steps and -end: want one of them"},
		{"", "-start 2001-01-01 -study", "-start and -study: want one of them"},
		{"", "-start yesterday", `-start "yesterday": want a date`},
		{"", "-start 1500-01-01", "want a date from 1678 to 2261"},
		{"", "-end 2000-13-01", `-end "2000-13-01": want a date`},
		{"", "-start 2000-01-02 -end 2000-01-01", "-end 2000-01-01 is before -start 2000-01-02"},
		{"", "-vars z,z", "want different names"},
		{"", "-vars a/b", "without slashes"},
		{"", "-vars z,", "want different names"},
		{"", "-level=", `-level "": want a value`},
		{"", "-form zip", `form "zip": want one of`},
		{"", "-form shard -format 2", "only format 3 has shards"},
		{"", "-format 4", "format 4: want 2 or 3"},
		{"", "-j 0", "-j 0: want 1 to 256"},
		{"", "-grid 9x16", "-grid needs -synthetic"},
		{"", "-synthetic -study", "-study doesn't go with -synthetic"},
		{"", "-synthetic -store x", "-store doesn't go with -synthetic"},
	}
	for _, tt := range tests {
		t.Setenv("ERA5_STEPS", tt.env)
		if _, err := parse(strings.Fields(tt.args)...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.args, err, tt.want)
		}
	}
}

func TestWithoutQuery(t *testing.T) {
	for _, tt := range []struct{ place, want string }{
		{"https://host/s.zarr?sig=1&x=2", "https://host/s.zarr"},
		{"HTTP://host/item.json?sig=1#asset=a", "HTTP://host/item.json#asset=a"},
		{"https://host/item.json#asset=a?b", "https://host/item.json#asset=a?b"},
		{"gs://bucket/what?.zarr", "gs://bucket/what?.zarr"}, // a name
		{"/data/what?.zarr", "/data/what?.zarr"},
	} {
		if got := withoutQuery(tt.place); got != tt.want {
			t.Errorf("withoutQuery(%q) = %q, want %q", tt.place, got, tt.want)
		}
	}
}

// Units hold whole chunks of both stores, where these can be had.
func TestUnits(t *testing.T) {
	for _, tt := range []struct {
		chunk, lo, hi int
		form          string
		want          []int // steps of the units
	}{
		{1, 3, 6, "raw", []int{1, 1, 1}},
		{8, 3, 20, "raw", []int{5, 8, 4}},
		{8, 9, 12, "lz4", []int{3}},
		{1, 3, 20, "shard", []int{8, 8, 1}},
		{3, 0, 9, "shard", []int{8, 1}},
		{8, 8, 20, "shard", []int{8, 4}},
		{8, 3, 20, "shard", []int{8, 8, 1}},
		{16, 16, 50, "shard", []int{16, 16, 2}},
	} {
		w := fixtures.Synthetic{Steps: 60, NLat: 3, NLon: 4, ChunkSteps: tt.chunk}
		dir := filepath.Join(t.TempDir(), "s.zarr")
		require.NoError(t, w.Write(t.Context(), dir))
		c, err := parse("-store", dir, "-vars", "geopotential", "-start", formatTime(int64(946684800e9) + int64(tt.lo)*6*3600e9)[:19], "-steps", strconv.Itoa(tt.hi-tt.lo), "-form", tt.form)
		require.NoError(t, err)
		p, err := makePlan(t.Context(), c.options)
		require.NoError(t, err)
		var got []int
		for _, u := range p.units {
			got = append(got, u.steps)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("steps %d to %d of chunks of %d as %s: units of %v, want %v", tt.lo, tt.hi, tt.chunk, tt.form, got, tt.want)
		}
		p.source.Close()
	}
}
