// Package match copies the matches of LZ77 formats.
package match

// Copy writes n bytes to dst from op on: those that lie dist before them, which may overlap what is
// written.
func Copy(dst []byte, op, dist, n int) {
	from, to := dst[op-dist:op], dst[op:op+n]
	for {
		// All that lies between the match's start and here has the match's period, so that it
		// doubles each time.
		c := copy(to, from)
		if c == len(to) {
			return
		}
		to = to[c:]
		from = dst[op-dist : op+n-len(to)]
	}
}
