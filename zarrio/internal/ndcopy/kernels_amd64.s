//go:build !purego

#include "textflag.h"

// Each transpose kernel copies n elements of as many columns of the source as fill a cache line. They become n rows
// of 64 bytes in the destination. Bytes change places by the mask in Y15, by the same in each 16 of them.
//
// The 256-bit unpack instructions work on each half of a register by itself. So the halves are loaded from different
// columns, and a row comes out in order.
//
// The kernels whose names end in Around write around the caches: their stores are ordered with no others but by SFENCE.
//
// In every transpose kernel DI is where the next rows go, SI from one row to the next and R10 three times that. R8 and the
// registers behind it are at the next elements of columns, DX is from one column to the next, and R9 three times that.
#define ARGUMENTS \
	MOVQ           dst+0(FP), DI    \
	MOVQ           src+8(FP), R8    \
	MOVQ           byDst+16(FP), SI \
	MOVQ           bySrc+24(FP), DX \
	MOVQ           n+32(FP), CX     \
	MOVQ           mask+40(FP), AX  \
	VBROADCASTI128 (AX), Y15        \
	LEAQ           (DX)(DX*2), R9   \
	LEAQ           (SI)(SI*2), R10

// Loads 16 bytes of one column and 16 of another into the halves of a register.
#define PAIR(a, b, x, y) \
	VMOVDQU     a, x        \
	VINSERTI128 $1, b, y, y

// Makes 8 rows of 16 elements of 2 bytes: the columns are at R8, R11, R12 and R13, four at each.
#define BLOCK2(off) \
	PAIR((R8), (R12), X0, Y0)                     \
	PAIR((R8)(DX*1), (R12)(DX*1), X1, Y1)         \
	PAIR((R8)(DX*2), (R12)(DX*2), X2, Y2)         \
	PAIR((R8)(R9*1), (R12)(R9*1), X3, Y3)         \
	PAIR((R11), (R13), X4, Y4)                    \
	PAIR((R11)(DX*1), (R13)(DX*1), X5, Y5)        \
	PAIR((R11)(DX*2), (R13)(DX*2), X6, Y6)        \
	PAIR((R11)(R9*1), (R13)(R9*1), X7, Y7)        \
	VPUNPCKLWD  Y1, Y0, Y8                        \
	VPUNPCKHWD  Y1, Y0, Y9                        \
	VPUNPCKLWD  Y3, Y2, Y0                        \
	VPUNPCKHWD  Y3, Y2, Y1                        \
	VPUNPCKLWD  Y5, Y4, Y2                        \
	VPUNPCKHWD  Y5, Y4, Y3                        \
	VPUNPCKLWD  Y7, Y6, Y4                        \
	VPUNPCKHWD  Y7, Y6, Y5                        \
	VPUNPCKLDQ  Y0, Y8, Y6                        \
	VPUNPCKHDQ  Y0, Y8, Y7                        \
	VPUNPCKLDQ  Y1, Y9, Y8                        \
	VPUNPCKHDQ  Y1, Y9, Y9                        \
	VPUNPCKLDQ  Y4, Y2, Y0                        \
	VPUNPCKHDQ  Y4, Y2, Y1                        \
	VPUNPCKLDQ  Y5, Y3, Y2                        \
	VPUNPCKHDQ  Y5, Y3, Y3                        \
	VPUNPCKLQDQ Y0, Y6, Y4                        \
	VPUNPCKHQDQ Y0, Y6, Y5                        \
	VPUNPCKLQDQ Y1, Y7, Y6                        \
	VPUNPCKHQDQ Y1, Y7, Y7                        \
	VPUNPCKLQDQ Y2, Y8, Y0                        \
	VPUNPCKHQDQ Y2, Y8, Y1                        \
	VPUNPCKLQDQ Y3, Y9, Y2                        \
	VPUNPCKHQDQ Y3, Y9, Y3                        \
	VPSHUFB     Y15, Y4, Y4                       \
	VPSHUFB     Y15, Y5, Y5                       \
	VPSHUFB     Y15, Y6, Y6                       \
	VPSHUFB     Y15, Y7, Y7                       \
	VPSHUFB     Y15, Y0, Y0                       \
	VPSHUFB     Y15, Y1, Y1                       \
	VPSHUFB     Y15, Y2, Y2                       \
	VPSHUFB     Y15, Y3, Y3                       \
	VMOVDQU     Y4, off(DI)                       \
	VMOVDQU     Y5, off(DI)(SI*1)                 \
	VMOVDQU     Y6, off(DI)(SI*2)                 \
	VMOVDQU     Y7, off(DI)(R10*1)                \
	VMOVDQU     Y0, off(BX)                       \
	VMOVDQU     Y1, off(BX)(SI*1)                 \
	VMOVDQU     Y2, off(BX)(SI*2)                 \
	VMOVDQU     Y3, off(BX)(R10*1)

// func transpose2AVX2(dst, src *byte, byDst, bySrc, n int, mask *[16]byte)
TEXT ·transpose2AVX2(SB), NOSPLIT, $0-48
	ARGUMENTS
	LEAQ (R8)(DX*4), R11
	LEAQ (R11)(DX*4), R12
	LEAQ (R12)(DX*4), R13
	MOVQ DX, AX
	SHLQ $4, AX // from the first 16 columns to the others
	LEAQ (DI)(SI*4), BX // four rows behind DI

loop:
	BLOCK2(0)
	ADDQ AX, R8
	ADDQ AX, R11
	ADDQ AX, R12
	ADDQ AX, R13
	BLOCK2(32)
	SUBQ AX, R8
	SUBQ AX, R11
	SUBQ AX, R12
	SUBQ AX, R13
	ADDQ $16, R8
	ADDQ $16, R11
	ADDQ $16, R12
	ADDQ $16, R13
	LEAQ (DI)(SI*8), DI
	LEAQ (BX)(SI*8), BX
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET

// Goes down the columns by a block that makes so many rows.
#define ALL(BLOCK, rows, store) \
	LEAQ (R8)(DX*rows), R11    \
	LEAQ (R11)(DX*rows), R12   \
	LEAQ (R12)(DX*rows), R13   \
loop:                          \
	BLOCK(store, R8, R11, 0)   \
	BLOCK(store, R12, R13, 32) \
	ADDQ $16, R8               \
	ADDQ $16, R11              \
	ADDQ $16, R12              \
	ADDQ $16, R13              \
	LEAQ (DI)(SI*rows), DI     \
	SUBQ $rows, CX             \
	JNZ  loop

// Makes 4 rows of 8 elements of 4 bytes: four columns are at a, four at b.
#define BLOCK4(store, a, b, off) \
	PAIR((a), (b), X0, Y0)             \
	PAIR((a)(DX*1), (b)(DX*1), X1, Y1) \
	PAIR((a)(DX*2), (b)(DX*2), X2, Y2) \
	PAIR((a)(R9*1), (b)(R9*1), X3, Y3) \
	VPUNPCKLDQ  Y1, Y0, Y4             \
	VPUNPCKHDQ  Y1, Y0, Y5             \
	VPUNPCKLDQ  Y3, Y2, Y6             \
	VPUNPCKHDQ  Y3, Y2, Y7             \
	VPUNPCKLQDQ Y6, Y4, Y0             \
	VPUNPCKHQDQ Y6, Y4, Y1             \
	VPUNPCKLQDQ Y7, Y5, Y2             \
	VPUNPCKHQDQ Y7, Y5, Y3             \
	VPSHUFB     Y15, Y0, Y0            \
	VPSHUFB     Y15, Y1, Y1            \
	VPSHUFB     Y15, Y2, Y2            \
	VPSHUFB     Y15, Y3, Y3            \
	store       Y0, off(DI)            \
	store       Y1, off(DI)(SI*1)      \
	store       Y2, off(DI)(SI*2)      \
	store       Y3, off(DI)(R10*1)

// func transpose4AVX2(dst, src *byte, byDst, bySrc, n int, mask *[16]byte)
TEXT ·transpose4AVX2(SB), NOSPLIT, $0-48
	ARGUMENTS
	ALL(BLOCK4, 4, VMOVDQU)
	VZEROUPPER
	RET

// func transpose4AroundAVX2(dst, src *byte, byDst, bySrc, n int, mask *[16]byte)
TEXT ·transpose4AroundAVX2(SB), NOSPLIT, $0-48
	ARGUMENTS
	ALL(BLOCK4, 4, VMOVNTDQ)
	SFENCE
	VZEROUPPER
	RET

// Makes 2 rows of 4 elements of 8 bytes: two columns are at a, two at b.
#define BLOCK8(store, a, b, off) \
	PAIR((a), (b), X0, Y0)             \
	PAIR((a)(DX*1), (b)(DX*1), X1, Y1) \
	VPUNPCKLQDQ Y1, Y0, Y2             \
	VPUNPCKHQDQ Y1, Y0, Y3             \
	VPSHUFB     Y15, Y2, Y2            \
	VPSHUFB     Y15, Y3, Y3            \
	store       Y2, off(DI)            \
	store       Y3, off(DI)(SI*1)

// func transpose8AVX2(dst, src *byte, byDst, bySrc, n int, mask *[16]byte)
TEXT ·transpose8AVX2(SB), NOSPLIT, $0-48
	ARGUMENTS
	ALL(BLOCK8, 2, VMOVDQU)
	VZEROUPPER
	RET

// func transpose8AroundAVX2(dst, src *byte, byDst, bySrc, n int, mask *[16]byte)
TEXT ·transpose8AroundAVX2(SB), NOSPLIT, $0-48
	ARGUMENTS
	ALL(BLOCK8, 2, VMOVNTDQ)
	SFENCE
	VZEROUPPER
	RET

// func swapAVX2(dst, src *byte, n int, mask *[16]byte)
TEXT ·swapAVX2(SB), NOSPLIT, $0-32
	MOVQ           dst+0(FP), DI
	MOVQ           src+8(FP), SI
	MOVQ           n+16(FP), CX
	MOVQ           mask+24(FP), AX
	VBROADCASTI128 (AX), Y15
	ADDQ           CX, DI
	ADDQ           CX, SI
	NEGQ           CX

loop:
	VMOVDQU (SI)(CX*1), Y0
	VPSHUFB Y15, Y0, Y0
	VMOVDQU Y0, (DI)(CX*1)
	ADDQ    $32, CX
	JNZ     loop
	VZEROUPPER
	RET
