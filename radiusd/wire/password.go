package wire

import (
	"bytes"
	"crypto/md5"
	"crypto/subtle"
)

// maxHidden is the longest User-Password, in octets (RFC 2865 section 5.2).
const maxHidden = 128

// HidePassword appends a password of at most 128 octets as User-Password carries
// it (RFC 2865 section 5.2), padded with NULs to a multiple of 16.
func (s *Signer) HidePassword(dst []byte, password string, request [AuthenticatorSize]byte) []byte {
	password = password[:min(len(password), maxHidden)]
	padded := make([]byte, max(16, (len(password)+15)/16*16))
	copy(padded, password)
	return s.mask(dst, padded, request[:], false)
}

// RevealPassword appends the password that a User-Password hides, trailing NULs
// left out. ok is false when its length is not a multiple of 16 from 16 to 128.
func (s *Signer) RevealPassword(dst, hidden []byte, request [AuthenticatorSize]byte) (password []byte, ok bool) {
	if len(hidden) < 16 || len(hidden) > maxHidden || len(hidden)%16 != 0 {
		return dst, false
	}
	start := len(dst)
	dst = s.mask(dst, hidden, request[:], true)
	return append(dst[:start], bytes.TrimRight(dst[start:], "\x00")...), true
}

// AppendSalted appends plain as salt-encrypted attributes carry it: the salt,
// then length and text, masked (RFC 2548 section 2.4.2, RFC 2868 section 3.5).
// The salt's highest bit is set; it should differ within a packet.
func (s *Signer) AppendSalted(dst, plain []byte, salt uint16, request [AuthenticatorSize]byte) []byte {
	salt |= 0x8000
	padded := make([]byte, (1+len(plain)+15)/16*16)
	padded[0] = byte(len(plain))
	copy(padded[1:], plain)
	dst = append(dst, byte(salt>>8), byte(salt))
	seed := append(request[:], byte(salt>>8), byte(salt))
	return s.mask(dst, padded, seed, false)
}

// RevealSalted appends what AppendSalted hid. ok is false when it is not a salt and
// whole blocks, or its length field says more than they hold: another secret hid it.
func (s *Signer) RevealSalted(dst, hidden []byte, request [AuthenticatorSize]byte) (plain []byte, ok bool) {
	const salt = 2
	if len(hidden) < salt+16 || (len(hidden)-salt)%16 != 0 || len(hidden) > MaxValueSize {
		return dst, false
	}
	start := len(dst)
	dst = s.mask(dst, hidden[salt:], append(request[:], hidden[:salt]...), true)
	size := int(dst[start])
	if size > len(dst)-start-1 {
		return dst[:start], false
	}
	return append(dst[:start], dst[start+1:start+1+size]...), true
}

// mask appends text XORed with a chain of digests: the first over secret and
// seed, each next over secret and the block before in its hidden form. revealing
// tells which of text and result is hidden. text is whole blocks of 16.
func (s *Signer) mask(dst, text, seed []byte, revealing bool) []byte {
	var space [255 + 32]byte
	for len(text) > 0 {
		pad := md5.Sum(append(append(space[:0], s.secret...), seed...))
		start := len(dst)
		dst = append(dst, pad[:]...)
		subtle.XORBytes(dst[start:], pad[:], text[:16])
		seed = dst[start:]
		if revealing {
			seed = text[:16]
		}
		text = text[16:]
	}
	return dst
}
