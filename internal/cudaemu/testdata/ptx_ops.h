// The instructions that compute: their names, the types of their operands, and what they give. It is included more than once,
// for the list of operations, for the decoder's table and for the interpreter's cases:
//
//	OP1(id, text, type of d, of a, value)   up to OP4; SETP(id, text, type of a and b, value)
//
// A value is an expression of a, b, c and e; where it sets bad, the launch fails. Signed integers are added in unsigned ones,
// which wrap. The host's floats are IEEE 754's, as those of a GPU without .ftz are.

#define SAME2(id, text, T, x) OP2(id##_##T, text "." #T, T, T, T, x)
#define SAME1(id, text, T, x) OP1(id##_##T, text "." #T, T, T, x)
#define SIGNED2(id, text, U, S, x) SAME2(id, text, U, x) OP2(id##_##S, text "." #S, U, U, U, x)
#define WRAPPING(id, text, x) SIGNED2(id, text, u16, s16, x) SIGNED2(id, text, u32, s32, x) SIGNED2(id, text, u64, s64, x)
#define INTEGERS2(id, text, x) SAME2(id, text, u16, x) SAME2(id, text, s16, x) SAME2(id, text, u32, x) SAME2(id, text, s32, x) SAME2(id, text, u64, x) SAME2(id, text, s64, x)
#define BITS2(id, text, x) SAME2(id, text, b16, x) SAME2(id, text, b32, x) SAME2(id, text, b64, x)
#define BITS1(id, text, x) SAME1(id, text, b16, x) SAME1(id, text, b32, x) SAME1(id, text, b64, x)
#define FLOATS2(id, text, x) SAME2(id, text, f32, x) SAME2(id, text, f64, x) SAME2(id##_rn, text ".rn", f32, x) SAME2(id##_rn, text ".rn", f64, x)

SAME1(mov, "mov", pred, a) BITS1(mov, "mov", a)
SAME1(mov, "mov", u16, a) SAME1(mov, "mov", s16, a) SAME1(mov, "mov", u32, a) SAME1(mov, "mov", s32, a)
SAME1(mov, "mov", u64, a) SAME1(mov, "mov", s64, a) SAME1(mov, "mov", f32, a) SAME1(mov, "mov", f64, a)

WRAPPING(add, "add", a + b)
WRAPPING(sub, "sub", a - b)
WRAPPING(mul_lo, "mul.lo", (u64)a * b)
INTEGERS2(min, "min", a < b ? a : b)
INTEGERS2(max, "max", a > b ? a : b)
SAME2(mul_hi, "mul.hi", u16, (u32)a * b >> 16) SAME2(mul_hi, "mul.hi", s16, (s32)a * b >> 16)
SAME2(mul_hi, "mul.hi", u32, (u64)a * b >> 32) SAME2(mul_hi, "mul.hi", s32, (s64)a * b >> 32)
SAME2(mul_hi, "mul.hi", u64, (unsigned __int128)a * b >> 64) SAME2(mul_hi, "mul.hi", s64, (__int128)a * b >> 64)
OP2(mul_wide_u16, "mul.wide.u16", u32, u16, u16, (u32)a * b) OP2(mul_wide_s16, "mul.wide.s16", s32, s16, s16, (s32)a * b)
OP2(mul_wide_u32, "mul.wide.u32", u64, u32, u32, (u64)a * b) OP2(mul_wide_s32, "mul.wide.s32", s64, s32, s32, (s64)a * b)
OP3(mad_lo_u16, "mad.lo.u16", u16, u16, u16, u16, (u32)a * b + c) OP3(mad_lo_s16, "mad.lo.s16", u16, u16, u16, u16, (u32)a * b + c)
OP3(mad_lo_u32, "mad.lo.u32", u32, u32, u32, u32, a * b + c) OP3(mad_lo_s32, "mad.lo.s32", u32, u32, u32, u32, a * b + c)
OP3(mad_lo_u64, "mad.lo.u64", u64, u64, u64, u64, a * b + c) OP3(mad_lo_s64, "mad.lo.s64", u64, u64, u64, u64, a * b + c)
OP3(mad_hi_u32, "mad.hi.u32", u32, u32, u32, u32, ((u64)a * b >> 32) + c) OP3(mad_hi_s32, "mad.hi.s32", u32, s32, s32, u32, (u32)((s64)a * b >> 32) + c)
OP3(mad_wide_u16, "mad.wide.u16", u32, u16, u16, u32, (u32)a * b + c) OP3(mad_wide_s16, "mad.wide.s16", u32, s16, s16, u32, (u32)((s32)a * b) + c)
OP3(mad_wide_u32, "mad.wide.u32", u64, u32, u32, u64, (u64)a * b + c) OP3(mad_wide_s32, "mad.wide.s32", u64, s32, s32, u64, (u64)((s64)a * b) + c)

// A division by zero gives no defined value on a GPU: here it is an error.
#define BY_ZERO(x) (b == 0 ? (bad = "divides by zero", 0) : (x))
#define BY_ZERO_SIGNED(x, minus) (b == 0 ? (bad = "divides by zero", 0) : b == -1 ? (minus) : (x))
SAME2(div, "div", u16, BY_ZERO(a / b)) SAME2(div, "div", u32, BY_ZERO(a / b)) SAME2(div, "div", u64, BY_ZERO(a / b))
SAME2(rem, "rem", u16, BY_ZERO(a % b)) SAME2(rem, "rem", u32, BY_ZERO(a % b)) SAME2(rem, "rem", u64, BY_ZERO(a % b))
SAME2(div, "div", s16, BY_ZERO_SIGNED(a / b, -a)) SAME2(div, "div", s32, BY_ZERO_SIGNED(a / b, (s32)(0 - (u32)a))) SAME2(div, "div", s64, BY_ZERO_SIGNED(a / b, (s64)(0 - (u64)a)))
SAME2(rem, "rem", s16, BY_ZERO_SIGNED(a % b, 0)) SAME2(rem, "rem", s32, BY_ZERO_SIGNED(a % b, 0)) SAME2(rem, "rem", s64, BY_ZERO_SIGNED(a % b, 0))

SAME1(neg, "neg", s16, -a) SAME1(neg, "neg", s32, (s32)(0 - (u32)a)) SAME1(neg, "neg", s64, (s64)(0 - (u64)a)) SAME1(neg, "neg", f32, -a) SAME1(neg, "neg", f64, -a)
SAME1(abs, "abs", s16, a < 0 ? -a : a) SAME1(abs, "abs", s32, a < 0 ? (s32)(0 - (u32)a) : a) SAME1(abs, "abs", s64, a < 0 ? (s64)(0 - (u64)a) : a)
SAME1(abs, "abs", f32, fabsf(a)) SAME1(abs, "abs", f64, fabs(a))

FLOATS2(add, "add", a + b)
FLOATS2(sub, "sub", a - b)
FLOATS2(mul, "mul", a * b)
SAME2(div_rn, "div.rn", f32, a / b) SAME2(div_rn, "div.rn", f64, a / b)
SAME1(rcp_rn, "rcp.rn", f32, 1 / a) SAME1(rcp_rn, "rcp.rn", f64, 1 / a)
SAME1(sqrt_rn, "sqrt.rn", f32, sqrtf(a)) SAME1(sqrt_rn, "sqrt.rn", f64, sqrt(a))
OP3(fma_rn_f32, "fma.rn.f32", f32, f32, f32, f32, fmaf(a, b, c)) OP3(fma_rn_f64, "fma.rn.f64", f64, f64, f64, f64, fma(a, b, c))
OP3(mad_rn_f32, "mad.rn.f32", f32, f32, f32, f32, fmaf(a, b, c)) OP3(mad_rn_f64, "mad.rn.f64", f64, f64, f64, f64, fma(a, b, c))
// Of a NaN and a number, it is the number; -0 is less than +0.
SAME2(min, "min", f32, a == b ? (signbit(a) ? a : b) : fminf(a, b)) SAME2(min, "min", f64, a == b ? (signbit(a) ? a : b) : fmin(a, b))
SAME2(max, "max", f32, a == b ? (signbit(a) ? b : a) : fmaxf(a, b)) SAME2(max, "max", f64, a == b ? (signbit(a) ? b : a) : fmax(a, b))

SAME2(and, "and", pred, a & b) BITS2(and, "and", a & b)
SAME2(or, "or", pred, a | b) BITS2(or, "or", a | b)
SAME2(xor, "xor", pred, a ^ b) BITS2(xor, "xor", a ^ b)
SAME1(not, "not", pred, !a) BITS1(not, "not", ~a)
// Shifts by the width or more leave zeros, or the sign.
#define SHIFT(id, text, T, bits, x, beyond) OP2(id##_##T, text "." #T, T, T, u32, b < bits ? (x) : (beyond))
SHIFT(shl, "shl", b16, 16, (u32)a << b, 0) SHIFT(shl, "shl", b32, 32, a << b, 0) SHIFT(shl, "shl", b64, 64, a << b, 0)
SHIFT(shr, "shr", b16, 16, a >> b, 0) SHIFT(shr, "shr", b32, 32, a >> b, 0) SHIFT(shr, "shr", b64, 64, a >> b, 0)
SHIFT(shr, "shr", u16, 16, a >> b, 0) SHIFT(shr, "shr", u32, 32, a >> b, 0) SHIFT(shr, "shr", u64, 64, a >> b, 0)
SHIFT(shr, "shr", s16, 16, a >> b, a >> 15) SHIFT(shr, "shr", s32, 32, a >> b, a >> 31) SHIFT(shr, "shr", s64, 64, a >> b, a >> 63)
OP3(shf_l_wrap, "shf.l.wrap.b32", b32, b32, b32, b32, ((u64)b << 32 | a) << (c & 31) >> 32) OP3(shf_r_wrap, "shf.r.wrap.b32", b32, b32, b32, b32, ((u64)b << 32 | a) >> (c & 31))
OP3(shf_l_clamp, "shf.l.clamp.b32", b32, b32, b32, b32, c >= 32 ? a : ((u64)b << 32 | a) << c >> 32) OP3(shf_r_clamp, "shf.r.clamp.b32", b32, b32, b32, b32, ((u64)b << 32 | a) >> (c < 32 ? c : 32))
OP1(popc_b32, "popc.b32", u32, b32, __builtin_popcount(a)) OP1(popc_b64, "popc.b64", u32, b64, __builtin_popcountll(a))
OP1(clz_b32, "clz.b32", u32, b32, a ? __builtin_clz(a) : 32) OP1(clz_b64, "clz.b64", u32, b64, a ? __builtin_clzll(a) : 64)
SAME1(brev, "brev", b32, reverse64(a) >> 32) SAME1(brev, "brev", b64, reverse64(a))
OP3(bfe_u32, "bfe.u32", u32, u32, u32, u32, extract(a, b, c, 32, 0)) OP3(bfe_s32, "bfe.s32", s32, u32, u32, u32, extract(a, b, c, 32, 1))
OP3(bfe_u64, "bfe.u64", u64, u64, u32, u32, extract(a, b, c, 64, 0)) OP3(bfe_s64, "bfe.s64", s64, u64, u32, u32, extract(a, b, c, 64, 1))
OP4(bfi_b32, "bfi.b32", b32, b32, b32, u32, u32, insert(a, b, c, e, 32)) OP4(bfi_b64, "bfi.b64", b64, b64, b64, u32, u32, insert(a, b, c, e, 64))
OP3(prmt_b32, "prmt.b32", b32, b32, b32, b32, permute(a, b, c))
OP4(lop3_b32, "lop3.b32", b32, b32, b32, b32, u32, lookup3(a, b, c, e))

#define SELP(T) OP3(selp_##T, "selp." #T, T, T, T, pred, c ? a : b)
SELP(b16) SELP(u16) SELP(s16) SELP(b32) SELP(u32) SELP(s32) SELP(b64) SELP(u64) SELP(s64) SELP(f32) SELP(f64)

#define COMPARE(name, T, x) SETP(setp_##name##_##T, "setp." #name "." #T, T, x)
#define COMPARE_BITS(T) COMPARE(eq, T, a == b) COMPARE(ne, T, a != b)
#define COMPARE_NUMBERS(T) COMPARE_BITS(T) COMPARE(lt, T, a < b) COMPARE(le, T, a <= b) COMPARE(gt, T, a > b) COMPARE(ge, T, a >= b)
#define COMPARE_UNSIGNED(T) COMPARE_NUMBERS(T) COMPARE(lo, T, a < b) COMPARE(ls, T, a <= b) COMPARE(hi, T, a > b) COMPARE(hs, T, a >= b)
#define UNORDERED (isnan(a) || isnan(b))
#define COMPARE_FLOATS(T) COMPARE(eq, T, a == b) COMPARE(ne, T, !UNORDERED && a != b) COMPARE(lt, T, a < b) COMPARE(le, T, a <= b) COMPARE(gt, T, a > b) COMPARE(ge, T, a >= b) \
	COMPARE(equ, T, UNORDERED || a == b) COMPARE(neu, T, a != b) COMPARE(ltu, T, UNORDERED || a < b) COMPARE(leu, T, UNORDERED || a <= b) \
	COMPARE(gtu, T, UNORDERED || a > b) COMPARE(geu, T, UNORDERED || a >= b) COMPARE(num, T, !UNORDERED) COMPARE(nan, T, UNORDERED)
COMPARE_BITS(b16) COMPARE_BITS(b32) COMPARE_BITS(b64)
COMPARE_NUMBERS(s16) COMPARE_NUMBERS(s32) COMPARE_NUMBERS(s64)
COMPARE_UNSIGNED(u16) COMPARE_UNSIGNED(u32) COMPARE_UNSIGNED(u64)
COMPARE_FLOATS(f32) COMPARE_FLOATS(f64)

#define CONVERT(D, A) OP1(cvt_##D##_##A, "cvt." #D "." #A, D, A, a)
#define CONVERT_TO(D) CONVERT(D, u8) CONVERT(D, s8) CONVERT(D, u16) CONVERT(D, s16) CONVERT(D, u32) CONVERT(D, s32) CONVERT(D, u64) CONVERT(D, s64)
CONVERT_TO(u8) CONVERT_TO(s8) CONVERT_TO(u16) CONVERT_TO(s16) CONVERT_TO(u32) CONVERT_TO(s32) CONVERT_TO(u64) CONVERT_TO(s64)
// A float becomes an integer by way of an integral float, is held to the integer's limits, and NaN is 0.
#define INTEGRAL(D, A) OP1(cvt_rni_##D##_##A, "cvt.rni." #D "." #A, D, A, clamp_##D(rint(a))) OP1(cvt_rzi_##D##_##A, "cvt.rzi." #D "." #A, D, A, clamp_##D(trunc(a))) \
	OP1(cvt_rmi_##D##_##A, "cvt.rmi." #D "." #A, D, A, clamp_##D(floor(a))) OP1(cvt_rpi_##D##_##A, "cvt.rpi." #D "." #A, D, A, clamp_##D(ceil(a)))
INTEGRAL(u16, f32) INTEGRAL(s16, f32) INTEGRAL(u32, f32) INTEGRAL(s32, f32) INTEGRAL(u64, f32) INTEGRAL(s64, f32)
INTEGRAL(u16, f64) INTEGRAL(s16, f64) INTEGRAL(u32, f64) INTEGRAL(s32, f64) INTEGRAL(u64, f64) INTEGRAL(s64, f64)
#define ROUNDED(D, A) OP1(cvt_rn_##D##_##A, "cvt.rn." #D "." #A, D, A, a) OP1(cvt_rz_##D##_##A, "cvt.rz." #D "." #A, D, A, rounded_##D##_##A(a, FE_TOWARDZERO)) \
	OP1(cvt_rm_##D##_##A, "cvt.rm." #D "." #A, D, A, rounded_##D##_##A(a, FE_DOWNWARD)) OP1(cvt_rp_##D##_##A, "cvt.rp." #D "." #A, D, A, rounded_##D##_##A(a, FE_UPWARD))
ROUNDED(f32, u32) ROUNDED(f32, s32) ROUNDED(f32, u64) ROUNDED(f32, s64) ROUNDED(f32, f64) ROUNDED(f64, u64) ROUNDED(f64, s64)
OP1(cvt_rn_f32_u16, "cvt.rn.f32.u16", f32, u16, a) OP1(cvt_rn_f32_s16, "cvt.rn.f32.s16", f32, s16, a)
OP1(cvt_rn_f64_u16, "cvt.rn.f64.u16", f64, u16, a) OP1(cvt_rn_f64_s16, "cvt.rn.f64.s16", f64, s16, a)
OP1(cvt_rn_f64_u32, "cvt.rn.f64.u32", f64, u32, a) OP1(cvt_rn_f64_s32, "cvt.rn.f64.s32", f64, s32, a)
OP1(cvt_f64_f32, "cvt.f64.f32", f64, f32, a)
#define TO_INTEGRAL(T) OP1(cvt_rni_##T##_##T, "cvt.rni." #T "." #T, T, T, rint(a)) OP1(cvt_rzi_##T##_##T, "cvt.rzi." #T "." #T, T, T, trunc(a)) \
	OP1(cvt_rmi_##T##_##T, "cvt.rmi." #T "." #T, T, T, floor(a)) OP1(cvt_rpi_##T##_##T, "cvt.rpi." #T "." #T, T, T, ceil(a))
TO_INTEGRAL(f32) TO_INTEGRAL(f64)

OP1(cvta_global, "cvta.global.u64", u64, u64, a) OP1(cvta_to_global, "cvta.to.global.u64", u64, u64, a)
OP1(cvta_shared, "cvta.shared.u64", u64, u64, a + SHARED_WINDOW) OP1(cvta_to_shared, "cvta.to.shared.u64", u64, u64, a - SHARED_WINDOW)

#undef OP1
#undef OP2
#undef OP3
#undef OP4
#undef SETP
