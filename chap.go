package linegate

import "crypto/md5"

// CHAPResponse is what a client answers to a challenge of 1 to 253 octets (RFC
// 1994 section 4.1): MD5 over identifier, password and challenge.
func CHAPResponse(identifier byte, password string, challenge []byte) [md5.Size]byte {
	var space [1 + maxPassword + 253]byte
	message := append(append(space[:0], identifier), password...)
	return md5.Sum(append(message, challenge...))
}
