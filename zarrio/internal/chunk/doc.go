// Package chunk reads the chunks of arrays. It takes a chunk's bytes from the store through the
// codecs to the destination.
//
// An [Array] knows how its chunks are stored, in a [Source]. A [Reader] handles one chunk at a
// time: it finds the chunk, in a value of its own or in a shard, reads the bytes that are needed,
// and decodes them. Nothing is allocated for a chunk: a Reader reuses its buffers. Two callers read
// many chunks: [Array.ForEach] reads those of a selection, package engine those of a batch.
//
// The methods of an Array may be called by many goroutines at once, those of a Reader by one at a
// time.
package chunk
