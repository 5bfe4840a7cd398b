package policy

import "math/bits"

// DES (FIPS 46-3) as MS-CHAP uses it: a key encrypts one block and is never seen again.
// crypto/des spends four fifths of that on the key, which is a fifth of all that an
// answer costs; the tests compare with it.

// encryptDES encrypts the block of eight octets with a key of eight, whose parity is not
// looked at.
func encryptDES(key, block uint64) uint64 {
	halves := pc1.of(key)
	c, d := uint32(halves>>36), uint32(halves>>8)&lower28
	state := initial.of(block)
	left, right := uint32(state>>32), uint32(state)
	for _, shift := range rotations {
		c, d = rotate28(c, shift), rotate28(d, shift)
		left, right = right, left^cipherFunction(right, pc2.of(uint64(c)<<36|uint64(d)<<8))
	}
	return final.of(uint64(right)<<32 | uint64(left))
}

// cipherFunction is f: the upper 48 bits of the key are those of the round.
func cipherFunction(right uint32, key uint64) (mixed uint32) {
	expanded := bits.RotateLeft32(right, -1) // E: six bits from here, and again every four
	for box := range boxes {
		six := expanded>>26 ^ uint32(key>>58)
		mixed |= boxes[box][six]
		expanded, key = bits.RotateLeft32(expanded, 4), key<<6
	}
	return mixed
}

const lower28 = 1<<28 - 1

func rotate28(half uint32, shift int) uint32 { return (half<<shift | half>>(28-shift)) & lower28 }

// permutation moves bits, an octet of the input at a time. Bit 1 is the highest one, of
// input and output.
type permutation [8][256]uint64

// permute makes a permutation of the numbers of the input's bits, in the output's order.
func permute(order []byte) *permutation {
	p := &permutation{}
	for to, from := range order {
		octet, bit := (from-1)/8, (from-1)%8
		for value := range 256 {
			if value<<bit&0x80 != 0 {
				p[octet][value] |= 1 << (63 - to)
			}
		}
	}
	return p
}

func (p *permutation) of(x uint64) uint64 {
	return p[0][x>>56] | p[1][x>>48&255] | p[2][x>>40&255] | p[3][x>>32&255] |
		p[4][x>>24&255] | p[5][x>>16&255] | p[6][x>>8&255] | p[7][x&255]
}

// substitute makes a table for each S, which P has been applied to.
func substitute() (tables [8][64]uint32) {
	for box, rows := range substitutions {
		for six := range 64 {
			row, column := six>>4&2|six&1, six>>1&15
			four := uint64(rows[16*row+column]) << (60 - 4*box)
			tables[box][six] = uint32(permuteP.of(four) >> 32)
		}
	}
	return tables
}

// The tables of FIPS 46-3.
var (
	initial = permute([]byte{
		58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4, 62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24, 16, 8,
		57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3, 61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7})
	final = permute([]byte{
		40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31, 38, 6, 46, 14, 54, 22, 62, 30, 37, 5, 45, 13, 53, 21, 61, 29,
		36, 4, 44, 12, 52, 20, 60, 28, 35, 3, 43, 11, 51, 19, 59, 27, 34, 2, 42, 10, 50, 18, 58, 26, 33, 1, 41, 9, 49, 17, 57, 25})
	pc1 = permute([]byte{
		57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
		63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4})
	pc2 = permute([]byte{
		14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
		41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32})
	permuteP = permute([]byte{
		16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25})
	rotations = [16]int{1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1}

	substitutions = [8][64]byte{
		{14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7, 0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12, 11, 9, 5, 3, 8,
			4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0, 15, 12, 8, 2, 4, 9, 1, 7, 5, 11, 3, 14, 10, 0, 6, 13},
		{15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10, 3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1, 10, 6, 9, 11, 5,
			0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15, 13, 8, 10, 1, 3, 15, 4, 2, 11, 6, 7, 12, 0, 5, 14, 9},
		{10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8, 13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5, 14, 12, 11, 15, 1,
			13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7, 1, 10, 13, 0, 6, 9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12},
		{7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15, 13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2, 12, 1, 10, 14, 9,
			10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4, 3, 15, 0, 6, 10, 1, 13, 8, 9, 4, 5, 11, 12, 7, 2, 14},
		{2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9, 14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15, 10, 3, 9, 8, 6,
			4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14, 11, 8, 12, 7, 1, 14, 2, 13, 6, 15, 0, 9, 10, 4, 5, 3},
		{12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11, 10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13, 14, 0, 11, 3, 8,
			9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6, 4, 3, 2, 12, 9, 5, 15, 10, 11, 14, 1, 7, 6, 0, 8, 13},
		{4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1, 13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5, 12, 2, 15, 8, 6,
			1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2, 6, 11, 13, 8, 1, 4, 10, 7, 9, 5, 0, 15, 14, 2, 3, 12},
		{13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7, 1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6, 11, 0, 14, 9, 2,
			7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8, 2, 1, 14, 7, 4, 10, 8, 13, 15, 12, 9, 0, 3, 5, 6, 11},
	}
	boxes = substitute()
)
