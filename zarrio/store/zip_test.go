package store_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// zipOf makes a zip file of files, each under top, in the order of their keys.
func zipOf(tb testing.TB, top string, method uint16, files map[string][]byte) []byte {
	tb.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	keys := make([]string, 0, len(files))
	for key := range files {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		f, err := w.CreateHeader(&zip.FileHeader{Name: top + key, Method: method})
		if err == nil {
			_, err = f.Write(files[key])
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

// openZipBytes opens a zip file in memory.
func openZipBytes(tb testing.TB, file []byte) *store.Zip {
	tb.Helper()
	z, err := store.NewZip(bytes.NewReader(file), int64(len(file)), "test.zip")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { z.Close() })
	return z
}

// inMem opens a zip file in memory through a store.
func inMem(tb testing.TB, file []byte) (*store.Zip, *storetest.Recorder) {
	tb.Helper()
	m := store.NewMem()
	if err := m.Put(tb.Context(), "a/b.zip", file); err != nil {
		tb.Fatal(err)
	}
	r := storetest.NewRecorder(m)
	z, err := store.OpenZipIn(tb.Context(), r, "a/b.zip")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { z.Close() })
	return z, r
}

func TestZip(t *testing.T) {
	asBytes := func(t *testing.T, file []byte) *store.Zip { return openZipBytes(t, file) }
	asFile := func(t *testing.T, file []byte) *store.Zip {
		name := filepath.Join(t.TempDir(), "a.zip")
		if err := os.WriteFile(name, file, 0o666); err != nil {
			t.Fatal(err)
		}
		z, err := store.OpenZip(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { z.Close() })
		return z
	}
	asValue := func(t *testing.T, file []byte) *store.Zip {
		z, _ := inMem(t, file)
		return z
	}
	asRemote := func(t *testing.T, file []byte) *store.Zip {
		m := store.NewMem()
		if err := m.Put(t.Context(), "b.zip", file); err != nil {
			t.Fatal(err)
		}
		z, err := store.OpenZipIn(t.Context(), costly{storetest.NewRecorder(m)}, "b.zip")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { z.Close() })
		return z
	}
	same := func(file []byte) []byte { return file }
	tests := []struct {
		name   string
		top    string
		method uint16
		change func([]byte) []byte
		open   func(*testing.T, []byte) *store.Zip
	}{
		{"stored", "", zip.Store, same, asBytes},
		{"deflated", "", zip.Deflate, same, asBytes},
		{"folder", "a ü/", zip.Store, same, asBytes},
		{"folder-deflated", "a/", zip.Deflate, same, asBytes},
		{"file", "", zip.Store, same, asFile},
		{"file-deflated", "", zip.Deflate, same, asFile},
		{"value", "", zip.Deflate, same, asValue},
		{"remote", "", zip.Store, same, asRemote},
		{"remote-deflated", "", zip.Deflate, same, asRemote},
		{"zip64", "", zip.Store, toZip64, asBytes},
		{"zip64-value", "", zip.Deflate, toZip64, asValue},
		{"prepended", "", zip.Store, func(file []byte) []byte { return append([]byte("#!/bin/sh\n"), file...) }, asBytes},
		{"prepended-zip64", "", zip.Store, func(file []byte) []byte { return append([]byte("#!/bin/sh\n"), toZip64(file)...) }, asBytes},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T, files map[string][]byte) store.Store {
				return tt.open(t, tt.change(zipOf(t, tt.top, tt.method, files)))
			})
		})
	}
}

// costly is a store whose reads have a price.
type costly struct{ *storetest.Recorder }

func (costly) Coalesce() (gap, size int64) { return 4096, 1 << 20 }

func (costly) Requests() int { return 8 }

// TestZipRequests counts the reads of a zip file that lies in another store.
func TestZipRequests(t *testing.T) {
	chunk := bytes.Repeat([]byte("0123456789"), 10_000)
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		file := zipOf(t, "", method, map[string][]byte{"zarr.json": []byte("{}"), "c/0": chunk, "c/1": chunk})
		m := store.NewMem()
		if err := m.Put(t.Context(), "z", file); err != nil {
			t.Fatal(err)
		}
		r := storetest.NewRecorder(m)
		z, err := store.OpenZipIn(t.Context(), costly{r}, "z")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := z.List(t.Context(), "c"); err != nil || len(got) != 2 || len(r.Reads("z")) != 1 || r.Opens("z") != 1 {
			t.Errorf("method %d: List = %q, %v after reads %v, want 1 for the directory", method, got, err, r.Reads("z"))
		}
		dst := make([]byte, len(chunk))
		for reads := 2; reads < 4; reads++ {
			n, _, err := z.ReadRange(t.Context(), "c/0", dst, 0)
			if err != nil || !bytes.Equal(dst[:n], chunk) || len(r.Reads("z")) != reads {
				t.Errorf("method %d: ReadRange = %d, %v after reads %v, want %d of them", method, n, err, r.Reads("z"), reads)
			}
		}
		if n, _, err := z.ReadRange(t.Context(), "c/1", dst[:10], -10); n != 10 || err != nil || string(dst[:10]) != "0123456789" {
			t.Errorf("method %d: the end of c/1 = %q, %v", method, dst[:n], err)
		}
		want := 5 // a local header, and the range, which is far from it
		if method == zip.Deflate {
			want = 4
		}
		if got := len(r.Reads("z")); got != want {
			t.Errorf("method %d: %d reads, want %d: %v", method, got, want, r.Reads("z"))
		}
		if err := z.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestZipManyEntries has a directory that is longer than what is read from the end at first.
func TestZipManyEntries(t *testing.T) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	const count = 70_000 // and zip64, since it takes more than 16 bits
	for i := range count {
		f, err := w.CreateHeader(&zip.FileHeader{Name: "c/" + strings.Repeat("0", i/40_000) + string(rune('a'+i%7)) + "/" + strconv.Itoa(i), Method: zip.Store})
		if err == nil {
			_, err = f.Write([]byte(strconv.Itoa(i)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	z, r := inMem(t, buf.Bytes())
	if got := len(r.Reads("a/b.zip")); got > 4 {
		t.Errorf("%d reads of the directory: %v", got, r.Reads("a/b.zip"))
	}
	names, err := z.List(t.Context(), "c")
	if err != nil || len(names) != 14 {
		t.Errorf("List = %q, %v, want 14 names", names, err)
	}
	total := 0
	for _, name := range names {
		under, err := z.List(t.Context(), "c/"+strings.TrimSuffix(name, "/"))
		if err != nil {
			t.Error(err)
		}
		total += len(under)
	}
	if total != count {
		t.Errorf("%d entries listed, want %d", total, count)
	}
	if got, err := store.ReadAll(t.Context(), z, "c/0c/69995", 10); err != nil || string(got) != "69995" {
		t.Errorf("ReadAll = %q, %v, want 69995", got, err)
	}
}

func TestZipRoots(t *testing.T) {
	tests := []struct {
		name  string
		names []string
		key   string // that must be there
		root  []string
	}{
		{"root v3", []string{"zarr.json", "t2m/zarr.json"}, "t2m/zarr.json", []string{"t2m/", "zarr.json"}},
		{"root v2", []string{".zgroup", "t2m/.zarray"}, "t2m/.zarray", []string{".zgroup", "t2m/"}},
		{"folder v3", []string{"a.zarr/", "a.zarr/zarr.json", "a.zarr/t2m/zarr.json"}, "t2m/zarr.json", []string{"t2m/", "zarr.json"}},
		{"folder v2", []string{"a.zarr/.zarray", "a.zarr/0.0"}, "0.0", []string{".zarray", "0.0"}},
		{"folder beside macOS", []string{"a/.zarray", "a/0", "__MACOSX/a/._0"}, "0", []string{".zarray", "0"}},
		{"two folders", []string{"a/.zarray", "b/.zarray"}, "a/.zarray", []string{"a/", "b/"}},
		{"file beside", []string{"a/.zarray", "readme"}, "a/.zarray", []string{"a/", "readme"}},
		{"two deep", []string{"a/b/.zarray"}, "a/b/.zarray", []string{"a/"}},
		{"empty directories", []string{".zgroup", "a/", "b/c/"}, ".zgroup", []string{".zgroup", "a/", "b/"}},
		{"not keys", []string{".zgroup", "../a", "/b", "c/../d", "e\\f", "./g", "h//i", "\x00", "j//"}, ".zgroup", []string{".zgroup"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var buf bytes.Buffer
			w := zip.NewWriter(&buf)
			for _, name := range tt.names {
				if _, err := w.Create(name); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			z := openZipBytes(t, buf.Bytes())
			if got, err := z.List(t.Context(), ""); err != nil || !slices.Equal(got, tt.root) {
				t.Errorf("List = %q, %v, want %q", got, err, tt.root)
			}
			if _, size, err := z.ReadRange(t.Context(), tt.key, nil, 0); size != 0 || err != nil {
				t.Errorf("ReadRange(%q) = size %d, %v", tt.key, size, err)
			}
			for _, name := range []string{"a", "b/c"} {
				if slices.Contains(tt.names, name+"/") {
					_, _, err := z.ReadRange(t.Context(), name, nil, 0)
					wantError(t, "ReadRange of a directory", err, "is a directory")
					if got, err := z.List(t.Context(), name); err != nil || len(got) != 0 {
						t.Errorf("List(%q) = %q, %v, want nothing", name, got, err)
					}
				}
			}
		})
	}
}

func TestZipClosed(t *testing.T) {
	z := openZipBytes(t, zipOf(t, "", zip.Deflate, map[string][]byte{"a": []byte("value")}))
	v, err := z.OpenValue(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, readErr := z.ReadRange(t.Context(), "a", nil, 0)
	_, _, valueErr := v.ReadRange(t.Context(), nil, 0)
	_, openErr := z.OpenValue(t.Context(), "a")
	_, listErr := z.List(t.Context(), "")
	for _, err := range []error{readErr, valueErr, openErr, listErr, z.Close()} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("after Close: %v, want fs.ErrClosed", err)
		}
	}
}

// TestZipSourceGone has the file vanish from the store that it lies in, or change: no entry may look missing.
func TestZipSourceGone(t *testing.T) {
	file := zipOf(t, "", zip.Deflate, map[string][]byte{"a": []byte("value"), "b": []byte("value")})
	m := store.NewMem()
	if err := m.Put(t.Context(), "z", file); err != nil {
		t.Fatal(err)
	}
	f := storetest.NewFaults(m)
	z, err := store.OpenZipIn(t.Context(), f, "z")
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken cable")
	for _, tt := range []struct {
		fault storetest.Fault
		want  string
	}{
		{storetest.Fault{Err: fs.ErrNotExist}, "the zip file is gone"},
		{storetest.Fault{Err: broken}, "broken cable"},
		{storetest.Fault{Cut: 1}, "the zip file has changed"},
		{storetest.Fault{Short: 1}, "of the zip file at offset"},
	} {
		f.Set("z", tt.fault)
		_, _, err := z.ReadRange(t.Context(), "a", make([]byte, 5), 0)
		wantError(t, "ReadRange", err, tt.want)
		if e, ok := errors.AsType[*store.KeyError](err); !ok || e.Key != "a" {
			t.Errorf("%v names no key", err)
		}
	}
	f.Clear()
	if got, err := store.ReadAll(t.Context(), z, "a", 5); err != nil || string(got) != "value" {
		t.Errorf("afterwards: %q, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.OpenZipIn(ctx, m, "z"); !errors.Is(err, context.Canceled) {
		t.Errorf("OpenZipIn with a cancelled context: %v", err)
	}
	if _, err := store.OpenZipIn(t.Context(), m, "nosuch"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenZipIn of nothing: %v, want fs.ErrNotExist", err)
	}
}

// TestZipInflatesOnce reads parts of one open value, and counts what they read of the file.
func TestZipInflatesOnce(t *testing.T) {
	value := bytes.Repeat([]byte("0123456789"), 10_000)
	z, r := inMem(t, zipOf(t, "", zip.Deflate, map[string][]byte{"a": value}))
	v, err := z.OpenValue(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	before := len(r.Reads("a/b.zip"))
	dst := make([]byte, 100)
	for off := int64(0); off < int64(len(value)); off += 999 {
		n, _, err := v.ReadRange(t.Context(), dst, off)
		if err != nil || !bytes.Equal(dst[:n], value[off:][:n]) {
			t.Fatalf("ReadRange at %d = %d bytes, %v, or other bytes than the value's", off, n, err)
		}
	}
	if got := len(r.Reads("a/b.zip")) - before; got != 1 {
		t.Errorf("%d reads of the file, want 1", got)
	}
}

// rawZip makes a zip file of one entry, whose header says what it likes.
func rawZip(tb testing.TB, h zip.FileHeader, data []byte) []byte {
	tb.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	f, err := w.CreateRaw(&h)
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

func deflate(tb testing.TB, value []byte) []byte {
	tb.Helper()
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, flate.BestCompression)
	if err == nil {
		_, err = w.Write(value)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

// TestZipRefused reads entries that can't be, or that lie.
func TestZipRefused(t *testing.T) {
	value := bytes.Repeat([]byte("value"), 2000)
	sum := crc32.ChecksumIEEE(value)
	packed := deflate(t, value)
	n, p := uint64(len(value)), uint64(len(packed))
	tests := []struct {
		name string
		h    zip.FileHeader
		data []byte
		want string
	}{
		{"encrypted", zip.FileHeader{Flags: 1, CompressedSize64: n, UncompressedSize64: n, CRC32: sum}, value, "is encrypted"},
		{"method", zip.FileHeader{Method: 12, CompressedSize64: n, UncompressedSize64: n}, value, "zip method 12 (bzip2)"},
		{"unknown method", zip.FileHeader{Method: 77, CompressedSize64: n, UncompressedSize64: n}, value, "zip method 77"},
		{"symbolic link", zip.FileHeader{CreatorVersion: 3 << 8, ExternalAttrs: 0o120777 << 16, CompressedSize64: n, UncompressedSize64: n}, value, "symbolic link"},
		{"stored sum", zip.FileHeader{CompressedSize64: n, UncompressedSize64: n, CRC32: sum + 1}, value, "CRC-32"},
		{"stored sizes", zip.FileHeader{CompressedSize64: n, UncompressedSize64: n + 1, CRC32: sum}, value, "takes up"},
		{"stored too long", zip.FileHeader{CompressedSize64: n + 1, UncompressedSize64: n + 1, CRC32: sum}, value, "reaches beyond"},
		{"huge", zip.FileHeader{CompressedSize64: 1 << 62, UncompressedSize64: 1 << 62, CRC32: sum}, value, "reaches beyond"},
		{"deflated sum", zip.FileHeader{Method: 8, CompressedSize64: p, UncompressedSize64: n, CRC32: sum + 1}, packed, "CRC-32"},
		{"bomb", zip.FileHeader{Method: 8, CompressedSize64: p, UncompressedSize64: n - 1, CRC32: sum}, packed, "inflates to more than"},
		{"too little", zip.FileHeader{Method: 8, CompressedSize64: p, UncompressedSize64: n + 1, CRC32: sum}, packed, "inflated 10000 of 10001"},
		{"impossible", zip.FileHeader{Method: 8, CompressedSize64: p, UncompressedSize64: 1 << 40, CRC32: sum}, packed, "can't be deflated to"},
		{"cut", zip.FileHeader{Method: 8, CompressedSize64: p - 9, UncompressedSize64: n, CRC32: sum}, packed[:p-9], "unexpected EOF"},
		{"rubbish", zip.FileHeader{Method: 8, CompressedSize64: n, UncompressedSize64: n, CRC32: sum}, value, "flate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.h.Name = "a/b"
			z := openZipBytes(t, rawZip(t, tt.h, tt.data))
			if names, err := z.List(t.Context(), "a"); err != nil || len(names) != 1 {
				t.Errorf("List = %q, %v, want b", names, err)
			}
			dst := make([]byte, n+1)
			_, _, err := z.ReadRange(t.Context(), "a/b", dst, 0)
			wantError(t, "ReadRange", err, tt.want)
			v, err := z.OpenValue(t.Context(), "a/b")
			if err == nil {
				_, _, err = v.ReadRange(t.Context(), dst[:n-2], 0) // kept, and so whole
				if tt.h.Method != zip.Deflate {
					_, _, err = v.ReadRange(t.Context(), dst, 0)
				}
			}
			wantError(t, "an open value's ReadRange", err, tt.want)
		})
	}
}
