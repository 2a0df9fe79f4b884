package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
)

// The chunks of the study's source, as a yearSource makes them up: Blosc frames whose blocks are stored as they are.
const (
	yearDecoded = 37 * 721 * 1440 * 4
	yearLevel   = 721 * 1440 * 4
	yearBlock   = 512 << 10
	yearBlocks  = (yearDecoded + yearBlock - 1) / yearBlock
	yearHead    = 16 + 4*yearBlocks
	yearFrame   = yearHead + 4*yearBlocks + yearDecoded
)

// yearFields are values that any of the variables may have: one block, twice. A chunk has them over and over, from a place of its
// own on.
var yearFields = sync.OnceValue(func() []byte {
	var b []byte
	for i := range 2 * yearBlock / 4 {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(i%(yearBlock/4)%20011)/100))
	}
	return b
})

// A yearChunk is a chunk of the source; the number makes it differ from others.
type yearChunk int

// field copies decoded bytes from off on, which lie in one block.
func (c yearChunk) field(p []byte, off int) int {
	at := (off + 4*97*int(c)) % yearBlock
	return copy(p, yearFields()[at:at+yearBlock])
}

// ReadAt reads the frame: what is asked for is made on the way.
func (c yearChunk) ReadAt(p []byte, off int64) (n int, err error) {
	head := []byte{2, 1, 0x30, 4} // LZ4, no shuffle, blocks in one stream
	for _, x := range []int{yearDecoded, yearBlock, yearFrame} {
		head = binary.LittleEndian.AppendUint32(head, uint32(x))
	}
	for i := range yearBlocks {
		head = binary.LittleEndian.AppendUint32(head, uint32(yearHead+i*(4+yearBlock)))
	}
	for n < len(p) {
		at := int(off) + n
		if at >= yearFrame {
			return n, io.EOF
		}
		if at < yearHead {
			n += copy(p[n:], head[at:])
			continue
		}
		block, in := (at-yearHead)/(4+yearBlock), (at-yearHead)%(4+yearBlock)
		size := min(yearBlock, yearDecoded-block*yearBlock)
		if in < 4 {
			n += copy(p[n:], binary.LittleEndian.AppendUint32(nil, uint32(size))[in:])
			continue
		}
		n += c.field(p[n:min(len(p), n+size-(in-4))], block*yearBlock+in-4)
	}
	return n, nil
}

// yearChunkOf is the chunk of a variable's step.
func yearChunkOf(name string, step int) yearChunk {
	return yearChunk(4*step + strings.Index(defaultVars, name)/10)
}

// yearSource is a studySource that has all chunks, of which it sends ranges or not. It calls seen, unless nil, for each request.
func yearSource(t *testing.T, ranges bool, seen func()) string {
	documents := studySource(t, yearFrame).Config.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if seen != nil {
			seen()
		}
		path := strings.Split(r.URL.Path, "/")
		name, key := path[len(path)-2], path[len(path)-1]
		first, chunk := strings.CutSuffix(key, ".0.0.0")
		step, err := strconv.Atoi(first)
		if !chunk || err != nil {
			documents.ServeHTTP(w, r)
			return
		}
		w.Header().Set("ETag", `"1"`)
		if !ranges {
			r.Header.Del("Range")
		}
		http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(yearChunkOf(name, step), 0, yearFrame))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// The first steps of the study's year make the same store whatever the number of requests at once, and in little memory, though
// an object that is fetched whole takes more than half of it, and a shard takes eight. The number of steps makes no difference to
// that: units come and go.
func TestYear(t *testing.T) {
	exe := build(t)
	for _, tt := range []struct {
		args   string
		steps  int
		ranges bool
	}{
		{"-j 1", 12, true},
		{"-j 16", 12, true},
		{"-j 16", 2, false},
		{"-j 8 -whole-objects", 4, true},
		{"-j 8 -whole-objects -form shard", 8, true},
	} {
		var (
			mu   sync.Mutex
			c    *child
			peak int64 // KiB
		)
		url := yearSource(t, tt.ranges, func() {
			mu.Lock()
			defer mu.Unlock()
			peak = max(peak, residentPeak(c.Process.Pid))
		})
		out := filepath.Join(t.TempDir(), "era5.zarr")
		args := append(strings.Fields(tt.args), "-endpoint", url, "-out", out, "-steps", fmt.Sprint(tt.steps))
		c = newChild(t, exe, args...)
		mu.Lock()
		err := c.Start()
		mu.Unlock()
		if err == nil {
			err = c.Wait()
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s", tt.args, err, &c.stderr)
		}
		want := make([]byte, yearLevel)
		for name := range strings.SplitSeq(defaultVars, ",") {
			for step := range tt.steps {
				for n := 0; n < yearLevel; {
					n += yearChunkOf(name, 59900+step).field(want[n:], 21*yearLevel+n)
				}
				if got := read(t, out, name, zarrio.Selection{zarrio.At(step)}); !bytes.Equal(got, want) {
					t.Fatalf("%s: step %d of %s is another one", tt.args, step, name)
				}
			}
		}
		require.NoError(t, os.RemoveAll(out))
		if peak == 0 {
			t.Logf("the memory of a process is not told on %s", runtime.GOOS)
		} else if t.Logf("%s, ranges %t: at most %d KiB resident", tt.args, tt.ranges, peak); peak >= 256<<10 {
			t.Errorf("%s, ranges %t: %d KiB were resident at most, want less than %d", tt.args, tt.ranges, peak, 256<<10)
		}
	}
}

// residentPeak returns the most memory, in KiB, that a process has had in the machine's, or 0 where that is not told.
func residentPeak(pid int) (kib int64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib
		}
	}
	return 0
}

// The command itself plans the study's year, and leaves nothing.
func TestYearPlan(t *testing.T) {
	out := filepath.Join(t.TempDir(), "data", "era5.zarr")
	c := newChild(t, build(t), "-study", "-plan", "-endpoint", yearSource(t, true, nil), "-out", out)
	if err := c.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &c.stderr)
	}
	for _, want := range []string{"4392 objects by about 8784 requests, about ", "estimated from the head", "4392 chunks, 18239800320 bytes"} {
		if !strings.Contains(c.stdout.String(), want) {
			t.Errorf("%s\nwant %q in it", &c.stdout, want)
		}
	}
	if isDir(filepath.Dir(out)) {
		t.Error("-plan made a folder")
	}
}
