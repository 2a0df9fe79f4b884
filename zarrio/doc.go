// Package zarrio reads Zarr arrays fast.
//
// A [Group] is opened on a directory, a zip file, a URL or any [store.Store]. Its arrays read boxes
// of elements, or lists and masks of indices along any dimension, into the caller's memory:
//
//	g, err := zarrio.Open(ctx, "era5.zarr", zarrio.Options{})
//	t2m, err := g.Array(ctx, "2m_temperature")
//	field := make([]float32, 721*1440)
//	_, err = t2m.ReadInto(ctx, zarrio.Selection{zarrio.At(-1)}, tensor.AsBytes(field))
//
// [ReadCF] and [ReadTimes] decode numbers and times by the CF conventions, [Array.ReadStrings]
// text. Zarr v2 and v3 are read alike, with any codecs. In a sharded array, the inner chunk is what
// is read and decoded.
//
// An uncompressed chunk that fills a part of the destination is read straight into it, a compressed
// one decoded straight into it. Nothing is allocated for a chunk.
//
// The package loader makes minibatches of a group's arrays, which the engines of the packages
// engine and gpu fill; write writes arrays. The package meta has the types of elements and what
// documents say, tensor the memory of batches.
//
// Errors name the store, the array, the chunk's key and the step; test for them with errors.Is and
// [errors.ErrUnsupported], [ErrMissingChunk] or fs.ErrNotExist. Damaged data never panic and are
// never returned as data.
package zarrio
