//go:build gds

package harness

import "testing"

const defaultEngine = "gds"

func BenchmarkRaw(b *testing.B) { Raw(b) }
