package policy_test

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"linegate"
	"linegate/policy"
)

func octets(t *testing.T, digits string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(digits)
	require.NoError(t, err)
	return raw
}

// decideFor decides about a subscriber with that credential and no profile.
func decideFor(credential linegate.Credential, request *linegate.Request, hash linegate.HashVerdict) linegate.Decision {
	subscriber := &linegate.Subscriber{ID: "x", Username: "u", Credential: credential, Status: linegate.StatusActive}
	return policy.Decide(request, linegate.Facts{Subscriber: subscriber, FoundBy: linegate.ByUsername, Hash: hash}, linegate.Settings{})
}

// The CHAP request of RFC 2865 section 7.2; its password is the one of 7.1.
func TestCHAPOfRFC2865(t *testing.T) {
	request := &linegate.Request{NAS: &linegate.NAS{}, Proof: linegate.Proof{
		Method: linegate.MethodCHAP, ID: 0x16,
		Response:  octets(t, "e97557c316185895f293ff6344077275"),
		Challenge: octets(t, "2aee86f08d0d55969ca5978e0d3367a2"),
	}}
	cleartext := linegate.Credential{Kind: linegate.CredentialCleartext, Value: "arctangent"}
	assert.True(t, decideFor(cleartext, request, 0).Accept)
	request.Proof.Response[3] ^= 1
	assert.Equal(t, linegate.ReasonWrongPassword, decideFor(cleartext, request, 0).Reason)
	request.Proof.Response = nil
	assert.Equal(t, linegate.ReasonWrongPassword, decideFor(cleartext, request, 0).Reason)
}

// The example of RFC 2759 section 9.2, with the keys of RFC 3079 section 3.5.3.
func TestMSCHAPv2OfRFC2759(t *testing.T) {
	request := &linegate.Request{NAS: &linegate.NAS{}, UserName: []byte(`DOMAIN\User`), Proof: linegate.Proof{
		Method:        linegate.MethodMSCHAPv2,
		Challenge:     octets(t, "5b5d7c7d7b3f2f3e3c2c602132262628"),
		PeerChallenge: octets(t, "21402324255e262a28295f2b3a337c7e"),
		Response:      octets(t, "82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df"),
	}}
	cleartext := linegate.Credential{Kind: linegate.CredentialCleartext, Value: "clientPass"}
	decision := decideFor(cleartext, request, 0)
	require.True(t, decision.Accept)
	assert.Equal(t, "S=407A5589115FD0D6209F510FE9C04566932CDA56", decision.MSCHAP2.Success)
	assert.Equal(t, "8b7cdc149b993a1ba118cb153f56dccb", hex.EncodeToString(decision.MSCHAP2.SendKey[:]))

	assert.Equal(t, linegate.ReasonWrongPassword,
		decideFor(linegate.Credential{Kind: linegate.CredentialCleartext, Value: "other"}, request, 0).Reason)
	for _, challenge := range [][]byte{nil, {1, 2, 3}} {
		broken := *request
		broken.Proof.PeerChallenge = challenge
		assert.Equal(t, linegate.ReasonWrongPassword, decideFor(cleartext, &broken, 0).Reason)
	}
}

// The NT response to the challenge and password of RFC 2433 appendix B.2.
func TestMSCHAPv1OnlyWhereTheNASAllowsIt(t *testing.T) {
	request := &linegate.Request{NAS: &linegate.NAS{}, Proof: linegate.Proof{
		Method:    linegate.MethodMSCHAPv1,
		Challenge: octets(t, "102db5df085d3041"),
		Response:  octets(t, "4e9d3c8f9cfd385d5bf4d3246791956ca4c351ab409a3d61"),
	}}
	cleartext := linegate.Credential{Kind: linegate.CredentialCleartext, Value: "MyPw"}
	assert.Equal(t, linegate.ReasonMethodNotAllowed, decideFor(cleartext, request, 0).Reason)
	request.NAS.AllowMSCHAPv1 = true
	assert.Equal(t, linegate.ReasonAuthorized, decideFor(cleartext, request, 0).Reason)
	request.Proof.Challenge = request.Proof.Challenge[:7]
	assert.Equal(t, linegate.ReasonWrongPassword, decideFor(cleartext, request, 0).Reason)
}

func TestHashedPasswordsServePAPOnly(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("secretpw"), bcrypt.MinCost)
	require.NoError(t, err)
	for name, text := range map[string]string{
		"bcrypt":   string(hash),
		"argon2id": argon2Of(t, "secretpw"),
	} {
		t.Run(name, func(t *testing.T) {
			credential, err := linegate.ParseCredential(text)
			require.NoError(t, err)
			require.True(t, credential.Hashed())
			assert.Equal(t, linegate.HashRight, policy.VerifyHash(credential, []byte("secretpw")))
			assert.Equal(t, linegate.HashWrong, policy.VerifyHash(credential, []byte("other")))

			request := &linegate.Request{NAS: &linegate.NAS{}, Proof: pap("secretpw")}
			assert.True(t, policy.NeedsHash(request, &linegate.Subscriber{Credential: credential}))
			assert.True(t, decideFor(credential, request, linegate.HashRight).Accept)
			assert.Equal(t, linegate.ReasonWrongPassword, decideFor(credential, request, linegate.HashWrong).Reason)
			assert.Equal(t, linegate.ReasonWrongPassword, decideFor(credential, request, linegate.HashUnchecked).Reason)

			request.Proof.Method = linegate.MethodCHAP
			assert.False(t, policy.NeedsHash(request, &linegate.Subscriber{Credential: credential}))
			assert.Equal(t, linegate.ReasonMethodNeedsClear, decideFor(credential, request, 0).Reason)
		})
	}
	assert.False(t, policy.NeedsHash(&linegate.Request{Proof: pap("x")}, nil))
}

func TestABrokenHashIsWrong(t *testing.T) {
	for _, text := range []string{"", "$argon2id$", "$argon2id$v=19$m=x$a$b", "$argon2id$v=19$m=64,t=0,p=1$c29tZXNhbHQ$AAAA", "$argon2id$v=19$m=64,t=1,p=1$!$AAAA"} {
		credential := linegate.Credential{Kind: linegate.CredentialArgon2id, Value: linegate.Secret(text)}
		assert.Equal(t, linegate.HashWrong, policy.VerifyHash(credential, []byte("secretpw")), text)
	}
}
