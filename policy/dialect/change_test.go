package dialect_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/policy/dialect"
	"linegate/radiusd/wire"
)

func TestAChangeThatWouldBeMadeInPartIsNotMade(t *testing.T) {
	session := goldenSession()
	for name, test := range map[string]struct {
		dialect string
		change  linegate.Change
		reason  string // empty: it is made
	}{
		"a rate that 32 bits hold":                 {"huawei", linegate.Change{Kind: linegate.ChangeRate, Grant: linegate.Grant{Rate: linegate.Rate{DownloadKbps: 4_294_967}}}, ""},
		"one that they don't":                      {"huawei", linegate.Change{Kind: linegate.ChangeRate, Grant: linegate.Grant{Rate: linegate.Rate{DownloadKbps: 4_294_968}}}, "download_kbps: this NAS takes at most 4294967"},
		"a rate where it is text":                  {"mikrotik", linegate.Change{Kind: linegate.ChangeRate, Grant: linegate.Grant{Rate: linegate.Rate{DownloadKbps: 10_000_000}}}, ""},
		"no rate at all":                           {"mikrotik", linegate.Change{Kind: linegate.ChangeRate}, "holds nothing"},
		"a suspension by a filter":                 {"mikrotik", linegate.Change{Kind: linegate.ChangeSuspend, Grant: linegate.Grant{FilterID: "garden"}}, ""},
		"a suspension by a pool":                   {"mikrotik", linegate.Change{Kind: linegate.ChangeSuspend, Grant: linegate.Grant{FilterID: "garden", FramedPool: "garden"}}, "framed_pool can't be changed"},
		"a suspension by another VLAN":             {"mikrotik", linegate.Change{Kind: linegate.ChangeSuspend, Grant: linegate.Grant{ServiceVLAN: 66}}, "service_vlan can't be changed"},
		"a suspension without a walled garden":     {"mikrotik", linegate.Change{Kind: linegate.ChangeSuspend}, "holds nothing"},
		"a resumption on the VLAN it has":          {"mikrotik", linegate.Change{Kind: linegate.ChangeResume, Grant: linegate.Grant{ServiceVLAN: 100, FilterID: "plan"}}, ""},
		"a resumption with another address":        {"mikrotik", linegate.Change{Kind: linegate.ChangeResume, Grant: linegate.Grant{IPv4: netip.MustParseAddr("192.0.2.7"), FilterID: "plan"}}, "ipv4 can't be changed"},
		"a resumption that leaves the filter":      {"mikrotik", linegate.Change{Kind: linegate.ChangeResume, Grant: linegate.Grant{ServiceVLAN: 100}}, "the walled garden's filter"},
		"a VLAN where the port decides":            {"nokia", linegate.Change{Kind: linegate.ChangeVLAN, Grant: linegate.Grant{ServiceVLAN: 101}}, "the host stands on the SAP"},
		"a prefix on a NAS that goes by the RFCs":  {"standard", linegate.Change{Kind: linegate.ChangePrefix, Grant: linegate.Grant{DelegatedIPv6Prefix: netip.MustParsePrefix("2001:db8::/56")}}, ""},
		"a kind that does not exist":               {"standard", linegate.Change{Kind: "dance"}, "no such kind"},
		"a rate of a service with both parameters": {"juniper", linegate.Change{Kind: linegate.ChangeRate, Grant: linegate.Grant{Rate: linegate.Rate{DownloadKbps: 1, UploadKbps: 1}}}, ""},
		"a rate of a service with one of them":     {"juniper", linegate.Change{Kind: linegate.ChangeRate, Grant: linegate.Grant{Rate: linegate.Rate{DownloadKbps: 1}}}, "holds nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			spoken := dialect.Builtin(documentationPEN)[test.dialect]
			before := spoken.AppendIdentity(nil, session)
			out, disconnect, err := spoken.AppendChange(before, test.change, session)
			assert.False(t, disconnect)
			if test.reason == "" {
				require.NoError(t, err)
				assert.Greater(t, len(out), len(before))
				return
			}
			var cannot *dialect.Unsupported
			require.ErrorAs(t, err, &cannot)
			assert.Equal(t, test.change.Kind, cannot.Kind)
			assert.Contains(t, err.Error(), test.reason)
		})
	}
}

func TestEveryDialectDisconnectsAndNamesTheSession(t *testing.T) {
	session := goldenSession()
	for name, spoken := range dialect.Builtin(documentationPEN) {
		identity := spoken.AppendIdentity(nil, session)
		assert.Equal(t, "0a00001c", string(packetWith(t, identity).Find(wire.AcctSessionID)), name)
		out, disconnect, err := spoken.AppendChange(identity, linegate.Change{Kind: linegate.ChangeDisconnect}, session)
		require.NoError(t, err, name)
		assert.True(t, disconnect, name)
		assert.Equal(t, identity, out, "%s: RFC 5176 section 3: nothing but identification", name)
		_, _, err = spoken.AppendChange(nil, linegate.Change{Kind: linegate.ChangeReauthenticate}, session)
		assert.ErrorContains(t, err, "Authorize-Only", name)
	}
	assert.Empty(t, standard(t).AppendIdentity(nil, &linegate.Session{}), "what a session is not known by is left out")
}

func TestWhatADialectCantSayIsFoundByProperty(t *testing.T) {
	full := goldenGrants()["full"]
	garden := linegate.Grant{ServiceVLAN: 66, FilterID: "garden", FramedPool: "garden"}
	fast := linegate.Grant{Rate: linegate.Rate{DownloadKbps: 10_000_000, UploadKbps: 1}}
	for name, test := range map[string]struct {
		dialect string
		grant   linegate.Grant
		garden  bool
		fields  []string
	}{
		"everything in the standard":            {"standard", full, false, nil},
		"pools and filter of accel-ppp":         {"accel-ppp", full, false, []string{"framed_ipv6_pool", "delegated_ipv6_pool", "stateful_ipv6_pool", "filter_id"}},
		"a walled garden of accel-ppp":          {"accel-ppp", garden, true, []string{"walled_garden_vlan", "walled_garden_filter"}},
		"a walled garden of the standard":       {"standard", garden, true, nil},
		"10 Gbit/s in 32 bits":                  {"huawei", fast, false, []string{"download_kbps"}},
		"10 Gbit/s as text":                     {"mikrotik", fast, false, nil},
		"a rate in one direction for a service": {"juniper", linegate.Grant{Rate: linegate.Rate{DownloadKbps: 1}}, false, []string{"download_kbps"}},
		"attributes that there are none of": {"standard", linegate.Grant{ReplyAttributes: []string{"Colour = blue", "Class = x", "User-Password = x", "Filter-Id = ok"}},
			false, []string{"reply_attributes", "reply_attributes", "reply_attributes"}},
	} {
		t.Run(name, func(t *testing.T) {
			var fields []string
			for _, bad := range dialect.Builtin(documentationPEN)[test.dialect].Check(&test.grant, test.garden) {
				fields = append(fields, bad.Field)
				assert.NotEmpty(t, bad.Value)
				assert.NotEmpty(t, bad.Allowed)
			}
			assert.Equal(t, test.fields, fields)
		})
	}
}

func TestTheGreatestRateIsThatOfTheAttributeInKbit(t *testing.T) {
	grant := linegate.Grant{Rate: linegate.Rate{DownloadKbps: 4_294_968, UploadKbps: 5_000_000}}
	bad := dialect.Builtin(documentationPEN)["h3c"].Check(&grant, false)
	require.Len(t, bad, 2, "both at once")
	for _, field := range bad {
		assert.Equal(t, "at most 4294967 on a NAS that speaks h3c", field.Allowed, field.Field)
	}
	grant.Rate = linegate.Rate{DownloadKbps: 4_294_967, UploadKbps: 4_294_967}
	assert.Empty(t, dialect.Builtin(documentationPEN)["h3c"].Check(&grant, false))
}

func TestTheDialectsOfTheHotPathDoNotAllocate(t *testing.T) {
	for name, file := range map[string]string{
		"standard": "line-dsl-forum", "mikrotik": "line-dhcp", "huawei": "line-bras", "cisco-iosxe": "line-isg", "juniper": "line-dhcp-options",
	} {
		spoken := dialect.Builtin(documentationPEN)[name]
		packet := packetWith(t, goldenLine(t, name, file))
		grant := goldenGrants()["full"]
		grant.ReplyAttributes = nil // encoded from text at each request
		buffer, scratch := make([]byte, 0, 2048), &dialect.Scratch{}
		assert.Zero(t, testing.AllocsPerRun(100, func() {
			spoken.ReadLine(packet, scratch)
			spoken.AppendGrant(buffer, &grant)
		}), name)
	}
}

func BenchmarkReadLineAndGrant(b *testing.B) {
	for _, name := range []string{"standard", "huawei", "cisco-iosxe"} {
		b.Run(name, func(b *testing.B) {
			spoken, packet := dialect.Builtin(documentationPEN)[name], packetWith(b, goldenLine(b, "standard", "line-dsl-forum"))
			grant, buffer, scratch := goldenGrants()["full"], make([]byte, 0, 2048), &dialect.Scratch{}
			grant.ReplyAttributes = nil
			for b.Loop() {
				spoken.ReadLine(packet, scratch)
				spoken.AppendGrant(buffer, &grant)
			}
		})
	}
}
