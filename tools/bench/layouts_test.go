package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
	"zarrbench/tools/internal/cli"
)

// Every row is of a store that can be made, and every store has a row.
func TestLayoutRows(t *testing.T) {
	stores, names := map[string]bool{}, map[string]bool{}
	for _, r := range layoutRows {
		t.Run(r.name, func(t *testing.T) {
			s, ok := layoutStores[r.store]
			require.True(t, ok)
			require.NoError(t, s.Validate())
			require.False(t, names[r.name])
			stores[r.store], names[r.name] = true, true
		})
	}
	require.Len(t, stores, len(layoutStores))
}

// small is a comparison of two rows, of one store, with peers.
func small(t *testing.T) *comparison {
	return &comparison{
		measuring: measuring{count: 2, out: "x-", flags: []string{"-x"}},
		old:       "./old.test", data: "data", keep: "auto", pool: "9", reporter: []string{"./report"},
		peers:  map[string]string{"tensorstore": "./python", "limit": "./limit"},
		stores: map[string]fixtures.Synthetic{"tiny": {Steps: 2, NLat: 5, NLon: 8}},
		rows: []layout{
			{name: "a", store: "tiny", flags: "-batch 8", tensorstore: "--level 5", limit: "1 2"},
			{name: "b", store: "tiny", since: "-keep KEEP", tensorstore: "--pool POOL"},
		},
	}
}

func TestLayouts(t *testing.T) {
	const (
		help  = `case "$*" in -help) echo "  -batch"; case $0 in *NEW*) echo "  -keep SIZE";; esac; exit;; esac; ` + works
		bench = " -test.run=^$ -test.bench=^BenchmarkEpoch$ -test.benchtime=1x -loss none -store data/tiny.zarr"
		rowA  = "./old.test" + bench + " -batch 8 -x\n./bench.test" + bench + " -batch 8 -x\n" +
			"./python tools/peers/tensorstore_epoch.py data/tiny.zarr --name Epoch/reader=tensorstore --epochs 1 --level 5\n" +
			"./limit Epoch/reader=limit data/tiny.zarr 1 2\n"
		reportA = "a: -batch 8\nreport -row .name -table  -filter .unit:(sec/op OR B/s) old=x-a-old.txt new=x-a-new.txt tensorstore=x-a-tensorstore.txt limit=x-a-limit.txt\n"
		asked   = "./old.test -help\n./bench.test -help\n"
		peerB   = "./python tools/peers/tensorstore_epoch.py data/tiny.zarr --name Epoch/reader=tensorstore --epochs 1 --pool 9\n"
		reportB = "b: -keep auto\nreport -row .name -table  -filter .unit:(sec/op OR B/s) old=x-b-old.txt new=x-b-new.txt tensorstore=x-b-tensorstore.txt\n"
	)
	for _, tt := range []struct{ name, knows, stdout, stderr, log string }{
		{"a flag that the older one lacks", "bench", reportA + reportB, "b: ./old.test has no -keep, and runs without it\n",
			strings.Repeat(rowA, 2) + asked + strings.Repeat("./old.test"+bench+" -x\n./bench.test"+bench+" -keep auto -x\n"+peerB, 2)},
		{"a flag that both have", ".test", reportA + reportB, "making data/tiny.zarr",
			strings.Repeat(rowA, 2) + asked + strings.Repeat("./old.test"+bench+" -keep auto -x\n./bench.test"+bench+" -keep auto -x\n"+peerB, 2)},
		{"a flag that none has", "none", reportA, "b: skipped: ./bench.test has no -keep\n", strings.Repeat(rowA, 2) + asked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			binaries(t, strings.ReplaceAll(help, "NEW", tt.knows), "bench.test", "old.test", "python", "limit")
			var stdout, stderr bytes.Buffer
			require.NoError(t, small(t).run(t.Context(), &stdout, &stderr))
			require.Equal(t, tt.stdout, stdout.String())
			require.Contains(t, stderr.String(), tt.stderr)
			log, err := os.ReadFile("log")
			require.NoError(t, err)
			require.Equal(t, tt.log, string(log))
			require.DirExists(t, filepath.Join("data", "tiny.zarr"))
		})
	}
}

// A row that fails is named, and the next one runs.
func TestLayoutsFailed(t *testing.T) {
	binaries(t, `case "$*" in *'-batch 8'*) exit 3;; -help) echo '  -keep'; exit;; esac; `+works, "bench.test")
	c := small(t)
	c.old, c.peers = "", nil
	var stdout, stderr bytes.Buffer
	err := c.run(t.Context(), &stdout, &stderr)
	require.ErrorContains(t, err, "a: run 1 of 2 of x-a-new.txt")
	require.Contains(t, stdout.String(), "new=x-b-new.txt")
}

func TestLayoutsUsage(t *testing.T) {
	for _, tt := range []struct{ words, err string }{
		{"-rows nothing", "-rows nothing: matches none of levels-warm, levels-cold"},
		{"-rows (", "-rows: error parsing regexp"},
		{"-count 0", "-count 0: want 1 or more"},
		{"-report=", "-report: want a command"},
		{"x", `unexpected argument "x"`},
	} {
		t.Run(tt.words, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			err := run(t.Context(), append([]string{"layouts"}, strings.Fields(tt.words)...), &stdout, &stderr)
			require.ErrorIs(t, err, cli.ErrUsage)
			require.ErrorContains(t, err, tt.err)
			require.Contains(t, stderr.String(), "usage: bench layouts")
		})
	}
}

func TestPreparePeers(t *testing.T) {
	t.Chdir(t.TempDir())
	var stderr bytes.Buffer
	require.NoError(t, os.WriteFile("peers", []byte("#!/bin/sh\nprintf 'limit\\t/a b/c\\n'; echo skipped >&2; exit $1\n"), 0o777))
	peers, err := preparePeers(t.Context(), "./peers 0", &stderr)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"limit": "/a b/c"}, peers)
	require.Equal(t, "skipped\n", stderr.String())
	_, err = preparePeers(t.Context(), "./peers 1", &stderr)
	require.ErrorContains(t, err, "-peers ./peers 1")
	peers, err = preparePeers(t.Context(), "", &stderr)
	require.NoError(t, err)
	require.Empty(t, peers)
}
