//go:build !purego

#include "textflag.h"

// func addGroups(lanes *[Lanes]float64, a, b *float32, groups int)
//
// Y0 to Y3 hold lanes 0-3, 4-7, 8-11 and 12-15 for the whole loop. A lane's additions depend on each other, so that a
// group of 128 bytes takes at least the latency of one fused multiply-add: 4 cycles.
TEXT ·addGroups(SB), NOSPLIT, $0-32
	MOVQ lanes+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ groups+24(FP), CX

	VMOVUPD (DI), Y0
	VMOVUPD 32(DI), Y1
	VMOVUPD 64(DI), Y2
	VMOVUPD 96(DI), Y3

loop:
	VMOVUPS (SI), X4
	VMOVUPS 16(SI), X5
	VMOVUPS 32(SI), X6
	VMOVUPS 48(SI), X7
	VSUBPS  (DX), X4, X4 // a - b, in float32
	VSUBPS  16(DX), X5, X5
	VSUBPS  32(DX), X6, X6
	VSUBPS  48(DX), X7, X7

	VCVTPS2PD X4, Y4
	VCVTPS2PD X5, Y5
	VCVTPS2PD X6, Y6
	VCVTPS2PD X7, Y7

	VFMADD231PD Y4, Y4, Y0
	VFMADD231PD Y5, Y5, Y1
	VFMADD231PD Y6, Y6, Y2
	VFMADD231PD Y7, Y7, Y3

	ADDQ $64, SI
	ADDQ $64, DX
	DECQ CX
	JNZ  loop

	VMOVUPD Y0, (DI)
	VMOVUPD Y1, 32(DI)
	VMOVUPD Y2, 64(DI)
	VMOVUPD Y3, 96(DI)
	VZEROUPPER
	RET
