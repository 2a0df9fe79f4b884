package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/tools/internal/cli"
)

func TestHelp(t *testing.T) {
	for _, arg := range []string{"-h", "-help"} {
		var stdout, stderr bytes.Buffer
		if err := run(t.Context(), []string{arg}, &stdout, &stderr); err != nil {
			t.Errorf("%s: %v", arg, err)
		}
		for _, name := range []string{"-synthetic", "-steps", "-form", "-format", "-out", "-grid", "-levels", "-chunk-steps", "-order", "-forder", "-big-endian", "-seed"} {
			if !strings.Contains(stdout.String(), name+" ") && !strings.Contains(stdout.String(), name+"\n") {
				t.Errorf("%s: no %s in\n%s", arg, name, stdout.String())
			}
		}
		if stderr.Len() != 0 {
			t.Errorf("%s: stderr has %q", arg, stderr.String())
		}
	}
}

func TestBadUsage(t *testing.T) {
	tests := []struct{ args, want string }{
		{"-synthetic -steps 0", "0 steps: want 1 to 1048576"},
		{"-synthetic -steps many", `invalid value "many" for flag -steps`},
		{"-synthetic -form zip", `form "zip": want one of ["raw" "lz4" "zstd" "gzip" "bzstd" "shard"]`},
		{"-synthetic -format 4", "format 4: want 2 or 3"},
		{"-synthetic -format two", `invalid value "two" for flag -format`},
		{"-synthetic -form shard -format 2", `form "shard" in format 2: only format 3 has shards`},
		{"-synthetic -grid 121", "want latitudes x longitudes, such as 121x240"},
		{"-synthetic -grid 121x240x3", "want latitudes x longitudes, such as 121x240"},
		{"-synthetic -grid 121x", "want latitudes x longitudes, such as 121x240"},
		{"-synthetic -grid 0x0", "want latitudes x longitudes, such as 121x240"},
		{"-synthetic -grid 1x240", "grid of 1x240: want 2 to 8192 points each way"},
		{"-synthetic -levels -1", "-1 levels: want 0 to 500"},
		{"-synthetic -chunk-steps -1", "-1 steps a chunk: want 1 to 1048576"},
		{"-synthetic -chunk-steps 4x", `invalid value "4x" for flag -chunk-steps`},
		{"-synthetic -order north", `invalid value "north" for flag -order: want latlon or lonlat`},
		{"-synthetic -seed -1", `invalid value "-1" for flag -seed`},
		{"-synthetic 80", `unexpected argument "80"`},
		{"-year 2000", "flag provided but not defined: -year"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			err := run(t.Context(), strings.Fields(tt.args), &stdout, &stderr)
			if !errors.Is(err, cli.ErrUsage) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want a usage error with %q", err, tt.want)
			}
			if stdout.Len() != 0 || !strings.HasPrefix(stderr.String(), "usage: era5") {
				t.Errorf("stdout %q, stderr %q, want usage on stderr alone", stdout.String(), stderr.String())
			}
		})
	}
}

func TestSynthetic(t *testing.T) {
	for _, form := range []string{"raw", "lz4", "zstd", "gzip", "bzstd", "shard"} {
		for _, format := range []string{"", "2", "3"} {
			if form == "shard" && format == "2" {
				continue
			}
			root := ".zattrs"
			if format == "3" || format == "" && form != "raw" && form != "lz4" {
				root = "zarr.json"
			}
			for _, more := range []string{"-order latlon", "-order lonlat -levels 3 -chunk-steps 2 -seed 7 -forder -big-endian"} {
				args := "-synthetic -steps 3 -grid 9x16 -form " + form + " " + more
				if format != "" {
					args += " -format " + format
				}
				t.Run(args, func(t *testing.T) { checkSynthetic(t, args, root, fmt.Sprintf(`"form": %q`, form)) })
			}
		}
	}
}

// checkSynthetic makes a store twice. Its root's attributes, which are in the document root, have the form.
func checkSynthetic(t *testing.T, args, root, form string) {
	out := filepath.Join(t.TempDir(), "data", "store.zarr")
	var stdout, stderr bytes.Buffer
	require.NoError(t, run(t.Context(), append(strings.Fields(args), "-out", out), &stdout, &stderr))
	if want := regexp.QuoteMeta(out) + `: [1-9]\d+ bytes in \d+\.\d\d s\n`; !regexp.MustCompile("^" + want + "$").Match(stdout.Bytes()) {
		t.Errorf("stdout is %q, want it to match %q", stdout.String(), want)
	}
	attrs, err := os.ReadFile(filepath.Join(out, root))
	require.NoError(t, err)
	for _, want := range []string{`"steps": 3`, `"nlat": 9`, `"nlon": 16`, form, fmt.Sprintf(`"lonlat": %t`, strings.Contains(args, "lonlat"))} {
		if !strings.Contains(string(attrs), want) {
			t.Errorf("%s has no %s: %s", root, want, attrs)
		}
	}
	stdout.Reset()
	require.NoError(t, run(t.Context(), append(strings.Fields(args), "-out", out), &stdout, &stderr))
	if !strings.HasSuffix(stdout.String(), "bytes, was there already\n") {
		t.Errorf("the second time stdout is %q", stdout.String())
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	parent := t.TempDir()
	var stdout, stderr bytes.Buffer
	err := run(ctx, []string{"-synthetic", "-grid", "9x16", "-out", filepath.Join(parent, "store.zarr")}, &stdout, &stderr)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "nothing is left of it") {
		t.Errorf("run() = %v, want %v", err, context.Canceled)
	}
	if entries, err := os.ReadDir(parent); err != nil || len(entries) != 0 || stdout.Len() != 0 {
		t.Errorf("left %v (%v), stdout %q, want nothing", entries, err, stdout.String())
	}
}
