package main

import (
	"fmt"
	"html"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// epochs returns benchmark output of ten epochs or fewer, each 1 % longer than the one before.
func epochs(head string, n int, seconds, ceiling float64) string {
	var b strings.Builder
	b.WriteString("Unit ceiling-% better=higher\nUnit ceiling-sec better=lower\nUnit data-crc32 assume=exact\n" + head)
	for i := range n {
		v := seconds * (1 + 0.01*float64(i))
		fmt.Fprintf(&b, "BenchmarkEpoch/store=S/codec=blosc-lz4\t1\t%.0f ns/op\t%.2f MB/s\t%.4g ceiling-sec\t%.4g ceiling-%%\t1 data-crc32\n",
			1e9*v, 112/v, ceiling, 100*ceiling/v)
	}
	return b.String()
}

const epochsHead = `Store: S = /data/S.zarr
data: S
steps: 192
cache: warm
Engine: cpu (4 workers, %s, go1.26.8)
Machine: Made-up CPU, 2 CPUs, GOMAXPROCS 2, linux/amd64
Date: 2026-11-30T20:59:00Z
`

// forms makes a report in every form, and returns their texts by name.
func forms(t *testing.T, files ...string) map[string]string {
	t.Helper()
	status, text, stderr := execute(t, append([]string{"-svg", "r.svg", "-html", "r.html"}, files...)...)
	require.Zero(t, status, stderr)
	_, markdown, _ := execute(t, append([]string{"-markdown"}, files...)...)
	_, document, _ := execute(t, append([]string{"-json"}, files...)...)
	return map[string]string{"text": text, "markdown": markdown, "json": document, "svg": readText(t, "r.svg"), "page": readText(t, "r.html")}
}

// readText returns a file's text, of markup as it is read.
func readText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return strings.ReplaceAll(html.UnescapeString(string(b)), "\u00a0", " ")
}

// TestClaims holds that no form of a report says what its warnings take back, and that each says what was measured.
func TestClaims(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("buffered.txt", []byte(epochs(fmt.Sprintf(epochsHead, "buffered"), 6, 1, 0.27)), 0o666))
	require.NoError(t, os.WriteFile("direct.txt", []byte(epochs(fmt.Sprintf(epochsHead, "direct"), 6, 3.73, 2.1)), 0o666))
	for form, text := range forms(t, "buffered.txt", "direct.txt") {
		t.Run(form, func(t *testing.T) {
			require.Contains(t, text, "direct takes 3.7 times as long as buffered, but buffered read from memory, direct from the disk")
			require.Contains(t, text, "read from the page cache, direct past it") // the warning
			for _, claim := range []string{"273%", "273 %", ") better", ") worse", `class="better"`, `class="worse"`, `change better`, `change worse`} {
				require.NotContains(t, text, claim)
			}
			for _, fact := range []string{"/data/S.zarr", "Made-up CPU, 2 CPUs", "2026-11-30"} {
				require.Contains(t, text, fact)
			}
		})
	}
}

// TestOneSided holds that the page of one file says what was measured in its title and its headline.
func TestOneSided(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("train.txt", []byte(epochs(fmt.Sprintf(epochsHead, "buffered"), 10, 2, 0.54)), 0o666))
	page := forms(t, "train.txt")["page"]
	for _, want := range []string{
		"<title>cpu: 2.090 s per epoch, 53.59 MB/s, 26 % of the raw ceiling · S = /data/S.zarr · Made-up CPU, 2 CPUs · 2026-11-30 20:59 UTC</title>",
		"<h1>cpu: 2.090 s per epoch, 53.59 MB/s, 26 % of the raw ceiling</h1>",
		"<span>Store: S = /data/S.zarr</span> <span>Machine: Made-up CPU, 2 CPUs, GOMAXPROCS 2, linux/amd64</span> <span>Date: 2026-11-30 20:59 UTC</span>",
	} {
		require.Contains(t, page, want)
	}
}

// TestGateDoubts holds that the gate says what its figures may come from besides the program.
func TestGateDoubts(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("old.txt", []byte(epochs(fmt.Sprintf(epochsHead, "buffered"), 6, 1, 0.27)), 0o666))
	require.NoError(t, os.WriteFile("new.txt", []byte(epochs(fmt.Sprintf(epochsHead, "direct"), 6, 3.73, 2.1)), 0o666))
	status, stdout, _ := execute(t, "-gate", "old.txt", "new.txt")
	require.Equal(t, 1, status)
	require.Contains(t, stdout, "n=6+6): but old read from memory, new from the disk\n")
	_, stdout, _ = execute(t, "-gate", "new.txt", "old.txt")
	require.Contains(t, stdout, "better: Epoch/")
	require.Contains(t, stdout, "n=6+6): but old read from memory, new from the disk\n")
}
