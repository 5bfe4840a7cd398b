package wire_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate/radiusd/wire"
)

// packet builds a raw packet with the given attribute octets and a true Length.
func packet(attributes ...byte) []byte {
	raw := append(make([]byte, wire.HeaderSize), attributes...)
	raw[0] = byte(wire.AccessRequest)
	raw[2], raw[3] = byte(len(raw)>>8), byte(len(raw))
	return raw
}

func TestParseRefusesWhatIsMalformed(t *testing.T) {
	withLength := func(raw []byte, length int) []byte {
		raw[2], raw[3] = byte(length>>8), byte(length)
		return raw
	}
	for name, test := range map[string]struct {
		datagram []byte
		want     error
	}{
		"nothing at all":                        {nil, wire.ErrShort},
		"a header cut short":                    {make([]byte, 19), wire.ErrShort},
		"a Length below the header":             {withLength(packet(), 19), wire.ErrLength},
		"a Length above 4096":                   {withLength(make([]byte, 5000), 4097), wire.ErrLength},
		"a Length beyond the datagram":          {withLength(packet(1, 3, 'a'), 24), wire.ErrShort},
		"an attribute of length 0":              {packet(1, 0), wire.ErrAttribute},
		"an attribute of length 1":              {packet(1, 1), wire.ErrAttribute},
		"an attribute of type 0":                {packet(0, 3, 'a'), wire.ErrAttribute},
		"an attribute that runs beyond the end": {packet(1, 4, 'a'), wire.ErrAttribute},
		"an attribute of one octet":             {packet(1), wire.ErrAttribute},
		"two hundred and one attributes":        {packet([]byte(strings.Repeat("\x01\x02", 201))...), wire.ErrTooManyAttrs},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := wire.Parse(test.datagram)
			assert.ErrorIs(t, err, test.want)
		})
	}
}

func TestParseIgnoresPadding(t *testing.T) {
	raw := append(packet(1, 3, 'a'), 0xff, 0xff, 0xff)
	got, err := wire.Parse(raw)
	require.NoError(t, err)
	assert.Equal(t, raw[:23], got.Raw())
	assert.Equal(t, "a", string(got.Find(wire.UserName)))
	assert.Nil(t, got.Find(wire.State))
}

func TestVendorAttributesMayBeEmptyOrMany(t *testing.T) {
	raw := packet(26, 14, 0, 0, 0x0d, 0xe9, 254, 2, 1, 3, 'x', 2, 3, 'y')
	for attribute := range parsed(t, raw).Attributes() {
		vendor, data, ok := attribute.Vendor()
		require.True(t, ok)
		assert.EqualValues(t, 3561, vendor)
		var seen []string
		for sub := range wire.VendorAttributes(data) {
			seen = append(seen, string(rune('0'+sub.Type%10))+"="+string(sub.Value))
		}
		assert.Equal(t, []string{"4=", "1=x", "2=y"}, seen)
	}
	_, _, ok := wire.Attribute{Type: wire.VendorSpecific, Value: []byte{0, 0, 1}}.Vendor()
	assert.False(t, ok, "a vendor number cut short")
}

func TestMessageAuthenticatorIsSignedAndVerified(t *testing.T) {
	signer := wire.NewSigner(strings.Repeat("long secret ", 10))
	raw := wire.AppendHeader(nil, wire.AccessRequest, 7, [16]byte{1, 2, 3})
	raw = wire.AppendMessageAuthenticator(raw)
	raw = wire.AppendText(raw, wire.UserName, "alice")
	require.NoError(t, signer.SignRequest(raw))

	present, err := signer.VerifyRequest(parsed(t, raw))
	assert.True(t, present)
	assert.NoError(t, err)
	_, err = wire.NewSigner("another").VerifyRequest(parsed(t, raw))
	assert.ErrorIs(t, err, wire.ErrMessageAuthenticator)

	for i := range raw {
		if i == 2 || i == 3 || i == 20 || i == 21 || i == 38 || i == 39 {
			continue // another Length, type or length makes another packet
		}
		raw[i] ^= 1
		_, err := signer.VerifyRequest(parsed(t, raw))
		assert.Error(t, err, "octet %d", i)
		raw[i] ^= 1
	}
}

func TestMessageAuthenticatorTwiceOrMissizedIsRefused(t *testing.T) {
	signer := wire.NewSigner("s")
	ma := "\x50\x12" + strings.Repeat("\x00", 16)
	for name, attributes := range map[string]string{
		"twice":     ma + ma,
		"too short": "\x50\x11" + strings.Repeat("\x00", 15),
		"too long":  "\x50\x13" + strings.Repeat("\x00", 17),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := signer.VerifyRequest(parsed(t, packet([]byte(attributes)...)))
			assert.ErrorIs(t, err, wire.ErrMAForm)
		})
	}
	present, err := signer.VerifyRequest(parsed(t, packet()))
	assert.False(t, present)
	assert.NoError(t, err)
}

func TestAccountingAuthenticator(t *testing.T) {
	signer := wire.NewSigner("testing123")
	raw := wire.AppendHeader(nil, wire.AccountingRequest, 9, [16]byte{})
	raw = wire.AppendInteger(raw, wire.AcctStatusType, wire.StatusStart)
	require.NoError(t, signer.SignAccounting(raw))
	_, err := signer.VerifyRequest(parsed(t, raw))
	assert.NoError(t, err)
	raw[len(raw)-1] ^= 1
	_, err = signer.VerifyRequest(parsed(t, raw))
	assert.ErrorIs(t, err, wire.ErrAuthenticator)
}

func TestAReplyThatWasTamperedWithIsRefused(t *testing.T) {
	signer, request := wire.NewSigner("testing123"), [16]byte{9}
	reply := wire.AppendMessageAuthenticator(wire.AppendHeader(nil, wire.AccessAccept, 1, request))
	require.NoError(t, signer.SignReply(reply, request))
	ma, err := signer.VerifyReply(parsed(t, reply), request)
	assert.True(t, ma)
	assert.NoError(t, err)
	_, err = signer.VerifyReply(parsed(t, reply), [16]byte{8})
	assert.Error(t, err)
	reply[0] = byte(wire.AccessReject)
	_, err = signer.VerifyReply(parsed(t, reply), request)
	assert.ErrorIs(t, err, wire.ErrAuthenticator)
}

func TestAPacketLongerThan4096IsNotSigned(t *testing.T) {
	signer, raw := wire.NewSigner("s"), make([]byte, 4097)
	assert.ErrorIs(t, signer.SignReply(raw, [16]byte{}), wire.ErrPacketTooLong)
	assert.ErrorIs(t, signer.SignRequest(raw), wire.ErrPacketTooLong)
	assert.ErrorIs(t, signer.SignAccounting(raw), wire.ErrPacketTooLong)
}

func TestPasswordsOfEveryLengthComeBack(t *testing.T) {
	signer, request := wire.NewSigner("testing123"), [16]byte{5, 6}
	for length := range 129 {
		password := strings.Repeat("p", length)
		hidden := signer.HidePassword(nil, password, request)
		assert.Zero(t, len(hidden)%16)
		got, ok := signer.RevealPassword(nil, hidden, request)
		assert.True(t, ok)
		assert.Equal(t, password, string(got))
	}
	for _, length := range []int{0, 15, 17, 144} {
		_, ok := signer.RevealPassword(nil, make([]byte, length), request)
		assert.False(t, ok, "length %d", length)
	}
}

func TestIPv6PrefixIsReadLeniently(t *testing.T) {
	for name, test := range map[string]struct {
		value []byte
		want  string
	}{
		"the default route in two octets": {[]byte{0, 0}, "::/0"},
		"short of its length":             {[]byte{0, 64, 0x20, 0x01}, "2001::/64"},
		"bits beyond the length":          {[]byte{0, 16, 0x20, 0x01, 0xff}, "2001::/16"},
		"one octet":                       {[]byte{0}, ""},
		"a length of 129":                 {[]byte{0, 129}, ""},
		"nineteen octets":                 {make([]byte, 19), ""},
	} {
		t.Run(name, func(t *testing.T) {
			prefix, ok := wire.IPv6Prefix(test.value)
			assert.Equal(t, test.want != "", ok)
			if ok {
				assert.Equal(t, test.want, prefix.String())
			}
		})
	}
}

func TestValuesKeepTheirWireForm(t *testing.T) {
	assert.Equal(t, []byte{8, 6, 100, 64, 0, 11}, wire.AppendAddress(nil, wire.FramedIPAddress, netip.MustParseAddr("100.64.0.11")))
	assert.Equal(t, "192.0.2.1", wire.Address([]byte{192, 0, 2, 1}).String())
	assert.False(t, wire.Address([]byte{1, 2, 3}).IsValid())
	_, ok := wire.Uint32([]byte{1, 2, 3})
	assert.False(t, ok)
	long := wire.AppendText(nil, wire.ReplyMessage, strings.Repeat("x", 300))
	assert.Len(t, long, 255)
	assert.Len(t, wire.AppendVendorAttribute(nil, 1, 1, make([]byte, 300)), 255)
	assert.Len(t, wire.AppendAttribute(nil, 1, make([]byte, 300)), 255)
	assert.Equal(t, "Code-99", wire.Code(99).String())
	assert.Equal(t, "CoA-NAK", wire.CoANAK.String())
}

func TestHexErrorsNameTheLine(t *testing.T) {
	_, err := wire.ParseHex("01 02 # fine\n0g")
	assert.ErrorContains(t, err, "line 2")
	_, err = wire.ParseHex(strings.Repeat("00", 4097))
	assert.ErrorContains(t, err, "4096")
}

func TestParsingAndSigningDoNotAllocate(t *testing.T) {
	signer, request := wire.NewSigner("testing123"), [16]byte{1}
	raw := wire.AppendMessageAuthenticator(wire.AppendHeader(nil, wire.AccessRequest, 1, request))
	raw = wire.AppendText(raw, wire.UserName, "alice")
	raw = wire.AppendAttribute(raw, wire.UserPassword, signer.HidePassword(nil, "secretpw", request))
	require.NoError(t, signer.SignRequest(raw))
	reply, password := make([]byte, 0, 256), make([]byte, 0, 128)

	allocations := testing.AllocsPerRun(100, func() {
		packet, _ := wire.Parse(raw)
		_, _ = signer.VerifyRequest(packet)
		for attribute := range packet.Attributes() {
			if attribute.Type == wire.UserPassword {
				_, _ = signer.RevealPassword(password, attribute.Value, packet.Authenticator())
			}
		}
		out := wire.AppendMessageAuthenticator(wire.AppendHeader(reply, wire.AccessAccept, 1, request))
		_ = signer.SignReply(wire.AppendInteger(out, wire.SessionTimeout, 60), request)
	})
	assert.Zero(t, allocations)
}

// Tunnel-Password of RFC 2868 section 3.5: salt, then length and text, masked.
func TestASaltedValueIsRevealedBySecretAndRequestAlone(t *testing.T) {
	signer, request := wire.NewSigner("testing123"), [16]byte{1, 2, 3}
	for _, plain := range []string{"", "secretpw", strings.Repeat("x", 200)} {
		hidden := signer.AppendSalted(nil, []byte(plain), 7, request)
		revealed, ok := signer.RevealSalted(nil, hidden, request)
		assert.True(t, ok)
		assert.Equal(t, plain, string(revealed))
	}
	hidden := signer.AppendSalted(nil, []byte("secretpw"), 7, request)
	for _, broken := range [][]byte{nil, hidden[:2], hidden[:17], append(hidden, 0)} {
		_, ok := signer.RevealSalted(nil, broken, request)
		assert.False(t, ok)
	}
	other, _ := wire.NewSigner("other").RevealSalted(nil, hidden, request)
	assert.NotEqual(t, "secretpw", string(other))
}
