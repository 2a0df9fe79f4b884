//go:build !purego

#include "textflag.h"

// VST2 and VST4 interleave registers as they store them, so that VZIP1 and VZIP2 only have to make bytes into lanes as
// wide as a half or a quarter of an element.
//
// In every kernel R0 is where the next elements go, R2 the number of them left, and R4 and those that follow are where
// the planes' next bytes are.

// func unshuffle2NEON(dst *byte, planes *[]byte, at, n int)
TEXT ·unshuffle2NEON(SB), NOSPLIT, $0-32
	MOVD dst+0(FP), R0
	MOVD planes+8(FP), R1
	MOVD at+16(FP), R3
	MOVD n+24(FP), R2
	MOVD 0(R1), R4
	MOVD 24(R1), R5
	ADD  R3, R4
	ADD  R3, R5

loop2:
	VLD1.P 16(R4), [V0.B16]
	VLD1.P 16(R5), [V1.B16]
	VST2.P [V0.B16, V1.B16], 32(R0)
	SUBS   $16, R2
	BNE    loop2
	RET

// func unshuffle4NEON(dst *byte, planes *[]byte, at, n int)
TEXT ·unshuffle4NEON(SB), NOSPLIT, $0-32
	MOVD dst+0(FP), R0
	MOVD planes+8(FP), R1
	MOVD at+16(FP), R3
	MOVD n+24(FP), R2
	MOVD 0(R1), R4
	MOVD 24(R1), R5
	MOVD 48(R1), R6
	MOVD 72(R1), R7
	ADD  R3, R4
	ADD  R3, R5
	ADD  R3, R6
	ADD  R3, R7

loop4:
	VLD1.P 16(R4), [V0.B16]
	VLD1.P 16(R5), [V1.B16]
	VLD1.P 16(R6), [V2.B16]
	VLD1.P 16(R7), [V3.B16]
	VST4.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R0)
	SUBS   $16, R2
	BNE    loop4
	RET

// func unshuffle8NEON(dst *byte, planes *[]byte, at, n int)
TEXT ·unshuffle8NEON(SB), NOSPLIT, $0-32
	MOVD dst+0(FP), R0
	MOVD planes+8(FP), R1
	MOVD at+16(FP), R3
	MOVD n+24(FP), R2
	MOVD 0(R1), R4
	MOVD 24(R1), R5
	MOVD 48(R1), R6
	MOVD 72(R1), R7
	MOVD 96(R1), R8
	MOVD 120(R1), R9
	MOVD 144(R1), R10
	MOVD 168(R1), R11
	ADD  R3, R4
	ADD  R3, R5
	ADD  R3, R6
	ADD  R3, R7
	ADD  R3, R8
	ADD  R3, R9
	ADD  R3, R10
	ADD  R3, R11

loop8:
	VLD1.P 16(R4), [V16.B16]
	VLD1.P 16(R5), [V17.B16]
	VLD1.P 16(R6), [V18.B16]
	VLD1.P 16(R7), [V19.B16]
	VLD1.P 16(R8), [V20.B16]
	VLD1.P 16(R9), [V21.B16]
	VLD1.P 16(R10), [V22.B16]
	VLD1.P 16(R11), [V23.B16]
	VZIP1  V17.B16, V16.B16, V0.B16
	VZIP2  V17.B16, V16.B16, V4.B16
	VZIP1  V19.B16, V18.B16, V1.B16
	VZIP2  V19.B16, V18.B16, V5.B16
	VZIP1  V21.B16, V20.B16, V2.B16
	VZIP2  V21.B16, V20.B16, V6.B16
	VZIP1  V23.B16, V22.B16, V3.B16
	VZIP2  V23.B16, V22.B16, V7.B16
	VST4.P [V0.H8, V1.H8, V2.H8, V3.H8], 64(R0)
	VST4.P [V4.H8, V5.H8, V6.H8, V7.H8], 64(R0)
	SUBS   $16, R2
	BNE    loop8
	RET

// Loads 16 bytes of four planes, and leaves them as lanes of four: elements 0 to 3 in a, 4 to 7 in b, 8 to 11 in c,
// 12 to 15 in d.
#define LOADFOUR(p0, p1, p2, p3, a, b, c, d) \
	VLD1.P 16(p0), [V16.B16]         \
	VLD1.P 16(p1), [V17.B16]         \
	VLD1.P 16(p2), [V18.B16]         \
	VLD1.P 16(p3), [V19.B16]         \
	VZIP1  V17.B16, V16.B16, V20.B16 \
	VZIP2  V17.B16, V16.B16, V21.B16 \
	VZIP1  V19.B16, V18.B16, V22.B16 \
	VZIP2  V19.B16, V18.B16, V23.B16 \
	VZIP1  V22.H8, V20.H8, a         \
	VZIP2  V22.H8, V20.H8, b         \
	VZIP1  V23.H8, V21.H8, c         \
	VZIP2  V23.H8, V21.H8, d

// func unshuffle16NEON(dst *byte, planes *[]byte, at, n int)
TEXT ·unshuffle16NEON(SB), NOSPLIT, $0-32
	MOVD dst+0(FP), R0
	MOVD planes+8(FP), R1
	MOVD at+16(FP), R3
	MOVD n+24(FP), R2
	MOVD 0(R1), R4
	MOVD 24(R1), R5
	MOVD 48(R1), R6
	MOVD 72(R1), R7
	MOVD 96(R1), R8
	MOVD 120(R1), R9
	MOVD 144(R1), R10
	MOVD 168(R1), R11
	MOVD 192(R1), R12
	MOVD 216(R1), R13
	MOVD 240(R1), R14
	MOVD 264(R1), R15
	MOVD 288(R1), R19
	MOVD 312(R1), R20
	MOVD 336(R1), R21
	MOVD 360(R1), R22
	ADD  R3, R4
	ADD  R3, R5
	ADD  R3, R6
	ADD  R3, R7
	ADD  R3, R8
	ADD  R3, R9
	ADD  R3, R10
	ADD  R3, R11
	ADD  R3, R12
	ADD  R3, R13
	ADD  R3, R14
	ADD  R3, R15
	ADD  R3, R19
	ADD  R3, R20
	ADD  R3, R21
	ADD  R3, R22

loop16:
	LOADFOUR(R4, R5, R6, R7, V0.H8, V4.H8, V8.H8, V12.H8)
	LOADFOUR(R8, R9, R10, R11, V1.H8, V5.H8, V9.H8, V13.H8)
	LOADFOUR(R12, R13, R14, R15, V2.H8, V6.H8, V10.H8, V14.H8)
	LOADFOUR(R19, R20, R21, R22, V3.H8, V7.H8, V11.H8, V15.H8)
	VST4.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0)
	VST4.P [V4.S4, V5.S4, V6.S4, V7.S4], 64(R0)
	VST4.P [V8.S4, V9.S4, V10.S4, V11.S4], 64(R0)
	VST4.P [V12.S4, V13.S4, V14.S4, V15.S4], 64(R0)
	SUBS   $16, R2
	BNE    loop16
	RET
