package codec_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zarrbench/zarrio/codec"
)

// sharedFiles returns what matches pattern in the folder of conformance material, and skips the test if there is no such folder.
func sharedFiles(t *testing.T, pattern string) []string {
	t.Helper()
	root := filepath.Join("..", "..", "..", "shared", "conformance")
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no conformance material: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no files in %s (%v)", pattern, root, err)
	}
	return files
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// npyBytes returns the data of a .npy file as they lie in the file.
func npyBytes(t *testing.T, path string) []byte {
	t.Helper()
	b := readFile(t, path)
	if len(b) < 10 || string(b[:6]) != "\x93NUMPY" || b[6] != 1 {
		t.Fatalf("%s: not a .npy file of version 1", path)
	}
	return b[10+int(binary.LittleEndian.Uint16(b[8:])):]
}

// TestCBloscFrames decodes frames by releases of C-Blosc from 1.3 to 1.18.
func TestCBloscFrames(t *testing.T) { eachLibrary(t, testCBloscFrames) }

func testCBloscFrames(t *testing.T) {
	want := make([]byte, 0, 4000000)
	for i := range 1000000 {
		want = binary.LittleEndian.AppendUint32(want, uint32(i))
	}
	dec, err := codec.New("blosc", nil, codec.Options{Format: 2})
	if err != nil {
		t.Fatal(err)
	}
	var s codec.Scratch // shared by all frames: what one leaves behind must not matter to the next
	for _, path := range sharedFiles(t, "c-blosc/*.cdata") {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".cdata"), func(t *testing.T) {
			got := make([]byte, len(want))
			if err := dec.Decode(got, readFile(t, path), &s); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Error("decodes to other bytes than were encoded")
			}
		})
	}
}

// numcodecsFolders are those of the folder numcodecs that TestNumcodecsFixtures decodes.
var numcodecsFolders = []string{"astype/f", "astype/i", "blosc", "bz2", "crc32c", "delta/bool", "delta/float32", "delta/float64", "delta/int32",
	"delta/uint16", "fixedscaleoffset", "gzip", "lz4", "lzma", "packbits", "quantize", "shuffle", "zlib", "zstd"}

// TestNumcodecsFolders finds a test for each folder of a codec: a new one is not passed over.
func TestNumcodecsFolders(t *testing.T) {
	root := filepath.Join("..", "..", "..", "shared", "conformance", "numcodecs")
	sharedFiles(t, "numcodecs/*")
	var found []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), "codec.") {
			var folder string
			folder, err = filepath.Rel(root, filepath.Dir(path))
			found = append(found, filepath.ToSlash(folder))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	tested := append([]string{"vlen-bytes", "vlen-utf8"}, numcodecsFolders...) // these two by the test of DecodeVLen
	for _, folder := range slices.Compact(found) {
		if !slices.Contains(tested, folder) {
			t.Errorf("no test decodes numcodecs/%s", folder)
		}
	}
	for _, folder := range tested {
		if !slices.Contains(found, folder) {
			t.Errorf("numcodecs/%s is not there", folder)
		}
	}
}

// TestNumcodecsFixtures decodes what numcodecs' own tests have encoded.
func TestNumcodecsFixtures(t *testing.T) { eachLibrary(t, testNumcodecsFixtures) }

func testNumcodecsFixtures(t *testing.T) {
	for _, name := range numcodecsFolders {
		t.Run(name, func(t *testing.T) {
			var s codec.Scratch
			for _, path := range sharedFiles(t, "numcodecs/"+name+"/codec.*/config.json") {
				config := readFile(t, path)
				var c struct {
					ID     string
					Scale  float64
					Digits float64
				}
				if err := json.Unmarshal(config, &c); err != nil {
					t.Fatal(err)
				}
				dec, err := codec.New(c.ID, config, codec.Options{Format: 2})
				if err != nil {
					t.Fatal(err)
				}
				dir := filepath.Dir(path)
				encoded, err := filepath.Glob(filepath.Join(dir, "encoded.*.dat"))
				if err != nil || len(encoded) == 0 {
					t.Fatalf("%s: no encoded files (%v)", dir, err)
				}
				for _, enc := range encoded {
					nn := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(enc), "encoded."), ".dat")
					want := npyBytes(t, filepath.Join(filepath.Dir(dir), "array."+nn+".npy"))
					got := make([]byte, len(want))
					err := dec.Decode(got, readFile(t, enc), &s)
					switch {
					case err != nil:
						t.Errorf("%s: %v", enc, err)
					case name == "astype/f":
						testNear(t, enc, got, want, 3)
					case c.ID == "fixedscaleoffset":
						testNear(t, enc, got, want, math.Floor(math.Log10(c.Scale)))
					case c.ID == "quantize":
						testNear(t, enc, got, want, c.Digits)
					case !bytes.Equal(got, want):
						t.Errorf("%s: decodes to other bytes than the array has", enc)
					}
				}
			}
		})
	}
}

// testNear compares what was stored with a loss, as numcodecs' tests do: to so many decimal places.
func testNear(t *testing.T, name string, got, want []byte, places float64) {
	t.Helper()
	for i := 0; i < len(want); i += 8 {
		g := math.Float64frombits(binary.LittleEndian.Uint64(got[i:]))
		w := math.Float64frombits(binary.LittleEndian.Uint64(want[i:]))
		if d := math.Abs(g - w); !(d < 1.5*math.Pow(10, -places)) {
			t.Fatalf("%s: element %d is %v, want %v", name, i/8, g, w)
		}
	}
}
