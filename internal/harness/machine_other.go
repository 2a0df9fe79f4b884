//go:build !linux

package harness

import "time"

// These are known only on Linux. Elsewhere the metrics are left out, or zero.

func resetPeakRSS()          {}
func peakRSS() int64         { return 0 }
func cpuModel() string       { return "unknown processor" }
func cpuTime() time.Duration { return 0 }
