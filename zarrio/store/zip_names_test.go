package store_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/store"
)

// namedZip makes a zip file of entries with these names, each with its number as its value.
func namedZip(t *testing.T, names ...string) []byte {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for i, name := range names {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		require.NoError(t, err)
		if !strings.HasSuffix(name, "/") {
			_, err = f.Write([]byte{byte('0' + i)})
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	return buf.Bytes()
}

// TestZipUnusable has names that are no keys: they are listed, and a key that they may mean isn't taken for missing.
func TestZipUnusable(t *testing.T) {
	for _, tt := range []struct {
		name     string
		names    []string
		unusable []string
		reason   string
		meant    []string
	}{
		{"backslashes", []string{".zgroup", `t\.zarray`, `t\0.0`}, []string{`t\.zarray`, `t\0.0`}, "backslashes", []string{"t/.zarray", "t/0.0"}},
		{"one backslash", []string{".zgroup", `t/c\0`}, []string{`t/c\0`}, "backslashes", []string{"t/c/0"}},
		{"a dot", []string{".zgroup", "./t/0.0"}, []string{"./t/0.0"}, "not a valid key", []string{"t/0.0"}},
		{"a dot between", []string{".zgroup", "t/./0.0"}, []string{"t/./0.0"}, "not a valid key", []string{"t/0.0"}},
		{"a slash first", []string{".zgroup", "/t/0.0"}, []string{"/t/0.0"}, "begins with a slash", []string{"t/0.0"}},
		{"two slashes", []string{".zgroup", "t//0.0"}, []string{"t//0.0"}, "not a valid key", []string{"t/0.0"}},
		{"a parent", []string{".zgroup", "x/../t/0.0", "../out"}, []string{"../out", "x/../t/0.0"}, "not a valid key", []string{"t/0.0", "out"}},
		{"a NUL", []string{".zgroup", "t/0.0\x00.exe"}, []string{"t/0.0\x00.exe"}, "not a valid key", []string{"t/0.0"}},
		{"under a folder", []string{"a.zarr/.zgroup", `a.zarr/t\0.0`}, []string{`a.zarr/t\0.0`}, "backslashes", []string{"t/0.0"}},
		{"directories alone", []string{".zgroup", "./", `t\`, "/"}, nil, "", nil},
		{"twice", []string{".zgroup", "t/0.0", "t/0.0"}, []string{"t/0.0"}, "several entries that differ", nil},
		{"thrice", []string{".zgroup", "t/0.0", "t/0.0", "t/0.0"}, []string{"t/0.0"}, "several entries that differ", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z := openZipBytes(t, namedZip(t, tt.names...))
			list, err := z.Unusable(t.Context(), "")
			require.NoError(t, err)
			var names []string
			for _, u := range list {
				names = append(names, u.Name)
				require.ErrorContains(t, u.Err, tt.reason)
			}
			require.Equal(t, tt.unusable, names)
			for _, key := range tt.meant {
				_, _, err := z.ReadRange(t.Context(), key, nil, 0)
				require.ErrorContains(t, err, "may mean this one")
				require.False(t, errors.Is(err, fs.ErrNotExist))
			}
			_, _, err = z.ReadRange(t.Context(), "other", nil, 0)
			require.ErrorIs(t, err, fs.ErrNotExist)
			_, _, err = z.ReadRange(t.Context(), ".zgroup", nil, 0)
			require.NoError(t, err)
		})
	}
	t.Run("the same twice", func(t *testing.T) {
		var buf bytes.Buffer
		w := zip.NewWriter(&buf)
		for range 2 {
			_, err := w.Create("a")
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		list, err := openZipBytes(t, buf.Bytes()).Unusable(t.Context(), "")
		require.NoError(t, err)
		require.Empty(t, list)
	})
}

// TestZipInPart has files whose names can't all be read: they aren't opened, since chunks would read as fill values.
func TestZipInPart(t *testing.T) {
	le := binary.LittleEndian
	narrow := namedZip(t, "a", "b", "c")
	wide := toZip64(narrow)
	dir := bytes.Index(narrow, []byte("PK\x01\x02"))
	second := dir + 4 + bytes.Index(narrow[dir+4:], []byte("PK\x01\x02"))
	end := len(narrow) - 22
	end64, wideEnd := len(wide)-98, len(wide)-22
	first64 := bytes.Index(wide, []byte("PK\x01\x02"))
	second64 := first64 + 4 + bytes.Index(wide[first64+4:], []byte("PK\x01\x02"))
	utf8 := namedZip(t, "a", "h\xffhe")
	for _, at := range []int{bytes.LastIndex(utf8, []byte("PK\x01\x02")) + 8, bytes.LastIndex(utf8, []byte("PK\x03\x04")) + 6} {
		le.PutUint16(utf8[at:], 1<<11)
	}
	for _, tt := range []struct {
		name   string
		file   []byte
		change func(b []byte) []byte
		want   string
	}{
		{"cut in the directory", narrow, func(b []byte) []byte { return b[:second+20] }, "no end of central directory"},
		{"a piece cut out of the directory", narrow, func(b []byte) []byte { return slices.Delete(b, dir, second) }, "want at most"},
		{"a piece cut out of an entry", narrow, func(b []byte) []byte { return slices.Delete(b, 3, 10) }, "want at most"},
		{"fewer here", narrow, func(b []byte) []byte { le.PutUint16(b[end+8:], 2); return b }, "of which 2 are on this disk"},
		{"more here", narrow, func(b []byte) []byte { le.PutUint16(b[end+8:], 4); return b }, "of which 4 are on this disk"},
		{"count", narrow, func(b []byte) []byte { le.PutUint16(b[end+8:], 2); le.PutUint16(b[end+10:], 2); return b }, "a directory of 3 entries, want 2"},
		{"begins later", narrow, func(b []byte) []byte {
			le.PutUint32(b[end+8:], 2|2<<16)
			le.PutUint32(b[end+12:], uint32(end-second))
			return b
		}, "they disagree"},
		{"begins later at another offset", narrow, func(b []byte) []byte {
			le.PutUint32(b[end+8:], 2|2<<16)
			le.PutUint32(b[end+12:], uint32(end-second))
			le.PutUint32(b[end+16:], uint32(second))
			return b
		}, "the directory lacks the entry at offset 0"},
		{"zip64 begins later", wide, func(b []byte) []byte {
			le.PutUint64(b[end64+24:], 2)
			le.PutUint64(b[end64+32:], 2)
			le.PutUint64(b[end64+40:], uint64(end64-second64))
			return b
		}, "they disagree"},
		{"zip64 fewer here", wide, func(b []byte) []byte { le.PutUint64(b[end64+24:], 2); return b }, "of which 2 are on this disk"},
		{"zip64 count", wide, func(b []byte) []byte { le.PutUint64(b[end64+24:], 2); le.PutUint64(b[end64+32:], 2); return b }, "a directory of 3 entries, want 2"},
		{"zip64 and the end disagree", wide, func(b []byte) []byte { le.PutUint16(b[wideEnd+10:], 7); return b }, "the count of the directory is 7, the zip64 record before it 3"},
		{"zip64 and the end disagree on the length", wide, func(b []byte) []byte { le.PutUint32(b[wideEnd+12:], 7); return b }, "the length of the directory is 7"},
		{"zip64 and the end disagree on the offset", wide, func(b []byte) []byte { le.PutUint32(b[wideEnd+16:], 7); return b }, "the offset of the directory is 7"},
		{"a name that is no UTF-8", utf8, func(b []byte) []byte { return b }, "is marked as UTF-8 and isn't"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.change(slices.Clone(tt.file))
			_, err := store.NewZip(bytes.NewReader(b), int64(len(b)), "part.zip")
			require.ErrorIs(t, err, store.ErrZip)
			require.ErrorContains(t, err, "part.zip")
			require.ErrorContains(t, err, tt.want)
		})
	}
	for _, good := range [][]byte{narrow, wide, append([]byte("#!/bin/sh\n"), narrow...)} {
		openZipBytes(t, good)
	}
}
