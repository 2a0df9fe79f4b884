// Package chunk reads the chunks of arrays: it is where a byte travels from a store, by way of codecs, to its place.
//
// An [Array] knows how its chunks are stored, in a [Source]. A [Reader] finds one chunk at a time, in a value of its own or in a
// shard, reads what is needed of it, and decodes that. Nothing is allocated for a chunk: a Reader keeps its buffers. What calls
// for many chunks is above: [Array.ForEach] those of a selection, package engine those of a batch.
//
// Methods of an Array may be called by many goroutines at once, those of a Reader by one at a time.
package chunk
