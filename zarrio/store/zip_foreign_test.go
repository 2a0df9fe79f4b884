package store_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"zarrbench/zarrio/store"
)

// pythonZip was written by Python's zipfile: zarr.json with a zip64 field in its local header only, "höhe/Ω" named in code
// page 437, and a comment that begins like the end record.
const pythonZip = "PK\x03\x04-\x00\x00\x00\x00\x00\x00\x00!\x00C\xbf\xa6\xa3\xff\xff\xff\xff\xff\xff\xff\xff\t\x00\x14\x00zarr.json" +
	"\x01\x00\x10\x00\x02\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00{}" +
	"PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00!\x00:\x9d\x19J\x05\x00\x00\x00\x05\x00\x00\x00\x06\x00\x00\x00h\x94he/\xeaomega" +
	"PK\x01\x02-\x03-\x00\x00\x00\x00\x00\x00\x00!\x00C\xbf\xa6\xa3\x02\x00\x00\x00\x02\x00\x00\x00\t\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00\x00zarr.json" +
	"PK\x01\x02\x14\x03\x14\x00\x00\x00\x00\x00\x00\x00!\x00:\x9d\x19J\x05\x00\x00\x00\x05\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01=\x00\x00\x00h\x94he/\xea" +
	"PK\x05\x06\x00\x00\x00\x00\x02\x00\x02\x00k\x00\x00\x00f\x00\x00\x00'\x00PK\x05\x06 a comment that looks like a record"

func TestZipPython(t *testing.T) {
	z := openZipBytes(t, []byte(pythonZip))
	for key, want := range map[string]string{"zarr.json": "{}", "höhe/Ω": "omega"} {
		if got, err := store.ReadAll(t.Context(), z, key, 10); err != nil || string(got) != want {
			t.Errorf("ReadAll(%q) = %q, %v, want %q", key, got, err, want)
		}
	}
}

// TestZipNames decodes names that are marked as UTF-8, or not.
func TestZipNames(t *testing.T) {
	const dos, unix = 0 << 8, 3 << 8
	unicode := func(name, of string) []byte {
		le := binary.LittleEndian
		b := le.AppendUint16(le.AppendUint16(nil, 0x7075), uint16(5+len(name)))
		return append(le.AppendUint32(append(b, 1), crc32.ChecksumIEEE([]byte(of))), name...)
	}
	tests := []struct {
		name, raw string
		creator   uint16
		flags     uint16
		extra     []byte
		want      string
	}{
		{"UTF-8", "höhe", dos, 1 << 11, nil, "höhe"},
		{"cp437", "h\x94he", dos, 0, nil, "höhe"},
		{"cp437 that could be UTF-8", "h\xc3\xb6he", dos, 0, nil, "h├╢he"},
		{"unmarked UTF-8 of a Unix", "h\xc3\xb6he", unix, 0, nil, "höhe"},
		{"cp437 of a Unix", "h\x94he", unix, 0, nil, "höhe"},
		{"Unicode field", "h?he\x94", dos, 0, unicode("höhe", "h?he\x94"), "höhe"},
		{"Unicode field of another name", "h\x94he", dos, 0, unicode("other", "h?he"), "höhe"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := rawZip(t, zip.FileHeader{
				Name: tt.raw, CreatorVersion: tt.creator, Flags: tt.flags, Extra: tt.extra, NonUTF8: true,
				CompressedSize64: 1, UncompressedSize64: 1, CRC32: crc32.ChecksumIEEE([]byte("x")),
			}, []byte("x"))
			z := openZipBytes(t, file)
			if got, err := z.List(t.Context(), ""); err != nil || !slices.Equal(got, []string{tt.want}) {
				t.Fatalf("List = %q, %v, want %q", got, err, tt.want)
			}
			if got, err := store.ReadAll(t.Context(), z, tt.want, 1); err != nil || string(got) != "x" {
				t.Errorf("ReadAll = %q, %v, want x", got, err)
			}
		})
	}
}

// TestZipDuplicates has a name three times: the last counts, and the others' bytes are no part of it.
func TestZipDuplicates(t *testing.T) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, value := range []string{"first", "second", "third"} {
		f, err := w.CreateHeader(&zip.FileHeader{Name: "zarr.json", Method: zip.Store})
		if err == nil {
			_, err = f.Write([]byte(value))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	z := openZipBytes(t, buf.Bytes())
	if got, err := store.ReadAll(t.Context(), z, "zarr.json", 10); err != nil || string(got) != "third" {
		t.Errorf("ReadAll = %q, %v, want third", got, err)
	}
	if got, err := z.List(t.Context(), ""); err != nil || len(got) != 1 {
		t.Errorf("List = %q, %v, want one name", got, err)
	}
}

// TestZipDamaged changes single numbers of a good file: opening fails, or reading does.
func TestZipDamaged(t *testing.T) {
	files := map[string][]byte{"a": []byte("value of a"), "b": []byte("value of b")}
	file := zipOf(t, "", zip.Store, files)
	wide := toZip64(file)
	dir := bytes.Index(file, []byte("PK\x01\x02"))
	second := dir + 4 + bytes.Index(file[dir+4:], []byte("PK\x01\x02"))
	end := len(file) - 22
	wideDir := dir
	locator, end64 := len(wide)-42, len(wide)-98

	le := binary.LittleEndian
	set16 := func(at int, v uint16) func([]byte) { return func(b []byte) { le.PutUint16(b[at:], v) } }
	set32 := func(at int, v uint32) func([]byte) { return func(b []byte) { le.PutUint32(b[at:], v) } }
	set64 := func(at int, v uint64) func([]byte) { return func(b []byte) { le.PutUint64(b[at:], v) } }
	tests := []struct {
		name   string
		file   []byte
		change func([]byte)
		want   string
	}{
		{"no record", file, set32(end, 0), "no end of central directory"},
		{"trailing comment length", file, set16(end+20, 1), "no end of central directory"},
		{"disk", file, set16(end+4, 1), "several disks"},
		{"count", file, set16(end+10, 3), "a directory of 2 entries, want 3"},
		{"directory too long", file, set32(end+12, uint32(end+1)), "before offset"},
		{"directory too short", file, set32(end+12, uint32(end-second-1)), "signature"},
		{"directory beyond", file, set32(end+16, uint32(dir+1)), "want at most"},
		{"signature", file, set32(second, 7), "signature"},
		{"name too long", file, set16(second+28, 60000), "are left for an entry"},
		{"lacks zip64", file, set32(dir+24, 1<<32-1), "lacks a zip64 field"},
		{"header elsewhere", file, set32(dir+42, 1), "the directory lacks the entry at offset 0"},
		{"header of the other", file, set32(second+42, 0), "differs from the directory"},
		{"header outside", file, set32(dir+42, uint32(dir+1)), "the directory lacks the entry at offset 0"},
		{"header at the directory", file, set32(dir+42, uint32(dir)), "the directory lacks the entry at offset 0"},
		{"overlap", file, func(b []byte) { set32(dir+20, 12)(b); set32(dir+24, 12)(b); set16(28, 20)(b) }, "into what follows"},
		{"local signature", file, set32(0, 0), "signature"},
		{"local method", file, set16(8, 8), "differs from the directory"},
		{"local name", file, func(b []byte) { b[30] = 'c' }, "differs from the directory"},
		{"local extra", file, set16(28, 65535), "reaches beyond"},
		{"byte", file, func(b []byte) { b[31]++ }, "CRC-32"},
		{"locator", wide, set64(locator+8, 1<<63), ""},
		{"no record where located", wide, func(b []byte) { set64(locator+8, 3)(b); set32(end64, 0)(b) }, "no zip64 end"},
		{"count in zip64", wide, set64(end64+32, 1<<40), "a directory of 2 entries"},
		{"modulo count in zip64", wide, set64(end64+32, 2+1<<16), "a directory of 2 entries"},
		{"size in zip64", wide, set64(end64+40, 1<<63), "before offset"},
		{"offset in zip64", wide, set64(end64+48, 1<<63), "want at most"},
		{"size of an entry", wide, set64(wideDir+46+1+7+4, 1<<63), "bytes"},
		{"header beyond 63 bits", wide, set64(wideDir+46+1+7+4+16, 1<<63), "the directory lacks the entry at offset 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := slices.Clone(tt.file)
			tt.change(b)
			z, err := store.NewZip(bytes.NewReader(b), int64(len(b)), "damaged.zip")
			dst := make([]byte, 20)
			for key := range files {
				if err == nil {
					_, _, err = z.ReadRange(t.Context(), key, dst, 0)
				}
			}
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// TestZipLocator has a comment before the end record that looks like a locator, where none is needed.
func TestZipLocator(t *testing.T) {
	file := zipOf(t, "", zip.Store, map[string][]byte{"a": []byte("value")})
	dir, end := bytes.Index(file, []byte("PK\x01\x02")), len(file)-22
	comment := strings.Repeat("c", 60) + "PK\x06\x07" + strings.Repeat("c", 16)
	le := binary.LittleEndian
	b := slices.Concat(file[:end], []byte(comment), file[end:])
	le.PutUint16(b[dir+32:], uint16(len(comment)))
	le.PutUint32(b[len(b)-22+12:], uint32(end-dir+len(comment)))
	z := openZipBytes(t, b)
	if got, err := store.ReadAll(t.Context(), z, "a", 10); err != nil || string(got) != "value" {
		t.Errorf("ReadAll = %q, %v, want value", got, err)
	}

	// And a zip64 record that isn't needed is believed nevertheless.
	wide := toZip64(file)
	r := wide[len(wide)-22:]
	le.PutUint16(r[8:], 1)
	le.PutUint16(r[10:], 1)
	le.PutUint32(r[12:], uint32(len(wide)-98-dir))
	le.PutUint32(r[16:], uint32(dir))
	z = openZipBytes(t, wide)
	if got, err := store.ReadAll(t.Context(), z, "a", 10); err != nil || string(got) != "value" {
		t.Errorf("ReadAll with a zip64 record that isn't needed = %q, %v, want value", got, err)
	}
}

// FuzzZip takes any bytes as a zip file. What is listed can be read, or gives an error; parts are those of the whole.
func FuzzZip(f *testing.F) {
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		file := zipOf(f, "a/", method, map[string][]byte{".zgroup": []byte("{}"), "t/0": bytes.Repeat([]byte("value"), 50), "t/1": nil})
		f.Add(file)
		f.Add(toZip64(file))
	}
	f.Add([]byte(pythonZip))
	f.Fuzz(func(t *testing.T, file []byte) {
		z, err := store.NewZip(bytes.NewReader(file), int64(len(file)), "fuzz.zip")
		if err != nil {
			return
		}
		defer z.Close()
		values := 0
		var walk func(dir string)
		walk = func(dir string) {
			names, err := z.List(t.Context(), dir)
			if err != nil {
				t.Fatalf("List(%q): %v", dir, err)
			}
			if !slices.IsSorted(names) {
				t.Errorf("List(%q) = %q, not sorted", dir, names)
			}
			for _, name := range names {
				key := strings.TrimPrefix(dir+"/"+name, "/")
				if key, ok := strings.CutSuffix(key, "/"); ok {
					walk(key)
				} else if values++; values <= 100 {
					fuzzValue(t, z, key, len(file))
				}
			}
		}
		walk("")
	})
}

func fuzzValue(t *testing.T, z *store.Zip, key string, fileSize int) {
	v, err := z.OpenValue(t.Context(), key)
	if err != nil {
		return
	}
	defer v.Close()
	_, size, err := v.ReadRange(t.Context(), nil, 0)
	if err != nil || size < 0 || size > 1032*int64(fileSize) {
		t.Fatalf("%q is %d bytes, %v, in a file of %d", key, size, err, fileSize)
	}
	if size > 1<<20 {
		return
	}
	whole := make([]byte, size+1)
	n, _, err := z.ReadRange(t.Context(), key, whole, 0)
	if err != nil {
		return
	}
	if int64(n) != size {
		t.Fatalf("ReadRange(%q) = %d of %d bytes", key, n, size)
	}
	for _, off := range []int64{1, size / 2, -3} {
		part := make([]byte, 5)
		from := off
		if off < 0 {
			from = max(size+off, 0)
		}
		want := whole[min(from, size):size]
		want = want[:min(len(want), len(part))]
		if n, _, err := z.ReadRange(t.Context(), key, part, off); err != nil || !bytes.Equal(part[:n], want) {
			t.Errorf("ReadRange(%q, %d) = %x, %v, want %x", key, off, part[:n], err, want)
		}
		if n, _, err := v.ReadRange(t.Context(), part, off); err != nil || !bytes.Equal(part[:n], want) {
			t.Errorf("an open %q: ReadRange at %d = %x, %v, want %x", key, off, part[:n], err, want)
		}
	}
}
