package zarrio

// chunkID names a chunk among a loader's arrays.
type chunkID struct{ array, chunk int }
