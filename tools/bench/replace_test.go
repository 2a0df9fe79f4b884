package main

import (
	"os"
	"strings"
	"testing"

	"zarrbench/tools/internal/cli"

	"github.com/stretchr/testify/require"
)

// A file that holds another kind of run is kept whole, and so are those of the other sides.
func TestReplace(t *testing.T) {
	const rows = "cache: warm\nsteps: 80\nEngine: cpu (8 workers, auto)\nEndpoint: host\nBenchmarkEpoch/store=raw\t1\t7 ns/op\nBenchmarkEpoch/store=lz4\t1\t7 ns/op\n"
	for _, c := range []struct {
		name, old, run string
		want           string // "" if the file is replaced
	}{
		{"the same", rows, rows, ""},
		{"other settings of the engine", rows, strings.Replace(rows, "8 workers", "2 workers", 1), ""},
		{"more rows", rows, rows + "BenchmarkEpoch/store=zstd\t1\t7 ns/op\n", ""},
		{"a byte order mark", "\uFEFF" + rows, rows, ""},
		{"nothing yet", "\n", rows, ""},
		{"another cache", rows, strings.Replace(rows, "warm", "cold", 1), "with cache: warm (now cold): "},
		{"another line", rows, "vars: t2m\n" + rows, "with vars: nothing (now t2m): "},
		{"a line less", rows, strings.Replace(rows, "steps: 80\n", "", 1), "with steps: 80 (now nothing): "},
		{"another engine", rows, strings.Replace(rows, "cpu", "host", 1), "with Engine: cpu (now host): "},
		{"another endpoint", rows, strings.Replace(rows, "Endpoint: host", "Endpoint: device", 1), "with Endpoint: host (now device): "},
		{"another store", rows, strings.ReplaceAll(rows, "store=", "store=my"), "with the row Epoch/store=lz4: "},
		{"a row less", rows, rows[:strings.Index(rows, "BenchmarkEpoch/store=lz4")], "with the row Epoch/store=lz4: "},
		{"two kinds of run", rows + strings.Replace(rows, "warm", "cold", 1), rows, "with cache: warm, cold (now warm): "},
		{"no benchmark", "my thesis\n", rows, "holds no results of benchmarks: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			require.NoError(t, os.WriteFile(b.file("first"), []byte(runs("first", 7)), 0o666))
			require.NoError(t, os.WriteFile(b.file("a"), []byte(c.old), 0o666))
			require.NoError(t, os.WriteFile(b.file("print"), []byte(c.run), 0o666))
			_, err := b.run(t, []string{"-count", "2"}, b.side("first"), b.side("a", "-print", b.file("print")))
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, c.run+c.run, strings.TrimPrefix(b.text(t, "a"), "\n"))
				return
			}
			require.ErrorContains(t, err, b.file("a")+" holds ")
			require.ErrorContains(t, err, c.want+"write to another file (-o FILE; make has OUT=PREFIX), or remove this one")
			require.NotErrorIs(t, err, cli.ErrUsage)
			require.Equal(t, c.old, b.text(t, "a"))
			require.Equal(t, runs("first", 7), b.text(t, "first"))

			_, err = b.run(t, []string{"-append"}, b.side("a", "-print", b.file("print")))
			require.NoError(t, err, "with -append")
			require.Equal(t, c.old+c.run, b.text(t, "a"))
		})
	}
}

// TestAppendTo adds runs to what a file has, whose last line may have no end, and to nothing that isn't UTF-8.
func TestAppendTo(t *testing.T) {
	const row = "BenchmarkX\t1\t7 ns/op\n"
	for _, tt := range []struct {
		name, old, want, err string
	}{
		{"a line without an end", "steps: 4", "steps: 4\n" + row + row, ""},
		{"a byte order mark", "\uFEFF" + row, "\uFEFF" + row + row + row, ""},
		{"UTF-16", "\xFF\xFEP\x00\n\x00", "", "is UTF-16: write it as UTF-8"},
		{"UTF-16 without a mark", "P\x00\n\x00", "", "line 1 has a NUL byte"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t)
			require.NoError(t, os.WriteFile(b.file("a"), []byte(tt.old), 0o666))
			require.NoError(t, os.WriteFile(b.file("print"), []byte(row), 0o666))
			_, err := b.run(t, []string{"-count", "2", "-append"}, b.side("a", "-print", b.file("print")))
			if tt.err != "" {
				require.ErrorContains(t, err, b.file("a"))
				require.ErrorContains(t, err, tt.err)
				require.Equal(t, tt.old, b.text(t, "a"))
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, b.text(t, "a"))
		})
	}
}
