//go:build gds && linux && (amd64 || arm64)

package cudaemu

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// childRetains names the variable that has the error that TestRetainChild must get.
const childRetains = "GDSTEST_CHILD_RETAINS"

// TestRetainChild is run by TestComputeMode in processes of its own.
func TestRetainChild(t *testing.T) {
	want := os.Getenv(childRetains)
	if want == "" {
		t.Skip("not a child of TestComputeMode")
	}
	d := newDriver(t)
	var c uint64
	rc := d.retain(&c, 0)
	require.Equal(t, want == "46", rc == 46, "retaining gave %d, want %s", rc, want)
}

func TestComputeMode(t *testing.T) {
	child := func(want string) {
		t.Helper()
		// By way of a shell, which some programs start others with.
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `"$0" -test.run='^TestRetainChild$'; exit $?`, os.Args[0])
		cmd.Env = append(os.Environ(), childRetains+"="+want)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "PASS")
	}
	d := newDriver(t)
	var c uint64
	var mode int32
	d.want(0, d.attribute(&mode, 20, 0))
	require.Zero(t, mode)
	d.want(0, d.retain(&c, 0))
	child("0")
	Set(t, "compute_mode", 3)
	d.want(0, d.attribute(&mode, 20, 0))
	require.EqualValues(t, 3, mode)
	child("46")
	d.want(0, d.retain(&c, 0)) // it is this process's
	d.want(0, d.release(0))
	d.want(0, d.release(0))
	child("0")
	d.want(0, d.retain(&c, 0))
	child("46")
	d.want(0, d.release(0))
	Set(t, "compute_mode", 2)
	d.want(46, d.retain(&c, 0))
}

// TestSpins counts the waits that keep a core busy.
func TestSpins(t *testing.T) {
	d := newDriver(t)
	d.want(0, d.setFlags(0, 0))
	t.Cleanup(func() { d.setFlags(0, 0) })
	c := d.bind(0)
	p, s := d.memory(64), d.stream(1)
	h, _ := d.pinned(64)
	var spinning, blocking uint64
	d.want(0, d.eventCreate(&spinning, 2))
	d.want(0, d.eventCreate(&blocking, 3))
	defer d.eventDestroy(spinning)
	defer d.eventDestroy(blocking)
	for _, test := range []struct {
		name  string
		f     func() int32
		spins int64 // with CU_CTX_SCHED_AUTO
	}{
		{"stream", func() int32 { return d.streamSync(s) }, 1},
		{"context", d.synchronize, 1},
		{"event", func() int32 { return d.eventSync(spinning) }, 1},
		{"blocking event", func() int32 { return d.eventSync(blocking) }, 0},
		{"copy", func() int32 { return d.htod(p, h, 64) }, 1},
		{"queued copy", func() int32 { return d.htodA(p, h, 64, s) }, 0},
		{"query", func() int32 { return d.eventQuery(spinning) }, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			d.want(0, d.setCurrent(c))
			defer d.setCurrent(0)
			for _, flags := range []uint32{0, 1, 2, 4} {
				d.want(0, d.setFlags(0, flags))
				before := Get("spins")
				d.want(0, test.f())
				want := test.spins
				if flags > 1 {
					want = 0
				}
				require.Equal(t, want, Get("spins")-before, "flags %d", flags)
			}
		})
	}
	d.want(0, d.synchronize())
}

// TestContextFlags sets flags of contexts that are and that are not in use.
func TestContextFlags(t *testing.T) {
	d := newDriver(t)
	t.Cleanup(func() { d.setFlags(0, 0) })
	var flags uint32
	var active int32
	d.want(1, d.setFlags(0, 3))
	d.want(0, d.setFlags(0, 4))
	d.want(0, d.state(0, &flags, &active))
	require.EqualValues(t, 4, flags)
	require.Zero(t, active)
	d.bind(0)
	d.want(0, d.setFlags(0, 8))
	d.want(0, d.state(0, &flags, &active))
	require.EqualValues(t, 8, flags)
	require.EqualValues(t, 1, active)
	Set(t, "driver_version", 10020)
	d.want(708, d.setFlags(0, 4))
}

// TestCallCounts counts calls, each and all.
func TestCallCounts(t *testing.T) {
	d := newDriver(t)
	d.bind(0)
	all, some := Get("calls"), Get("calls.cuMemGetInfo_v2")
	var free, total uint64
	for range 3 {
		d.want(0, d.memInfo(&free, &total))
	}
	d.want(0, d.synchronize())
	require.EqualValues(t, 4, Get("calls")-all)
	require.EqualValues(t, 3, Get("calls.cuMemGetInfo_v2")-some)
}

// TestUnloadInUse unloads a module before its work has ended.
func TestUnloadInUse(t *testing.T) {
	d := newDriver(t)
	Set(t, "lazy", 1)
	d.bind(0)
	p, s := d.memory(80), d.stream(1)
	var m, f uint64
	d.want(0, d.load(&m, store))
	d.want(0, d.function(&f, m, "store"))
	d.want(0, d.run(f, 2, 5, s, p, 1))
	d.want(401, d.unload(m))
	require.True(t, strings.Contains(LastError(), "1 launches"), LastError())
	d.want(0, d.streamSync(s))
	d.want(0, d.unload(m))
}
