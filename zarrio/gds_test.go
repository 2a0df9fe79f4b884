//go:build gds && linux && (amd64 || arm64)

package zarrio

import (
	"bytes"
	"fmt"
	"testing"

	"zarrbench/zarrio/gds/gdstest"
)

// TestGDSOddSizes reads chunks of one to three pages, give or take a byte, by every way to read. What lies behind a short read
// is poison, of which nothing may be seen.
func TestGDSOddSizes(t *testing.T) {
	needEmulatedCuFile(t)
	gdstest.NoLeaks(t)
	g := testGPU(t, 0)
	s := newLdStore()
	var sizes []int
	for p := range 3 {
		sizes = append(sizes, (p+1)*pageSize-1, (p+1)*pageSize, (p+1)*pageSize+1)
	}
	sizes = append(sizes, 1, 511, 513)
	for _, n := range sizes {
		s.put(t, &ldArray{name: fmt.Sprintf("a%d", n), dims: []string{"time", "y", "x"}, shape: []int{6, 1, n}, chunks: []int{1, 1, n}, dtype: "|u1"})
		s.put(t, &ldArray{name: fmt.Sprintf("b%d", n), dims: []string{"time", "y", "x"}, shape: []int{6, 1, n}, chunks: []int{4, 1, n}, dtype: "|u1"})
	}
	group, _ := onDisk(t, s, Options{})
	for _, mode := range []string{"sync", "batch", "compat", "direct", "overread"} {
		for _, short := range []int64{0, 1, 2, 3} {
			if short > 0 && mode != "sync" && mode != "batch" {
				continue
			}
			t.Run(fmt.Sprintf("%s/short=%d", mode, short), func(t *testing.T) {
				gdstest.Set(t, "cufile.short", short)
				gds := GDSOptions{Submit: SubmitSync, Workers: 2}
				switch mode {
				case "batch":
					gds.Submit = SubmitBatch
				case "overread":
					t.Setenv("KVIKIO_AUTO_DIRECT_IO_READ_OVERREAD", "on")
					fallthrough
				case "direct":
					t.Setenv("KVIKIO_AUTO_DIRECT_IO_READ", "on")
					fallthrough
				case "compat":
					gds.Compat = CompatOn
				}
				gdsSmall(t, &gds)
				e := must(t)(NewGDS(g, gds))
				defer e.Close()
				for _, n := range sizes {
					for _, name := range []string{"a", "b"} {
						for _, layout := range []Layout{Dense, Padded} {
							opt := LoaderOptions{Channels: []string{fmt.Sprintf("%s%d", name, n)}, Batch: 2, Layout: layout}
							l, err := NewLoader(t.Context(), group, e, opt)
							if err != nil {
								t.Fatal(err)
							}
							if !bytes.Equal(gpuEpoch(t, l), bytes.Join(ldEpoch(t, ldLoader(t, group, CPUOptions{}, opt)), nil)) {
								t.Errorf("%v, %v: the epoch differs", opt.Channels, layout)
							}
							if err := l.Close(); err != nil {
								t.Error(err)
							}
						}
					}
				}
			})
		}
	}
}
