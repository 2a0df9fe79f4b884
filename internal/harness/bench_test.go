package harness

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m, defaultEngine)) }

// The benchmarks of the module's root, for the tests that run them.

func BenchmarkEpoch(b *testing.B)  { Epoch(b) }
func BenchmarkRead(b *testing.B)   { Read(b) }
func BenchmarkChunk(b *testing.B)  { Chunk(b) }
func BenchmarkDecode(b *testing.B) { Decode(b) }
