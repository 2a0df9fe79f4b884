package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// output is what a benchmark binary prints for two stores.
const output = `Unit data-crc32 assume=exact
Engine: gds
BenchmarkEpoch/store=raw/codec=none/batch=4-16	       1	  2000000 ns/op	 3000.00 MB/s	 100 ceiling-%	 0.006 cpu-sec/op	 3405691582 data-crc32	 12.5 loss
Path: Epoch/store=raw/codec=none/batch=4: path=cuFile, unverified, epochs=1, cufile-B=9; cuFile counts no reads by itself
BenchmarkEpoch/store=raw/codec=none/batch=4-16	       1	  1000000 ns/op	 6000.00 MB/s	 90 ceiling-%	 0.003 cpu-sec/op	 3405691582 data-crc32	 12.5 loss
Path: Epoch/store=raw/codec=none/batch=4: path=cuFile, unverified, epochs=1, cufile-B=9; cuFile counts no reads by itself
BenchmarkEpoch/store=lz4/codec=blosc-lz4/batch=4-16	       1	  4000000 ns/op	 1500.00 MB/s	 50 ceiling-%	 0.012 cpu-sec/op	 305419896 data-crc32	 7 loss
Path: Epoch/store=lz4/codec=blosc-lz4/batch=4: path=host, epochs=1, cufile-B=0; cuFile counts no reads by itself
PASS
`

func parse(t *testing.T, text string) []row {
	t.Helper()
	rows, err := parseRows(text)
	require.NoError(t, err)
	return rows
}

func TestParseRows(t *testing.T) {
	rows := parse(t, output)
	require.Len(t, rows, 2)
	require.Equal(t, "Epoch/store=raw/codec=none/batch=4", rows[0].name)
	require.Equal(t, "raw", rows[0].store())
	require.Equal(t, pathUnverified, rows[0].path)
	require.Equal(t, pathHost, rows[1].path)
	require.Equal(t, []float64{3e9, 6e9}, rows[0].values("B/s"))
	require.Equal(t, []float64{1, 0.5}, rows[0].cpu())
	require.Equal(t, "raw: cuFile, unverified, lz4: host", ways(rows))

	_, err := parseRows("BenchmarkEpoch: skipped: no GPU\nPASS\n")
	require.ErrorIs(t, err, errNoRows)
}

func TestCompareRows(t *testing.T) {
	lines := strings.SplitAfter(output, "\n")
	tests := []struct{ name, got, want string }{
		{"equal", output, ""},
		{"another number of processors", strings.ReplaceAll(output, "-16\t", "-2\t"), ""},
		{"digest", strings.Replace(output, "305419896", "305419897", 1), "lz4: data-crc32 is 305419897, want 305419896"},
		{"digests swapped", strings.NewReplacer("3405691582", "305419896", "305419896", "3405691582").Replace(output),
			"raw: data-crc32 is 305419896, want 3405691582; lz4: data-crc32 is 3405691582, want 305419896"},
		{"digest of the second run", output[:strings.LastIndex(output, "3405691582")] + "1" + output[strings.LastIndex(output, "3405691582")+10:],
			"raw: data-crc32 is 1, want 3405691582"},
		{"loss", strings.Replace(output, " 7 loss", " 7.1 loss", 1), "lz4: loss is 7.0999999999999996, want 7"},
		{"loss that is no number", strings.Replace(output, " 7 loss", " NaN loss", 1), "lz4: loss is NaN, want 7"},
		{"no digest", strings.Replace(output, "\t 305419896 data-crc32", "", 1), "lz4: no data-crc32"},
		{"row missing", strings.Join(lines[:6], ""), "lz4: the row is missing"},
		{"row more", strings.Replace(output, "store=lz4", "store=zstd", 2) + lines[6], "zstd: the reference has no row Epoch/store=zstd/codec=blosc-lz4/batch=4"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := compareRows(parse(t, output), parse(t, test.got))
			if test.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, test.want)
			}
		})
	}
	err := compareRows(parse(t, strings.Replace(output, " 7 loss", "", 1)), parse(t, output))
	require.ErrorContains(t, err, "the reference has no loss")
}

func TestComparePaths(t *testing.T) {
	tests := []struct {
		name    string
		got     string
		allowed allowed
		want    string
	}{
		{"by cuFile", output, byCuFile, ""},
		{"any", output, byAny, ""},
		{"not by the host", output, byHost, "raw: path=cuFile, unverified, want host"},
		{"encoded chunks by cuFile", strings.ReplaceAll(output, "path=host", "path=true GDS"), byCuFile, "lz4: path=true GDS, want host"},
		{"mixed", strings.ReplaceAll(output, "path=cuFile, unverified", "path=mixed"), byCuFile,
			"raw: path=mixed, want true GDS or cuFile compat or cuFile, unverified"},
		{"two ways", strings.Replace(output, "path=cuFile, unverified", "path=mixed", 1), byAny,
			"raw: path=mixed and cuFile, unverified, want true GDS or cuFile compat or cuFile, unverified or kvikIO compat or host or mixed"},
		{"none", strings.ReplaceAll(output, "Path: Epoch/store=lz4", "Way: Epoch/store=lz4"), byCuFile, "lz4: no Path line"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := comparePaths(parse(t, test.got), test.allowed.of)
			if test.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, test.want)
			}
		})
	}
}

func TestPrintTable(t *testing.T) {
	var b strings.Builder
	printTable(&b, []string{"warm-gds"}, map[string][]row{"warm-gds": parse(t, output)})
	require.Equal(t, []string{
		"log                  store         GB/s   least    most ceiling-% cpu-s/GB   n  path",
		"warm-gds             raw           4.50    3.00    6.00        95    0.750   2  cuFile, unverified",
		"warm-gds             lz4           1.50    1.50    1.50        50    2.000   1  host",
		"",
	}, strings.Split(b.String(), "\n"))
}
