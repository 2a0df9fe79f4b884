// Package zarrio reads Zarr arrays fast, and makes minibatches of them.
//
// A [Group] is opened on a directory, a zip file, a URL or any [store.Store]; its [Array] values read boxes of elements, or
// index lists and masks along any dimension, into the caller's memory:
//
//	g, err := zarrio.Open(ctx, "era5.zarr", zarrio.Options{})
//	t2m, err := g.Array(ctx, "2m_temperature")
//	field := make([]float32, 721*1440)
//	_, err = t2m.ReadInto(ctx, zarrio.Selection{zarrio.At(-1)}, zarrio.AsBytes(field))
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
// Zarr v2 and v3 are read alike, whatever their codecs; where chunks are packed into shards, the innermost ones are what is
// read and decoded by itself. [ReadCF] and [ReadTimes] decode numbers and times by the CF conventions. The package write writes.
//
// The way of a byte is: store, codec, the tensor's place in the batch. An uncompressed chunk that is a whole plane is read
// straight into its place, a compressed one decoded straight into it; nothing is allocated for a chunk.
//
// Errors name the store, the array, the chunk's key and the step; [errors.ErrUnsupported], [ErrMissingChunk] and fs.ErrNotExist
// are their kinds. Damaged data never panic and are never returned as data.
package zarrio
