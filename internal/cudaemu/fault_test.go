//go:build gds && linux && (amd64 || arm64)

package cudaemu

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestFail(t *testing.T) {
	for _, test := range []struct {
		code, after, times int
		want               []int32
	}{
		{2, 1, 2, []int32{0, 2, 2, 0}},
		{999, 0, -1, []int32{999, 999, 999}},
		{0, 0, 0, []int32{0, 0}},
	} {
		t.Run(fmt.Sprint(test.code), func(t *testing.T) {
			d := newDriver(t)
			d.bind(0)
			before := Get("calls.cuMemAlloc_v2")
			Fail(t, "cuMemAlloc_v2", test.code, 0, test.after, test.times)
			for i, want := range test.want {
				var p uint64
				rc := d.alloc(&p, 10)
				if rc != want {
					t.Errorf("call %d gave %d, want %d", i, rc, want)
				}
				if rc == 0 {
					d.want(0, d.free(p))
				}
			}
			if n := int(Get("calls.cuMemAlloc_v2") - before); n != len(test.want) {
				t.Errorf("%d calls were counted, want %d", n, len(test.want))
			}
		})
	}
	d := newDriver(t)
	d.bind(0)
	d.memory(10) // no fault is left
}

// TestLost loses the context in the middle of queued work: all that needs the device says so, nothing waits, and the context can be released.
func TestLost(t *testing.T) {
	for _, lazy := range []int64{0, 1} {
		for _, fault := range []string{"cuMemcpyDtoHAsync_v2", "exec.cuMemsetD8Async"} {
			t.Run(fault, func(t *testing.T) {
				d := newDriver(t)
				NoLeaks(t)
				Set(t, "lazy", lazy)
				Fail(t, fault, 700, 0, 0, 1)
				var c, p, h, s, s2, e, q uint64
				d.want(0, d.retain(&c, 0))
				d.want(0, d.push(c))
				d.want(0, d.alloc(&p, 10))
				d.want(0, d.hostAlloc(&h, 10, 1))
				d.want(0, d.streamCreate(&s, 1))
				d.want(0, d.streamCreate(&s2, 1))
				d.want(0, d.eventCreate(&e, 2))
				d.setA(p, 1, 10, s)
				d.record(e, s)
				d.wait(s2, e, 0)
				d.dtohA(h, p, 10, s2)
				for name, rc := range map[string]int32{
					"streamSync": d.streamSync(s2), "eventSync": d.eventSync(e), "eventQuery": d.eventQuery(e), "synchronize": d.synchronize(),
					"alloc": d.alloc(&q, 1), "free": d.free(p), "htod": d.htod(p, h, 10), "streamDestroy": d.streamDestroy(s),
				} {
					if rc != 700 {
						t.Errorf("%s gave %d, want 700", name, rc)
					}
				}
				d.want(0, d.pop(nil))
				d.want(0, d.release(0))
				d.want(0, d.retain(&c, 0)) // the device stays lost
				d.want(0, d.push(c))
				d.want(700, d.alloc(&p, 10))
				d.want(0, d.pop(nil))
				d.want(0, d.release(0))
			})
		}
	}
	d := newDriver(t)
	d.bind(0)
	d.memory(1) // and is there again
}

func TestNoLeaks(t *testing.T) {
	if RealCufile() {
		t.Skip("NVIDIA's libcufile keeps things of its own: NoLeaks doesn't count them")
	}
	d := newDriver(t)
	d.bind(0)
	for name, leak := range map[string]func() (undo func()){
		"allocs":      func() func() { var p uint64; d.alloc(&p, 1); return func() { d.free(p) } },
		"host_allocs": func() func() { var p uint64; d.hostAlloc(&p, 1, 1); return func() { d.hostFree(p) } },
		"streams":     func() func() { var p uint64; d.streamCreate(&p, 1); return func() { d.streamDestroy(p) } },
		"events":      func() func() { var p uint64; d.eventCreate(&p, 2); return func() { d.eventDestroy(p) } },
		"contexts":    func() func() { var p uint64; d.retain(&p, 0); return func() { d.release(0) } },
	} {
		r := &recorder{TB: t}
		NoLeaks(r)
		undo := leak()
		r.end()
		if len(r.errors) == 0 || !strings.Contains(strings.Join(r.errors, "\n"), name) {
			t.Errorf("%s: NoLeaks gave %q", name, r.errors)
		}
		undo()
	}

	// What goes with its context was leaked too.
	var c, p uint64
	d.want(0, d.create(&c, 0, 0))
	d.want(0, d.alloc(&p, 1))
	d.want(0, d.destroy(c))
	if n := Get("leaked"); n != 1 {
		t.Errorf("leaked is %d, want 1", n)
	}
	mustLoad().reset()
}

// TestChild is run by TestEnv in processes of its own.
func TestChild(t *testing.T) {
	if os.Getenv("EMU") == "" {
		t.Skip("not a child of TestEnv")
	}
	d := symbols(t)
	var n int32
	d.want(3, d.count(&n))
	d.want(100, d.init(0))
	d.want(0, d.init(0))
	d.want(0, d.count(&n))
	if n != 3 || mustLoad().option("lazy") != 1 {
		t.Errorf("%d devices, lazy %d", n, mustLoad().option("lazy"))
	}
}

func TestEnv(t *testing.T) {
	Need(t)
	for _, test := range []struct {
		emu, says string
	}{
		{"devices=3,lazy=1;fail=cuInit:100:0:0:1", "PASS"},
		{"devices=9", "EMU has devices=9"},
		{"devices", "EMU has devices"},
		{"devices=3x", "EMU has devices=3x"},
		{"device=1", "EMU has device=1"},
		{"fail=cuInit:3", "EMU has fail=cuInit:3"},
		{"fail=cuInit:3:0:-1:1", "EMU has fail=cuInit:3:0:-1:1"},
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$", "-test.v")
		cmd.Env = Env(t, test.emu)
		out, err := cmd.CombinedOutput()
		if (err == nil) != (test.says == "PASS") || !strings.Contains(string(out), test.says) {
			t.Errorf("EMU=%s: %v\n%s", test.emu, err, out)
		}
	}
}
