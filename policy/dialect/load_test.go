package dialect_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/policy/dialect"
)

// folder makes one with files of pairs of name and text.
func folder(t testing.TB, pairs ...string) string {
	t.Helper()
	path := t.TempDir()
	for i := 0; i < len(pairs); i += 2 {
		require.NoError(t, os.WriteFile(filepath.Join(path, pairs[i]), []byte(pairs[i+1]), 0o600))
	}
	return path
}

func TestAFolderAddsDialectsAndReplacesShippedOnes(t *testing.T) {
	dialects, err := dialect.Load(documentationPEN, folder(t,
		"huawei.yaml", "base: huawei\ncoa: {port: 3800, event_timestamp: false}\n",
		"acme.yaml", "about: of Acme\nbase: accel-ppp\nprefix_octets: minimal\nline: {circuit_id: {attribute: Acme-Line, form: text}}\n",
		"dictionary", "VENDOR Acme 64999 format=2,2\nBEGIN-VENDOR Acme\nATTRIBUTE Acme-Line 300 string\nEND-VENDOR Acme\n",
		"notes.txt", "no dialect"))
	require.NoError(t, err)
	assert.Len(t, dialects, len(dialect.Shipped())+1)
	assert.Equal(t, dialect.CoATraits{Port: 3800, MessageAuthenticator: true}, dialects["huawei"].CoA())
	assert.True(t, dialects["huawei"].TellsVLANs(), "inherited from the shipped one")
	assert.Contains(t, dialects["huawei"].Source(), "huawei.yaml")
	assert.Equal(t, "of Acme", dialects["acme"].About())
	assert.Contains(t, dialects["acme"].Text(), "base: accel-ppp")

	line := linegate.AccessLine{CircuitID: []byte("olt1")}
	written := dialects["acme"].AppendLine(nil, line)
	assert.Equal(t, []byte{26, 14, 0, 0, 0xfd, 0xe7, 1, 44, 0, 8, 'o', 'l', 't', '1'}, written)
	padded := append([]byte{26, 16, 0, 0, 0xfd, 0xe7, 1, 44, 0, 10, 'o', 'l', 't', '1'}, 0, 'x')
	assert.Equal(t, "olt1", string(dialects["acme"].ReadLine(packetWith(t, padded), &dialect.Scratch{}).CircuitID))

	grant := goldenGrants()["full"]
	prefixes := dialects["acme"].AppendGrant(nil, &linegate.Grant{FramedIPv6Prefix: grant.FramedIPv6Prefix, FramedIPv6Address: grant.FramedIPv6Address})
	assert.Equal(t, []byte{97, 12, 0, 64, 0x20, 1, 0xd, 0xb8, 0, 1, 0, 2}, prefixes[:12], "as few octets as it needs")
}

func TestMistakesAreNamedWithFileLineAndKey(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "bad.yaml: the file is empty",
		"a: 1\n---\nb: 2":                       "more than one YAML document",
		"[x]":                                   "bad.yaml:1: document: keys with values are expected",
		"a: [":                                  "bad.yaml: line 1",
		"about: [x]":                            "bad.yaml:1: about: a single value is expected",
		"colour: x":                             "bad.yaml:1: colour: unknown key",
		"about: x\nabout: y":                    "bad.yaml:2: about: given twice",
		"base: nowhere":                         `bad.yaml: base: there is no dialect "nowhere"`,
		"base: bad":                             `bad.yaml: base: there is no dialect "bad"`,
		"base: worse":                           "leads back to this dialect",
		"line:\n  colour: x":                    "bad.yaml:2: line.colour: unknown key",
		"line:\n  circuit_id: Nothing":          `bad.yaml:2: line.circuit_id: attribute "Nothing" is not in the dictionary`,
		"line:\n  circuit_id: User-Password":    "is encrypted",
		"line:\n  circuit_id: Telrad-S-VLAN-ID": "lies inside another",
		"line:\n  vlans: NAS-Port-Id":           "a grammar belongs to each of line.vlans",
		"line:\n  mac: {attribute: NAS-Port-Id, grammar: colon}": "a grammar belongs to each of line.vlans",
		"line:\n  circuit_id: {attribute: Class, form: rot13}":   `"rot13" is not allowed: composed, dhcp_options`,
		"line:\n  vlans: {attribute: NAS-Port-Id, grammar: x}":   `"x" is not allowed: colon, dotted, keyed, slash`,
		"grant:\n  rate: Nothing = 1":                            `bad.yaml:2: grant.rate: attribute "Nothing"`,
		"grant:\n  rate: Nothing = {upload_kbps}":                `bad.yaml:2: grant.rate: attribute "Nothing"`,
		"grant:\n  rate: no statement":                           "write Name = value",
		"grant:\n  rate: Filter-Id = {speed}":                    "there is no field {speed}",
		"grant:\n  rate: Filter-Id = {upload_kbps":               "a brace without its other",
		"grant:\n  rate: Session-Timeout = {user_name}":          "of type integer",
		"grant:\n  rate: Session-Timeout = {upload_kbps}0":       "of type integer",
		"grant:\n  rate: Framed-IP-Address = {upload_kbps}":      "of type ipaddr",
		"grant:\n  rate: Filter-Id:3 = {upload_kbps}":            `tag "3" is not allowed`,
		"grant:\n  rate: Tunnel-Type:77 = {upload_kbps}":         `tag "77" is not allowed`,
		"grant:\n  rate: User-Password = {user_name}":            "is encrypted",
		"grant:\n  rate: User-Password = x":                      "is encrypted",
		"grant:\n  rate: Filter-Id = {session.id}":               "field {session.id} has no value here",
		"grant:\n  rate: {unsupported: }":                        "or unsupported with the reason",
		"identity: User-Name = {user_name}":                      "field {user_name} has no value here",
		"change:\n  rate: colour":                                `"colour" is not allowed: a statement, a key of grant`,
		"change:\n  dance: rate":                                 "change.dance: unknown key",
		"coa: {port: 0}":                                         `coa.port: "0" is not allowed: 1 to 65535`,
		"coa: {message_authenticator: perhaps}":                  `"perhaps" is not allowed: true, false`,
		"prefix_octets: some":                                    `"some" is not allowed: full, minimal`,
	} {
		_, err := dialect.Load(documentationPEN, folder(t, "bad.yaml", text, "worse.yaml", "base: bad"))
		assert.ErrorContains(t, err, want, text)
	}
	_, err := dialect.Load(documentationPEN, filepath.Join(t.TempDir(), "nowhere"))
	assert.ErrorContains(t, err, "nowhere")
	_, err = dialect.Load(1<<24, "")
	assert.Error(t, err)
	_, err = dialect.Load(documentationPEN, folder(t, "dictionary", "NONSENSE x"))
	assert.ErrorContains(t, err, "dictionary:1: NONSENSE")
}

func FuzzLoad(f *testing.F) {
	for _, name := range dialect.Shipped() {
		text, err := os.ReadFile(filepath.Join("data", name+".yaml"))
		require.NoError(f, err)
		f.Add(text)
	}
	f.Add([]byte("base: &a x\nline: *a"))
	grant := goldenGrants()["full"]
	f.Fuzz(func(t *testing.T, text []byte) {
		dialects, err := dialect.Load(documentationPEN, folder(t, "fuzzed.yaml", string(text)))
		if err != nil {
			return
		}
		spoken := dialects["fuzzed"]
		octets := spoken.AppendLine(spoken.AppendGrant(nil, &grant), linegate.AccessLine{CircuitID: []byte("c"), RemoteID: []byte("r")})
		for range packetWith(t, octets).Attributes() {
		}
		session := goldenSession()
		for _, change := range goldenChanges() {
			_, _, _ = spoken.AppendChange(spoken.AppendIdentity(nil, session), change, session)
		}
	})
}
