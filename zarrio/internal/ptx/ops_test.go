//go:build linux && (amd64 || arm64)

package ptx

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"strings"
	"testing"
)

// evaluate runs instructions, of which the last has its result as its first operand, and returns that in 64 bits. They have
// eight bytes of memory at %rd1.
func evaluate(t *testing.T, code string) uint64 {
	t.Helper()
	last := code[strings.LastIndex(code, ";")+1:]
	if _, after, ok := strings.Cut(last, "@"); ok { // a guard
		_, last, _ = strings.Cut(after, " ")
	}
	reg := strings.TrimRight(strings.Fields(last)[1], ",")
	var store string
	switch {
	case strings.HasPrefix(reg, "%p"):
		reg = strings.Split(reg, "|")[0]
		store = "selp.u32 %r8, 1, 0, " + reg + "; st.global.u32 [%rd8+8], %r8;"
	case strings.HasPrefix(reg, "%rs"):
		store = "st.global.u16 [%rd8+8], " + reg + ";"
	case strings.HasPrefix(reg, "%rd"):
		store = "st.global.u64 [%rd8+8], " + reg + ";"
	case strings.HasPrefix(reg, "%r"):
		store = "st.global.u32 [%rd8+8], " + reg + ";"
	case strings.HasPrefix(reg, "%fd"):
		store = "st.global.f64 [%rd8+8], " + reg + ";"
	case strings.HasPrefix(reg, "%f"):
		store = "st.global.f32 [%rd8+8], " + reg + ";"
	}
	d := newDevice(t, program("mov.u64 %rd8, %rd1;\n"+code+";\n"+store), 1<<12)
	m := d.alloc(16, 0)
	clear(m)
	d.run("k", 1, 1, []uint64{addr(m)})
	result := binary.LittleEndian.Uint64(m[8:])
	d.reset()
	return result
}

func f32(x float32) string { return fmt.Sprintf("0f%08X", math.Float32bits(x)) }
func f64(x float64) string { return fmt.Sprintf("0d%016X", math.Float64bits(x)) }

func TestOperations(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	bits32 := func(x float32) uint64 { return uint64(math.Float32bits(x)) }
	tests := []struct {
		code string
		want uint64
	}{
		{"add.s16 %rs2, 32767, 1", 0x8000},
		{"add.u32 %r2, 4294967295, 2", 1},
		{"sub.s64 %rd2, 0, 1", math.MaxUint64},
		{"mul.lo.u16 %rs2, 65535, 65535", 1},
		{"mul.lo.s32 %r2, -3, 5", 0xfffffff1},
		{"mul.hi.u16 %rs2, 65535, 65535", 0xfffe},
		{"mul.hi.s16 %rs2, -1, 1", 0xffff},
		{"mul.hi.u32 %r2, 4294967295, 4294967295", 0xfffffffe},
		{"mul.hi.s32 %r2, -1, 4", 0xffffffff},
		{"mul.hi.s64 %rd2, -1, 1", math.MaxUint64},
		{"mul.wide.u16 %r2, 65535, 65535", 0xfffe0001},
		{"mul.wide.s16 %r2, -1, 3", 0xfffffffd},
		{"mul.wide.u32 %rd2, 4294967295, 2", 0x1fffffffe},
		{"mul.wide.s32 %rd2, -1, 2", math.MaxUint64 - 1},
		{"mad.lo.u32 %r2, 3, 5, 7", 22},
		{"mad.lo.s32 %r2, -3, 5, 7", 0xfffffff8},
		{"mad.lo.s64 %rd2, -3, 5, 7", math.MaxUint64 - 7},
		{"mad.hi.s32 %r2, -1, 4, 2", 1},
		{"mad.wide.s32 %rd2, -3, 5, 7", math.MaxUint64 - 7},
		{"mad.wide.u32 %rd2, 4294967295, 2, 3", 0x200000001},
		{"div.s32 %r2, -7, 2", 0xfffffffd},
		{"div.s32 %r2, -2147483648, -1", 0x80000000},
		{"rem.s32 %r2, -7, 2", 0xffffffff},
		{"rem.s64 %rd2, -9223372036854775808, -1", 0},
		{"div.u64 %rd2, -1, 16", math.MaxUint64 >> 4},
		{"rem.u16 %rs2, 1000, 7", 6},
		{"neg.s32 %r2, 5", 0xfffffffb},
		{"abs.s32 %r2, -5", 5},
		{"abs.s64 %rd2, -5", 5},
		{"min.s32 %r2, -5, 3", 0xfffffffb},
		{"min.u32 %r2, -5, 3", 3},
		{"max.s64 %rd2, -5, 3", 3},
		{"max.u16 %rs2, -5, 3", 0xfffb},
		{"and.b32 %r2, 12, 10", 8}, {"or.b64 %rd2, 12, 10", 14}, {"xor.b16 %rs2, 12, 10", 6},
		{"not.b16 %rs2, 1", 0xfffe}, {"not.b64 %rd2, 1", math.MaxUint64 - 1},
		{"shl.b32 %r2, 1, 31", 1 << 31}, {"shl.b32 %r2, 1, 32", 0}, {"shl.b64 %rd2, 1, 63", 1 << 63}, {"shl.b16 %rs2, 1, 16", 0},
		{"shr.u32 %r2, -1, 33", 0}, {"shr.s32 %r2, -2, 40", 0xffffffff}, {"shr.s64 %rd2, -8, 1", math.MaxUint64 - 3}, {"shr.u64 %rd2, -1, 63", 1},
		{"shr.s16 %rs2, -8, 2", 0xfffe},
		{"popc.b32 %r2, 255", 8}, {"popc.b64 %r2, -1", 64}, {"clz.b32 %r2, 0", 32}, {"clz.b64 %r2, 1", 63},
		{"brev.b32 %r2, 1", 1 << 31}, {"brev.b64 %rd2, 3", 3 << 62},
		{"bfe.u32 %r2, 305419896, 8, 8", 0x56}, {"bfe.s32 %r2, 240, 4, 4", 0xffffffff}, {"bfe.s32 %r2, -16, 28, 8", 0xffffffff},
		{"bfe.u32 %r2, -1, 0, 0", 0}, {"bfe.u32 %r2, -1, 0, 32", 0xffffffff}, {"bfe.u64 %rd2, -1, 60, 32", 15}, {"bfe.s64 %rd2, 8, 3, 1", math.MaxUint64},
		{"bfi.b32 %r2, 5, 0, 4, 4", 0x50}, {"bfi.b32 %r2, 0, -1, 8, 8", 0xffff00ff}, {"bfi.b64 %rd2, 255, 0, 60, 8", 0xf << 60},
		{"prmt.b32 %r2, 305419896, -1737075662, 291", 0x78563412},
		{"prmt.b32 %r2, 305419896, -1737075662, 30292", 0x98765432},
		{"prmt.b32 %r2, 128, 1, 8", 0x808080ff},
		{"shf.l.wrap.b32 %r2, -2147483648, 1, 33", 3}, {"shf.r.wrap.b32 %r2, 0, 1, 1", 1 << 31},
		{"shf.l.clamp.b32 %r2, 7, 1, 40", 7}, {"shf.r.clamp.b32 %r2, 7, 9, 32", 9}, {"shf.l.clamp.b32 %r2, -2147483648, 1, 1", 3},
		{"lop3.b32 %r2, 12, 10, 6, 128", 12 & 10 & 6}, {"lop3.b32 %r2, 12, 10, 6, 150", 12 ^ 10 ^ 6}, {"lop3.b32 %r2, 12, 10, 6, 254", 12 | 10 | 6},
		{"lop3.b32 %r2, 12, 10, 6, 202", 12&10 | 0xfffffff3&6},
		{"mov.b64 %rd2, {%r1, %r1}", 0}, {"mov.u32 %r2, 7; mov.b64 %rd2, {%r1, %r2}", 7 << 32}, {"mov.b64 {%r2, %r3}, 21474836480; mov.u32 %r4, %r3", 5},
		{"mov.u32 %r2, %ntid.x", 1}, {"mov.u32 %r2, %nctaid.x", 1}, {"mov.u32 %r2, %ctaid.x", 0}, {"mov.u32 %r2, %tid.y", 0}, {"mov.u32 %r2, %laneid", 0},
		{"mov.u64 %rd2, s", 0},

		{"setp.lt.s32 %p2, -1, 0", 1}, {"setp.lt.u32 %p2, -1, 0", 0}, {"setp.lo.u32 %p2, 1, 2", 1}, {"setp.hs.u64 %p2, 1, 2", 0},
		{"setp.eq.s32 %p1, 1, 2; setp.lt.and.s32 %p2, 1, 2, %p1", 0}, {"setp.eq.s32 %p1, 1, 2; setp.lt.and.s32 %p2, 1, 2, !%p1", 1},
		{"setp.eq.s32 %p1, 1, 2; setp.gt.or.s32 %p2, 1, 2, !%p1", 1}, {"setp.eq.s32 %p1, 1, 1; setp.eq.xor.b32 %p2, 1, 1, %p1", 0},
		{"setp.lt.s32 %p3|%p4, 1, 2; not.pred %p2, %p4", 1}, {"setp.lt.s32 %p2|%p4, 1, 2", 1},
		{"setp.lt.f32 %p2, " + f32(nan) + ", " + f32(1), 0}, {"setp.ltu.f32 %p2, " + f32(nan) + ", " + f32(1), 1},
		{"setp.ne.f64 %p2, " + f64(math.NaN()) + ", " + f64(1), 0}, {"setp.neu.f64 %p2, " + f64(math.NaN()) + ", " + f64(1), 1},
		{"setp.num.f32 %p2, " + f32(1) + ", " + f32(inf), 1}, {"setp.nan.f32 %p2, " + f32(1) + ", " + f32(nan), 1}, {"setp.eq.f32 %p2, " + f32(0) + ", 0f80000000", 1},
		{"setp.eq.s32 %p1, 1, 1; xor.pred %p2, %p1, %p1", 0}, {"mov.pred %p2, -1", 1}, {"mov.pred %p2, 0", 0},
		{"setp.eq.s32 %p1, 1, 1; selp.b64 %rd2, 3, 4, %p1", 3}, {"setp.eq.s32 %p1, 1, 0; selp.f32 %f2, 0f00000001, 0f00000002, %p1", 2},
		{"mov.u32 %r2, 1; setp.eq.s32 %p1, 1, 0; @%p1 mov.u32 %r2, 2; @!%p1 add.u32 %r2, %r2, 2", 3},

		{"add.rn.f32 %f2, " + f32(16777216) + ", " + f32(1), bits32(16777216)},
		{"sub.f32 %f2, 0f00800001, 0f00800000", 1}, // a subnormal
		{"mul.rn.f32 %f2, 0f00000002, " + f32(0.5), 1},
		{"mul.f64 %fd2, " + f64(0.1) + ", " + f64(3), math.Float64bits(0.1 * math.Float64frombits(math.Float64bits(3)))},
		{"fma.rn.f32 %f2, 0f3F800001, 0f3F800001, 0fBF800002", 0x28800000},
		{"fma.rn.f64 %fd2, " + f64(3) + ", " + f64(4) + ", " + f64(5), math.Float64bits(17)},
		{"div.rn.f32 %f2, " + f32(1) + ", " + f32(3), bits32(float32(1) / 3 * 1)},
		{"sqrt.rn.f64 %fd2, " + f64(2), math.Float64bits(math.Sqrt2)}, {"rcp.rn.f64 %fd2, " + f64(4), math.Float64bits(0.25)},
		{"neg.f32 %f2, 0f00000000", 1 << 31}, {"abs.f64 %fd2, " + f64(-2), math.Float64bits(2)},
		{"min.f32 %f2, " + f32(nan) + ", " + f32(2), bits32(2)}, {"max.f32 %f2, 0f80000000, 0f00000000", 0}, {"min.f64 %fd2, 0d0000000000000000, 0d8000000000000000", 1 << 63},

		{"cvt.u32.u64 %r2, 4294967298", 2}, {"mov.u32 %r3, -1; cvt.s64.s32 %rd2, %r3", math.MaxUint64}, {"mov.u32 %r3, -1; cvt.u64.u32 %rd2, %r3", 0xffffffff},
		{"mov.u32 %r3, 511; cvt.s8.s32 %r2, %r3", 0xffffffff}, {"mov.u32 %r3, 511; cvt.u8.u32 %rs2, %r3", 0xff}, {"mov.u32 %r3, 384; cvt.s32.s8 %r2, %r3", 0xffffff80},
		{"cvt.rzi.s32.f32 %r2, " + f32(-1.9), 0xffffffff}, {"cvt.rni.s32.f32 %r2, " + f32(2.5), 2}, {"cvt.rmi.s32.f32 %r2, " + f32(-1.1), 0xfffffffe}, {"cvt.rpi.u32.f64 %r2, " + f64(1.1), 2},
		{"cvt.rzi.u32.f32 %r2, " + f32(-5), 0}, {"cvt.rzi.u32.f32 %r2, " + f32(inf), math.MaxUint32}, {"cvt.rzi.s32.f32 %r2, " + f32(nan), 0}, {"cvt.rzi.s64.f64 %rd2, " + f64(-1e30), 1 << 63},
		{"cvt.rn.f32.u32 %f2, 16777217", bits32(16777216)}, {"cvt.rp.f32.u32 %f2, 16777217", bits32(16777218)}, {"cvt.rz.f32.s32 %f2, -16777217", bits32(-16777216)}, {"cvt.rm.f32.s32 %f2, -16777217", bits32(-16777218)},
		{"cvt.rn.f32.f64 %f2, " + f64(1+0x1p-25), bits32(1)}, {"cvt.rp.f32.f64 %f2, " + f64(1+0x1p-25), bits32(1 + 0x1p-23)}, {"cvt.f64.f32 %fd2, 0f00000001", math.Float64bits(math.SmallestNonzeroFloat32)},
		{"cvt.rn.f64.s64 %fd2, -3", math.Float64bits(-3)}, {"cvt.rn.f64.u32 %fd2, -1", math.Float64bits(math.MaxUint32)},
		{"cvt.rni.f32.f32 %f2, " + f32(3.5), bits32(4)}, {"cvt.rzi.f64.f64 %fd2, " + f64(-3.5), math.Float64bits(-3)},

		{"st.global.u32 [%rd1+4], -2; ld.global.s8 %r2, [%rd1+4]", 0xfffffffe}, {"st.global.u32 [%rd1+4], -2; ld.global.nc.u8 %rd2, [%rd1+4]", 0xfe},
		{"st.global.v2.u32 [%rd1], {%r1, %r1}; st.volatile.global.u16 [%rd1+6], 513; ld.volatile.global.v2.u16 {%rs2, %rs3}, [%rd1+4]; mov.u16 %rs2, %rs3", 513},
		{"st.shared.u64 [s+8], 5; bar.sync 0; mov.u64 %rd3, s; cvta.shared.u64 %rd4, %rd3; ld.u64 %rd2, [%rd4+8]", 5},
		{"st.shared.u64 [s+8], 5; mov.u64 %rd3, s; cvta.shared.u64 %rd4, %rd3; cvta.to.shared.u64 %rd5, %rd4; ld.shared.u32 %r2, [%rd5+8]", 5},
		{"cvta.to.global.u64 %rd3, %rd1; st.u32 [%rd3], 9; membar.gl; ld.global.cg.u32 %r2, [%rd3]", 9},
		{"ld.param.u32 %r3, [p]; cvt.u32.u64 %r4, %rd1; sub.u32 %r2, %r3, %r4", 0},
	}
	for _, test := range tests {
		t.Run(test.code, func(t *testing.T) {
			if got := evaluate(t, test.code); got != test.want {
				t.Errorf("%s gives %#x, want %#x", test.code, got, test.want)
			}
		})
	}
}

// permuted is prmt.b32: each digit of the selector takes a byte of b:a, or its sign for 8 to 15.
func permuted(a, b, selector uint32) uint32 {
	src := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, a), b)
	var dst [4]byte
	for i := range dst {
		s := selector >> (4 * i) & 15
		dst[i] = src[s&7]
		if s&8 != 0 {
			dst[i] = byte(int8(dst[i]) >> 7)
		}
	}
	return binary.LittleEndian.Uint32(dst[:])
}

// TestRandomOperations holds what is easily got wrong against Go's own arithmetic.
func TestRandomOperations(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	for range 50 {
		a, b, c := r.Uint64()>>r.IntN(64), r.Uint64()>>r.IntN(64), r.Uint32()
		x, y := uint32(a), uint32(b)
		hi, lo := bits.Mul64(a, b)
		signedHi := hi
		if int64(a) < 0 {
			signedHi -= b
		}
		if int64(b) < 0 {
			signedHi -= a
		}
		for code, want := range map[string]uint64{
			fmt.Sprintf("mul.hi.u64 %%rd2, %d, %d", a, b):                               hi,
			fmt.Sprintf("mul.hi.s64 %%rd2, %d, %d", a, b):                               signedHi,
			fmt.Sprintf("mul.lo.s64 %%rd2, %d, %d", a, b):                               lo,
			fmt.Sprintf("mul.hi.s32 %%r2, %d, %d", x, y):                                uint64(uint32(int64(int32(x)) * int64(int32(y)) >> 32)),
			fmt.Sprintf("prmt.b32 %%r2, %d, %d, %d", x, y, c):                           uint64(permuted(x, y, c)),
			fmt.Sprintf("shf.l.wrap.b32 %%r2, %d, %d, %d", x, y, c):                     uint64(uint32((uint64(y)<<32 | uint64(x)) << (c & 31) >> 32)),
			fmt.Sprintf("brev.b64 %%rd2, %d", a):                                        bits.Reverse64(a),
			fmt.Sprintf("clz.b64 %%r2, %d", a):                                          uint64(bits.LeadingZeros64(a)),
			fmt.Sprintf("bfe.u32 %%r2, %d, %d, %d", x, c&31, c>>8&31):                   uint64(x >> (c & 31) & (1<<(c>>8&31) - 1)),
			fmt.Sprintf("lop3.b32 %%r2, %d, %d, %d, 232", x, y, c):                      uint64(x&y | x&c | y&c),
			fmt.Sprintf("cvt.rn.f64.u64 %%fd2, %d", a):                                  math.Float64bits(float64(a)),
			fmt.Sprintf("cvt.rn.f32.s64 %%f2, %d", a):                                   uint64(math.Float32bits(float32(int64(a)))),
			fmt.Sprintf("add.rn.f64 %%fd2, 0d%016X, 0d%016X", a, b):                     math.Float64bits(math.Float64frombits(a) + math.Float64frombits(b)),
			fmt.Sprintf("fma.rn.f64 %%fd2, 0d%016X, 0d%016X, 0d4000000000000000", a, b): math.Float64bits(math.FMA(math.Float64frombits(a), math.Float64frombits(b), 2)),
		} {
			got := evaluate(t, code)
			isFloat := strings.Contains(code, ".rn.f64 %fd2, 0d") // of which any NaN is as good
			if got != want && !(isFloat && sameFloat(math.Float64frombits(got), math.Float64frombits(want))) {
				t.Errorf("%s gives %#x, want %#x", code, got, want)
			}
		}
	}
}

// TestDamagedPrograms loads the kernels with a byte changed or a piece left out: whatever that is, it must be read or refused.
func TestDamagedPrograms(t *testing.T) {
	l, reason := openLib()
	if l == nil {
		t.Skip(reason)
	}
	r := rand.New(rand.NewPCG(2, 9))
	refused := 0
	for range 300 {
		b := []byte(Source())
		switch at := r.IntN(len(b)); r.IntN(3) {
		case 0:
			b[at] = "%rd01;,[]{}@!.x \n\"/*"[r.IntN(20)]
		case 1:
			b = b[:at]
		case 2:
			b = append(b[:at], b[min(at+r.IntN(40), len(b)):]...)
		}
		d := device{lib: l, t: t}
		if d.loadModule(string(b)) != "" {
			refused++
			continue
		}
		d.free(d.module)
	}
	if refused < 200 {
		t.Errorf("%d of 300 damaged programs are refused", refused)
	}
}

func FuzzLoad(f *testing.F) {
	l, reason := openLib()
	if l == nil {
		f.Skip(reason)
	}
	f.Add("")
	f.Add(program(""))
	f.Add(program("a: @!%p1 bra a; /* x */ setp.lt.and.s32 %p1|%p2, %r1, -1, !%p3; mov.b64 %rd2, {%r1, %r2};"))
	f.Add(program(".pragma \"nounroll\"; ld.global.nc.v4.f32 {%f1, %f2, %f3, %f4}, [%rd1+-16]; st.shared.u64 [s+8], 0x10U; bar.sync 0;"))
	f.Add(program("bra a;\nadd.f64 %fd1, %fd2, 0d3FF0000000000000; a:"))
	f.Fuzz(func(t *testing.T, source string) {
		d := device{lib: l, t: t}
		if d.loadModule(source) == "" {
			if d.target(d.module) < 50 {
				t.Errorf("target %d", d.target(d.module))
			}
			d.free(d.module)
		}
	})
}
