//go:build !purego

#include "textflag.h"

// Go's assembler has no vector subtraction or widening of floating-point numbers: m, n and d are register numbers.
#define FSUB_S4(m, n, d) WORD $(0x4ea0d400 | (m)<<16 | (n)<<5 | (d)) // fsub   vd.4s, vn.4s, vm.4s
#define FCVTL_D2(n, d) WORD $(0x0e617800 | (n)<<5 | (d))             // fcvtl  vd.2d, vn.2s: the lower two
#define FCVTL2_D2(n, d) WORD $(0x4e617800 | (n)<<5 | (d))            // fcvtl2 vd.2d, vn.4s: the upper two

// func addGroups(lanes *[Lanes]float64, a, b *float32, groups int)
//
// V16 to V23 hold lanes 0-1, 2-3 and so on to 14-15 for the whole loop.
TEXT ·addGroups(SB), NOSPLIT, $0-32
	MOVD lanes+0(FP), R0
	MOVD a+8(FP), R1
	MOVD b+16(FP), R2
	MOVD groups+24(FP), R3

	VLD1.P 64(R0), [V16.D2, V17.D2, V18.D2, V19.D2]
	VLD1   (R0), [V20.D2, V21.D2, V22.D2, V23.D2]
	SUB    $64, R0

loop:
	VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 64(R2), [V4.S4, V5.S4, V6.S4, V7.S4]

	FSUB_S4(4, 0, 0) // a - b, in float32
	FSUB_S4(5, 1, 1)
	FSUB_S4(6, 2, 2)
	FSUB_S4(7, 3, 3)

	FCVTL_D2(0, 4)
	FCVTL2_D2(0, 5)
	FCVTL_D2(1, 6)
	FCVTL2_D2(1, 7)
	FCVTL_D2(2, 24)
	FCVTL2_D2(2, 25)
	FCVTL_D2(3, 26)
	FCVTL2_D2(3, 27)

	VFMLA V4.D2, V4.D2, V16.D2
	VFMLA V5.D2, V5.D2, V17.D2
	VFMLA V6.D2, V6.D2, V18.D2
	VFMLA V7.D2, V7.D2, V19.D2
	VFMLA V24.D2, V24.D2, V20.D2
	VFMLA V25.D2, V25.D2, V21.D2
	VFMLA V26.D2, V26.D2, V22.D2
	VFMLA V27.D2, V27.D2, V23.D2

	SUBS $1, R3, R3
	BNE  loop

	VST1.P [V16.D2, V17.D2, V18.D2, V19.D2], 64(R0)
	VST1   [V20.D2, V21.D2, V22.D2, V23.D2], (R0)
	RET
