//go:build linux && (amd64 || arm64)

package ptx

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"
)

// lib is the interpreter, and device memory as testdata/memory.c has it.
type lib struct {
	load   func(image string, out *uintptr, err *byte, n uintptr) int32
	free   func(m uintptr)
	target func(m uintptr) int32
	find   func(m uintptr, name string) uintptr
	params func(f uintptr) int32
	launch func(f uintptr, grid, block uint32, params *unsafe.Pointer, err *byte, n uintptr) int32
	clear  func()
	add    func(first, bytes uint64) int32
}

// openLib builds the interpreter, once for all tests. It returns nil and the reason if there is none.
var openLib = sync.OnceValues(func() (*lib, string) {
	if onGPU {
		return nil, "it tests the interpreter, and the kernels run on a GPU"
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		return nil, "no C compiler: " + err.Error()
	}
	dir, err := os.MkdirTemp("", "ptx")
	if err != nil {
		return nil, err.Error()
	}
	defer os.RemoveAll(dir) // the library stays mapped
	so, src := filepath.Join(dir, "ptx.so"), "../../../internal/cudaemu/testdata/"
	out, err := exec.Command(cc, "-std=gnu11", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-pthread", "-I", src,
		"-o", so, src+"ptx.c", src+"ptx_parse.c", src+"ptx_decode.c", "testdata/memory.c", "-lm").CombinedOutput()
	if err != nil {
		panic(string(out)) // a compiler that is there must take it
	}
	h, err := purego.Dlopen(so, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		panic(err)
	}
	l := new(lib)
	purego.RegisterLibFunc(&l.load, h, "ptx_load")
	purego.RegisterLibFunc(&l.free, h, "ptx_free")
	purego.RegisterLibFunc(&l.target, h, "ptx_target")
	purego.RegisterLibFunc(&l.find, h, "ptx_find")
	purego.RegisterLibFunc(&l.params, h, "ptx_params")
	purego.RegisterLibFunc(&l.launch, h, "ptx_launch")
	purego.RegisterLibFunc(&l.clear, h, "memory_clear")
	purego.RegisterLibFunc(&l.add, h, "memory_add")
	return l, ""
})

// onGPU is whether the tests of the kernels run on the GPU of this machine, as its driver compiles
// them, rather than in the interpreter.
var onGPU = os.Getenv("ZARRBENCH_GPU") == "real"

// A device runs one program over memory of its own. On a GPU, that memory is copied to the GPU
// before each launch, and back after it.
type device struct {
	*lib
	t      testing.TB
	gpu    *gpu // nil if the program runs in the interpreter
	module uintptr
	arena  []byte
	used   int
	guards [][]byte
}

const (
	guard = 0xA5
	fresh = 0xC3 // memory as it is allocated
)

// newDevice returns a device with so many bytes of memory; tests that use it must not run in parallel.
func newDevice(t testing.TB, source string, size int) *device {
	t.Helper()
	d := &device{t: t}
	if onGPU && source == Source() {
		d.gpu = newGPU(t, size)
	} else {
		l, reason := openLib()
		if l == nil {
			t.Skip(reason)
		}
		d.lib = l
		if err := d.loadModule(source); err != "" {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.free(d.module) })
	}
	arena, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	d.arena = arena
	t.Cleanup(func() {
		d.reset()
		if err := syscall.Munmap(arena); err != nil {
			t.Error(err)
		}
	})
	return d
}

// addr returns the address that kernels have for the first byte of b, which lies in device memory: for lists that hold addresses.
// run translates the arguments of kernels.
func (d *device) addr(b []byte) uint64 {
	if d.gpu != nil {
		return d.gpu.moved(d.arena, addr(b))
	}
	return addr(b)
}

// loadModule loads a program and returns the error's text.
func (d *device) loadModule(source string) string {
	msg := make([]byte, 512)
	if d.load(source, &d.module, &msg[0], uintptr(len(msg))) != 0 {
		return string(msg[:bytes.IndexByte(msg, 0)])
	}
	return ""
}

// alloc returns n bytes of device memory that begin offset bytes behind a multiple of 256, between guards.
func (d *device) alloc(n, offset int) []byte {
	d.t.Helper()
	const zone = 256
	first := (d.used+zone+255)/256*256 + offset
	if first+n+zone > len(d.arena) {
		d.t.Fatalf("%d bytes more than the %d of device memory", first+n+zone-len(d.arena), len(d.arena))
	}
	for i := d.used; i < first+n+zone; i++ {
		d.arena[i] = guard
	}
	b := d.arena[first : first+n : first+n]
	for i := range b {
		b[i] = fresh
	}
	d.guards = append(d.guards, d.arena[d.used:first], d.arena[first+n:first+n+zone])
	d.used = first + n + zone
	if n > 0 && d.gpu == nil && d.add(addr(b), uint64(n)) != 0 {
		d.t.Fatal("too many ranges of device memory")
	}
	return b
}

// put returns device memory with a copy of b.
func (d *device) put(b []byte, offset int) []byte {
	d.t.Helper()
	m := d.alloc(len(b), offset)
	copy(m, b)
	return m
}

// reset checks the guards and frees all memory.
func (d *device) reset() {
	d.t.Helper()
	for _, g := range d.guards {
		for i, b := range g {
			if b != guard {
				d.t.Errorf("byte %d of a guard is %#x", i, b)
				break
			}
		}
	}
	d.guards, d.used = nil, 0
	if d.gpu == nil {
		d.clear()
	}
}

// addr returns the address of memory of a device.
func addr(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

// tryRun launches a kernel, and returns the error's text.
func (d *device) tryRun(name string, grid, block uint32, args []uint64) string {
	d.t.Helper()
	if d.gpu != nil {
		return d.gpu.run(d.arena[:d.used], name, grid, block, args)
	}
	f := d.find(d.module, name)
	if f == 0 {
		d.t.Fatalf("no kernel %s", name)
	}
	if n := int(d.params(f)); n != len(args) {
		d.t.Fatalf("%s has %d parameters, not %d", name, n, len(args))
	}
	var pins runtime.Pinner
	defer pins.Unpin()
	params := make([]unsafe.Pointer, len(args)+1)
	pins.Pin(&params[0])
	for i := range args {
		pins.Pin(&args[i])
		params[i] = unsafe.Pointer(&args[i])
	}
	msg := make([]byte, 512)
	if d.launch(f, grid, block, &params[0], &msg[0], uintptr(len(msg))) != 0 {
		return string(msg[:bytes.IndexByte(msg, 0)])
	}
	return ""
}

// run launches a kernel unless there is nothing to do.
func (d *device) run(name string, grid, block uint32, args []uint64) {
	d.t.Helper()
	if grid == 0 {
		return
	}
	if err := d.tryRun(name, grid, block, args); err != "" {
		d.t.Fatal(err)
	}
}

// program returns a kernel k of the pointer parameter p, in %rd1, and of this body.
func program(body string) string {
	return `.version 5.0
.target sm_50
.address_size 64
.visible .entry k(.param .u64 p)
.maxntid 64, 1, 1
{
	.reg .pred %p<9>;
	.reg .b16 %rs<9>;
	.reg .b32 %r<9>;
	.reg .f32 %f<9>;
	.reg .b64 %rd<9>;
	.reg .f64 %fd<9>;
	.shared .align 8 .b8 s[512];
	ld.param.u64 %rd1, [p];
	mov.u32 %r1, %tid.x;
` + body + "\n\tret;\n}\n"
}

func TestLoadErrors(t *testing.T) {
	whole := program("")
	tests := []struct{ name, source, want string }{
		{"empty", "", "line 1: '' stands where '.version' is expected"},
		{"version", strings.Replace(whole, "5.0", "3.2", 1), "line 1: the version is '3.2', not from 4.0 to 8.9"},
		{"version of letters", strings.Replace(whole, "5.0", "5.x", 1), "line 1: the version is '5.x', not from 4.0 to 8.9"},
		{"version and more", strings.Replace(whole, "5.0", "5.01", 1), "line 1: the version is '5.01', not from 4.0 to 8.9"},
		{"target", strings.Replace(whole, "sm_50", "sm_51", 1), "line 2: the target 'sm_51' is not known"},
		{"late target", strings.Replace(whole, "sm_50", "sm_90", 1), "line 2: version 5.0 does not know the target sm_90"},
		{"address size", strings.Replace(whole, "64", "32", 1), "the address size is not 64"},
		{"cut short", whole[:len(whole)-3], "'' stands where an instruction is expected"},
		{"no function", ".version 5.0 .target sm_50 .address_size 64 .func f() {}", "'.func' stands where '.entry' is expected"},
		{"global variable", ".version 5.0 .target sm_50 .address_size 64 .global .u32 x;", "'.global' stands where '.entry' is expected"},
		{"opcode", program("frob.u32 %r1, %r1;"), "line 16: the instruction frob.u32 is not known"},
		{"modifier", program("add.sat.s32 %r1, %r1, 1;"), "the instruction add.sat.s32 is not known"},
		{"flush to zero", program("sub.ftz.f32 %f1, %f1, %f1;"), "the instruction sub.ftz.f32 is not known"},
		{"rounding", program("add.rz.f32 %f1, %f1, %f1;"), "the instruction add.rz.f32 is not known"},
		{"boolean", program("setp.lt.nor.u32 %p1, %r1, 1, %p2;"), "the instruction setp.lt.nor.u32 is not known"},
		{"cache", program("ld.global.xx.u32 %r1, [%rd1];"), "the instruction ld.global.xx.u32 is not known"},
		{"space", program("ld.const.u32 %r1, [%rd1];"), "the instruction ld.const.u32 is not known"},
		{"vector of 32", program("ld.global.v4.u64 {%rd1, %rd2, %rd3, %rd4}, [%rd1];"), "the instruction ld.global.v4.u64 is not known"},
		{"atomic", program("atom.global.add.u32 %r1, [%rd1], 1;"), "the instruction atom.global.add.u32 is not known"},
		{"operand missing", program("add.u32 %r1, %r1;"), "';' stands where ',' is expected"},
		{"operand more", program("add.u32 %r1, %r1, 1, 2;"), "',' stands where ';' is expected"},
		{"no semicolon", program("add.u32 %r1, %r1, 1"), "'ret' stands where ';' is expected"},
		{"register", program("add.u32 %r1, %r9, 1;"), "'%r9' stands where a register is expected"},
		{"register with a zero", program("add.u32 %r1, %r01, 1;"), "'%r01' stands where a register is expected"},
		{"register of another width", program("add.u64 %rd1, %rd1, %r1;"), "a register of type .b32 stands for a .u64"},
		{"register of another kind", program("add.u32 %r1, %f1, 1;"), "a register of type .f32 stands for a .u32"},
		{"predicate", program("add.u32 %r1, %p1, 1;"), "a register of type .pred stands for a .u32"},
		{"guard", program("@%r1 ret;"), "a register of type .b32 stands for a .pred"},
		{"special register written", program("mov.u32 %tid.x, 1;"), "a special register is written"},
		{"number too long", program("add.u32 %r1, %r1, 4294967296;"), "4294967296 does not fit a .u32"},
		{"number too low", program("add.s32 %r1, %r1, -2147483649;"), "-2147483649 does not fit a ."},
		{"number beyond 64 bits", program("add.u64 %rd1, %rd1, 18446744073709551616;"), "a bad number"},
		{"octal", program("add.u64 %rd1, %rd1, 07;"), "an octal number"},
		{"float's width", program("mov.f32 %f1, 0d0000000000000000;"), "stands for a .f32"},
		{"float's digits", program("mov.f32 %f1, 0f000;"), "a float of 3 digits"},
		{"label", program("bra here;"), "line 16: 'bra here' branches to no label"},
		{"label twice", program("a: a: ret;"), "the label a stands twice"},
		{"barrier", program("bar.sync 1;"), "only barrier 0"},
		{"barrier of some", program("bar.sync 0, 32;"), "only barrier 0"},
		{"parameter", program("ld.param.u64 %rd1, [q];"), "'q' stands where a parameter is expected"},
		{"behind a parameter", program("ld.param.u64 %rd1, [p+8];"), "reads 8 bytes at offset 8 of a parameter of 8"},
		{"pragma", program(`.pragma "other";`), `the pragma "other" is not supported`},
		{"local memory", program(".local .b8 x[4];"), "the instruction .local is not known"},
		{"scope", program("{ }"), "'{' stands where an instruction is expected"},
		{"shared memory", strings.Replace(whole, "s[512]", "s[49153]", 1), "a block may have 49152"},
		{"comment", program("/* "), "a comment does not end"},
		{"character", program("add.u32 %r1, %r1, #1;"), "the character 0x23"},
		{"register twice", strings.Replace(whole, ".b16 %rs<9>", ".b16 %rd<9>, %rd<3>", 1), "register %rd stands twice"},
	}
	l, reason := openLib()
	if l == nil {
		t.Skip(reason)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := device{lib: l, t: t}
			if got := d.loadModule(test.source); !strings.Contains(got, test.want) || got == "" {
				t.Errorf("error %q, want %q", got, test.want)
			}
		})
	}
}

func TestLaunchErrors(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"outside", "ld.global.u32 %r2, [%rd1+64];", "k, line 16, 'ld.global.u32 %r2, [%rd1+64]', block 0, thread 0: reads 4 bytes at"},
		{"outside by part", "st.global.v2.u32 [%rd1+56], {%r1, %r1}; ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1+56];", "which is no multiple"},
		{"before", "st.global.u8 [%rd1+-1], %r1;", "outside device memory"},
		{"null", "mov.u64 %rd2, 0; ld.global.u8 %r2, [%rd2];", "reads 1 bytes at 0, outside device memory"},
		{"misaligned", "ld.global.u32 %r2, [%rd1+2];", "which is no multiple"},
		{"misaligned vector", "ld.global.v2.f32 {%f1, %f2}, [%rd1+4];", "reads 8 bytes at"},
		{"register", "add.u32 %r2, %r3, 1;", "reads register %r3, which holds no value"},
		{"stored register", "st.global.v2.u32 [%rd1], {%r1, %r2};", "reads register %r2, which holds no value"},
		{"predicate", "@!%p3 ret;", "reads register %p3, which holds no value"},
		{"one way", "setp.gt.u32 %p1, %r1, 9; @%p1 mov.u32 %r2, 1; add.u32 %r2, %r2, 1;", "reads register %r2"},
		{"division", "mov.u32 %r2, 0; div.u32 %r3, %r1, %r2;", "divides by zero"},
		{"trap", "trap;", "the program stops itself"},
		{"shared memory not written", "ld.shared.u32 %r2, [s];", "reads shared memory that was never written"},
		{"behind shared memory", "st.shared.u32 [s+512], %r1;", "of 512 bytes of shared memory"},
		{"two writers", "st.shared.u32 [s], %r1;", "writes shared memory that thread 0 wrote"},
		{"no barrier", "mul.wide.u32 %rd2, %r1, 4; mov.u64 %rd3, s; add.u64 %rd3, %rd3, %rd2; st.shared.u32 [%rd3], %r1; ld.shared.u32 %r2, [s];", "reads shared memory that thread 0 wrote"},
		{"no second barrier", "setp.eq.u32 %p1, %r1, 0; @%p1 st.shared.u32 [s], %r1; bar.sync 0; ld.shared.u32 %r2, [s]; @%p1 st.shared.u32 [s], %r1;", "memory that another thread read"},
		{"ends before the barrier", "setp.gt.u32 %p1, %r1, 5; @%p1 ret; bar.sync 0;", "ends here, while thread 5 waits at a barrier"},
		{"waits alone", "setp.eq.u32 %p1, %r1, 0; @%p1 ret; bar.sync 0;", "thread 1: waits at this barrier, and thread 0 does not"},
		{"another barrier", "setp.gt.u32 %p1, %r1, 5; @%p1 bra a; bar.sync 0; ret; a: bar.sync 0;", "waits at this barrier, and thread 5 does not"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := newDevice(t, program(test.body), 1<<16)
			m := d.alloc(64, 0)
			if got := d.tryRun("k", 1, 64, []uint64{addr(m)}); !strings.Contains(got, test.want) || got == "" {
				t.Errorf("error %q, want %q", got, test.want)
			}
		})
	}
	d := newDevice(t, program(""), 1<<16)
	for _, c := range []struct{ grid, block uint32 }{{0, 1}, {1, 0}, {1, 65}, {1, 2000}, {1 << 31, 1}} {
		if d.tryRun("k", c.grid, c.block, []uint64{0}) == "" {
			t.Errorf("%d blocks of %d threads ran", c.grid, c.block)
		}
	}
	if got := d.target(d.module); got != 50 {
		t.Errorf("target %d, want 50", got)
	}
}
