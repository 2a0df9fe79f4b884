//go:build !linux

package harness

import "time"

// What follows is known on Linux only: the metrics are then left out, or zero.

func resetPeakRSS()          {}
func peakRSS() int64         { return 0 }
func cpuModel() string       { return "unknown processor" }
func cpuTime() time.Duration { return 0 }
