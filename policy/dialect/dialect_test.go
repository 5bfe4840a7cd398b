package dialect_test

import (
	"encoding/binary"
	"net/netip"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/policy/dialect"
	"linegate/radiusd/wire"
)

const documentationPEN = 32473 // RFC 5612

func standard(t testing.TB) *dialect.Dialect {
	t.Helper()
	spoken := dialect.Builtin(documentationPEN)[linegate.DefaultDialect]
	require.NotNil(t, spoken)
	assert.Equal(t, linegate.DefaultDialect, spoken.Name())
	return spoken
}

func golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("../../testdata/golden/" + name + ".hex")
	require.NoError(t, err)
	octets, err := wire.ParseHex(string(text))
	require.NoError(t, err)
	return octets
}

// packetWith is an Access-Request with the given attributes.
func packetWith(t testing.TB, attributes []byte) wire.Packet {
	t.Helper()
	raw := append(wire.AppendHeader(nil, wire.AccessRequest, 1, [16]byte{}), attributes...)
	binary.BigEndian.PutUint16(raw[2:], uint16(len(raw)))
	packet, err := wire.Parse(raw)
	require.NoError(t, err)
	return packet
}

func TestGrantIsWrittenByteForByte(t *testing.T) {
	grant := linegate.Grant{
		UserName: "alice", ServiceVLAN: 100, InnerVLAN: 200, QinQ: true,
		IPv4:                netip.MustParseAddr("100.64.0.11"),
		IPv6Mode:            linegate.IPv6DualStack,
		FramedIPv6Prefix:    netip.MustParsePrefix("2001:db8:1:2::/64"),
		FramedIPv6Address:   netip.MustParseAddr("2001:db8::1"),
		DelegatedIPv6Prefix: netip.MustParsePrefix("2001:db8:100::/56"),
		FramedPool:          "pool4", FramedIPv6Pool: "slaac1", DelegatedIPv6Pool: "pd-pol", StatefulIPv6Pool: "na-pol",
		FilterID: "garden", SessionTimeout: 86400, AcctInterimInterval: 600,
	}
	assert.Equal(t, golden(t, "grant-full"), standard(t).AppendGrant(nil, &grant))
}

func TestAnEmptyGrantWritesNothing(t *testing.T) {
	assert.Empty(t, standard(t).AppendGrant(nil, &linegate.Grant{}))
}

func TestOwnAttributesLiveUnderTheConfiguredPEN(t *testing.T) {
	spoken := dialect.Builtin(4711)[linegate.DefaultDialect]
	written := spoken.AppendGrant(nil, &linegate.Grant{QinQ: true, InnerVLAN: 1})
	assert.EqualValues(t, 4711, binary.BigEndian.Uint32(written[2:]))
}

func TestLineIsReadAndWritten(t *testing.T) {
	for name, test := range map[string]struct {
		attributes []byte
		want       linegate.AccessLine
	}{
		"text in both fields": {golden(t, "line-dsl-forum"), linegate.AccessLine{CircuitID: []byte("OLT1 xpon 0/1/2:100.200"), RemoteID: []byte("ONT1"),
			CircuitCarrier: "ADSL-Agent-Circuit-Id", RemoteCarrier: "ADSL-Agent-Remote-Id"}},
		"binary and no remote-id":   {golden(t, "line-binary"), linegate.AccessLine{CircuitID: []byte{0, 4, 0, 0x64, 0, 1}, CircuitCarrier: "ADSL-Agent-Circuit-Id"}},
		"an empty circuit-id":       {[]byte{26, 8, 0, 0, 0x0d, 0xe9, 1, 2}, linegate.AccessLine{CircuitID: []byte{}, CircuitCarrier: "ADSL-Agent-Circuit-Id"}},
		"nothing":                   {nil, linegate.AccessLine{}},
		"another vendor's type 1":   {[]byte{26, 9, 0, 0, 0, 9, 1, 3, 'x'}, linegate.AccessLine{}},
		"a vendor length too large": {[]byte{26, 9, 0, 0, 0x0d, 0xe9, 1, 9, 'x'}, linegate.AccessLine{}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, standard(t).ReadLine(packetWith(t, test.attributes), &dialect.Scratch{}))
		})
	}
	line := linegate.AccessLine{CircuitID: []byte("OLT1 xpon 0/1/2:100.200"), RemoteID: []byte("ONT1")}
	assert.Equal(t, golden(t, "line-dsl-forum"), standard(t).AppendLine(nil, line))
}

func TestTheFirstOfSeveralCounts(t *testing.T) {
	twice := append(wire.AppendVendorAttribute(nil, 3561, 1, []byte("first")), wire.AppendVendorAttribute(nil, 3561, 1, []byte("second"))...)
	assert.Equal(t, "first", string(standard(t).ReadLine(packetWith(t, twice), &dialect.Scratch{}).CircuitID))
}

func TestReadingAndGrantingDoNotAllocate(t *testing.T) {
	spoken, packet := standard(t), packetWith(t, golden(t, "line-dsl-forum"))
	grant := &linegate.Grant{ServiceVLAN: 4094, QinQ: true, InnerVLAN: 7, IPv6Mode: linegate.IPv6DualStack,
		IPv4: netip.MustParseAddr("192.0.2.1"), DelegatedIPv6Prefix: netip.MustParsePrefix("2001:db8::/56")}
	buffer, scratch := make([]byte, 0, 1024), &dialect.Scratch{}
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		spoken.ReadLine(packet, scratch)
		spoken.AppendGrant(buffer, grant)
	}))
}

func FuzzReadLine(f *testing.F) {
	f.Add(golden(f, "line-dsl-forum"))
	f.Add(golden(f, "line-binary"))
	spoken := standard(f)
	f.Fuzz(func(t *testing.T, attributes []byte) {
		raw := append(wire.AppendHeader(nil, wire.AccessRequest, 1, [16]byte{}), attributes...)
		binary.BigEndian.PutUint16(raw[2:], uint16(len(raw)))
		packet, err := wire.Parse(raw)
		if err != nil {
			return
		}
		line := spoken.ReadLine(packet, &dialect.Scratch{})
		if len(line.CircuitID) > wire.MaxValueSize || len(line.RemoteID) > wire.MaxValueSize {
			t.Errorf("longer than an attribute: %d and %d octets", len(line.CircuitID), len(line.RemoteID))
		}
	})
}
