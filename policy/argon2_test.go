package policy_test

import (
	"encoding/base64"
	"testing"

	"golang.org/x/crypto/argon2"
)

// argon2Of encodes a cheap argon2id hash in its usual text form.
func argon2Of(t *testing.T, password string) string {
	t.Helper()
	salt := []byte("somesalt12")
	sum := argon2.IDKey([]byte(password), salt, 1, 64, 1, 32)
	return "$argon2id$v=19$m=64,t=1,p=1$" + base64.RawStdEncoding.EncodeToString(salt) + "$" + base64.RawStdEncoding.EncodeToString(sum)
}
