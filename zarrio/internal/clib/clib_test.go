package clib

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

func TestParseSetting(t *testing.T) {
	for _, test := range []struct {
		s             string
		allowed, fail bool
	}{
		{"", true, false}, {"auto", true, false}, {"off", false, false}, {"on", false, true}, {"0", false, true},
	} {
		allowed, err := parseSetting(test.s)
		if allowed != test.allowed || (err != nil) != test.fail {
			t.Errorf("%q: allowed %v, error %v", test.s, allowed, err)
		}
	}
}

func TestZstd(t *testing.T) {
	z := NewZstd()
	if z == nil {
		t.Skip("no libzstd, or ZARRIO_CLIB is off")
	}
	t.Logf("libzstd %s", ZstdVersion())
	data := bytes.Repeat([]byte("abcdefgh123"), 10000)
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	src := enc.EncodeAll(data, nil)
	got := make([]byte, len(data))
	if err := z.Decompress(got, src); err != nil || !bytes.Equal(got, data) {
		t.Errorf("error %v, or other bytes", err)
	}
	for _, bad := range []struct {
		dst, src []byte
	}{
		{got[1:], src},
		{append(got, 0), src},
		{got, src[:len(src)-1]},
		{got, []byte("abcdefghijkl")},
	} {
		if err := z.Decompress(bad.dst, bad.src); err == nil || err.Error() == "" {
			t.Errorf("%d bytes into %d: error %v", len(bad.src), len(bad.dst), err)
		}
	}
	if n := testing.AllocsPerRun(10, func() { _ = z.Decompress(got, src) }); n != 0 {
		t.Errorf("%v allocs, want 0", n)
	}
}

func TestDeflate(t *testing.T) {
	d := NewDeflate()
	if d == nil {
		t.Skip("no libdeflate, or ZARRIO_CLIB is off")
	}
	data := bytes.Repeat([]byte("abcdefgh123"), 10000)
	var g, z bytes.Buffer
	gw, zw := gzip.NewWriter(&g), zlib.NewWriter(&z)
	for _, w := range []interface {
		Write([]byte) (int, error)
		Close() error
	}{gw, zw} {
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		decode func(dst, src []byte) (int, int, error)
		src    []byte
	}{{"gzip", d.Gzip, g.Bytes()}, {"zlib", d.Zlib, z.Bytes()}} {
		got := make([]byte, len(data)+5)
		used, n, err := c.decode(got, append(c.src[:len(c.src):len(c.src)], "more"...))
		if err != nil || used != len(c.src) || n != len(data) || !bytes.Equal(got[:n], data) {
			t.Errorf("%s: used %d of %d, got %d, error %v, or other bytes", c.name, used, len(c.src), n, err)
		}
		if _, _, err := c.decode(got[:len(data)-1], c.src); err != errRoom {
			t.Errorf("%s: error %v, want %v", c.name, err, errRoom)
		}
		if _, _, err := c.decode(got, c.src[:len(c.src)-1]); err != errCorrupt {
			t.Errorf("%s: error %v, want %v", c.name, err, errCorrupt)
		}
		if n := testing.AllocsPerRun(10, func() { _, _, _ = c.decode(got, c.src) }); n != 0 {
			t.Errorf("%s: %v allocs, want 0", c.name, n)
		}
	}
}

// TestCleanup makes contexts that nobody keeps, as a program that has many arrays does over time.
func TestCleanup(t *testing.T) {
	if NewZstd() == nil && NewDeflate() == nil {
		t.Skip("no library, or ZARRIO_CLIB is off")
	}
	for range 100 {
		NewZstd()
		NewDeflate()
	}
	runtime.GC()
	runtime.GC()
}
