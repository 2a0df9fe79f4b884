package meta

// Stats counts what reading cost. Counts add up over the calls that they are taken from.
type Stats struct {
	Chunks       int64 // chunks that were read, decoded or found missing
	Missing      int64 // of them, chunks that are not in the store, and read as the fill value
	Bad          int64 // chunks whose damaged data were taken for NaN, each time that they were read
	Reused       int64 // chunks that were needed again and still at hand, decoded
	Evicted      int64 // chunks that were dropped from a cache of decoded chunks, to make room for others
	ReadBytes    int64 // bytes read from the store
	DecodedBytes int64 // bytes that came out of the codecs, or were read uncompressed
	PlacedBytes  int64 // bytes put into the caller's memory
	KeptBytes    int64 // the most bytes of decoded chunks that a cache held
}

// Add adds o to s.
func (s *Stats) Add(o Stats) {
	s.Chunks += o.Chunks
	s.Missing += o.Missing
	s.Bad += o.Bad
	s.Reused += o.Reused
	s.Evicted += o.Evicted
	s.ReadBytes += o.ReadBytes
	s.DecodedBytes += o.DecodedBytes
	s.PlacedBytes += o.PlacedBytes
	s.KeptBytes = max(s.KeptBytes, o.KeptBytes)
}

// Sub returns what was counted since s was old.
func (s Stats) Sub(old Stats) Stats {
	s.Chunks -= old.Chunks
	s.Missing -= old.Missing
	s.Bad -= old.Bad
	s.Reused -= old.Reused
	s.Evicted -= old.Evicted
	s.ReadBytes -= old.ReadBytes
	s.DecodedBytes -= old.DecodedBytes
	s.PlacedBytes -= old.PlacedBytes
	return s
}

// A Footprint is the memory of this machine that an engine takes besides batches, in bytes: as much
// as the plan at hand can make it take.
type Footprint struct {
	Workers int64 // buffers of workers
	Kept    int64 // cached decoded chunks
	Tables  int64 // indices of shards, and heads of chunks that are read in parts
	// OnDevice reports that batches are in other memory, that of a GPU.
	OnDevice bool
}

// Total returns the sum.
func (f Footprint) Total() int64 { return f.Workers + f.Kept + f.Tables }
