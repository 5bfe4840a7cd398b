package wire_test

import (
	"slices"
	"testing"

	"linegate/radiusd/wire"
)

func FuzzParse(f *testing.F) {
	for _, name := range []string{"rfc2865-7.1-request", "rfc2865-7.1-accept", "rfc2865-7.2-request"} {
		f.Add(golden(f, name))
	}
	signer := wire.NewSigner("testing123")
	lanes := new(wire.Lanes)
	f.Fuzz(func(t *testing.T, datagram []byte) {
		packet, err := wire.Parse(datagram)
		if err != nil {
			return
		}
		size := wire.HeaderSize
		for attribute := range packet.Attributes() {
			size += 2 + len(attribute.Value)
			if _, data, ok := attribute.Vendor(); ok {
				for range wire.VendorAttributes(data) {
				}
			}
			wire.IPv6Prefix(attribute.Value)
			wire.Address(attribute.Value)
			signer.RevealPassword(nil, attribute.Value, packet.Authenticator())
		}
		if size != len(packet.Raw()) {
			t.Errorf("attributes cover %d of %d octets", size, len(packet.Raw()))
		}
		signed, err := signer.VerifyRequest(packet)
		checks := slices.Repeat([]wire.Check{{Signer: signer, Packet: packet}}, 3)
		lanes.Verify(checks)
		for _, c := range checks {
			if c.Signed != signed || c.Err != err {
				t.Errorf("side by side %v %v, alone %v %v", c.Signed, c.Err, signed, err)
			}
		}
		_, _ = signer.VerifyReply(packet, [16]byte{})
	})
}

func FuzzParseHex(f *testing.F) {
	f.Add("01 2a # id 42\n00")
	f.Fuzz(func(t *testing.T, text string) {
		if packet, err := wire.ParseHex(text); err == nil && len(packet) > wire.MaxPacketSize {
			t.Errorf("%d octets", len(packet))
		}
	})
}
