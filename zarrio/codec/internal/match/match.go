// Package match copies the matches of LZ77 formats.
package match

// Copy copies n bytes within dst to op, from dist bytes before it. The source may overlap the
// destination: it then repeats.
func Copy(dst []byte, op, dist, n int) {
	from, to := dst[op-dist:op], dst[op:op+n]
	for {
		// All bytes from the match's start to here have the match's period, so that it
		// doubles each time.
		c := copy(to, from)
		if c == len(to) {
			return
		}
		to = to[c:]
		from = dst[op-dist : op+n-len(to)]
	}
}
