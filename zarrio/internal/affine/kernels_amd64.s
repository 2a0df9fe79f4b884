//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// Each kernel takes 16 elements at a time: it loads them into Y0 and Y1 as float32, normalises and stores them. What a
// conversion may leave out is jumped over; such jumps go the same way all along, and cost next to nothing.
//
// DI and SI are at the next elements of the destination and of the source, CX is the number of those left. Bytes change
// places by the mask in Y15, by the same in each 16 of them. Y14 is the mean, Y13 the standard deviation, Y12 the missing
// number, Y11 NaN; R9, R10 and R8 say whether to normalise, to look for missing elements, and to write around the caches.
#define ARGUMENTS \
	MOVQ           dst+0(FP), DI              \
	MOVQ           src+8(FP), SI              \
	MOVQ           n+16(FP), CX               \
	MOVQ           mask+24(FP), AX            \
	MOVQ           p+32(FP), DX               \
	MOVBLZX        stream+40(FP), R8          \
	MOVL           params_normalized(DX), R9  \
	MOVL           params_masked(DX), R10     \
	VBROADCASTI128 (AX), Y15                  \
	VBROADCASTSS   params_mean(DX), Y14       \
	VBROADCASTSS   params_std(DX), Y13        \
	VBROADCASTSS   params_missing(DX), Y12    \
	VPCMPEQD       Y11, Y11, Y11              \
	VPSRLD         $23, Y11, Y11              \
	VPSLLD         $22, Y11, Y11 // 0x7fc00000

// Loads 16 elements of float32.
#define LOADFLOAT \
	VMOVDQU   (SI), Y0         \
	VMOVDQU   32(SI), Y1       \
	VPSHUFB   Y15, Y0, Y0      \
	VPSHUFB   Y15, Y1, Y1      \
	ADDQ      $64, SI          \
	TESTL     R10, R10         \
	JZ        loaded           \
	VCMPPS    $0, Y12, Y0, Y2  \
	VCMPPS    $0, Y12, Y1, Y3  \
	VBLENDVPS Y2, Y11, Y0, Y0  \
	VBLENDVPS Y3, Y11, Y1, Y1  \
loaded:

// Y7 and Y6 are the scale and the offset of LOADINT16.
#define PACKING \
	VBROADCASTSD params_scale(DX), Y7  \
	VBROADCASTSD params_offset(DX), Y6

// Unpacks 8 elements of int32 in register y, whose lower half is x, to float32, with a temporary register.
#define UNPACK(x, y, tx, ty) \
	VEXTRACTI128 $1, y, tx     \
	VCVTDQ2PD    x, y          \
	VCVTDQ2PD    tx, ty        \
	VMULPD       Y7, y, y      \
	VMULPD       Y7, ty, ty    \
	VADDPD       Y6, y, y      \
	VADDPD       Y6, ty, ty    \
	VCVTPD2PSY   y, x          \
	VCVTPD2PSY   ty, tx        \
	VINSERTI128  $1, tx, y, y

// Loads 16 elements of int16.
#define LOADINT16 \
	VMOVDQU      (SI), Y2         \
	VPSHUFB      Y15, Y2, Y2      \
	ADDQ         $32, SI          \
	VEXTRACTI128 $1, Y2, X3       \
	VPMOVSXWD    X2, Y0           \
	VPMOVSXWD    X3, Y1           \
	UNPACK(X0, Y0, X4, Y4)        \
	UNPACK(X1, Y1, X5, Y5)        \
	TESTL        R10, R10         \
	JZ           loaded           \
	VPCMPEQW     Y12, Y2, Y2      \
	VEXTRACTI128 $1, Y2, X3       \
	VPMOVSXWD    X2, Y2           \
	VPMOVSXWD    X3, Y3           \
	VBLENDVPS    Y2, Y11, Y0, Y0  \
	VBLENDVPS    Y3, Y11, Y1, Y1  \
loaded:

#define NORMALIZE \
	TESTL  R9, R9        \
	JZ     normalized    \
	VSUBPS Y14, Y0, Y0   \
	VSUBPS Y14, Y1, Y1   \
	VDIVPS Y13, Y0, Y0   \
	VDIVPS Y13, Y1, Y1   \
normalized:

// Stores 16 elements of float32, and ends the loop.
#define STOREFLOAT \
	TESTL    R8, R8       \
	JNZ      around       \
	VMOVDQU  Y0, (DI)     \
	VMOVDQU  Y1, 32(DI)   \
	JMP      stored       \
around:                   \
	VMOVNTDQ Y0, (DI)     \
	VMOVNTDQ Y1, 32(DI)   \
stored:                   \
	ADDQ     $64, DI      \
	SUBQ     $16, CX      \
	JNZ      loop

// Stores 16 elements of 2 bytes, which are in Y0, and ends the loop.
#define STOREHALF \
	TESTL    R8, R8       \
	JNZ      around       \
	VMOVDQU  Y0, (DI)     \
	JMP      stored       \
around:                   \
	VMOVNTDQ Y0, (DI)     \
stored:                   \
	ADDQ     $32, DI      \
	SUBQ     $16, CX      \
	JNZ      loop

#define END \
	TESTL R8, R8   \
	JZ    ordered  \
	SFENCE         \
ordered:           \
	VZEROUPPER     \
	RET

// Y10, Y9 and Y8 are what BFLOAT16 rounds with: 0x7fff, 1 and the bit that makes a NaN quiet.
#define ROUNDING \
	VPCMPEQD Y10, Y10, Y10  \
	VPSRLD   $31, Y10, Y9   \
	VPSLLD   $22, Y9, Y8    \
	VPSRLD   $17, Y10, Y10

// Rounds 8 elements of float32 to bfloat16, as integers of 4 bytes.
#define BFLOAT16(y, t, nan) \
	VPSRLD    $16, y, t       \
	VPAND     Y9, t, t        \
	VPADDD    Y10, t, t       \
	VPADDD    y, t, t         \
	VCMPPS    $3, y, y, nan   \
	VPOR      Y8, y, y        \
	VBLENDVPS nan, y, t, y    \
	VPSRLD    $16, y, y

#define TOBFLOAT16 \
	BFLOAT16(Y0, Y2, Y3)      \
	BFLOAT16(Y1, Y4, Y5)      \
	VPACKUSDW Y1, Y0, Y0      \
	VPERMQ    $0xd8, Y0, Y0

#define TOFLOAT16 \
	VCVTPS2PH   $0, Y0, X0      \
	VCVTPS2PH   $0, Y1, X1      \
	VINSERTI128 $1, X1, Y0, Y0

// func floatToFloatAVX2(dst, src *byte, n int, mask *[16]byte, p *params, stream bool)
TEXT ·floatToFloatAVX2(SB), NOSPLIT, $0-41
	ARGUMENTS

loop:
	LOADFLOAT
	NORMALIZE
	STOREFLOAT
	END

// func floatToBFloat16AVX2(dst, src *byte, n int, mask *[16]byte, p *params, stream bool)
TEXT ·floatToBFloat16AVX2(SB), NOSPLIT, $0-41
	ARGUMENTS
	ROUNDING

loop:
	LOADFLOAT
	NORMALIZE
	TOBFLOAT16
	STOREHALF
	END

// func floatToFloat16AVX2(dst, src *byte, n int, mask *[16]byte, p *params, stream bool)
TEXT ·floatToFloat16AVX2(SB), NOSPLIT, $0-41
	ARGUMENTS

loop:
	LOADFLOAT
	NORMALIZE
	TOFLOAT16
	STOREHALF
	END

// func int16ToFloatAVX2(dst, src *byte, n int, mask *[16]byte, p *params, stream bool)
TEXT ·int16ToFloatAVX2(SB), NOSPLIT, $0-41
	ARGUMENTS
	PACKING

loop:
	LOADINT16
	NORMALIZE
	STOREFLOAT
	END

// func int16ToBFloat16AVX2(dst, src *byte, n int, mask *[16]byte, p *params, stream bool)
TEXT ·int16ToBFloat16AVX2(SB), NOSPLIT, $0-41
	ARGUMENTS
	PACKING
	ROUNDING

loop:
	LOADINT16
	NORMALIZE
	TOBFLOAT16
	STOREHALF
	END

// func int16ToFloat16AVX2(dst, src *byte, n int, mask *[16]byte, p *params, stream bool)
TEXT ·int16ToFloat16AVX2(SB), NOSPLIT, $0-41
	ARGUMENTS
	PACKING

loop:
	LOADINT16
	NORMALIZE
	TOFLOAT16
	STOREHALF
	END
