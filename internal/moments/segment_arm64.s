//go:build !purego

#include "textflag.h"

// Go's assembler has none of these vector instructions: m, n and d are register numbers.
#define FSUB_D2(m, n, d) WORD $(0x4ee0d400 | (m)<<16 | (n)<<5 | (d)) // fsub   vd.2d, vn.2d, vm.2d
#define FADD_D2(m, n, d) WORD $(0x4e60d400 | (m)<<16 | (n)<<5 | (d)) // fadd   vd.2d, vn.2d, vm.2d
#define FMIN_S4(m, n, d) WORD $(0x4ea0f400 | (m)<<16 | (n)<<5 | (d)) // fmin   vd.4s, vn.4s, vm.4s
#define FMAX_S4(m, n, d) WORD $(0x4e20f400 | (m)<<16 | (n)<<5 | (d)) // fmax   vd.4s, vn.4s, vm.4s
#define FCVTL_D2(n, d) WORD $(0x0e617800 | (n)<<5 | (d))             // fcvtl  vd.2d, vn.2s: the lower two
#define FCVTL2_D2(n, d) WORD $(0x4e617800 | (n)<<5 | (d))            // fcvtl2 vd.2d, vn.4s: the upper two

// LANES adds the four elements of register x to the lanes whose sums are in the registers s and t,
// and the sums of squares in S and T. The minima are in low, the maxima in high.
#define LANES(x, s, t, S, T, low, high) \
	FCVTL_D2(x, 4);        \
	FCVTL2_D2(x, 5);       \
	FSUB_D2(7, 4, 4);      \
	FSUB_D2(7, 5, 5);      \
	FADD_D2(4, s, s);      \
	FADD_D2(5, t, t);      \
	VFMLA V4.D2, V4.D2, S; \
	VFMLA V5.D2, V5.D2, T; \
	FMIN_S4(x, low, low);  \
	FMAX_S4(x, high, high)

// func addGroups(l *lanes, x *float32, shift float64, groups int)
//
// V16 to V23 hold the sums of lanes 0-1, 2-3 and so on to 14-15 for the whole loop, V24 to V31 those
// of the squares, V8 to V11 the minima and V12 to V15 the maxima of 4 lanes each, V7 the shift.
TEXT ·addGroups(SB), NOSPLIT, $0-32
	MOVD l+0(FP), R0
	MOVD x+8(FP), R1
	MOVD shift+16(FP), R2
	MOVD groups+24(FP), R3

	VDUP   R2, V7.D2
	MOVD   R0, R4
	VLD1.P 64(R4), [V16.D2, V17.D2, V18.D2, V19.D2]
	VLD1.P 64(R4), [V20.D2, V21.D2, V22.D2, V23.D2]
	VLD1.P 64(R4), [V24.D2, V25.D2, V26.D2, V27.D2]
	VLD1.P 64(R4), [V28.D2, V29.D2, V30.D2, V31.D2]
	VLD1.P 64(R4), [V8.S4, V9.S4, V10.S4, V11.S4]
	VLD1   (R4), [V12.S4, V13.S4, V14.S4, V15.S4]

loop:
	VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	LANES(0, 16, 17, V24.D2, V25.D2, 8, 12)
	LANES(1, 18, 19, V26.D2, V27.D2, 9, 13)
	LANES(2, 20, 21, V28.D2, V29.D2, 10, 14)
	LANES(3, 22, 23, V30.D2, V31.D2, 11, 15)

	SUBS $1, R3, R3
	BNE  loop

	VST1.P [V16.D2, V17.D2, V18.D2, V19.D2], 64(R0)
	VST1.P [V20.D2, V21.D2, V22.D2, V23.D2], 64(R0)
	VST1.P [V24.D2, V25.D2, V26.D2, V27.D2], 64(R0)
	VST1.P [V28.D2, V29.D2, V30.D2, V31.D2], 64(R0)
	VST1.P [V8.S4, V9.S4, V10.S4, V11.S4], 64(R0)
	VST1   [V12.S4, V13.S4, V14.S4, V15.S4], (R0)
	RET
