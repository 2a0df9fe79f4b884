package fileio

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOverlay reads files of an overlay: those of its lower layer, and one of its upper.
func TestOverlay(t *testing.T) {
	base := t.TempDir()
	layer := func(name string) string {
		path := filepath.Join(base, name)
		if err := os.Mkdir(path, 0o777); err != nil {
			t.Fatal(err)
		}
		return path
	}
	lower, upper, work, merged := dir(layer("lower")), layer("upper"), layer("work"), dir(layer("merged"))
	whole := map[string][]byte{"lower": lower.write(t, "lower", autoSize)}
	lower.evict(t, "lower")
	if err := unix.Mount("overlay", string(merged), "overlay", 0, "lowerdir="+string(lower)+",upperdir="+upper+",workdir="+work); err != nil {
		t.Skipf("no overlay can be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(string(merged), 0); err != nil {
			t.Error(err)
		}
	})
	whole["upper"] = merged.write(t, "upper", 20_001)
	for _, mode := range modes {
		r := newReader(t, mode, nil)
		for key, want := range whole {
			for range 2 {
				checkRead(t, r, merged, key, want, 0, len(want), 0)
				checkRead(t, r, merged, key, want, 5000, 10_000, 33)
			}
		}
		t.Log(r.files)
	}
	// By cachestat all would look absent, and be read around the cache.
	lower.warm(t, "lower", 0, autoSize)
	s := spy()
	r := newReader(t, Auto, &s.system)
	checkRead(t, r, merged, "lower", whole["lower"], 0, autoSize, 0)
	if s.directs.Load() > 0 || s.looks.Load() > 0 {
		t.Errorf("what the page cache holds was read around it %d times; looked %d times where that tells nothing", s.directs.Load(), s.looks.Load())
	}
	lower.evict(t, "lower")
	checkRead(t, r, merged, "lower", whole["lower"], 0, autoSize, 0)
	if n := lower.resident(t, "lower"); n > 3 && s.directs.Load() > 0 {
		t.Errorf("%d pages were brought into the page cache", n)
	}
}
