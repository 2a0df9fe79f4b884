// Package zarrio reads Zarr arrays fast, and makes minibatches of them.
//
// A [Group] is opened on a directory, a zip file, a URL or any [store.Store]; its [Array] values read boxes of elements, or
// index lists and masks along any dimension, into the caller's memory:
//
//	g, err := zarrio.Open(ctx, "era5.zarr", zarrio.Options{})
//	t2m, err := g.Array(ctx, "2m_temperature")
//	field := make([]float32, 721*1440)
//	_, err = t2m.ReadInto(ctx, zarrio.Selection{zarrio.At(-1)}, tensor.AsBytes(field))
//
// A [Loader] cuts arrays into windows along time (and space, if wanted), stacks variables and levels as channels, and
// yields batches that an [Engine] fills ahead of the loop:
//
//	e := zarrio.NewCPU(zarrio.CPUOptions{})
//	l, err := zarrio.NewLoader(ctx, g, e, zarrio.LoaderOptions{Channels: []string{"geopotential@level=500", "2m_temperature"}})
//	for b, err := range l.Batches(ctx) {
//		// b.Input() and b.Target() are [samples, channels, latitude, longitude]
//	}
//
// Zarr v2 and v3 are read alike, with any codecs. In a sharded array, the inner chunk is what is read and decoded.
// [ReadCF] and [ReadTimes] decode numbers and times by the CF conventions. The package write writes, meta has the
// types of elements, and tensor the memory of batches.
//
// Bytes flow from the store through the codec into the batch's tensor. An uncompressed chunk that is a whole plane is read
// straight into its place, and a compressed one decoded straight into it; nothing is allocated for a chunk.
//
// Errors name the store, the array, the chunk's key and the step; test for them with errors.Is and
// [errors.ErrUnsupported], [ErrMissingChunk] or fs.ErrNotExist. Damaged data never panic and are never returned as data.
package zarrio
