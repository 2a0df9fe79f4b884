//go:build !purego

#include "textflag.h"

// The 256-bit unpack instructions work on each half of a register by itself, so that elements come out as 0-7, 16-23 and
// so on; VPERM2I128 puts the halves in order at the end.
//
// In every kernel DI is where the next elements go, AX the offset of the next ones in their planes, and CX the offset of
// the end.

// func unshuffle2AVX2(dst *byte, planes *[]byte, at, n int)
TEXT ·unshuffle2AVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ planes+8(FP), DX
	MOVQ at+16(FP), AX
	MOVQ n+24(FP), CX
	ADDQ AX, CX
	MOVQ 0(DX), R8
	MOVQ 24(DX), R9

loop2:
	VMOVDQU    (R8)(AX*1), Y0
	VMOVDQU    (R9)(AX*1), Y1
	VPUNPCKLBW Y1, Y0, Y2
	VPUNPCKHBW Y1, Y0, Y3
	VPERM2I128 $0x20, Y3, Y2, Y0
	VPERM2I128 $0x31, Y3, Y2, Y1
	VMOVDQU    Y0, (DI)
	VMOVDQU    Y1, 32(DI)
	ADDQ       $64, DI
	ADDQ       $32, AX
	CMPQ       AX, CX
	JB         loop2
	VZEROUPPER
	RET

// Puts 32 elements of 4 bytes together, from planes in R8 to R11, into Y4 to Y7.
#define UNPACK4 \
	VMOVDQU    (R8)(AX*1), Y0  \
	VMOVDQU    (R9)(AX*1), Y1  \
	VMOVDQU    (R10)(AX*1), Y2 \
	VMOVDQU    (R11)(AX*1), Y3 \
	VPUNPCKLBW Y1, Y0, Y4      \
	VPUNPCKHBW Y1, Y0, Y5      \
	VPUNPCKLBW Y3, Y2, Y6      \
	VPUNPCKHBW Y3, Y2, Y7      \
	VPUNPCKLWD Y6, Y4, Y0      \
	VPUNPCKHWD Y6, Y4, Y1      \
	VPUNPCKLWD Y7, Y5, Y2      \
	VPUNPCKHWD Y7, Y5, Y3      \
	VPERM2I128 $0x20, Y1, Y0, Y4 \
	VPERM2I128 $0x20, Y3, Y2, Y5 \
	VPERM2I128 $0x31, Y1, Y0, Y6 \
	VPERM2I128 $0x31, Y3, Y2, Y7

// func unshuffle4AVX2(dst *byte, planes *[]byte, at, n int)
TEXT ·unshuffle4AVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ planes+8(FP), DX
	MOVQ at+16(FP), AX
	MOVQ n+24(FP), CX
	ADDQ AX, CX
	MOVQ 0(DX), R8
	MOVQ 24(DX), R9
	MOVQ 48(DX), R10
	MOVQ 72(DX), R11

loop4:
	UNPACK4
	VMOVDQU    Y4, (DI)
	VMOVDQU    Y5, 32(DI)
	VMOVDQU    Y6, 64(DI)
	VMOVDQU    Y7, 96(DI)
	ADDQ       $128, DI
	ADDQ       $32, AX
	CMPQ       AX, CX
	JB         loop4
	VZEROUPPER
	RET

// func unshuffle4AroundAVX2(dst *byte, planes *[]byte, at, n int)
TEXT ·unshuffle4AroundAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ planes+8(FP), DX
	MOVQ at+16(FP), AX
	MOVQ n+24(FP), CX
	ADDQ AX, CX
	MOVQ 0(DX), R8
	MOVQ 24(DX), R9
	MOVQ 48(DX), R10
	MOVQ 72(DX), R11

loop4around:
	UNPACK4
	VMOVNTDQ   Y4, (DI)
	VMOVNTDQ   Y5, 32(DI)
	VMOVNTDQ   Y6, 64(DI)
	VMOVNTDQ   Y7, 96(DI)
	ADDQ       $128, DI
	ADDQ       $32, AX
	CMPQ       AX, CX
	JB         loop4around

	// Stores around the caches are ordered with no others but by this.
	SFENCE
	VZEROUPPER
	RET

// Loads the start of eight planes whose slices are from off(DX) on.
#define LOADPLANES(off) \
	MOVQ (off+0)(DX), R8    \
	MOVQ (off+24)(DX), R9   \
	MOVQ (off+48)(DX), R10  \
	MOVQ (off+72)(DX), R11  \
	MOVQ (off+96)(DX), R12  \
	MOVQ (off+120)(DX), R13 \
	MOVQ (off+144)(DX), BX  \
	MOVQ (off+168)(DX), SI

// func unshuffle8AVX2(dst *byte, planes *[]byte, at, n int)
TEXT ·unshuffle8AVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ planes+8(FP), DX
	MOVQ at+16(FP), AX
	MOVQ n+24(FP), CX
	ADDQ AX, CX
	LOADPLANES(0)

loop8:
	VMOVDQU    (R8)(AX*1), Y8
	VMOVDQU    (R9)(AX*1), Y9
	VMOVDQU    (R10)(AX*1), Y10
	VMOVDQU    (R11)(AX*1), Y11
	VMOVDQU    (R12)(AX*1), Y12
	VMOVDQU    (R13)(AX*1), Y13
	VMOVDQU    (BX)(AX*1), Y14
	VMOVDQU    (SI)(AX*1), Y15
	VPUNPCKLBW Y9, Y8, Y0
	VPUNPCKHBW Y9, Y8, Y1
	VPUNPCKLBW Y11, Y10, Y2
	VPUNPCKHBW Y11, Y10, Y3
	VPUNPCKLBW Y13, Y12, Y4
	VPUNPCKHBW Y13, Y12, Y5
	VPUNPCKLBW Y15, Y14, Y6
	VPUNPCKHBW Y15, Y14, Y7
	VPUNPCKLWD Y2, Y0, Y8
	VPUNPCKHWD Y2, Y0, Y9
	VPUNPCKLWD Y3, Y1, Y10
	VPUNPCKHWD Y3, Y1, Y11
	VPUNPCKLWD Y6, Y4, Y12
	VPUNPCKHWD Y6, Y4, Y13
	VPUNPCKLWD Y7, Y5, Y14
	VPUNPCKHWD Y7, Y5, Y15
	VPUNPCKLDQ Y12, Y8, Y0
	VPUNPCKHDQ Y12, Y8, Y1
	VPUNPCKLDQ Y13, Y9, Y2
	VPUNPCKHDQ Y13, Y9, Y3
	VPUNPCKLDQ Y14, Y10, Y4
	VPUNPCKHDQ Y14, Y10, Y5
	VPUNPCKLDQ Y15, Y11, Y6
	VPUNPCKHDQ Y15, Y11, Y7
	VPERM2I128 $0x20, Y1, Y0, Y8
	VPERM2I128 $0x20, Y3, Y2, Y9
	VPERM2I128 $0x20, Y5, Y4, Y10
	VPERM2I128 $0x20, Y7, Y6, Y11
	VPERM2I128 $0x31, Y1, Y0, Y12
	VPERM2I128 $0x31, Y3, Y2, Y13
	VPERM2I128 $0x31, Y5, Y4, Y14
	VPERM2I128 $0x31, Y7, Y6, Y15
	VMOVDQU    Y8, (DI)
	VMOVDQU    Y9, 32(DI)
	VMOVDQU    Y10, 64(DI)
	VMOVDQU    Y11, 96(DI)
	VMOVDQU    Y12, 128(DI)
	VMOVDQU    Y13, 160(DI)
	VMOVDQU    Y14, 192(DI)
	VMOVDQU    Y15, 224(DI)
	ADDQ       $256, DI
	ADDQ       $32, AX
	CMPQ       AX, CX
	JB         loop8
	VZEROUPPER
	RET

// Stores the halves of X, eight bytes of each of two elements, in elements off*2 and off*2+1 from DI on.
#define STORE2(X, off) \
	VMOVQ   X, (32*off)(DI)    \
	VMOVHPS X, (32*off+16)(DI)

// The 16 planes are done as two times eight, each of which leaves half of every element alone: there are not enough
// registers for all.

// func unshuffle16AVX2(dst *byte, planes *[]byte, at, n int)
TEXT ·unshuffle16AVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ planes+8(FP), DX
	MOVQ at+16(FP), AX
	MOVQ n+24(FP), CX
	ADDQ AX, CX
	LOADPLANES(0)

loop16lo:
	VMOVDQU    (R8)(AX*1), X8
	VMOVDQU    (R9)(AX*1), X9
	VMOVDQU    (R10)(AX*1), X10
	VMOVDQU    (R11)(AX*1), X11
	VMOVDQU    (R12)(AX*1), X12
	VMOVDQU    (R13)(AX*1), X13
	VMOVDQU    (BX)(AX*1), X14
	VMOVDQU    (SI)(AX*1), X15
	VPUNPCKLBW X9, X8, X0
	VPUNPCKHBW X9, X8, X1
	VPUNPCKLBW X11, X10, X2
	VPUNPCKHBW X11, X10, X3
	VPUNPCKLBW X13, X12, X4
	VPUNPCKHBW X13, X12, X5
	VPUNPCKLBW X15, X14, X6
	VPUNPCKHBW X15, X14, X7
	VPUNPCKLWD X2, X0, X8
	VPUNPCKHWD X2, X0, X9
	VPUNPCKLWD X3, X1, X10
	VPUNPCKHWD X3, X1, X11
	VPUNPCKLWD X6, X4, X12
	VPUNPCKHWD X6, X4, X13
	VPUNPCKLWD X7, X5, X14
	VPUNPCKHWD X7, X5, X15
	VPUNPCKLDQ X12, X8, X0
	VPUNPCKHDQ X12, X8, X1
	VPUNPCKLDQ X13, X9, X2
	VPUNPCKHDQ X13, X9, X3
	VPUNPCKLDQ X14, X10, X4
	VPUNPCKHDQ X14, X10, X5
	VPUNPCKLDQ X15, X11, X6
	VPUNPCKHDQ X15, X11, X7
	STORE2(X0, 0)
	STORE2(X1, 1)
	STORE2(X2, 2)
	STORE2(X3, 3)
	STORE2(X4, 4)
	STORE2(X5, 5)
	STORE2(X6, 6)
	STORE2(X7, 7)
	ADDQ       $256, DI
	ADDQ       $16, AX
	CMPQ       AX, CX
	JB         loop16lo

	MOVQ dst+0(FP), DI
	ADDQ $8, DI
	MOVQ at+16(FP), AX
	LOADPLANES(192)

loop16hi:
	VMOVDQU    (R8)(AX*1), X8
	VMOVDQU    (R9)(AX*1), X9
	VMOVDQU    (R10)(AX*1), X10
	VMOVDQU    (R11)(AX*1), X11
	VMOVDQU    (R12)(AX*1), X12
	VMOVDQU    (R13)(AX*1), X13
	VMOVDQU    (BX)(AX*1), X14
	VMOVDQU    (SI)(AX*1), X15
	VPUNPCKLBW X9, X8, X0
	VPUNPCKHBW X9, X8, X1
	VPUNPCKLBW X11, X10, X2
	VPUNPCKHBW X11, X10, X3
	VPUNPCKLBW X13, X12, X4
	VPUNPCKHBW X13, X12, X5
	VPUNPCKLBW X15, X14, X6
	VPUNPCKHBW X15, X14, X7
	VPUNPCKLWD X2, X0, X8
	VPUNPCKHWD X2, X0, X9
	VPUNPCKLWD X3, X1, X10
	VPUNPCKHWD X3, X1, X11
	VPUNPCKLWD X6, X4, X12
	VPUNPCKHWD X6, X4, X13
	VPUNPCKLWD X7, X5, X14
	VPUNPCKHWD X7, X5, X15
	VPUNPCKLDQ X12, X8, X0
	VPUNPCKHDQ X12, X8, X1
	VPUNPCKLDQ X13, X9, X2
	VPUNPCKHDQ X13, X9, X3
	VPUNPCKLDQ X14, X10, X4
	VPUNPCKHDQ X14, X10, X5
	VPUNPCKLDQ X15, X11, X6
	VPUNPCKHDQ X15, X11, X7
	STORE2(X0, 0)
	STORE2(X1, 1)
	STORE2(X2, 2)
	STORE2(X3, 3)
	STORE2(X4, 4)
	STORE2(X5, 5)
	STORE2(X6, 6)
	STORE2(X7, 7)
	ADDQ       $256, DI
	ADDQ       $16, AX
	CMPQ       AX, CX
	JB         loop16hi
	VZEROUPPER
	RET

DATA transposeMasks<>+0(SB)/8, $0x00aa00aa00aa00aa
DATA transposeMasks<>+8(SB)/8, $0x0000cccc0000cccc
DATA transposeMasks<>+16(SB)/8, $0x00000000f0f0f0f0
GLOBL transposeMasks<>(SB), RODATA|NOPTR, $24

// Swaps the bits of MASK in every 64-bit lane of Y0 with those SHIFT above them.
#define SWAP(SHIFT, MASK) \
	VPSRLQ SHIFT, Y0, Y1 \
	VPXOR  Y0, Y1, Y1    \
	VPAND  MASK, Y1, Y1  \
	VPSLLQ SHIFT, Y1, Y2 \
	VPXOR  Y1, Y0, Y0    \
	VPXOR  Y2, Y0, Y0

// func transposeBitsAVX2(p *byte, n int)
TEXT ·transposeBitsAVX2(SB), NOSPLIT, $0-16
	MOVQ         p+0(FP), DI
	MOVQ         n+8(FP), CX
	VPBROADCASTQ transposeMasks<>+0(SB), Y3
	VPBROADCASTQ transposeMasks<>+8(SB), Y4
	VPBROADCASTQ transposeMasks<>+16(SB), Y5

loopbits:
	VMOVDQU (DI), Y0
	SWAP($7, Y3)
	SWAP($14, Y4)
	SWAP($28, Y5)
	VMOVDQU Y0, (DI)
	ADDQ    $32, DI
	SUBQ    $32, CX
	JNZ     loopbits
	VZEROUPPER
	RET
