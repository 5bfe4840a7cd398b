package wire_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate/radiusd/wire"
)

const rfcSecret = "xyzzy5461" // of every example in RFC 2865

// golden reads a packet from testdata/golden.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../testdata/golden", name+".hex"))
	require.NoError(t, err)
	packet, err := wire.ParseHex(string(text))
	require.NoError(t, err)
	return packet
}

func parsed(t testing.TB, raw []byte) wire.Packet {
	t.Helper()
	packet, err := wire.Parse(raw)
	require.NoError(t, err)
	return packet
}

func TestRFC2865Section71(t *testing.T) {
	signer := wire.NewSigner(rfcSecret)
	request := parsed(t, golden(t, "rfc2865-7.1-request"))
	authenticator := request.Authenticator()

	password, ok := signer.RevealPassword(nil, request.Find(wire.UserPassword), authenticator)
	require.True(t, ok)
	assert.Equal(t, "arctangent", string(password))

	raw := wire.AppendHeader(nil, wire.AccessRequest, 0, authenticator)
	raw = wire.AppendText(raw, wire.UserName, "nemo")
	raw = wire.AppendAttribute(raw, wire.UserPassword, signer.HidePassword(nil, "arctangent", authenticator))
	raw = wire.AppendAttribute(raw, wire.NASIPAddress, []byte{192, 168, 1, 16})
	raw = wire.AppendInteger(raw, wire.NASPort, 3)
	require.NoError(t, signer.SignRequest(raw))
	assert.Equal(t, golden(t, "rfc2865-7.1-request"), raw)

	reply := wire.AppendHeader(nil, wire.AccessAccept, request.Identifier(), authenticator)
	reply = wire.AppendInteger(reply, wire.ServiceType, 1)
	reply = wire.AppendInteger(reply, 15, 0)
	reply = wire.AppendAttribute(reply, 14, []byte{192, 168, 1, 3})
	require.NoError(t, signer.SignReply(reply, authenticator))
	assert.Equal(t, golden(t, "rfc2865-7.1-accept"), reply)

	ma, err := signer.VerifyReply(parsed(t, reply), authenticator)
	assert.NoError(t, err)
	assert.False(t, ma)
}

func TestRFC2865Section72(t *testing.T) {
	signer := wire.NewSigner(rfcSecret)
	request := parsed(t, golden(t, "rfc2865-7.2-request"))
	authenticator := request.Authenticator()

	reply := wire.AppendHeader(nil, wire.AccessAccept, request.Identifier(), authenticator)
	for _, attribute := range []struct {
		number uint8
		value  uint32
	}{{wire.ServiceType, 2}, {wire.FramedProtocol, 1}, {wire.FramedIPAddress, 0xfffffffe}, {10, 2}, {13, 1}, {12, 1500}} {
		reply = wire.AppendInteger(reply, attribute.number, attribute.value)
	}
	require.NoError(t, signer.SignReply(reply, authenticator))
	assert.Equal(t, golden(t, "rfc2865-7.2-accept"), reply)
}
