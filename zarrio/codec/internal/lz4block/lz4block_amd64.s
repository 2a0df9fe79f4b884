//go:build !purego

#include "textflag.h"

// A sequence is a token of two lengths of 4 bits, literals, the offset of a match in 2 bytes, and the match. A length of 15
// goes on: that of literals in bytes before them, that of a match in bytes after the offset, each up to one below 255.
//
// In most blocks what comes next cannot be foretold, so a branch on it would often be taken the wrong way, which costs more
// than all else done for a sequence. Hence there is none on whether there are literals, on whether the length of a match
// goes on by one byte, on whether a match repeats itself, nor on how long it is up to 32: all of that is computed for
// every sequence, and 16 bytes of literals and 32 of a match are always copied. What was copied too much is overwritten by
// the next sequence. The margins at the ends of dst and src are for this.
//
// The registers:
//
//	DI, SI   where the sequence's output goes, and where its rest is
//	R12, R13 DI and SI at the start of the sequence, to which a sequence that isn't decoded here returns
//	R8, R9   64 bytes before the end of dst and 32 before that of src, which DI and SI don't go beyond
//	R11      the start of dst
//	R14      spread
//	AX       the length of the match
//	BX, DX   the match, and its offset
//	CX       the length of the literals, then the byte by which that of the match goes on, or 0
//	R10, R15 scratch; R15 is 0 at the start of a sequence

// func decodeFast(dst, src []byte) (di, si int)
TEXT ·decodeFast(SB), NOSPLIT, $0-64
	MOVQ dst_base+0(FP), R11
	MOVQ dst_len+8(FP), R8
	MOVQ src_base+24(FP), SI
	MOVQ src_len+32(FP), R9
	MOVQ R11, DI
	MOVQ DI, R12
	MOVQ SI, R13
	CMPQ R8, $64
	JB   stop
	CMPQ R9, $32
	JB   stop
	LEAQ -64(R11)(R8*1), R8
	LEAQ -32(SI)(R9*1), R9
	LEAQ spread<>(SB), R14
	XORL R15, R15

	PCALIGN $64
sequence:
	MOVQ    DI, R12
	MOVQ    SI, R13
	MOVBLZX (SI), AX
	VMOVDQU 1(SI), X0
	ADDQ    $4, SI
	MOVL    AX, CX
	ANDL    $15, AX
	SHRL    $4, CX
	CMPL    CX, $15
	JEQ     literals
	VMOVDQU X0, (DI)
	ADDQ    CX, DI
	ADDQ    CX, SI

match:
	// The offset is at 1(SI), and the rest of the length, or the next token, at 3(SI).
	MOVWLZX -3(SI), DX
	MOVBLZX -1(SI), CX
	CMPL    AX, $15
	CMOVLCS R15, CX
	SBBQ    $0, SI
	LEAQ    4(AX)(CX*1), AX

	MOVQ  DI, BX
	SUBQ  DX, BX
	CMPQ  BX, R11
	JCS   stop
	TESTL DX, DX
	JEQ   stop

	// Below 16 the offset selects how the bytes at the match, of which there are as many, are spread over 32: each half is
	// shuffled from the same 16. From 16 on nothing is to be shuffled, and the second half is what follows the first.
	MOVL        $16, R10
	LEAQ        16(BX), R15
	CMPL        DX, $16
	CMOVLCS     DX, R10
	CMOVQCS     BX, R15
	SHLL        $5, R10
	VMOVDQU     (BX), X0
	VINSERTI128 $1, (R15), Y0, Y0
	VPSHUFB     (R14)(R10*1), Y0, Y0
	VMOVDQU     Y0, (DI)
	XORL        R15, R15
	LEAL        -16(DX), R10
	CMPL        R10, $16
	JCS         secondHalf

copied:
	CMPL AX, $32
	JA      long

	ADDQ AX, DI
	CMPQ DI, R8
	JA   end
	CMPQ SI, R9
	JBE  sequence

end:
	MOVQ DI, R12
	MOVQ SI, R13

stop:
	SUBQ R11, R12
	SUBQ src_base+24(FP), R13
	MOVQ R12, di+48(FP)
	MOVQ R13, si+56(FP)
	VZEROUPPER
	RET

secondHalf:
	// From 16 to 31 the second half has bytes of the first, which had not been stored yet when it was loaded.
	VMOVDQU 16(BX), X1
	VMOVDQU X1, 16(DI)
	JMP     copied

literals:
	SUBQ $3, SI

literalsLength:
	CMPQ    SI, R9
	JA      stop
	MOVBLZX (SI), R10
	INCQ    SI
	ADDQ    R10, CX
	CMPL    R10, $255
	JEQ     literalsLength

	// Both ends are in bounds with the margin intact, so that copies may be of 32 bytes.
	LEAQ (SI)(CX*1), R10
	CMPQ R10, R9
	JA   stop
	LEAQ (DI)(CX*1), BX
	CMPQ BX, R8
	JA   stop

literalsCopy:
	VMOVDQU (SI), X0
	VMOVDQU 16(SI), X1
	VMOVDQU X0, (DI)
	VMOVDQU X1, 16(DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	CMPQ    DI, BX
	JB      literalsCopy
	MOVQ    BX, DI
	LEAQ    3(R10), SI
	JMP     match

long:
	// A length with a byte of 255 goes on after it.
	CMPL CX, $255
	JNE  longCopy

longLength:
	CMPQ    SI, R9
	JA      stop
	MOVBLZX (SI), CX
	INCQ    SI
	ADDQ    CX, AX
	CMPL    CX, $255
	JEQ     longLength

longCopy:
	ADDQ DI, AX   // the end of the match
	CMPQ AX, R8
	JA   stop
	CMPQ SI, R9
	JA   stop
	CMPL DX, $16
	JCS  repeat

farCopy:
	ADDQ    $32, BX
	ADDQ    $32, DI
	VMOVDQU (BX), X0
	VMOVDQU X0, (DI)
	VMOVDQU 16(BX), X1
	VMOVDQU X1, 16(DI)
	LEAQ    32(DI), R10
	CMPQ    R10, AX
	JB      farCopy
	MOVQ    AX, DI
	JMP     sequence

repeat:
	// Y0 has 32 bytes of repetitions. They go on where a whole number of them ends.
	LEAQ    step<>(SB), R10
	MOVBLZX (R10)(DX*1), R10

repeatCopy:
	ADDQ    R10, DI
	VMOVDQU Y0, (DI)
	LEAQ    32(DI), CX
	CMPQ    CX, AX
	JB      repeatCopy
	MOVQ    AX, DI
	JMP     sequence

// For each offset below 16, and for all from 16 on, which bytes at a match its first 16 and its second 16 bytes are.
DATA spread<>+0(SB)/8, $0x0000000000000000
DATA spread<>+8(SB)/8, $0x0000000000000000
DATA spread<>+16(SB)/8, $0x0000000000000000
DATA spread<>+24(SB)/8, $0x0000000000000000
DATA spread<>+32(SB)/8, $0x0000000000000000
DATA spread<>+40(SB)/8, $0x0000000000000000
DATA spread<>+48(SB)/8, $0x0000000000000000
DATA spread<>+56(SB)/8, $0x0000000000000000
DATA spread<>+64(SB)/8, $0x0100010001000100
DATA spread<>+72(SB)/8, $0x0100010001000100
DATA spread<>+80(SB)/8, $0x0100010001000100
DATA spread<>+88(SB)/8, $0x0100010001000100
DATA spread<>+96(SB)/8, $0x0100020100020100
DATA spread<>+104(SB)/8, $0x0002010002010002
DATA spread<>+112(SB)/8, $0x0201000201000201
DATA spread<>+120(SB)/8, $0x0100020100020100
DATA spread<>+128(SB)/8, $0x0302010003020100
DATA spread<>+136(SB)/8, $0x0302010003020100
DATA spread<>+144(SB)/8, $0x0302010003020100
DATA spread<>+152(SB)/8, $0x0302010003020100
DATA spread<>+160(SB)/8, $0x0201000403020100
DATA spread<>+168(SB)/8, $0x0004030201000403
DATA spread<>+176(SB)/8, $0x0302010004030201
DATA spread<>+184(SB)/8, $0x0100040302010004
DATA spread<>+192(SB)/8, $0x0100050403020100
DATA spread<>+200(SB)/8, $0x0302010005040302
DATA spread<>+208(SB)/8, $0x0504030201000504
DATA spread<>+216(SB)/8, $0x0100050403020100
DATA spread<>+224(SB)/8, $0x0006050403020100
DATA spread<>+232(SB)/8, $0x0100060504030201
DATA spread<>+240(SB)/8, $0x0201000605040302
DATA spread<>+248(SB)/8, $0x0302010006050403
DATA spread<>+256(SB)/8, $0x0706050403020100
DATA spread<>+264(SB)/8, $0x0706050403020100
DATA spread<>+272(SB)/8, $0x0706050403020100
DATA spread<>+280(SB)/8, $0x0706050403020100
DATA spread<>+288(SB)/8, $0x0706050403020100
DATA spread<>+296(SB)/8, $0x0605040302010008
DATA spread<>+304(SB)/8, $0x0504030201000807
DATA spread<>+312(SB)/8, $0x0403020100080706
DATA spread<>+320(SB)/8, $0x0706050403020100
DATA spread<>+328(SB)/8, $0x0504030201000908
DATA spread<>+336(SB)/8, $0x0302010009080706
DATA spread<>+344(SB)/8, $0x0100090807060504
DATA spread<>+352(SB)/8, $0x0706050403020100
DATA spread<>+360(SB)/8, $0x04030201000a0908
DATA spread<>+368(SB)/8, $0x01000a0908070605
DATA spread<>+376(SB)/8, $0x0908070605040302
DATA spread<>+384(SB)/8, $0x0706050403020100
DATA spread<>+392(SB)/8, $0x030201000b0a0908
DATA spread<>+400(SB)/8, $0x0b0a090807060504
DATA spread<>+408(SB)/8, $0x0706050403020100
DATA spread<>+416(SB)/8, $0x0706050403020100
DATA spread<>+424(SB)/8, $0x0201000c0b0a0908
DATA spread<>+432(SB)/8, $0x0a09080706050403
DATA spread<>+440(SB)/8, $0x0504030201000c0b
DATA spread<>+448(SB)/8, $0x0706050403020100
DATA spread<>+456(SB)/8, $0x01000d0c0b0a0908
DATA spread<>+464(SB)/8, $0x0908070605040302
DATA spread<>+472(SB)/8, $0x030201000d0c0b0a
DATA spread<>+480(SB)/8, $0x0706050403020100
DATA spread<>+488(SB)/8, $0x000e0d0c0b0a0908
DATA spread<>+496(SB)/8, $0x0807060504030201
DATA spread<>+504(SB)/8, $0x01000e0d0c0b0a09
DATA spread<>+512(SB)/8, $0x0706050403020100
DATA spread<>+520(SB)/8, $0x0f0e0d0c0b0a0908
DATA spread<>+528(SB)/8, $0x0706050403020100
DATA spread<>+536(SB)/8, $0x0f0e0d0c0b0a0908
GLOBL spread<>(SB), RODATA|NOPTR, $544

// For each offset below 16, its largest multiple up to 32.
DATA step<>+0(SB)/8, $0x1c1e1e201e202020
DATA step<>+8(SB)/8, $0x1e1c1a18161e1b20
GLOBL step<>(SB), RODATA|NOPTR, $16
