package meta

// Stats counts what reading cost. Counts add up over the calls that they are taken from.
type Stats struct {
	Chunks       int64 // chunks that were read, decoded or found missing
	Missing      int64 // of them, chunks that are not in the store, and read as the fill value
	Reused       int64 // chunks that were needed again and still at hand, decoded
	ReadBytes    int64 // bytes read from the store
	DecodedBytes int64 // bytes that came out of the codecs, or were read uncompressed
	PlacedBytes  int64 // bytes put into the caller's memory
}

// Add adds o to s.
func (s *Stats) Add(o Stats) {
	s.Chunks += o.Chunks
	s.Missing += o.Missing
	s.Reused += o.Reused
	s.ReadBytes += o.ReadBytes
	s.DecodedBytes += o.DecodedBytes
	s.PlacedBytes += o.PlacedBytes
}
