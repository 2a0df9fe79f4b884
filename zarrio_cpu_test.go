//go:build !gds

package zarrbench

import (
	"testing"

	"zarrbench/internal/harness"
)

const defaultEngine = "cpu"

// BenchmarkEpoch times whole epochs of minibatches: one op is one epoch.
func BenchmarkEpoch(b *testing.B) { harness.Epoch(b) }

// BenchmarkRead times epochs without a loss over numbers of workers.
func BenchmarkRead(b *testing.B) { harness.Read(b) }

// BenchmarkChunk reads and decodes one chunk a time: one op is one chunk.
func BenchmarkChunk(b *testing.B) { harness.Chunk(b) }

// BenchmarkDecode runs one codec on one buffer: one op is one buffer.
func BenchmarkDecode(b *testing.B) { harness.Decode(b) }
