#include "textflag.h"

// MD5 of eight messages side by side (RFC 1321 section 3.4): each register holds one
// word of the state of all eight. DI is the state, SI the words, DX the constants.

#define a Y0
#define b Y1
#define c Y2
#define d Y3
#define t Y4
#define u Y5
#define ones Y15

// turn ends a step: x = y + ((x + f + word + constant) <<< left), with f in t.
#define turn(x, y, step, word, left) \
	VPADDD step*32(DX), x, x \
	VPADDD word*32(SI), x, x \
	VPADDD t, x, x           \
	VPSLLD $left, x, u       \
	VPSRLD $(32-left), x, x  \
	VPOR   u, x, x           \
	VPADDD y, x, x

#define F(w, x, y, z, step, word, left) \
	VPXOR y, z, t \
	VPAND x, t, t \
	VPXOR z, t, t \
	turn(w, x, step, word, left)

#define G(w, x, y, z, step, word, left) \
	VPXOR x, y, t \
	VPAND z, t, t \
	VPXOR y, t, t \
	turn(w, x, step, word, left)

#define H(w, x, y, z, step, word, left) \
	VPXOR y, z, t \
	VPXOR x, t, t \
	turn(w, x, step, word, left)

#define I(w, x, y, z, step, word, left) \
	VPXOR ones, z, t \
	VPOR  x, t, t    \
	VPXOR y, t, t    \
	turn(w, x, step, word, left)

// func block8(state *[4]lane8, words *[16]lane8, constants *[64]lane8)
TEXT ·block8(SB), NOSPLIT, $0-24
	MOVQ state+0(FP), DI
	MOVQ words+8(FP), SI
	MOVQ constants+16(FP), DX
	VMOVDQU 0(DI), a
	VMOVDQU 32(DI), b
	VMOVDQU 64(DI), c
	VMOVDQU 96(DI), d
	VPCMPEQD ones, ones, ones

	F(a, b, c, d, 0, 0, 7)
	F(d, a, b, c, 1, 1, 12)
	F(c, d, a, b, 2, 2, 17)
	F(b, c, d, a, 3, 3, 22)
	F(a, b, c, d, 4, 4, 7)
	F(d, a, b, c, 5, 5, 12)
	F(c, d, a, b, 6, 6, 17)
	F(b, c, d, a, 7, 7, 22)
	F(a, b, c, d, 8, 8, 7)
	F(d, a, b, c, 9, 9, 12)
	F(c, d, a, b, 10, 10, 17)
	F(b, c, d, a, 11, 11, 22)
	F(a, b, c, d, 12, 12, 7)
	F(d, a, b, c, 13, 13, 12)
	F(c, d, a, b, 14, 14, 17)
	F(b, c, d, a, 15, 15, 22)

	G(a, b, c, d, 16, 1, 5)
	G(d, a, b, c, 17, 6, 9)
	G(c, d, a, b, 18, 11, 14)
	G(b, c, d, a, 19, 0, 20)
	G(a, b, c, d, 20, 5, 5)
	G(d, a, b, c, 21, 10, 9)
	G(c, d, a, b, 22, 15, 14)
	G(b, c, d, a, 23, 4, 20)
	G(a, b, c, d, 24, 9, 5)
	G(d, a, b, c, 25, 14, 9)
	G(c, d, a, b, 26, 3, 14)
	G(b, c, d, a, 27, 8, 20)
	G(a, b, c, d, 28, 13, 5)
	G(d, a, b, c, 29, 2, 9)
	G(c, d, a, b, 30, 7, 14)
	G(b, c, d, a, 31, 12, 20)

	H(a, b, c, d, 32, 5, 4)
	H(d, a, b, c, 33, 8, 11)
	H(c, d, a, b, 34, 11, 16)
	H(b, c, d, a, 35, 14, 23)
	H(a, b, c, d, 36, 1, 4)
	H(d, a, b, c, 37, 4, 11)
	H(c, d, a, b, 38, 7, 16)
	H(b, c, d, a, 39, 10, 23)
	H(a, b, c, d, 40, 13, 4)
	H(d, a, b, c, 41, 0, 11)
	H(c, d, a, b, 42, 3, 16)
	H(b, c, d, a, 43, 6, 23)
	H(a, b, c, d, 44, 9, 4)
	H(d, a, b, c, 45, 12, 11)
	H(c, d, a, b, 46, 15, 16)
	H(b, c, d, a, 47, 2, 23)

	I(a, b, c, d, 48, 0, 6)
	I(d, a, b, c, 49, 7, 10)
	I(c, d, a, b, 50, 14, 15)
	I(b, c, d, a, 51, 5, 21)
	I(a, b, c, d, 52, 12, 6)
	I(d, a, b, c, 53, 3, 10)
	I(c, d, a, b, 54, 10, 15)
	I(b, c, d, a, 55, 1, 21)
	I(a, b, c, d, 56, 8, 6)
	I(d, a, b, c, 57, 15, 10)
	I(c, d, a, b, 58, 6, 15)
	I(b, c, d, a, 59, 13, 21)
	I(a, b, c, d, 60, 4, 6)
	I(d, a, b, c, 61, 11, 10)
	I(c, d, a, b, 62, 2, 15)
	I(b, c, d, a, 63, 9, 21)

	VPADDD 0(DI), a, a
	VPADDD 32(DI), b, b
	VPADDD 64(DI), c, c
	VPADDD 96(DI), d, d
	VMOVDQU a, 0(DI)
	VMOVDQU b, 32(DI)
	VMOVDQU c, 64(DI)
	VMOVDQU d, 96(DI)
	VZEROUPPER
	RET
