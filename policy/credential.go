package policy

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"linegate"
)

// unproven rejects when the request does not prove that it comes from the
// subscriber. Without a stored password there is nothing to prove here: the
// line has to (wrongLine).
func unproven(request *linegate.Request, facts linegate.Facts) linegate.Reason {
	proof, credential := request.Proof, facts.Subscriber.Credential
	switch {
	case proof.Method == linegate.MethodEAP:
		return linegate.ReasonMethodNotAllowed
	case credential.Kind == linegate.CredentialNone && proof.Method == linegate.MethodMSCHAPv2:
		return linegate.ReasonMethodNeedsClear // the client would hang up without our own proof
	case credential.Kind == linegate.CredentialNone:
		return ""
	case proof.Method == linegate.MethodNone:
		return linegate.ReasonMissingPassword
	case proof.Method == linegate.MethodMSCHAPv1 && !request.NAS.AllowMSCHAPv1:
		return linegate.ReasonMethodNotAllowed
	case credential.Hashed() && proof.Method != linegate.MethodPAP:
		return linegate.ReasonMethodNeedsClear
	case credential.Hashed() && facts.Hash == linegate.HashRight:
		return ""
	case !credential.Hashed() && knows(request, credential.Value.Reveal()):
		return ""
	}
	return linegate.ReasonWrongPassword
}

// knows reports whether the proof was made with the password.
func knows(request *linegate.Request, password string) bool {
	proof := request.Proof
	switch proof.Method {
	case linegate.MethodPAP:
		return equal(proof.Password, []byte(password))
	case linegate.MethodCHAP:
		want := linegate.CHAPResponse(proof.ID, password, proof.Challenge)
		return equal(proof.Response, want[:])
	case linegate.MethodMSCHAPv1, linegate.MethodMSCHAPv2:
		return knowsMSCHAP(request, password)
	}
	return false
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// NeedsHash reports whether Decide needs the verdict of VerifyHash, which takes
// too long to be given on a socket's loop.
func NeedsHash(request *linegate.Request, subscriber *linegate.Subscriber) bool {
	return subscriber != nil && subscriber.Credential.Hashed() && request.Proof.Method == linegate.MethodPAP
}

// VerifyHash checks a PAP password against a bcrypt or argon2id hash. It takes
// as long as the hash was made to take: milliseconds to a second.
func VerifyHash(credential linegate.Credential, password []byte) linegate.HashVerdict {
	hash, right := credential.Value.Reveal(), false
	switch credential.Kind {
	case linegate.CredentialBcrypt:
		right = bcrypt.CompareHashAndPassword([]byte(hash), password) == nil
	case linegate.CredentialArgon2id:
		right = argon2Matches(hash, password)
	}
	if right {
		return linegate.HashRight
	}
	return linegate.HashWrong
}

// argon2Matches reads $argon2id$v=19$m=KIB,t=PASSES,p=LANES$SALT$HASH, whose
// numbers linegate.ParseCredential has bounded.
func argon2Matches(encoded string, password []byte) bool {
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 {
		return false
	}
	var memory, passes uint32
	var lanes uint8
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil {
		return false
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	want, hashErr := base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || hashErr != nil || passes == 0 || lanes == 0 || len(want) == 0 {
		return false
	}
	return equal(argon2.IDKey(password, salt, passes, memory, lanes, uint32(len(want))), want)
}
