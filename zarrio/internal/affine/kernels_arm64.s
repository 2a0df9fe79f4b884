//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// Go's assembler has no vector arithmetic of floating-point numbers, and no widening of signed ones: m, n and d are
// register numbers.
#define FSUB_S4(m, n, d) WORD $(0x4ea0d400 | (m)<<16 | (n)<<5 | (d))  // fsub   vd.4s, vn.4s, vm.4s
#define FDIV_S4(m, n, d) WORD $(0x6e20fc00 | (m)<<16 | (n)<<5 | (d))  // fdiv   vd.4s, vn.4s, vm.4s
#define FMUL_D2(m, n, d) WORD $(0x6e60dc00 | (m)<<16 | (n)<<5 | (d))  // fmul   vd.2d, vn.2d, vm.2d
#define FADD_D2(m, n, d) WORD $(0x4e60d400 | (m)<<16 | (n)<<5 | (d))  // fadd   vd.2d, vn.2d, vm.2d
#define FCMEQ_S4(m, n, d) WORD $(0x4e20e400 | (m)<<16 | (n)<<5 | (d)) // fcmeq  vd.4s, vn.4s, vm.4s
#define SXTL_S4(n, d) WORD $(0x0f10a400 | (n)<<5 | (d))               // sxtl   vd.4s, vn.4h: the lower four
#define SXTL2_S4(n, d) WORD $(0x4f10a400 | (n)<<5 | (d))              // sxtl2  vd.4s, vn.8h: the upper four
#define SXTL_D2(n, d) WORD $(0x0f20a400 | (n)<<5 | (d))               // sxtl   vd.2d, vn.2s: the lower two
#define SXTL2_D2(n, d) WORD $(0x4f20a400 | (n)<<5 | (d))              // sxtl2  vd.2d, vn.4s: the upper two
#define SCVTF_D2(n, d) WORD $(0x4e61d800 | (n)<<5 | (d))              // scvtf  vd.2d, vn.2d
#define FCVTN_S2(n, d) WORD $(0x0e616800 | (n)<<5 | (d))              // fcvtn  vd.2s, vn.2d
#define FCVTN2_S4(n, d) WORD $(0x4e616800 | (n)<<5 | (d))             // fcvtn2 vd.4s, vn.2d
#define FCVTN_H4(n, d) WORD $(0x0e216800 | (n)<<5 | (d))              // fcvtn  vd.4h, vn.4s
#define FCVTN2_H8(n, d) WORD $(0x4e216800 | (n)<<5 | (d))             // fcvtn2 vd.8h, vn.4s

// Each kernel takes 16 elements at a time: it loads them into V0 to V3 as float32, normalises and stores them. What a
// conversion may leave out is jumped over.
//
// R0 and R1 are at the next elements of the destination and of the source, R2 is the number of those left. Bytes change
// places by the mask in V31, by the same in each 16 of them. V30 is the mean, V29 the standard deviation, V28 the missing
// number, V27 NaN; R5 and R6 say whether to normalise and to look for missing elements.
#define ARGUMENTS \
	MOVD  dst+0(FP), R0              \
	MOVD  src+8(FP), R1              \
	MOVD  n+16(FP), R2               \
	MOVD  mask+24(FP), R3            \
	MOVD  p+32(FP), R4               \
	MOVWU params_normalized(R4), R5  \
	MOVWU params_masked(R4), R6      \
	VLD1  (R3), [V31.B16]            \
	MOVWU params_mean(R4), R7        \
	VDUP  R7, V30.S4                 \
	MOVWU params_std(R4), R7         \
	VDUP  R7, V29.S4                 \
	MOVWU params_missing(R4), R7     \
	VDUP  R7, V28.S4                 \
	MOVD  $0x7fc00000, R7            \
	VDUP  R7, V27.S4

#define SWAP(v) VTBL V31.B16, [v.B16], v.B16

// Loads 16 elements of float32.
#define LOADFLOAT \
	VLD1.P 64(R1), [V0.B16, V1.B16, V2.B16, V3.B16] \
	SWAP(V0)                          \
	SWAP(V1)                          \
	SWAP(V2)                          \
	SWAP(V3)                          \
	CBZ    R6, loaded                 \
	FCMEQ_S4(28, 0, 4)                \
	FCMEQ_S4(28, 1, 5)                \
	FCMEQ_S4(28, 2, 6)                \
	FCMEQ_S4(28, 3, 7)                \
	VBIT   V4.B16, V27.B16, V0.B16    \
	VBIT   V5.B16, V27.B16, V1.B16    \
	VBIT   V6.B16, V27.B16, V2.B16    \
	VBIT   V7.B16, V27.B16, V3.B16    \
loaded:

// V26 and V25 are the scale and the offset of LOADINT16.
#define PACKING \
	MOVD params_scale(R4), R7   \
	VDUP R7, V26.D2             \
	MOVD params_offset(R4), R7  \
	VDUP R7, V25.D2

// Unpacks 4 elements of int32 to float32. d may be n.
#define UNPACK(n, d) \
	SXTL_D2(n, 20)       \
	SXTL2_D2(n, 21)      \
	SCVTF_D2(20, 20)     \
	SCVTF_D2(21, 21)     \
	FMUL_D2(26, 20, 20)  \
	FMUL_D2(26, 21, 21)  \
	FADD_D2(25, 20, 20)  \
	FADD_D2(25, 21, 21)  \
	FCVTN_S2(20, d)      \
	FCVTN2_S4(21, d)

// Loads 16 elements of int16.
#define LOADINT16 \
	VLD1.P 32(R1), [V4.B16, V5.B16]   \
	SWAP(V4)                          \
	SWAP(V5)                          \
	SXTL_S4(4, 0)                     \
	SXTL2_S4(4, 1)                    \
	SXTL_S4(5, 2)                     \
	SXTL2_S4(5, 3)                    \
	UNPACK(0, 0)                      \
	UNPACK(1, 1)                      \
	UNPACK(2, 2)                      \
	UNPACK(3, 3)                      \
	CBZ    R6, loaded                 \
	VCMEQ  V28.H8, V4.H8, V4.H8       \
	VCMEQ  V28.H8, V5.H8, V5.H8       \
	SXTL_S4(4, 16)                    \
	SXTL2_S4(4, 17)                   \
	SXTL_S4(5, 18)                    \
	SXTL2_S4(5, 19)                   \
	VBIT   V16.B16, V27.B16, V0.B16   \
	VBIT   V17.B16, V27.B16, V1.B16   \
	VBIT   V18.B16, V27.B16, V2.B16   \
	VBIT   V19.B16, V27.B16, V3.B16   \
loaded:

#define NORMALIZE \
	CBZ R5, normalized  \
	FSUB_S4(30, 0, 0)   \
	FSUB_S4(30, 1, 1)   \
	FSUB_S4(30, 2, 2)   \
	FSUB_S4(30, 3, 3)   \
	FDIV_S4(29, 0, 0)   \
	FDIV_S4(29, 1, 1)   \
	FDIV_S4(29, 2, 2)   \
	FDIV_S4(29, 3, 3)   \
normalized:

#define STOREFLOAT \
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R0)

// Stores 16 elements of 2 bytes, which are in V0 and V1.
#define STOREHALF \
	VST1.P [V0.B16, V1.B16], 32(R0)

#define END \
	SUBS $16, R2  \
	BNE  loop     \
	RET

// V24, V23 and V22 are what BFLOAT16 rounds with: 0x7fff, 1 and the bit that makes a NaN quiet.
#define ROUNDING \
	MOVD $0x7fff, R7    \
	VDUP R7, V24.S4     \
	MOVD $1, R7         \
	VDUP R7, V23.S4     \
	MOVD $0x400000, R7  \
	VDUP R7, V22.S4

// Rounds 4 elements of float32, whose register is v and has the number n, to bfloat16, in the upper halves of them. t is
// a register for that, and V20, which has the elements that are no NaN.
#define BFLOAT16(v, n, t) \
	VUSHR $16, v.S4, t.S4            \
	VAND  V23.B16, t.B16, t.B16      \
	VADD  V24.S4, t.S4, t.S4         \
	VADD  v.S4, t.S4, t.S4           \
	FCMEQ_S4(n, n, 20)               \
	VORR  V22.B16, v.B16, v.B16      \
	VBIT  V20.B16, t.B16, v.B16

#define TOBFLOAT16 \
	BFLOAT16(V0, 0, V4)          \
	BFLOAT16(V1, 1, V5)          \
	BFLOAT16(V2, 2, V6)          \
	BFLOAT16(V3, 3, V7)          \
	VUZP2 V1.H8, V0.H8, V0.H8    \
	VUZP2 V3.H8, V2.H8, V1.H8

#define TOFLOAT16 \
	FCVTN_H4(0, 0)   \
	FCVTN2_H8(1, 0)  \
	FCVTN_H4(2, 1)   \
	FCVTN2_H8(3, 1)

// func floatToFloatNEON(dst, src *byte, n int, mask *[16]byte, p *params)
TEXT ·floatToFloatNEON(SB), NOSPLIT, $0-40
	ARGUMENTS

loop:
	LOADFLOAT
	NORMALIZE
	STOREFLOAT
	END

// func floatToBFloat16NEON(dst, src *byte, n int, mask *[16]byte, p *params)
TEXT ·floatToBFloat16NEON(SB), NOSPLIT, $0-40
	ARGUMENTS
	ROUNDING

loop:
	LOADFLOAT
	NORMALIZE
	TOBFLOAT16
	STOREHALF
	END

// func floatToFloat16NEON(dst, src *byte, n int, mask *[16]byte, p *params)
TEXT ·floatToFloat16NEON(SB), NOSPLIT, $0-40
	ARGUMENTS

loop:
	LOADFLOAT
	NORMALIZE
	TOFLOAT16
	STOREHALF
	END

// func int16ToFloatNEON(dst, src *byte, n int, mask *[16]byte, p *params)
TEXT ·int16ToFloatNEON(SB), NOSPLIT, $0-40
	ARGUMENTS
	PACKING

loop:
	LOADINT16
	NORMALIZE
	STOREFLOAT
	END

// func int16ToBFloat16NEON(dst, src *byte, n int, mask *[16]byte, p *params)
TEXT ·int16ToBFloat16NEON(SB), NOSPLIT, $0-40
	ARGUMENTS
	PACKING
	ROUNDING

loop:
	LOADINT16
	NORMALIZE
	TOBFLOAT16
	STOREHALF
	END

// func int16ToFloat16NEON(dst, src *byte, n int, mask *[16]byte, p *params)
TEXT ·int16ToFloat16NEON(SB), NOSPLIT, $0-40
	ARGUMENTS
	PACKING

loop:
	LOADINT16
	NORMALIZE
	TOFLOAT16
	STOREHALF
	END
