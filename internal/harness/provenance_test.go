package harness

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
)

// TestProvenance holds that a run says when it was, and which commit its binary is of.
func TestProvenance(t *testing.T) {
	needEngine(t, defaultEngine)
	store := synthetic(t, fixtures.Synthetic{Steps: 4, Form: "raw", NLat: 4, NLon: 8})
	begin := time.Now().Truncate(time.Second)
	stdout, stderr, err := bench(t, "-test.bench=Epoch", "-store", store, "-batch", "2")
	require.NoError(t, err, stderr)
	date := regexp.MustCompile(`(?m)^Date: (.+)$`).FindStringSubmatch(stdout)
	require.NotNil(t, date, stdout)
	at, err := time.Parse(time.RFC3339, date[1])
	require.NoError(t, err)
	require.WithinRange(t, at, begin, time.Now())
	if c := commit(); c != "" {
		require.Contains(t, stdout, "\nCommit: "+c+"\n")
	} else {
		require.NotContains(t, stdout, "\nCommit: ")
	}
}
