package policy

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"unicode/utf16"

	//lint:ignore SA1019 NtPasswordHash is MD4 (RFC 2759 section 8.3)
	"golang.org/x/crypto/md4"

	"linegate"
)

// The hashes of MS-CHAP (RFC 2759 section 8) and of the keys that follow from it (RFC
// 3079 section 3). package rfc2759 has them too, and makes each input and hash anew for
// every part; the tests compare with it.

// challengeSize is how long the challenge is that the responses encrypt, in octets.
const challengeSize = 8

// maxWide is the longest password in UTF-16 that needs no memory of its own, in octets.
const maxWide = 256

// ntHash is NtPasswordHash (section 8.3): what everything else is made of.
func ntHash(password string) [md4.Size]byte {
	var space [maxWide]byte
	wide := space[:0]
	var units [2]uint16
	for _, letter := range password {
		for _, unit := range utf16.AppendRune(units[:0], letter) {
			wide = append(wide, byte(unit), byte(unit>>8))
		}
	}
	return md4Of(wide)
}

func md4Of(octets []byte) (sum [md4.Size]byte) {
	h := md4.New()
	h.Write(octets) // never fails
	h.Sum(sum[:0])
	return sum
}

// sha1Of hashes the parts one behind the other.
func sha1Of(parts ...[]byte) [sha1.Size]byte {
	var space [512]byte
	octets := space[:0]
	for _, part := range parts {
		octets = append(octets, part...)
	}
	return sha1.Sum(octets)
}

// knowsMSCHAP reports whether an MS-CHAP proof was made with the password.
func knowsMSCHAP(request *linegate.Request, password string) bool {
	proof := &request.Proof
	challenge := proof.Challenge
	if proof.Method == linegate.MethodMSCHAPv2 {
		if len(proof.Challenge) != 16 || len(proof.PeerChallenge) != 16 {
			return false
		}
		hash := challengeHash(request)
		challenge = hash[:]
	}
	if len(challenge) != challengeSize {
		return false
	}
	response := challengeResponse(binary.BigEndian.Uint64(challenge), ntHash(password))
	return equal(proof.Response, response[:])
}

// challengeHash is ChallengeHash (section 8.2).
func challengeHash(request *linegate.Request) [challengeSize]byte {
	hash := sha1Of(request.Proof.PeerChallenge, request.Proof.Challenge, peerName(request))
	return [challengeSize]byte(hash[:])
}

// peerName is the User-Name as the client hashed it: without a domain in front
// (section 4).
func peerName(request *linegate.Request) []byte {
	return request.UserName[bytes.LastIndexByte(request.UserName, '\\')+1:]
}

// challengeResponse is ChallengeResponse (section 8.5): the challenge under three keys
// of 56 bits, which are the hash and five zeros.
func challengeResponse(challenge uint64, hash [md4.Size]byte) (response [3 * challengeSize]byte) {
	const keyOctets = 7
	var keys [3*keyOctets + 1]byte // the last octet is only read with the others
	copy(keys[:], hash[:])
	for part := range 3 {
		key := expandKey(binary.BigEndian.Uint64(keys[part*keyOctets:]))
		binary.BigEndian.PutUint64(response[part*challengeSize:], encryptDES(key, challenge))
	}
	return response
}

// expandKey makes a key of DES of the upper 56 bits: seven in each octet, above its
// parity.
func expandKey(bits uint64) (key uint64) {
	for i := range 8 {
		key = key<<8 | bits>>(57-7*i)&0x7f<<1
	}
	return key
}

// mschap2Reply is what proves to the client that the server knows the password
// too, and the keys of its encryption. The proof has been verified before.
func mschap2Reply(request *linegate.Request, password string) (reply linegate.MSCHAP2Reply) {
	hash := ntHash(password)
	hashOfHash := md4Of(hash[:])
	reply.Success = authenticatorResponse(request, hashOfHash)
	master := sha1Of(hashOfHash[:], request.Proof.Response, magicOfMaster)
	reply.SendKey = startKey(master[:16], magicOfSend)
	reply.RecvKey = startKey(master[:16], magicOfReceive)
	return reply
}

// What the hashes are salted with (RFC 2759 section 8.7, RFC 3079 section 3.4); send
// and receive are the server's.
var (
	magicOfServer  = []byte("Magic server to client signing constant")
	magicOfPad     = []byte("Pad to make it do more than one iteration")
	magicOfMaster  = []byte("This is the MPPE Master Key")
	magicOfSend    = []byte("On the client side, this is the receive key; on the server side, it is the send key.")
	magicOfReceive = []byte("On the client side, this is the send key; on the server side, it is the receive key.")
	padOfZeros     = bytes.Repeat([]byte{0}, 40)
	padOfF2        = bytes.Repeat([]byte{0xf2}, 40)
)

// startKey is GetAsymmetricStartKey (RFC 3079 section 3.4), of 128 bits.
func startKey(master, magic []byte) [16]byte {
	hash := sha1Of(master, padOfZeros, magic, padOfF2)
	return [16]byte(hash[:])
}

// authenticatorResponse is GenerateAuthenticatorResponse (RFC 2759 section 8.7).
func authenticatorResponse(request *linegate.Request, hashOfHash [md4.Size]byte) string {
	challenge := challengeHash(request)
	first := sha1Of(hashOfHash[:], request.Proof.Response, magicOfServer)
	second := sha1Of(first[:], challenge[:], magicOfPad)

	const digits = "0123456789ABCDEF"
	text := [2 + 2*sha1.Size]byte{'S', '='}
	for i, octet := range second {
		text[2+2*i], text[3+2*i] = digits[octet>>4], digits[octet&15]
	}
	return string(text[:])
}
