package policy

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius/rfc2759"
	"layeh.com/radius/rfc3079"

	"linegate"
)

// Whatever the password is, the hash, the response and the keys are the library's,
// which makes each of them from the password itself.
func TestMSCHAPIsWhatTheLibraryMakesOfThePassword(t *testing.T) {
	for _, password := range []string{"", "clientPass", "pässwörd", "пароль", "🔑 and more", "\xff\xfe", string(make([]byte, 300))} {
		wide, err := rfc2759.ToUTF16([]byte(password))
		require.NoError(t, err)
		hash := ntHash(password)
		assert.Equal(t, rfc2759.NTPasswordHash(wide), hash[:], "%q", password)

		proof := linegate.Proof{Method: linegate.MethodMSCHAPv2, Challenge: []byte("0123456789abcdef"), PeerChallenge: []byte("fedcba9876543210")}
		name := []byte("User")
		proof.Response, err = rfc2759.GenerateNTResponse(proof.Challenge, proof.PeerChallenge, name, []byte(password))
		require.NoError(t, err)
		request := &linegate.Request{UserName: []byte(`DOMAIN\User`), Proof: proof}
		assert.True(t, knowsMSCHAP(request, password), "%q", password)
		assert.False(t, knowsMSCHAP(request, password+"x"), "%q", password)

		success, err := rfc2759.GenerateAuthenticatorResponse(proof.Challenge, proof.PeerChallenge, proof.Response, name, []byte(password))
		require.NoError(t, err)
		send, err := rfc3079.MakeKey(proof.Response, []byte(password), true)
		require.NoError(t, err)
		receive, err := rfc3079.MakeKey(proof.Response, []byte(password), false)
		require.NoError(t, err)
		assert.Equal(t, linegate.MSCHAP2Reply{Success: success, SendKey: [16]byte(send), RecvKey: [16]byte(receive)}, mschap2Reply(request, password))
	}
}

func BenchmarkMSCHAPv2(b *testing.B) {
	proof := linegate.Proof{Method: linegate.MethodMSCHAPv2, Challenge: []byte("0123456789abcdef"), PeerChallenge: []byte("fedcba9876543210")}
	proof.Response, _ = rfc2759.GenerateNTResponse(proof.Challenge, proof.PeerChallenge, []byte("User"), []byte("clientPass"))
	request := &linegate.Request{UserName: []byte("User"), Proof: proof}
	b.ReportAllocs()
	for b.Loop() {
		if !knowsMSCHAP(request, "clientPass") {
			b.Fatal("refused")
		}
		mschap2Reply(request, "clientPass")
	}
}
