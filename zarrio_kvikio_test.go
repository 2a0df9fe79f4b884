//go:build gds

package zarrbench

import "testing"

const defaultEngine = "gds"

// BenchmarkEpoch times whole epochs of minibatches that end in GPU memory: one op is one epoch.
func BenchmarkEpoch(b *testing.B) { benchEpoch(b) }

// BenchmarkRead times epochs without a loss over numbers of workers.
func BenchmarkRead(b *testing.B) { benchRead(b) }

// BenchmarkChunk reads and decodes one chunk a time: one op is one chunk.
func BenchmarkChunk(b *testing.B) { benchChunk(b) }

// BenchmarkDecode runs one codec on one buffer: one op is one buffer.
func BenchmarkDecode(b *testing.B) { benchDecode(b) }

// BenchmarkRaw reads the stores' files by cuFile and does nothing with them: one op is all files once.
func BenchmarkRaw(b *testing.B) { benchRaw(b) }
