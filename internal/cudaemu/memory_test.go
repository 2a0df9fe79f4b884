//go:build gds && linux && (amd64 || arm64)

package cudaemu

import (
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestAlloc(t *testing.T) {
	d := newDriver(t)
	d.bind(0)
	var p uint64
	d.want(1, d.alloc(&p, 0))
	p = d.memory(100000)
	if p%65536 != 0 {
		t.Errorf("address %#x isn't a multiple of 64 KiB", p)
	}
	if !all(view(p, 100000), 0xA5) {
		t.Error("new memory isn't filled with 0xA5")
	}
	if n := Get("alloc_bytes"); n != 100000 {
		t.Errorf("alloc_bytes is %d", n)
	}
	d.want(1, d.free(p+64))
	d.want(1, d.hostFree(p))
	d.want(0, d.free(p))
	d.want(1, d.free(p))
	q := d.memory(100000)
	if p == q {
		t.Error("the address of freed memory was used again at once")
	}
	d.want(0, d.free(0))
	h, b := d.pinned(5000)
	if h%4096 != 512 || !all(b, 0xA5) {
		t.Errorf("pinned memory at %#x, or it isn't filled", h)
	}
	if h, _ := d.pinned(2 << 20); h%4096 != 0 {
		t.Errorf("a huge page of pinned memory at %#x", h)
	}
	d.want(1, d.free(h))
}

func TestBudget(t *testing.T) {
	d := newDriver(t)
	Set(t, "memory", 1<<20)
	Set(t, "host_memory", 1000)
	d.bind(0)
	var p, free, total uint64
	d.want(2, d.alloc(&p, 1<<20+1))
	p = d.memory(1 << 19)
	d.want(2, d.alloc(&p, 1<<19+1))
	d.want(0, d.memInfo(&free, &total))
	if free != 1<<19 || total != 1<<20 {
		t.Errorf("%d bytes free of %d", free, total)
	}
	d.memory(1 << 19)
	d.want(2, d.alloc(&p, 1))
	d.want(2, d.alloc(&p, 1<<63))
	d.want(2, d.hostAlloc(&p, 1001, 1))
	d.pinned(1000)
	d.want(2, d.hostAlloc(&p, 1, 1))
}

func TestPointerAttributes(t *testing.T) {
	d := newDriver(t)
	c := d.bind(0)
	p := d.memory(1000)
	h, _ := d.pinned(1000)
	local := new([64]byte)
	defer runtime.KeepAlive(local)
	unknown := uint64(uintptr(unsafe.Pointer(local)))
	const fails = 1 << 63
	for _, test := range []struct {
		name  string
		which int32
		p     uint64
		want  uint64
	}{
		{"context of device memory", 1, p + 10, c},
		{"type of device memory", 2, p + 10, 2},
		{"type of pinned memory", 2, h, 1},
		{"start of the range", 11, p + 999, p},
		{"size of the range", 12, p + 999, 1000},
		{"host pointer of pinned memory", 4, h + 1, h + 1},
		{"host pointer of device memory", 4, p, fails},
		{"past the end", 2, p + 1000, fails},
		{"memory that isn't CUDA's", 2, unknown, fails},
		{"no such attribute", 99, p, fails},
	} {
		var v uint64
		if rc := d.pointer(&v, test.which, test.p); test.want == fails {
			d.want(1, rc)
		} else if rc != 0 || v != test.want {
			t.Errorf("%s: error %d, %#x, want %#x", test.name, rc, v, test.want)
		}
	}
	var a, b uint64 = 7, 7
	d.want(0, d.pointers(2, &[]int32{2, 1}[0], &[]*uint64{&a, &b}[0], unknown))
	if uint32(a) != 0 || b != 0 {
		t.Errorf("attributes of memory that isn't CUDA's: type %d, context %#x, want 0, 0", uint32(a), b)
	}
	d.want(0, d.pointers(2, &[]int32{2, 1}[0], &[]*uint64{&a, &b}[0], p))
	if uint32(a) != 2 || b != c {
		t.Errorf("attributes of device memory: type %d, context %#x", uint32(a), b)
	}
	d.want(0, d.span(&a, &b, p+500))
	if a != p || b != 1000 {
		t.Errorf("address range %#x, %d", a, b)
	}
	d.want(1, d.span(&a, &b, unknown))
}

func TestCopyBounds(t *testing.T) {
	d := newDriver(t)
	d.bind(0)
	p, q := d.memory(100), d.memory(100)
	h, b := d.pinned(200)
	fill(b, 1)
	for _, test := range []struct {
		name     string
		f        func(dst, src, n uint64) int32
		dst, src uint64
		n        uint64
		want     int32
	}{
		{"exactly", d.htod, p, h, 100, 0},
		{"past the end of the destination", d.htod, p, h, 101, 1},
		{"interior, past the end", d.htod, p + 50, h, 51, 1},
		{"past the end of the source", d.dtoh, h, p + 1, 100, 1},
		{"past the end of pinned memory", d.dtoh, h + 150, p, 51, 1},
		{"from device memory as if from the host's", d.htod, p, q, 100, 1},
		{"to host memory as if to the device's", d.htod, uint64(uintptr(unsafe.Pointer(d))), h, 1, 1},
		{"device to device", d.dtod, q, p, 100, 0},
		{"device to device, too long", d.dtod, q, p, 101, 1},
		{"unified", d.copy, h, q, 100, 0},
		{"unified, too long", d.copy, h, q, 101, 1},
		{"length that wraps", d.htod, p, h, 1<<64 - 1, 1},
		{"nothing", d.htod, p, h, 0, 0},
		{"null", d.htod, 0, h, 1, 1},
		{"from null", d.htod, p, 0, 1, 1},
	} {
		if rc := test.f(test.dst, test.src, test.n); rc != test.want {
			t.Errorf("%s: %d, want %d", test.name, rc, test.want)
		}
	}
	d.want(1, d.set(p+1, 0, 100))
	d.want(0, d.set(p, 9, 100))
	d.want(0, d.synchronize())
	if !all(view(p, 100), 9) || !all(view(q, 100), 1) {
		t.Error("the copies and the fill aren't there")
	}
}

func TestGuards(t *testing.T) {
	d := newDriver(t)
	d.bind(0)
	r := &recorder{TB: t}
	NoLeaks(r)
	var p uint64
	d.want(0, d.alloc(&p, 1000))
	view(p, 1001)[1000]++ // as a kernel or a transfer would that nobody checks
	if n := Get("guard_damage"); n != 1 {
		t.Errorf("guard_damage is %d, want 1", n)
	}
	d.want(0, d.free(p))
	if n := Get("guard_damage"); n != 1 {
		t.Errorf("guard_damage is %d after the free, want 1", n)
	}
	r.end()
	if len(r.errors) != 1 {
		t.Errorf("NoLeaks gave %q, want one error", r.errors)
	}
	mustLoad().reset()
}

func TestRegister(t *testing.T) {
	d := newDriver(t)
	d.bind(0)
	b, err := unix.Mmap(-1, 0, 5*4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	require.NoError(t, err)
	h := uint64(uintptr(unsafe.Pointer(&b[0])))
	d.want(0, d.register(h+4096, 4096, 0))
	d.want(712, d.register(h+4196, 100, 0)) // within
	d.want(712, d.register(h, 2*4096, 0))   // over its start
	d.want(0, d.register(h, 100, 0))        // of another page
	d.want(712, d.register(h+200, 100, 0))  // of the same page
	d.want(0, d.unregister(h))
	d.want(713, d.unregister(h+4196))
	var v uint64
	d.want(0, d.pointer(&v, 2, h+4106))
	require.EqualValues(t, 1, v, "memory type")
	require.EqualValues(t, 1, Get("registered"))
	d.want(0, d.unregister(h+4096))
	d.want(713, d.unregister(h+4096))
	d.want(1, d.register(h, 0, 0))
	p := d.memory(4096)
	pinned, _ := d.pinned(100)
	d.want(712, d.register(pinned, 100, 0))
	d.want(712, d.register(p, 100, 0))

	Set(t, "host_memory", 2*4096+100)
	d.want(2, d.register(h, 3*4096, 0))
	d.want(0, d.register(h, 4096, 0))

	// Memory is unmapped after it is no longer registered.
	before := Get("freed_in_use")
	require.NoError(t, unix.Munmap(b))
	d.want(1, d.register(h+2*4096, 4096, 0))
	d.want(0, d.unregister(h))
	require.EqualValues(t, 1, Get("freed_in_use")-before)
	require.Contains(t, LastError(), "unmapped")
	mustLoad().reset()
}

func TestCopy2D(t *testing.T) {
	d := newDriver(t)
	d.bind(0)
	s := d.stream(1)
	p := d.memory(64)
	h, b := d.pinned(32)
	for i := range b {
		b[i] = byte(i)
	}
	good := copy2D{srcType: 1, srcHost: h, srcPitch: 8, srcX: 1, srcY: 1, dstType: 2, dstDevice: p, dstPitch: 16, dstX: 2, dstY: 1, width: 3, height: 2}
	d.want(0, d.copy2D(&good, s))
	d.want(0, d.streamSync(s))
	for i, v := range view(p, 64) {
		want := byte(0xA5)
		if row, col := i/16, i%16; row >= 1 && row < 3 && col >= 2 && col < 5 {
			want = byte(row*8 + 1 + col - 2)
		}
		if v != want {
			t.Fatalf("byte %d is %#x, want %#x", i, v, want)
		}
	}
	for name, change := range map[string]func(c *copy2D){
		"rows longer than the pitch":         func(c *copy2D) { c.dstPitch = 4 },
		"source too small":                   func(c *copy2D) { c.srcY = 3 },
		"destination too small":              func(c *copy2D) { c.height, c.srcPitch, c.srcX, c.srcY = 5, 6, 0, 0 },
		"pitch that the device doesn't have": func(c *copy2D) { c.dstPitch = 1 << 31 },
		"no such type":                       func(c *copy2D) { c.srcType = 0 },
		"width that wraps":                   func(c *copy2D) { c.width, c.height = 1<<64-1, 1 },
	} {
		bad := good
		change(&bad)
		if rc := d.copy2D(&bad, s); rc != 1 {
			t.Errorf("%s: %d, want 1", name, rc)
		}
	}
	last := copy2D{srcType: 2, srcDevice: p, srcPitch: 16, dstType: 1, dstHost: h, dstPitch: 16, width: 16, height: 2}
	d.want(0, d.copy2D(&last, s))
	d.want(0, d.streamSync(s))
}
