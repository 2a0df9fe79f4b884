//go:build !purego

#include "textflag.h"

// Each transpose kernel copies n elements of as many columns of the source as fill 64 bytes. They become n rows of 64
// bytes in the destination. Bytes change places by the mask in V31, by the same in each 16 of them.
//
// A stage of VZIP1 and VZIP2 joins each register of the first half with that of the second. As many stages as an index of
// a column has bits are a transposition.
//
// In every transpose kernel R0 is where the next rows go, R2 from one row to the next, R1 at the next elements of the
// first column, R3 from one column to the next, and R4 the number of elements left. R6 is at the next column.
#define ARGUMENTS \
	MOVD dst+0(FP), R0    \
	MOVD src+8(FP), R1    \
	MOVD byDst+16(FP), R2 \
	MOVD bySrc+24(FP), R3 \
	MOVD n+32(FP), R4     \
	MOVD mask+40(FP), R5  \
	VLD1 (R5), [V31.B16]

// Makes 8 rows of 8 columns: the next 16 bytes of the rows at R8 and the registers behind it.
#define BLOCK2 \
	VLD1.P (R6)(R3), [V0.B16] \
	VLD1.P (R6)(R3), [V1.B16] \
	VLD1.P (R6)(R3), [V2.B16] \
	VLD1.P (R6)(R3), [V3.B16] \
	VLD1.P (R6)(R3), [V4.B16] \
	VLD1.P (R6)(R3), [V5.B16] \
	VLD1.P (R6)(R3), [V6.B16] \
	VLD1.P (R6)(R3), [V7.B16] \
	VZIP1  V4.H8, V0.H8, V8.H8 \
	VZIP2  V4.H8, V0.H8, V9.H8 \
	VZIP1  V5.H8, V1.H8, V10.H8 \
	VZIP2  V5.H8, V1.H8, V11.H8 \
	VZIP1  V6.H8, V2.H8, V12.H8 \
	VZIP2  V6.H8, V2.H8, V13.H8 \
	VZIP1  V7.H8, V3.H8, V14.H8 \
	VZIP2  V7.H8, V3.H8, V15.H8 \
	VZIP1  V12.H8, V8.H8, V0.H8 \
	VZIP2  V12.H8, V8.H8, V1.H8 \
	VZIP1  V13.H8, V9.H8, V2.H8 \
	VZIP2  V13.H8, V9.H8, V3.H8 \
	VZIP1  V14.H8, V10.H8, V4.H8 \
	VZIP2  V14.H8, V10.H8, V5.H8 \
	VZIP1  V15.H8, V11.H8, V6.H8 \
	VZIP2  V15.H8, V11.H8, V7.H8 \
	VZIP1  V4.H8, V0.H8, V8.H8 \
	VZIP2  V4.H8, V0.H8, V9.H8 \
	VZIP1  V5.H8, V1.H8, V10.H8 \
	VZIP2  V5.H8, V1.H8, V11.H8 \
	VZIP1  V6.H8, V2.H8, V12.H8 \
	VZIP2  V6.H8, V2.H8, V13.H8 \
	VZIP1  V7.H8, V3.H8, V14.H8 \
	VZIP2  V7.H8, V3.H8, V15.H8 \
	VTBL   V31.B16, [V8.B16], V8.B16 \
	VTBL   V31.B16, [V9.B16], V9.B16 \
	VTBL   V31.B16, [V10.B16], V10.B16 \
	VTBL   V31.B16, [V11.B16], V11.B16 \
	VTBL   V31.B16, [V12.B16], V12.B16 \
	VTBL   V31.B16, [V13.B16], V13.B16 \
	VTBL   V31.B16, [V14.B16], V14.B16 \
	VTBL   V31.B16, [V15.B16], V15.B16 \
	VST1.P [V8.B16], 16(R8) \
	VST1.P [V9.B16], 16(R9) \
	VST1.P [V10.B16], 16(R10) \
	VST1.P [V11.B16], 16(R11) \
	VST1.P [V12.B16], 16(R12) \
	VST1.P [V13.B16], 16(R13) \
	VST1.P [V14.B16], 16(R14) \
	VST1.P [V15.B16], 16(R15)

// func transpose2NEON(dst, src *byte, byDst, bySrc, n int, mask *[16]byte)
TEXT ·transpose2NEON(SB), NOSPLIT, $0-48
	ARGUMENTS

loop2:
	MOVD R1, R6
	MOVD R0, R8
	ADD  R2, R8, R9
	ADD  R2, R9, R10
	ADD  R2, R10, R11
	ADD  R2, R11, R12
	ADD  R2, R12, R13
	ADD  R2, R13, R14
	ADD  R2, R14, R15
	ADD  R2, R15, R0
	BLOCK2
	BLOCK2
	BLOCK2
	BLOCK2
	ADD  $16, R1
	SUBS $8, R4
	BNE  loop2
	RET

// Makes 4 rows of 4 columns: the next 16 bytes of the rows at R8 and the registers behind it.
#define BLOCK4 \
	VLD1.P (R6)(R3), [V0.B16] \
	VLD1.P (R6)(R3), [V1.B16] \
	VLD1.P (R6)(R3), [V2.B16] \
	VLD1.P (R6)(R3), [V3.B16] \
	VZIP1  V2.S4, V0.S4, V8.S4 \
	VZIP2  V2.S4, V0.S4, V9.S4 \
	VZIP1  V3.S4, V1.S4, V10.S4 \
	VZIP2  V3.S4, V1.S4, V11.S4 \
	VZIP1  V10.S4, V8.S4, V0.S4 \
	VZIP2  V10.S4, V8.S4, V1.S4 \
	VZIP1  V11.S4, V9.S4, V2.S4 \
	VZIP2  V11.S4, V9.S4, V3.S4 \
	VTBL   V31.B16, [V0.B16], V0.B16 \
	VTBL   V31.B16, [V1.B16], V1.B16 \
	VTBL   V31.B16, [V2.B16], V2.B16 \
	VTBL   V31.B16, [V3.B16], V3.B16 \
	VST1.P [V0.B16], 16(R8) \
	VST1.P [V1.B16], 16(R9) \
	VST1.P [V2.B16], 16(R10) \
	VST1.P [V3.B16], 16(R11)

// func transpose4NEON(dst, src *byte, byDst, bySrc, n int, mask *[16]byte)
TEXT ·transpose4NEON(SB), NOSPLIT, $0-48
	ARGUMENTS

loop4:
	MOVD R1, R6
	MOVD R0, R8
	ADD  R2, R8, R9
	ADD  R2, R9, R10
	ADD  R2, R10, R11
	ADD  R2, R11, R0
	BLOCK4
	BLOCK4
	BLOCK4
	BLOCK4
	ADD  $16, R1
	SUBS $4, R4
	BNE  loop4
	RET

// Makes 2 rows of 2 columns: the next 16 bytes of the rows at R8 and the registers behind it.
#define BLOCK8 \
	VLD1.P (R6)(R3), [V0.B16] \
	VLD1.P (R6)(R3), [V1.B16] \
	VZIP1  V1.D2, V0.D2, V8.D2 \
	VZIP2  V1.D2, V0.D2, V9.D2 \
	VTBL   V31.B16, [V8.B16], V8.B16 \
	VTBL   V31.B16, [V9.B16], V9.B16 \
	VST1.P [V8.B16], 16(R8) \
	VST1.P [V9.B16], 16(R9)

// func transpose8NEON(dst, src *byte, byDst, bySrc, n int, mask *[16]byte)
TEXT ·transpose8NEON(SB), NOSPLIT, $0-48
	ARGUMENTS

loop8:
	MOVD R1, R6
	MOVD R0, R8
	ADD  R2, R8, R9
	ADD  R2, R9, R0
	BLOCK8
	BLOCK8
	BLOCK8
	BLOCK8
	ADD  $16, R1
	SUBS $2, R4
	BNE  loop8
	RET

// func swapNEON(dst, src *byte, n int, mask *[16]byte)
TEXT ·swapNEON(SB), NOSPLIT, $0-32
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD n+16(FP), R2
	MOVD mask+24(FP), R3
	VLD1 (R3), [V31.B16]

loop:
	VLD1.P 32(R1), [V0.B16, V1.B16]
	VTBL   V31.B16, [V0.B16], V0.B16
	VTBL   V31.B16, [V1.B16], V1.B16
	VST1.P [V0.B16, V1.B16], 32(R0)
	SUBS   $32, R2
	BNE    loop
	RET
