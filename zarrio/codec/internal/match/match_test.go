package match

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestCopyMatch(t *testing.T) {
	for dist := 1; dist <= 20; dist++ {
		for n := 1; n <= 70; n++ {
			got := make([]byte, dist+n+1)
			rand.NewChaCha8([32]byte{1}).Read(got[:dist])
			want := bytes.Clone(got)
			for i := dist; i < dist+n; i++ {
				want[i] = want[i-dist]
			}
			Copy(got, dist, dist, n)
			if !bytes.Equal(got, want) {
				t.Errorf("Copy(dist=%d, n=%d)\n got %x\nwant %x", dist, n, got, want)
			}
		}
	}
}
