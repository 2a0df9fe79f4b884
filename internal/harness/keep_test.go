package harness

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
	"zarrbench/zarrio/engine"
)

func TestParseKeep(t *testing.T) {
	for _, tt := range []struct {
		text string
		want int64
	}{
		{"0", 0}, {"auto", engine.KeepAuto}, {"1000", 1000}, {"64KiB", 64 << 10}, {"3 MiB", 3 << 20}, {"2GiB", 2 << 30}, {"1TiB", 1 << 40},
	} {
		t.Run(tt.text, func(t *testing.T) {
			got, err := parseKeep(tt.text)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
	for _, text := range []string{"", "-1", "2GB", "GiB", "1.5GiB", "all", "9999999999GiB"} {
		t.Run("bad "+text, func(t *testing.T) {
			_, err := parseKeep(text)
			require.ErrorContains(t, err, "-keep "+text+": want auto, 0, or a number of bytes such as 2GiB")
		})
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 64 << 20: "64.0 MiB", 3 << 30: "3.0 GiB"} {
		require.Equal(t, want, size(n))
	}
}

// TestKeepRows runs epochs with a cache: the rows say so, and what it did.
func TestKeepRows(t *testing.T) {
	needEngine(t, defaultEngine)
	store := synthetic(t, fixtures.Synthetic{Steps: 6, Form: "lz4", NLat: 5, NLon: 8})
	for _, tt := range []struct {
		keep string
		line bool
	}{{"0", false}, {"auto", true}, {"1MiB", true}} {
		t.Run(tt.keep, func(t *testing.T) {
			stdout, stderr, err := bench(t, "-test.bench=^BenchmarkEpoch$", "-store", store, "-keep", tt.keep)
			require.NoError(t, err, stderr)
			require.Equal(t, tt.line, strings.Contains(stdout, "\nkeep: "+tt.keep+"\n"), stdout)
			require.Equal(t, tt.line, regexp.MustCompile(`\d reused/op`).MatchString(stdout), stdout)
			require.Contains(t, stdout, "Memory: Epoch/")
			if tt.line {
				require.Contains(t, stdout, "Unit read-B/op better=lower\n")
				require.Regexp(t, `\s0 read-B/op`, stdout)
				require.Regexp(t, `\s[1-9][\d.]* reused/op`, stdout)
			}
		})
	}
}
