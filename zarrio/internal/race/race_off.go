//go:build !race

// Package race reports whether the race detector is built in.
package race

// Enabled is true in builds with the race detector.
const Enabled = false
