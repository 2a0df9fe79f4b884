package regions

import (
	"bytes"
	"context"
	"runtime/trace"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// record returns the execution trace of a function.
func record(tb testing.TB, f func(context.Context)) []byte {
	tb.Helper()
	if trace.IsEnabled() {
		tb.Skip("this test's own trace is being taken, and there can be only one")
	}
	var buf bytes.Buffer
	require.NoError(tb, trace.Start(&buf))
	f(tb.Context())
	trace.Stop()
	return buf.Bytes()
}

// work is an epoch in small: a loop that waits and steps, and two workers that read and decode, one inside the other.
func work(ctx context.Context) {
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range 3 {
				trace.WithRegion(ctx, "read", func() {
					trace.WithRegion(ctx, "decode", func() { spin(1000) })
				})
			}
		})
	}
	wait := trace.StartRegion(ctx, "wait")
	wg.Wait()
	wait.End()
	trace.WithRegion(ctx, "step", func() {})
}

func spin(n int) {
	var mu sync.Mutex // so that the loop stays
	for range n {
		mu.Lock()
		sum := n
		mu.Unlock()
		_ = sum
	}
}

func TestRead(t *testing.T) {
	sum, err := Read(bytes.NewReader(record(t, work)))
	require.NoError(t, err)
	if len(sum.Regions) != 4 {
		t.Fatalf("types %+v, want decode, read, step, wait", sum.Regions)
	}
	for _, want := range []Region{
		{Type: "decode", Count: 6, Goroutines: 2},
		{Type: "read", Count: 6, Goroutines: 2},
		{Type: "step", Count: 1, Goroutines: 1},
		{Type: "wait", Count: 1, Goroutines: 1},
	} {
		got := sum.Of(want.Type)
		if got == nil || got.Count != want.Count || got.Goroutines != want.Goroutines {
			t.Errorf("Of(%q) = %+v, want count %d on %d goroutines", want.Type, got, want.Count, want.Goroutines)
			continue
		}
		if got.Total <= 0 || got.Self < 0 || got.Self > got.Total || got.Total > 2*sum.Span {
			t.Errorf("%s: total %v, self %v, of a span of %v", want.Type, got.Total, got.Self, sum.Span)
		}
	}
	read, decode := sum.Of("read"), sum.Of("decode")
	if read.Self != read.Total-decode.Total {
		t.Errorf("read: self %v, want its total %v less decode's %v", read.Self, read.Total, decode.Total)
	}
	if decode.Self != decode.Total {
		t.Errorf("decode: self %v, want %v: nothing is inside it", decode.Self, decode.Total)
	}
	if got := sum.Of("place"); got != nil {
		t.Errorf("Of(place) = %+v, want nil", got)
	}
}

// A region that is open when the trace stops ends there; one that was open when it started is left out.
func TestReadOpenRegions(t *testing.T) {
	before := trace.StartRegion(t.Context(), "before")
	var during *trace.Region
	data := record(t, func(ctx context.Context) {
		before.End()
		during = trace.StartRegion(ctx, "during")
		spin(100)
	})
	during.End()
	sum, err := Read(bytes.NewReader(data))
	require.NoError(t, err)
	if len(sum.Regions) != 1 || sum.Regions[0].Type != "during" || sum.Regions[0].Count != 1 || sum.Regions[0].Total <= 0 {
		t.Errorf("regions %+v, want one of during, longer than 0", sum.Regions)
	}
}

func TestReadBad(t *testing.T) {
	data := record(t, work)
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "not an execution trace"},
		{"other file", []byte("goos: linux\ngoarch: amd64\nBenchmarkEpoch 1 1 ns/op\n"), "not an execution trace"},
		{"cut off", data[:len(data)/2], "cut off"},
	} {
		if sum, err := Read(bytes.NewReader(tt.data)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %+v, error %v, want one with %q", tt.name, sum, err, tt.want)
		}
	}
}

// Whatever a file holds, Read returns; and what it returns adds up.
func FuzzRead(f *testing.F) {
	f.Add([]byte("go 1.26 trace\x00\x00\x00"))
	data := record(f, work)
	f.Add(data)
	for _, at := range []int{len(data) / 3, len(data) / 2, len(data) - 40} {
		damaged := bytes.Clone(data)
		damaged[at] ^= 0x55
		f.Add(damaged)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sum, err := Read(bytes.NewReader(data))
		if (sum == nil) == (err == nil) {
			t.Fatalf("sum %v and error %v", sum, err)
		}
		if err != nil {
			return
		}
		for _, r := range sum.Regions {
			if r.Count <= 0 || r.Goroutines <= 0 || r.Goroutines > r.Count {
				t.Errorf("%+v", r)
			}
		}
	})
}
