package policy

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"unicode/utf16"

	"layeh.com/radius/rfc2759"
	"layeh.com/radius/rfc3079"

	"linegate"
)

// maxWide is the longest password in UTF-16 that needs no memory of its own, in octets.
const maxWide = 256

// ntHash is NtPasswordHash (RFC 2759 section 8.3): what everything else is made of,
// and with the responses what MS-CHAP costs.
func ntHash(password string) []byte {
	var space [maxWide]byte
	wide := space[:0]
	var units [2]uint16
	for _, letter := range password {
		for _, unit := range utf16.AppendRune(units[:0], letter) {
			wide = append(wide, byte(unit), byte(unit>>8))
		}
	}
	return rfc2759.NTPasswordHash(wide)
}

// knowsMSCHAP reports whether an MS-CHAP proof was made with the password.
func knowsMSCHAP(request *linegate.Request, password string) bool {
	proof := &request.Proof
	challenge := proof.Challenge
	if proof.Method == linegate.MethodMSCHAPv2 {
		if len(proof.Challenge) != 16 || len(proof.PeerChallenge) != 16 {
			return false
		}
		challenge = rfc2759.ChallengeHash(proof.PeerChallenge, proof.Challenge, peerName(request))
	}
	return len(challenge) == 8 && equal(proof.Response, rfc2759.ChallengeResponse(challenge, ntHash(password)))
}

// peerName is the User-Name as the client hashed it: without a domain in front
// (RFC 2759 section 4).
func peerName(request *linegate.Request) []byte {
	return request.UserName[bytes.LastIndexByte(request.UserName, '\\')+1:]
}

// mschap2Reply is what proves to the client that the server knows the password
// too, and the keys of its encryption. The proof has been verified before.
func mschap2Reply(request *linegate.Request, password string) linegate.MSCHAP2Reply {
	hashOfHash := rfc2759.NTPasswordHash(ntHash(password))
	reply := linegate.MSCHAP2Reply{Success: authenticatorResponse(request, hashOfHash)}
	master := rfc3079.GetMasterKey(hashOfHash, request.Proof.Response)
	send, _ := rfc3079.GetAsymmetricStartKey(master, rfc3079.KeyLength128Bit, true) // fails only for a master key of another length
	receive, _ := rfc3079.GetAsymmetricStartKey(master, rfc3079.KeyLength128Bit, false)
	copy(reply.SendKey[:], send)
	copy(reply.RecvKey[:], receive)
	return reply
}

// authenticatorResponse is GenerateAuthenticatorResponse (RFC 2759 section 8.7). The
// library has it, but hashes the password anew for each part.
func authenticatorResponse(request *linegate.Request, hashOfHash []byte) string {
	proof := &request.Proof
	first := sha1.New()
	first.Write(hashOfHash)
	first.Write(proof.Response)
	first.Write([]byte("Magic server to client signing constant"))
	digest := first.Sum(nil)

	second := sha1.New()
	second.Write(digest)
	second.Write(rfc2759.ChallengeHash(proof.PeerChallenge, proof.Challenge, peerName(request)))
	second.Write([]byte("Pad to make it do more than one iteration"))
	return "S=" + strings.ToUpper(hex.EncodeToString(second.Sum(nil)))
}
