package dialect_test

import (
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/dictionary"
	"linegate/policy/dialect"
	"linegate/radiusd/wire"
)

var update = flag.Bool("update", false, "write the golden grants and changes; line files are written by hand")

const goldenRoot = "../../testdata/dialect"

// Every line file says what is to be read: "# expect circuit_id = …".
var expectation = regexp.MustCompile(`(?m)^# expect (\w+) = (.*)$`)

func TestEveryGoldenLineIsReadAsItSays(t *testing.T) {
	for name, spoken := range dialect.Builtin(documentationPEN) {
		files, err := filepath.Glob(filepath.Join(goldenRoot, name, "line-*.hex"))
		require.NoError(t, err)
		assert.NotEmpty(t, files, "dialect %s has no golden line", name)
		for _, file := range files {
			t.Run(name+"/"+filepath.Base(file), func(t *testing.T) {
				text, err := os.ReadFile(file)
				require.NoError(t, err)
				octets, err := wire.ParseHex(string(text))
				require.NoError(t, err)
				got := lineFacts(spoken.ReadLine(packetWith(t, octets), &dialect.Scratch{}))
				expected := expectation.FindAllStringSubmatch(string(text), -1)
				assert.NotEmpty(t, expected)
				want := map[string]string{}
				for _, e := range expected {
					want[e[1]] = e[2]
				}
				for _, key := range []string{"circuit_id", "remote_id", "vlans", "mac", "conflict"} {
					if want[key] == "" {
						want[key] = "none"
					}
					assert.Equal(t, want[key], got[key], key)
				}
				if carrier := want["circuit_carrier"]; carrier != "" {
					assert.Equal(t, carrier, got["circuit_carrier"])
				}
			})
		}
	}
}

// lineFacts names what was read; none for what was not there.
func lineFacts(line linegate.AccessLine) map[string]string {
	octets := func(value []byte) string {
		switch {
		case value == nil:
			return "none"
		case len(value) == 0:
			return "(empty)"
		}
		return linegate.Octets(value).String()
	}
	orNone := func(text string) string {
		if text == "" {
			return "none"
		}
		return text
	}
	vlans := "none"
	if line.ServiceVLAN != 0 {
		vlans = fmt.Sprint(line.ServiceVLAN)
	}
	if line.InnerVLAN != 0 {
		vlans += fmt.Sprintf(".%d", line.InnerVLAN)
	}
	return map[string]string{
		"circuit_id": octets(line.CircuitID), "remote_id": octets(line.RemoteID), "vlans": vlans,
		"mac": orNone(line.MAC.String()), "conflict": orNone(line.Conflict), "circuit_carrier": line.CircuitCarrier,
	}
}

// goldenGrants are what the grant files hold.
func goldenGrants() map[string]linegate.Grant {
	return map[string]linegate.Grant{
		"full": {
			UserName: "alice", ServiceVLAN: 100, InnerVLAN: 200, QinQ: true,
			IPv4:                netip.MustParseAddr("100.64.0.11"),
			IPv6Mode:            linegate.IPv6DualStack,
			FramedIPv6Prefix:    netip.MustParsePrefix("2001:db8:1:2::/64"),
			FramedIPv6Address:   netip.MustParseAddr("2001:db8::1"),
			DelegatedIPv6Prefix: netip.MustParsePrefix("2001:db8:100::/56"),
			FramedPool:          "pool4", FramedIPv6Pool: "slaac1", DelegatedIPv6Pool: "pd-pol", StatefulIPv6Pool: "na-pol",
			DNS: []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("2001:db8::53"),
				netip.MustParseAddr("192.0.2.54"), netip.MustParseAddr("2001:db8::54")},
			Rate: linegate.Rate{DownloadKbps: 100_000, UploadKbps: 40_000}, FilterID: "garden",
			SessionTimeout: 86400, AcctInterimInterval: 600,
			ReplyAttributes: []string{"Idle-Timeout = 300", `Reply-Message = "hello; there"`},
		},
		"download-alone": {Rate: linegate.Rate{DownloadKbps: 4_294_967}},
	}
}

func goldenSession() *linegate.Session {
	return &linegate.Session{AcctSessionID: "0a00001c", UserName: "alice", NASPortID: "eth1.100.200",
		CallingStationID: "02:00:00:00:01:01", FramedIPv4: netip.MustParseAddr("100.64.0.11"), ServiceVLAN: 100, InnerVLAN: 200,
		NAS: linegate.NASKey{Tenant: "demo", Name: "bng1", Address: netip.MustParseAddr("192.0.2.1")}}
}

// goldenChanges are what the change files hold, by the kind's name.
func goldenChanges() map[string]linegate.Change {
	active := linegate.Grant{ServiceVLAN: 100, InnerVLAN: 200, QinQ: true, IPv4: netip.MustParseAddr("100.64.0.11"),
		Rate: linegate.Rate{DownloadKbps: 100_000, UploadKbps: 40_000}, FilterID: "plan100"}
	moved := linegate.Grant{ServiceVLAN: 101, InnerVLAN: 201, QinQ: true}
	changes := map[string]linegate.Change{}
	for _, kind := range linegate.ChangeKinds() {
		change := linegate.Change{Kind: kind, Grant: active}
		switch kind {
		case linegate.ChangeVLAN:
			change.Grant = moved
		case linegate.ChangePrefix:
			change.Grant = linegate.Grant{DelegatedIPv6Prefix: netip.MustParsePrefix("2001:db8:100::/56")}
		case linegate.ChangeSuspend, linegate.ChangeWalledGarden:
			change.Grant = linegate.Grant{FilterID: "garden"}
		case linegate.ChangeLimits:
			change.Grant = linegate.Grant{SessionTimeout: 3600, AcctInterimInterval: 600}
		}
		changes[string(kind)] = change
	}
	return changes
}

func TestEveryGrantIsWrittenByteForByte(t *testing.T) {
	for name, spoken := range dialect.Builtin(documentationPEN) {
		for grantName, grant := range goldenGrants() {
			t.Run(name+"/"+grantName, func(t *testing.T) {
				compareGolden(t, name, "grant-"+grantName, "The grant of golden_test.go, octet for octet as radclient 3.2.1 writes it (radclient_test.go).", spoken.AppendGrant(nil, &grant))
			})
		}
	}
}

func TestEveryChangeIsWrittenByteForByte(t *testing.T) {
	for name, spoken := range dialect.Builtin(documentationPEN) {
		for _, kind := range slices.Sorted(maps.Keys(goldenChanges())) {
			t.Run(name+"/"+kind, func(t *testing.T) {
				session := goldenSession()
				out, disconnect, err := spoken.AppendChange(spoken.AppendIdentity(nil, session), goldenChanges()[kind], session)
				head := "A CoA-Request's attributes, as radclient 3.2.1 writes them: those that name the session, then the change."
				switch {
				case err != nil:
					var cannot *dialect.Unsupported
					require.ErrorAs(t, err, &cannot)
					head, out = "unsupported: "+cannot.Reason, nil
				case disconnect:
					head = "A Disconnect-Request's attributes, as radclient 3.2.1 writes them (RFC 5176 section 3)."
				}
				compareGolden(t, name, "change-"+kind, head, out)
			})
		}
	}
}

// compareGolden compares octets, and the file's head, with a golden file.
func compareGolden(t *testing.T, name, file, head string, octets []byte) {
	t.Helper()
	path := filepath.Join(goldenRoot, name, file+".hex")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte("# "+head+"\n\n"+commented(t, octets)), 0o644))
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	want, err := wire.ParseHex(string(text))
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintf("% x", want), fmt.Sprintf("% x", octets))
	assert.True(t, strings.HasPrefix(string(text), "# "+head+"\n"), "%s begins otherwise than with %q", path, head)
}

// commented writes attributes as hex, one on a line with its name.
func commented(t *testing.T, octets []byte) string {
	t.Helper()
	names, err := dictionary.Standard(documentationPEN)
	require.NoError(t, err)
	text := &strings.Builder{}
	for attribute := range packetWith(t, octets).Attributes() {
		raw := append([]byte{attribute.Type, byte(2 + len(attribute.Value))}, attribute.Value...)
		fmt.Fprintf(text, "%-60s  # %s\n", fmt.Sprintf("% x", raw), names.Format(attribute.Type, attribute.Value))
	}
	return text.String()
}

func goldenLine(t testing.TB, name, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(goldenRoot, name, file+".hex"))
	require.NoError(t, err)
	octets, err := wire.ParseHex(string(text))
	require.NoError(t, err)
	return octets
}
