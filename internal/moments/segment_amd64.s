//go:build !purego

#include "textflag.h"

// LANES adds the four elements at off to the sums and the sums of squares of four lanes.
#define LANES(off, sum, square) \
	VCVTPS2PD off(SI), Y13;         \
	VSUBPD    Y12, Y13, Y13;        \
	VFMADD231PD Y15, Y13, sum;      \
	VFMADD231PD Y13, Y13, square

// func addGroups(l *lanes, x *float32, shift float64, groups int)
//
// Y0 to Y3 hold the sums of lanes 0-3, 4-7, 8-11 and 12-15 for the whole loop, Y4 to Y7 those of
// the squares, Y8 and Y9 the minima and Y10 and Y11 the maxima of 8 lanes each, Y12 the shift.
TEXT ·addGroups(SB), NOSPLIT, $0-32
	MOVQ l+0(FP), DI
	MOVQ x+8(FP), SI
	VBROADCASTSD shift+16(FP), Y12
	MOVQ groups+24(FP), CX
	MOVQ $0x3ff0000000000000, AX // 1.0
	VMOVQ AX, X15
	VBROADCASTSD X15, Y15

	VMOVUPD (DI), Y0
	VMOVUPD 32(DI), Y1
	VMOVUPD 64(DI), Y2
	VMOVUPD 96(DI), Y3
	VMOVUPD 128(DI), Y4
	VMOVUPD 160(DI), Y5
	VMOVUPD 192(DI), Y6
	VMOVUPD 224(DI), Y7
	VMOVUPS 256(DI), Y8
	VMOVUPS 288(DI), Y9
	VMOVUPS 320(DI), Y10
	VMOVUPS 352(DI), Y11

loop:
	LANES(0, Y0, Y4)
	LANES(16, Y1, Y5)
	LANES(32, Y2, Y6)
	LANES(48, Y3, Y7)
	VMINPS (SI), Y8, Y8
	VMINPS 32(SI), Y9, Y9
	VMAXPS (SI), Y10, Y10
	VMAXPS 32(SI), Y11, Y11

	ADDQ $64, SI
	DECQ CX
	JNZ  loop

	VMOVUPD Y0, (DI)
	VMOVUPD Y1, 32(DI)
	VMOVUPD Y2, 64(DI)
	VMOVUPD Y3, 96(DI)
	VMOVUPD Y4, 128(DI)
	VMOVUPD Y5, 160(DI)
	VMOVUPD Y6, 192(DI)
	VMOVUPD Y7, 224(DI)
	VMOVUPS Y8, 256(DI)
	VMOVUPS Y9, 288(DI)
	VMOVUPS Y10, 320(DI)
	VMOVUPS Y11, 352(DI)
	VZEROUPPER
	RET
