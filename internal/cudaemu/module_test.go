//go:build gds && linux && (amd64 || arm64)

package cudaemu

import (
	"strings"
	"testing"
	"unsafe"
)

// store is a kernel that writes its second argument, plus the index of the thread, to the index'th word of its first.
const store = `.version 5.0
.target sm_50
.address_size 64
.visible .entry store(
	.param .u64 store_param_0,
	.param .u64 store_param_1
)
{
	.reg .b32 %r<4>;
	.reg .b64 %rd<6>;
	ld.param.u64 %rd1, [store_param_0];
	ld.param.u64 %rd2, [store_param_1];
	mov.u32 %r1, %ctaid.x;
	mov.u32 %r2, %ntid.x;
	mov.u32 %r3, %tid.x;
	mad.lo.s32 %r1, %r1, %r2, %r3;
	mul.wide.s32 %rd3, %r1, 8;
	add.s64 %rd4, %rd1, %rd3;
	cvt.u64.u32 %rd5, %r1;
	add.s64 %rd5, %rd5, %rd2;
	st.global.u64 [%rd4], %rd5;
	ret;
}
`

// run launches a kernel whose arguments are words of 8 bytes. They are copied before it returns.
func (d *driver) run(f uint64, grid, block uint32, s uint64, args ...uint64) int32 {
	params := make([]unsafe.Pointer, len(args))
	for i := range args {
		params[i] = unsafe.Pointer(&args[i])
	}
	rc := d.launch(f, grid, 1, 1, block, 1, 1, 0, s, unsafe.SliceData(params), nil)
	clear(args) // the driver has copied them
	return rc
}

func TestLaunch(t *testing.T) {
	d := newDriver(t)
	Set(t, "lazy", 1)
	d.bind(0)
	var m, f, g uint64
	d.want(0, d.load(&m, store))
	d.want(500, d.function(&f, m, "stor"))
	d.want(0, d.function(&f, m, "store"))
	d.want(0, d.function(&g, m, "store"))
	if f != g {
		t.Errorf("one function has handles %#x and %#x", f, g)
	}
	p := d.memory(80)
	s, e := d.stream(1), d.event()
	words := unsafe.Slice((*uint64)(unsafe.Pointer(&view(p, 80)[0])), 10)
	d.want(0, d.run(f, 2, 5, s, p, 100))
	d.want(0, d.record(e, s))
	if words[0] != 0xA5A5A5A5A5A5A5A5 {
		t.Error("the kernel ran before anybody waited")
	}
	d.want(0, d.eventSync(e))
	for i, v := range words {
		if v != uint64(100+i) {
			t.Errorf("word %d is %d, want %d", i, v, 100+i)
		}
	}
	for _, bad := range []struct {
		name          string
		f, s          uint64
		gx, gy, bx    uint32
		shared        uint32
		params, extra bool
		want          int32
	}{
		{"no function", s, s, 1, 1, 1, 0, true, false, 400},
		{"no stream", f, f, 1, 1, 1, 0, true, false, 400},
		{"no blocks", f, s, 0, 1, 1, 0, true, false, 1},
		{"too many threads", f, s, 1, 1, 1025, 0, true, false, 1},
		{"two dimensions", f, s, 1, 2, 1, 0, true, false, 801},
		{"dynamic shared memory", f, s, 1, 1, 1, 16, true, false, 801},
		{"no arguments", f, s, 1, 1, 1, 0, false, false, 1},
		{"extra", f, s, 1, 1, 1, 0, true, true, 801},
	} {
		args := [2]uint64{p, 0}
		params := []unsafe.Pointer{unsafe.Pointer(&args[0]), unsafe.Pointer(&args[1])}
		var list, extra *unsafe.Pointer
		if bad.params {
			list = &params[0]
		}
		if bad.extra {
			extra = &params[0]
		}
		if rc := d.launch(bad.f, bad.gx, bad.gy, 1, bad.bx, 1, 1, bad.shared, bad.s, list, extra); rc != bad.want {
			t.Errorf("%s: %d, want %d", bad.name, rc, bad.want)
		}
	}
	d.want(0, d.unload(m))
	d.want(400, d.unload(m))
	d.want(400, d.run(f, 1, 1, s, p, 0))
	d.want(400, d.function(&f, m, "store"))
	d.want(218, d.load(&m, "not PTX"))
	d.want(200, d.load(&m, "\x7fELF"))
}

// TestIllegalAddress has kernels that write where they may not: past the end, to another device, to pinned memory. The device is lost, as a GPU would be.
func TestIllegalAddress(t *testing.T) {
	for _, lazy := range []int64{0, 1} {
		for _, where := range []string{"end", "device", "host"} {
			t.Run(where, func(t *testing.T) {
				d := newDriver(t)
				Set(t, "lazy", lazy)
				Set(t, "devices", 2)
				t.Cleanup(func() { mustLoad().set("lost", 0) })
				other := d.bind(1)
				c := d.bind(0)
				var m, f, p, q, h, s uint64
				d.want(0, d.setCurrent(other))
				d.want(0, d.alloc(&q, 80))
				d.want(0, d.setCurrent(c))
				d.want(0, d.alloc(&p, 80))
				d.want(0, d.hostAlloc(&h, 80, 1))
				d.want(0, d.streamCreate(&s, 1))
				d.want(0, d.load(&m, store))
				d.want(0, d.function(&f, m, "store"))
				bad := map[string]uint64{"end": p + 8, "device": q, "host": h}[where]
				d.want(0, d.run(f, 2, 5, s, bad, 1))
				d.want(700, d.streamSync(s))
				d.want(700, d.free(p))
				if err := LastError(); !strings.Contains(err, "store") {
					t.Errorf("last error %q", err)
				}
				d.want(0, d.setCurrent(other)) // the other device isn't lost
				d.want(0, d.free(q))
			})
		}
	}
}
