//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"errors"
	"math"
	"os"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio/internal/cuda"
	"zarrbench/zarrio/internal/race"
)

const (
	batchSize  = 8
	batchPiece = 65536
)

// testBatch makes a batch, a file of batchSize pieces, and as much memory, registered.
func testBatch(t testing.TB) (d *Driver, b *Batch, h *Handle, p cuda.Ptr, data []byte) {
	t.Helper()
	d = testDriver(t)
	path, data := testFile(t, batchSize*batchPiece)
	h = register(t, d, path, direct)
	p = alloc(t, d.dev, batchSize*batchPiece)
	registerBuffer(t, d, p, batchSize*batchPiece)
	b, err := d.NewBatch(batchSize)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, b, h, p, data
}

// pieces are reads of the pieces from first to end, with their numbers and 100 as cookies.
func pieces(h *Handle, p cuda.Ptr, first, end int) []IO {
	var ios []IO
	for i := first; i < end; i++ {
		ios = append(ios, IO{Handle: h, Base: p, Bytes: batchPiece, Offset: int64(i) * batchPiece, BufOffset: int64(i) * batchPiece, Cookie: uint64(100 + i)})
	}
	return ios
}

// collect waits for n reads, which it returns by their cookies.
func collect(t testing.TB, b *Batch, n int) map[uint64]Completion {
	t.Helper()
	got := make(map[uint64]Completion)
	into := make([]Completion, n)
	for len(got) < n {
		k, err := b.Wait(1, into)
		if err != nil {
			t.Fatal(err)
		}
		if k == 0 {
			t.Fatalf("%d reads are done and none is in flight, want %d", len(got), n)
		}
		for _, c := range into[:k] {
			if _, ok := got[c.Cookie]; ok {
				t.Errorf("cookie %d comes twice", c.Cookie)
			}
			got[c.Cookie] = c
		}
	}
	return got
}

func submit(t testing.TB, b *Batch, ios []IO) {
	t.Helper()
	if err := b.Submit(ios); err != nil {
		t.Fatal(err)
	}
}

func TestBatch(t *testing.T) {
	d, b, h, p, data := testBatch(t)
	for range 3 {
		fill(t, d.dev, p, batchSize*batchPiece, 0)
		submit(t, b, pieces(h, p, 0, 3))
		submit(t, b, pieces(h, p, 3, batchSize))
		if b.Pending() != batchSize {
			t.Errorf("%d are pending, want %d", b.Pending(), batchSize)
		}
		for cookie, c := range collect(t, b, batchSize) {
			if c.N != batchPiece || c.Err != nil {
				t.Errorf("read %d: %d bytes, error %v", cookie, c.N, c.Err)
			}
		}
		if b.Pending() != 0 {
			t.Errorf("%d are pending, want none", b.Pending())
		}
		expect(t, d.dev, p, data)
	}
	if n, err := b.Wait(1, make([]Completion, 1)); n != 0 || err != nil {
		t.Errorf("with nothing in flight: %d, error %v", n, err)
	}
	if err := b.Submit(nil); err != nil {
		t.Errorf("nothing: %v", err)
	}
	// More is waited for than there is room for, and than is in flight.
	submit(t, b, pieces(h, p, 0, 4))
	if n, err := b.Wait(4, make([]Completion, 1)); n != 1 || err != nil {
		t.Errorf("room for 1: %d, error %v", n, err)
	}
	if n, err := b.Wait(100, make([]Completion, 100)); n != 3 || err != nil {
		t.Errorf("3 in flight: %d, error %v", n, err)
	}
}

// TestBatchEnd reads what ends before it is full.
func TestBatchEnd(t *testing.T) {
	d, b, h, p, data := testBatch(t)
	end := int64(len(data))
	submit(t, b, []IO{
		{Handle: h, Base: p, Bytes: 4096, Offset: end, Cookie: 1},
		{Handle: h, Base: p, Bytes: 4096, Offset: end - 100, BufOffset: 4096, Cookie: 2},
		{Handle: h, Base: p, Bytes: 777, Offset: 13, BufOffset: 8193, Cookie: 3},
	})
	got := collect(t, b, 3)
	for cookie, want := range map[uint64]int{1: 0, 2: 100, 3: 777} {
		if c := got[cookie]; c.N != want || c.Err != nil {
			t.Errorf("read %d: %d bytes, error %v, want %d", cookie, c.N, c.Err, want)
		}
	}
	expect(t, d.dev, p+4096, data[end-100:])
	expect(t, d.dev, p+8193, data[13:][:777])
}

// TestBatchRefused submits a bad read among good ones: none of them is made, and the batch goes on working.
func TestBatchRefused(t *testing.T) {
	d, b, h, p, data := testBatch(t)
	for _, test := range []struct {
		name string
		bad  IO
	}{
		{"negative offset", IO{Handle: h, Base: p, Bytes: 4096, Offset: -1}},
		{"negative offset in memory", IO{Handle: h, Base: p, Bytes: 4096, BufOffset: -1}},
		{"negative size", IO{Handle: h, Base: p, Bytes: -1}},
		{"behind the registration", IO{Handle: h, Base: p, Bytes: batchSize*batchPiece + 1}},
		{"null", IO{Handle: h, Bytes: 4096}},
		{"no file", IO{Base: p, Bytes: 4096}},
	} {
		fill(t, d.dev, p, batchSize*batchPiece, 0)
		if err := b.Submit(append(pieces(h, p, 0, 3), test.bad)); err == nil {
			t.Errorf("%s: no error", test.name)
		}
		if b.Pending() != 0 {
			t.Errorf("%s: %d are pending", test.name, b.Pending())
		}
		expect(t, d.dev, p, make([]byte, batchSize*batchPiece))
	}
	submit(t, b, pieces(h, p, 0, batchSize))
	collect(t, b, batchSize)
	expect(t, d.dev, p, data)
	if err := b.Submit(append(pieces(h, p, 0, batchSize), pieces(h, p, 0, 1)...)); err == nil {
		t.Error("more than there is room for: no error")
	}
}

// TestBatchRefusedLater submits what only the library refuses while others are in flight: it tells no more of those.
func TestBatchRefusedLater(t *testing.T) {
	d, b, h, p, data := testBatch(t)
	submit(t, b, pieces(h, p, 0, 3))
	err := b.Submit([]IO{{Handle: h, Base: p, Bytes: 4096, Offset: -1}})
	var e *Error
	if !errors.As(err, &e) || e.Call != "cuFileBatchIOSubmit" {
		t.Fatalf("negative offset: %v", err)
	}
	for cookie, c := range collect(t, b, 3) {
		if !errors.Is(c.Err, ErrCanceled) {
			t.Errorf("read %d: %d bytes, error %v, want %v", cookie, c.N, c.Err, ErrCanceled)
		}
	}
	fill(t, d.dev, p, batchSize*batchPiece, 0) // which the reads that were given up don't disturb
	submit(t, b, pieces(h, p, 3, batchSize))
	collect(t, b, batchSize-3)
	expect(t, d.dev, p, make([]byte, 3*batchPiece))
	expect(t, d.dev, p+3*batchPiece, data[3*batchPiece:])
}

func TestBatchCancel(t *testing.T) {
	d, b, h, p, data := testBatch(t)
	if err := b.Cancel(); err != nil {
		t.Errorf("nothing in flight: %v", err)
	}
	for range 3 {
		submit(t, b, pieces(h, p, 0, 4))
		if err := b.Cancel(); err != nil {
			t.Fatal(err)
		}
		fill(t, d.dev, p, batchSize*batchPiece, 0)
		if err := b.Submit(pieces(h, p, 0, 1)); err == nil {
			t.Error("Submit before the canceled reads were waited for: no error")
		}
		for cookie, c := range collect(t, b, 4) {
			if c.N != 0 || !errors.Is(c.Err, ErrCanceled) {
				t.Errorf("read %d: %d bytes, error %v, want %v", cookie, c.N, c.Err, ErrCanceled)
			}
		}
		expect(t, d.dev, p, make([]byte, 4*batchPiece))
		submit(t, b, pieces(h, p, 0, batchSize))
		for cookie, c := range collect(t, b, batchSize) {
			if c.N != batchPiece || c.Err != nil {
				t.Errorf("read %d after Cancel: %d bytes, error %v", cookie, c.N, c.Err)
			}
		}
		expect(t, d.dev, p, data)
	}
}

// TestBatchClose closes a batch with reads in flight: they have ended when it returns.
func TestBatchClose(t *testing.T) {
	d := testDriver(t)
	path, _ := testFile(t, batchSize*batchPiece)
	h := register(t, d, path, 0)
	p := alloc(t, d.dev, batchSize*batchPiece)
	b, err := d.NewBatch(batchSize)
	if err != nil {
		t.Fatal(err)
	}
	submit(t, b, pieces(h, p, 0, batchSize))
	if err := h.Close(); err == nil {
		t.Error("a file was closed whose reads are in flight")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	fill(t, d.dev, p, batchSize*batchPiece, 0)
	expect(t, d.dev, p, make([]byte, batchSize*batchPiece))
}

func TestBatchSize(t *testing.T) {
	d := testDriver(t)
	for _, n := range []int{-1, 0, 257, 1 << 20} {
		if b, err := d.NewBatch(n); err == nil {
			t.Errorf("NewBatch(%d): no error", n)
			b.Close()
		}
	}
}

// TestBatchLarge submits reads of as many bytes as one may have, or else 4 MiB.
func TestBatchLarge(t *testing.T) {
	t.Run("newest", testBatchLarge)
	t.Run("1.14", func(t *testing.T) {
		emulated(t)
		cudaemu.Set(t, "cufile.version", 1140)
		testBatchLarge(t)
	})
}

func testBatchLarge(t *testing.T) {
	d := testDriver(t)
	most, err := d.MaxBatchBytes()
	if err != nil {
		t.Fatal(err)
	}
	size := int(min(most, 4<<20))
	path, data := testFile(t, size)
	h := register(t, d, path, direct)
	p := alloc(t, d.dev, int64(size)+4096)
	b, err := d.NewBatch(1)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if most < math.MaxInt64 {
		if err := b.Submit([]IO{{Handle: h, Base: p, Bytes: size + 1}}); err == nil {
			t.Errorf("a read of %d bytes, where %d are said to be the most: no error", size+1, most)
		}
	}
	submit(t, b, []IO{{Handle: h, Base: p, Bytes: size}})
	if c := collect(t, b, 1)[0]; c.N != size || c.Err != nil {
		t.Errorf("%d bytes, error %v", c.N, c.Err)
	}
	expect(t, d.dev, p, data)
}

// TestBatchFaults injects what becomes of one read of several.
func TestBatchFaults(t *testing.T) {
	emulated(t)
	for _, test := range []struct {
		name         string
		code, status int
		want         error
	}{
		{"errno", int(syscall.EIO), 0, &Error{"cuFileBatchIOGetStatus", int(syscall.EIO), 0}},
		{"code", InternalError, 0, &Error{"cuFileBatchIOGetStatus", InternalError, 0}},
		{"failed", 0, statusFailed, &Error{"cuFileBatchIOGetStatus", int(syscall.EIO), 0}},
		{"invalid", 0, statusInvalid, &Error{"cuFileBatchIOGetStatus", InvalidValue, 0}},
		{"timeout", 0, statusTimeout, &Error{"cuFileBatchIOGetStatus", int(syscall.ETIMEDOUT), 0}},
		{"canceled", 0, statusCanceled, ErrCanceled},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, b, h, p, _ := testBatch(t)
			cudaemu.Fail(t, "cuFileBatchIO", test.code, test.status, 2, 1)
			submit(t, b, pieces(h, p, 0, batchSize))
			bad := 0
			for cookie, c := range collect(t, b, batchSize) {
				if c.Err == nil {
					if c.N != batchPiece {
						t.Errorf("read %d: %d bytes", cookie, c.N)
					}
					continue
				}
				bad++
				if c.N != 0 || c.Err.Error() != test.want.Error() {
					t.Errorf("read %d: %d bytes, error %v, want %v", cookie, c.N, c.Err, test.want)
				}
			}
			if bad != 1 {
				t.Errorf("%d reads ended with errors, want 1", bad)
			}
		})
	}
}

// TestBatchSignals sends the waiting thread the signal by which Go's runtime preempts goroutines, over and over: the library takes
// an interrupted wait for a failed read.
func TestBatchSignals(t *testing.T) {
	d, b, h, p, data := testBatch(t)
	thread, stop := unix.Gettid(), make(chan struct{})
	var sender sync.WaitGroup
	defer sender.Wait()
	defer close(stop)
	sender.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := unix.Tgkill(os.Getpid(), thread, unix.SIGURG); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for range 20 {
		fill(t, d.dev, p, batchSize*batchPiece, 0)
		submit(t, b, pieces(h, p, 0, batchSize))
		for cookie, c := range collect(t, b, batchSize) {
			if c.N != batchPiece || c.Err != nil {
				t.Fatalf("read %d: %d bytes, error %v", cookie, c.N, c.Err)
			}
		}
		expect(t, d.dev, p, data)
	}
}

// TestBatchStatusFails has the library refuse to tell of events: they come at the next try.
func TestBatchStatusFails(t *testing.T) {
	emulated(t)
	_, b, h, p, _ := testBatch(t)
	submit(t, b, pieces(h, p, 0, batchSize))
	cudaemu.Fail(t, "cuFileBatchIOGetStatus", 5041, 0, 0, 1)
	var e *Error
	if n, err := b.Wait(batchSize, make([]Completion, batchSize)); n != 0 || !errors.As(err, &e) || e.Code != 5041 {
		t.Errorf("%d, error %v", n, err)
	}
	collect(t, b, batchSize)
}

func TestBatchAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	_, b, h, p, _ := testBatch(t)
	ios, into := pieces(h, p, 0, batchSize), make([]Completion, batchSize)
	n := testing.AllocsPerRun(20, func() {
		if err := b.Submit(ios); err != nil {
			t.Error(err)
		}
		if n, err := b.Wait(batchSize, into); n != batchSize || err != nil {
			t.Error(n, err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocs of a batch, want 0", n)
	}
}

func TestNoBatch(t *testing.T) {
	emulated(t)
	cudaemu.Set(t, "cufile.version", 1060)
	t.Setenv("EMU", "cufile.version=1060")
	d := testDriver(t)
	if _, err := d.NewBatch(1); d.HasBatch() || !errors.Is(err, ErrNoBatch) {
		t.Errorf("error %v, want %v", err, ErrNoBatch)
	}
	if _, err := d.Stats(); !errors.Is(err, ErrNoStats) {
		t.Errorf("error %v, want %v", err, ErrNoStats)
	}
	if _, err := d.Size(MaxIOThreads); !errors.Is(err, ErrNoParameter) {
		t.Errorf("error %v, want %v", err, ErrNoParameter)
	}
	if _, err := d.MaxBatchBytes(); !errors.Is(err, ErrNoBatch) {
		t.Errorf("error %v, want %v", err, ErrNoBatch)
	}
}
