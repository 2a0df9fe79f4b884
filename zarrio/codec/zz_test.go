package codec_test
import ("testing";"zarrbench/zarrio/codec")
func TestZZ(t *testing.T) {
	for _, c := range bloscCases() { if c.Name != "codec=zlib/filter=shuffle,unsplit/typesize=4" { continue }
	dec := tested{id:"blosc"}.decoder(t)
		var s codec.Scratch
		dst := make([]byte, len(c.Decoded))
		for w := range 6 {
		n := testing.AllocsPerRun(1, func() {
			dec.Decode(dst, c.Encoded, &s)
		})
		t.Log(w, n)
		}
		t.Log(testing.AllocsPerRun(100, func() { dec.Decode(dst, c.Encoded, &s) }))
	}
}
