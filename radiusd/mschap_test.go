package radiusd_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"layeh.com/radius/rfc2759"

	"linegate/radiusd/wire"
)

// appendMSCHAP2 writes what a client sends for MS-CHAPv2, with identifier 9.
func appendMSCHAP2(t *testing.T, raw []byte, user, password string) []byte {
	t.Helper()
	challenge, peer := []byte("authenticator-16"), []byte("peer-challenge16")
	response, err := rfc2759.GenerateNTResponse(challenge, peer, []byte(user), []byte(password))
	require.NoError(t, err)
	value := append([]byte{9, 0}, peer...)
	value = append(append(value, make([]byte, 8)...), response...)
	raw = wire.AppendText(raw, wire.UserName, user)
	raw = wire.AppendVendorAttribute(raw, wire.VendorMicrosoft, wire.MSCHAPChallenge, challenge)
	return wire.AppendVendorAttribute(raw, wire.VendorMicrosoft, wire.MSCHAP2Response, value)
}

// microsoftAttributes returns the Microsoft attributes by type.
func microsoftAttributes(packet wire.Packet) map[uint8][]byte {
	found := map[uint8][]byte{}
	for attribute := range packet.Attributes() {
		if vendor, data, ok := attribute.Vendor(); ok && vendor == wire.VendorMicrosoft {
			for sub := range wire.VendorAttributes(data) {
				found[sub.Type] = sub.Value
			}
		}
	}
	return found
}
