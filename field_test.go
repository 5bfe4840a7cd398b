package linegate_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

func field(t *testing.T, name string) linegate.Field {
	t.Helper()
	for _, field := range linegate.Fields() {
		if field.Name == name {
			return field
		}
	}
	require.Fail(t, "no field "+name)
	return linegate.Field{}
}

func TestTheSeventeenColumnsComeFirstAndInOrder(t *testing.T) {
	var standard, all []string
	for _, field := range linegate.Fields() {
		all = append(all, field.Name)
		if !field.Extra {
			standard = append(standard, field.Name)
		}
	}
	assert.Equal(t, []string{"username", "password", "circuit_id", "remote_id", "mac", "option82_policy", "service_vlan",
		"inner_vlan", "qinq_enabled", "static_ipv4", "static_ipv6", "framed_ipv6_prefix", "delegated_ipv6_prefix",
		"ipv6_assignment_mode", "download_kbps", "upload_kbps", "status"}, standard)
	assert.Equal(t, standard, all[:len(standard)])
}

func TestFieldsKeepWhatIsAllowed(t *testing.T) {
	for name, values := range map[string][]string{
		"username":              {"alice", "ünï@isp.example"},
		"circuit_id":            {"olt1 xpon 0/1/1", "0x000400640001", ""},
		"remote_id":             {"ONT1", "0xff"},
		"mac":                   {"02:00:00:00:01:01", ""},
		"option82_policy":       {"enforce", "log", "ignore"},
		"service_vlan":          {"1", "4094", ""},
		"inner_vlan":            {"200"},
		"qinq_enabled":          {"true", ""},
		"static_ipv4":           {"100.64.0.11", ""},
		"static_ipv6":           {"2001:db8::5"},
		"framed_ipv6_prefix":    {"2001:db8:200:1::/64", "2001:db8::1/128"},
		"delegated_ipv6_prefix": {"2001:db8:100::/56", ""},
		"ipv6_assignment_mode":  {"none", "slaac", "stateful", "pd", "dual_stack"},
		"download_kbps":         {"1", "100000", "1000000000"},
		"upload_kbps":           {"20000"},
		"status":                {"active", "suspended", "terminated"},
		"framed_pool":           {"pool 1", ""},
		"session_timeout":       {"1", "86400", ""},
		"acct_interim_interval": {"60"},
		"walled_garden_vlan":    {"999"},
		"walled_garden_filter":  {"pay"},
		"walled_garden_pool":    {"garden"},
	} {
		for _, value := range values {
			subscriber := &linegate.Subscriber{}
			require.NoError(t, field(t, name).Set(subscriber, value), "%s=%s", name, value)
			assert.Equal(t, value, field(t, name).Get(subscriber), name)
		}
	}
}

func TestFieldsRefuseTheRestAndChangeNothing(t *testing.T) {
	for name, values := range map[string][]string{
		"password":              {"$2a$31$" + string(make53()), "$2y$10$short", "$argon2id$cut", string(make([]byte, 129))},
		"circuit_id":            {"0x0", "0xzz", string(make([]byte, 248))},
		"mac":                   {"02:00:00:00:01", "00:00:00:00:00:00", "zz:00:00:00:01:01", "020000:000101"},
		"option82_policy":       {"strict"},
		"service_vlan":          {"0", "4095", "-1", "abc", "70000", "99999999999999999999"},
		"qinq_enabled":          {"perhaps"},
		"static_ipv4":           {"2001:db8::1", "100.64.0", "0.0.0.0", "224.0.0.1", "100.64.0.0/24"},
		"static_ipv6":           {"192.0.2.1", "::", "ff02::1", "fe80::1%eth0", "::ffff:192.0.2.1"},
		"framed_ipv6_prefix":    {"2001:db8::1/64", "192.0.2.0/24", "2001:db8::", "::/0"},
		"delegated_ipv6_prefix": {"2001:db8::/129"},
		"ipv6_assignment_mode":  {"both"},
		"download_kbps":         {"1000000001", "1.5"},
		"status":                {"gone"},
		"framed_pool":           {"a\nb", string(make([]byte, 65))},
		"acct_interim_interval": {"59", "31536001"},
	} {
		for _, value := range values {
			subscriber := &linegate.Subscriber{Status: linegate.StatusActive}
			var bad *linegate.FieldError
			require.ErrorAs(t, field(t, name).Set(subscriber, value), &bad, "%s=%q", name, value)
			assert.Equal(t, name, bad.Field)
			assert.NotEmpty(t, bad.Allowed)
			assert.Equal(t, &linegate.Subscriber{Status: linegate.StatusActive}, subscriber)
		}
	}
}

func make53() []byte {
	salt := make([]byte, 53)
	for i := range salt {
		salt[i] = 'a'
	}
	return salt
}

func TestDiffNamesFieldsAndNeverAPassword(t *testing.T) {
	before := &linegate.Subscriber{Username: "alice", Credential: linegate.Credential{Kind: linegate.CredentialCleartext, Value: "oldpw"}}
	before.Normalize()
	after := before.Clone()
	require.NoError(t, field(t, "password").Set(after, "newpw"))
	require.NoError(t, field(t, "service_vlan").Set(after, "101"))
	after.Normalize()
	assert.Equal(t, []linegate.FieldChange{
		{Field: "password", Old: "cleartext", New: "cleartext (changed)"},
		{Field: "option82_policy", Old: "", New: "log"},
		{Field: "service_vlan", Old: "", New: "101"},
		{Field: "ipv6_assignment_mode", Old: "", New: "none"},
		{Field: "profile", Old: "", New: "true"},
	}, after.Diff(before))
	assert.Empty(t, after.Diff(after))
	assert.NotEmpty(t, after.Diff(nil))
	assert.Nil(t, before.Profile, "a clone shares nothing that changes")
}

func TestValidateNamesEveryContradiction(t *testing.T) {
	subscriber := &linegate.Subscriber{Username: "bad\nname", Profile: &linegate.NetworkProfile{InnerVLAN: 5}}
	var bad linegate.FieldErrors
	require.ErrorAs(t, subscriber.Validate(), &bad)
	assert.Len(t, bad, 3)
	assert.ErrorContains(t, bad, "inner_vlan")
	assert.ErrorContains(t, bad, "password")
	subscriber = &linegate.Subscriber{Username: "x", Profile: &linegate.NetworkProfile{QinQEnabled: true, CircuitID: "c"}}
	assert.ErrorContains(t, subscriber.Validate(), "qinq_enabled")
	subscriber.Profile.QinQEnabled = false
	assert.NoError(t, subscriber.Validate())
}

func TestIPv6ModeIsImpliedByWhatTheProfileHolds(t *testing.T) {
	for want, fields := range map[linegate.IPv6AssignmentMode]map[string]string{
		linegate.IPv6None:      {"service_vlan": "5"},
		linegate.IPv6SLAAC:     {"framed_ipv6_prefix": "2001:db8::/64"},
		linegate.IPv6Stateful:  {"static_ipv6": "2001:db8::1"},
		linegate.IPv6PD:        {"delegated_ipv6_pool": "pd"},
		linegate.IPv6DualStack: {"static_ipv6": "2001:db8::1", "delegated_ipv6_prefix": "2001:db8::/56"},
	} {
		subscriber := &linegate.Subscriber{}
		for name, value := range fields {
			require.NoError(t, field(t, name).Set(subscriber, value))
		}
		subscriber.Normalize()
		assert.Equal(t, want, subscriber.Profile.IPv6Mode)
		assert.Empty(t, subscriber.Profile.Withheld())
	}
}

func TestWithheldNamesWhatTheModeKeepsBack(t *testing.T) {
	subscriber := &linegate.Subscriber{}
	for name, value := range map[string]string{"static_ipv6": "2001:db8::1", "framed_ipv6_prefix": "2001:db8::/64",
		"delegated_ipv6_prefix": "2001:db8::/56", "inner_vlan": "7", "ipv6_assignment_mode": "none"} {
		require.NoError(t, field(t, name).Set(subscriber, value))
	}
	assert.Equal(t, []string{"framed_ipv6_prefix", "static_ipv6", "delegated_ipv6_prefix", "inner_vlan"}, subscriber.Profile.Withheld())
}
