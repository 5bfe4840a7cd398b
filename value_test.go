package linegate_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

func TestEveryMACNotationIsTheSame(t *testing.T) {
	want := linegate.MAC{0x02, 0, 0, 0xab, 0x01, 0xcd}
	for _, text := range []string{"02:00:00:ab:01:cd", "02-00-00-AB-01-CD", "0200.00ab.01cd", "0200-00AB-01CD", "0200:00ab:01cd", "020000AB01CD", "020000-ab01cd", "02 00 00 AB 01 CD"} {
		mac, ok := linegate.ParseMAC(text)
		assert.True(t, ok, text)
		assert.Equal(t, want, mac, text)
		assert.Equal(t, linegate.NewKey("demo", linegate.ByUsername, want.String()), linegate.NewKey("demo", linegate.ByUsername, text), text)
	}
	for _, text := range []string{"", "alice", "02:00:00:ab:01", "02:00-00:ab:01:cd", "0200.00ab-01cd", "gg0000ab01cd", "000000000000"} {
		_, ok := linegate.ParseMAC(text)
		assert.False(t, ok, text)
	}
	assert.Equal(t, "alice", linegate.ComparableUsername("alice"))
	assert.Equal(t, "02:00:00:ab:01:cd", linegate.ComparableUsername("0200.00AB.01CD"))
	assert.Empty(t, linegate.MAC{}.String())
}

func TestOctetsReadTheSameBothWays(t *testing.T) {
	for octets, text := range map[linegate.Octets]string{
		"olt1 xpon 0/1/1":          "olt1 xpon 0/1/1",
		"\x00\x04\x00\x64\x00\x01": "0x000400640001",
		"0xab":                     "0x30786162", // would be mistaken for hex
		"caf\u00e9":                "0x636166c3a9",
		"":                         "",
	} {
		assert.Equal(t, text, octets.String())
		back, err := linegate.ParseOctets("circuit_id", text)
		require.NoError(t, err)
		assert.Equal(t, octets, back)
	}
}

func TestKeysSplitIntoTheirParts(t *testing.T) {
	key := linegate.NewKey("demo", linegate.ByCircuit, "a\x00b\x00c")
	tenant, by, value := key.Split()
	assert.Equal(t, "demo", tenant)
	assert.Equal(t, linegate.ByCircuit, by)
	assert.Equal(t, "a\x00b\x00c", value)
	assert.Equal(t, linegate.NewKey("demo", linegate.ByMAC, "02-00-00-ab-01-cd"),
		linegate.Key(linegate.AppendMACKey(nil, "demo", linegate.MAC{2, 0, 0, 0xab, 1, 0xcd})))

	subscriber := &linegate.Subscriber{Tenant: "demo", Username: "alice", Profile: &linegate.NetworkProfile{CircuitID: "c", MAC: linegate.MAC{2}}}
	assert.Len(t, subscriber.Keys(), 4)
	subscriber.Profile = nil
	assert.Equal(t, []linegate.Key{linegate.NewKey("demo", linegate.ByUsername, "alice")}, subscriber.Keys())
}

func TestBuildingAKeyDoesNotAllocate(t *testing.T) {
	buffer, user := make([]byte, 0, 256), []byte("02:00:00:00:01:01")
	assert.Zero(t, testing.AllocsPerRun(100, func() { linegate.AppendKey(buffer, "demo", linegate.ByUsername, user) }))
}

func TestASecretIsNeverPrinted(t *testing.T) {
	secret := linegate.Secret("hunter2hunter2")
	credential := linegate.Credential{Kind: linegate.CredentialCleartext, Value: secret}
	encoded, err := json.Marshal(credential)
	require.NoError(t, err)
	for _, printed := range []string{fmt.Sprint(secret), fmt.Sprintf("%v %+v %#v %s %q", secret, credential, credential, secret, secret), string(encoded)} {
		assert.NotContains(t, printed, "hunter2")
	}
	assert.Equal(t, "hunter2hunter2", secret.Reveal())
}

func TestCredentialsAreRecognisedByTheirForm(t *testing.T) {
	bcrypt := "$2b$10$" + string(make53())
	argon2 := "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$" + strings.Repeat("a", 43)
	for text, want := range map[string]linegate.Credential{
		"":                     {},
		"secretpw":             {Kind: linegate.CredentialCleartext, Value: "secretpw"},
		"{cleartext}" + bcrypt: {Kind: linegate.CredentialCleartext, Value: linegate.Secret(bcrypt)},
		bcrypt:                 {Kind: linegate.CredentialBcrypt, Value: linegate.Secret(bcrypt)},
		argon2:                 {Kind: linegate.CredentialArgon2id, Value: linegate.Secret(argon2)},
	} {
		credential, err := linegate.ParseCredential(text)
		require.NoError(t, err)
		assert.Equal(t, want, credential)
	}
	for _, text := range []string{"{cleartext}", "$argon2id$v=19$m=9999999,t=3,p=4$c29tZXNhbHQ$" + strings.Repeat("a", 43)} {
		_, err := linegate.ParseCredential(text)
		assert.Error(t, err)
	}
}

func TestNASDefaultsAndMistakes(t *testing.T) {
	nas := linegate.NAS{Tenant: "demo", Name: "bng1", Address: netip.MustParsePrefix("192.0.2.7/24"), Secret: "s"}
	nas.Normalize()
	assert.Equal(t, "192.0.2.0/24", nas.Address.String())
	assert.Equal(t, linegate.DefaultIdentities(), nas.Identify)
	assert.NoError(t, nas.Validate())
	assert.False(t, nas.Learns(), "more than one client")

	var bad linegate.FieldErrors
	require.ErrorAs(t, (&linegate.NAS{Name: "Bad Name", Identify: []linegate.Identity{"mac", "mac", "x"}}).Validate(), &bad)
	assert.Len(t, bad, 5)
	assert.NotContains(t, bad.Error(), "secret: \"s")
	assert.Error(t, (&linegate.Tenant{Name: "-x"}).Validate())
	assert.NoError(t, (&linegate.Tenant{Name: "x"}).Validate())

	changed := nas
	changed.Secret, changed.AllowMSCHAPv1 = "other", true
	assert.Equal(t, []linegate.FieldChange{{Field: "secret", New: "(changed)"}, {Field: "allow_mschapv1", New: "true"}}, changed.Diff(&nas))
	assert.NotEmpty(t, nas.Diff(nil))
}

func TestEnumsAreRefusedWithTheirList(t *testing.T) {
	_, err := linegate.ParseTristate("limit_proxy_state", "maybe")
	assert.EqualError(t, err, `limit_proxy_state: "maybe" is not allowed: auto, yes, no`)
	_, err = linegate.ParseIdentity("port")
	assert.Error(t, err)
	policy, err := linegate.ParseNoProfilePolicy("")
	assert.NoError(t, err)
	assert.Equal(t, linegate.NoProfileAccept, policy)
	assert.Contains(t, linegate.Reasons(), linegate.ReasonOption82Mismatch)
}

func TestClassComesBackAsItWent(t *testing.T) {
	class := linegate.Class{SubscriberID: "018f0000-0000-7000-8000-00000000abcd", DecidedAt: time.UnixMilli(1_700_000_000_123).UTC()}
	value := linegate.AppendClass(nil, class)
	assert.Len(t, value, linegate.ClassSize)
	back, ok := linegate.ParseClass(value)
	assert.True(t, ok)
	assert.Equal(t, class, back)
	for _, foreign := range []string{"", "7331", "LG1", string(value) + "x"} {
		_, ok := linegate.ParseClass([]byte(foreign))
		assert.False(t, ok)
	}
	for _, id := range []string{"", "not-a-uuid", "018f0000-0000-7000-8000-00000000abcg", "018f0000x0000-7000-8000-00000000abcd"} {
		assert.Empty(t, linegate.AppendClass(nil, linegate.Class{SubscriberID: id}))
	}
}
