//go:build gds

package zarrbench

import (
	"testing"

	"zarrbench/internal/harness"
)

const defaultEngine = "gds"

// BenchmarkEpoch times whole epochs of minibatches that end in GPU memory: one op is one epoch.
func BenchmarkEpoch(b *testing.B) { harness.Epoch(b) }

// BenchmarkRead times epochs without a loss over numbers of workers.
func BenchmarkRead(b *testing.B) { harness.Read(b) }

// BenchmarkChunk reads and decodes one chunk a time: one op is one chunk.
func BenchmarkChunk(b *testing.B) { harness.Chunk(b) }

// BenchmarkDecode runs one codec on one buffer: one op is one buffer.
func BenchmarkDecode(b *testing.B) { harness.Decode(b) }

// BenchmarkRaw reads the stores' files by cuFile and does nothing with them: one op is all files once.
func BenchmarkRaw(b *testing.B) { harness.Raw(b) }
