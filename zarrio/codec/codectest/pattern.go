package codectest

// Pattern returns the bytes that the files in codec/testdata/streams whose names begin with "pattern"
// decode to.
func Pattern() []byte {
	b := make([]byte, 3000)
	for i := range b {
		b[i] = byte(i * i >> 7)
	}
	return b
}
