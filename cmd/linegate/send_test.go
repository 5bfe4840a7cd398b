package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	"layeh.com/radius"
	"layeh.com/radius/rfc2759"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2866"
	"layeh.com/radius/rfc2868"
	"layeh.com/radius/vendors/microsoft"
)

// foreignServer serves requests with another implementation of RADIUS, and
// returns its address.
func foreignServer(t *testing.T, handle func(w radius.ResponseWriter, r *radius.Request)) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &radius.PacketServer{
		SecretSource: radius.StaticSecretSource([]byte(demoSecret)),
		Handler:      radius.HandlerFunc(handle),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(conn) }()
	t.Cleanup(func() {
		_ = server.Shutdown(context.WithoutCancel(t.Context()))
		<-served
	})
	return conn.LocalAddr().String()
}

// admitAlice accepts alice with the right password by PAP or MS-CHAPv2.
func admitAlice(w radius.ResponseWriter, r *radius.Request) {
	reply := r.Response(radius.CodeAccessReject)
	name := rfc2865.UserName_Get(r.Packet)
	if challenge := microsoft.MSCHAPChallenge_Get(r.Packet); challenge != nil {
		response := microsoft.MSCHAP2Response_Get(r.Packet)
		peer, proof := response[2:18], response[26:50]
		success, err := rfc2759.GenerateAuthenticatorResponse(challenge, peer, proof, name, []byte("secretpw"))
		if want, _ := rfc2759.GenerateNTResponse(challenge, peer, name, []byte("secretpw")); err == nil && string(want) == string(proof) {
			reply.Code = radius.CodeAccessAccept
			_ = microsoft.MSCHAP2Success_Set(reply, append([]byte{response[0]}, success...))
		}
	} else if rfc2865.UserPassword_GetString(r.Packet) == "secretpw" {
		reply.Code = radius.CodeAccessAccept
	}
	_ = rfc2868.TunnelPrivateGroupID_SetString(reply, 1, "101")
	_ = rfc2865.ReplyMessage_SetString(reply, "hello\x1b[2J "+rfc2865.NASIdentifier_GetString(r.Packet))
	_ = w.Write(reply)
}

func TestSendAuthShowsAnAccept(t *testing.T) {
	freshStore(t)
	address := foreignServer(t, admitAlice)
	sent := run(t, "", "send", "auth", "--server", address, "--user", "alice", "--password", "secretpw", "--circuit", "olt1", "--remote", "0x00ff")
	require.NoError(t, sent.err)
	assert.Regexp(t, `^Access-Accept from `+address+`, id \d+, [0-9.]+ ms, but without Message-Authenticator, so it could be forged \(CVE-2024-3596\)
  Tunnel-Private-Group-Id:1 = "101"
  Reply-Message = "hello\\x1b\[2J linegate"
$`, sent.stdout, "what the server sends can't steer the terminal")
}

func TestSendAuthHasAFormForPrograms(t *testing.T) {
	freshStore(t)
	address := foreignServer(t, admitAlice)
	type answer struct {
		Code       string
		Server     string
		Attributes []struct{ Name, Value string }
	}
	for format, decode := range map[string]func([]byte, any) error{"json": json.Unmarshal, "yaml": yaml.Unmarshal} {
		sent := run(t, "", "send", "auth", "--server", address, "--user", "alice", "--password", "secretpw", "--output", format)
		require.NoError(t, sent.err)
		var got answer
		require.NoError(t, decode([]byte(sent.stdout), &got), sent.stdout)
		assert.Equal(t, "Access-Accept", got.Code)
		assert.Equal(t, address, got.Server)
		require.Len(t, got.Attributes, 2)
		assert.Equal(t, "Tunnel-Private-Group-Id:1", got.Attributes[0].Name)
		assert.Equal(t, "101", got.Attributes[0].Value)
	}
}

func TestSendAuthProvesThePasswordByMSCHAPv2(t *testing.T) {
	freshStore(t)
	address := foreignServer(t, admitAlice)
	right := run(t, "", "send", "auth", "--server", address, "--user", "alice", "--password", "secretpw", "--method", "mschapv2")
	assert.NoError(t, right.err)
	assert.Contains(t, right.stdout, "MS-CHAP2-Success = ")
	wrong := run(t, "", "send", "auth", "--server", address, "--user", "alice", "--password", "other", "--method", "mschapv2")
	assert.Equal(t, 1, exitStatus(wrong.err))
}

func TestSendEndsWithAStatusForEachOutcome(t *testing.T) {
	freshStore(t)
	address := foreignServer(t, admitAlice)
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { silent.Close() })
	require.NoError(t, os.WriteFile("secret", []byte("another\n"), 0o600))

	for name, test := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"rejected":                  {[]string{"auth", "--server", address, "--user", "alice", "--password", "wrong"}, 1, "linegate: " + address + ": Access-Reject\n"},
		"rejected without password": {[]string{"auth", "--server", address, "--user", "alice"}, 1, "linegate: " + address + ": Access-Reject\n"},
		"an answer of a kind that was not asked for": {[]string{"acct", "on", "--server", address, "--timeout", "50ms", "--retries", "0"}, 2, "Access-Reject is no answer to such a request"},
		"no answer":                 {[]string{"auth", "--server", silent.LocalAddr().String(), "--timeout", "20ms", "--retries", "1"}, 2, "no answer in 2 tries of 20ms: check the address; check that the server has a NAS entry"},
		"another secret":            {[]string{"auth", "--server", address, "--secret-file", "secret", "--user", "alice", "--timeout", "50ms", "--retries", "0"}, 2, "an answer came, but the secret is not the one of the server's NAS entry"},
		"no such address":           {[]string{"status", "--server", "127.0.0.1"}, 2, "missing port in address"},
		"no such secret file":       {[]string{"status", "--secret-file", "gone"}, 1, "open gone: no such file or directory"},
		"an empty secret":           {[]string{"status", "--secret", ""}, 1, "the shared secret is empty"},
		"an unknown attribute":      {[]string{"status", "--attr", "Foo=1"}, 1, `--attr: attribute "Foo" is not in the dictionary`},
		"an encrypted attribute":    {[]string{"auth", "--attr", "User-Password=x"}, 1, `--attr: attribute "User-Password" is encrypted, which only --password can do`},
		"an unknown method":         {[]string{"auth", "--method", "eap"}, 1, `method "eap" is not allowed: pap, chap, mschapv2, none`},
		"a circuit that is no hex":  {[]string{"auth", "--circuit", "0x1"}, 1, `--circuit: "0x1" is not allowed`},
		"a line too long":           {[]string{"auth", "--remote", string(make([]byte, 248))}, 1, "at most 247 fit"},
		"a negative retry":          {[]string{"status", "--retries", "-1"}, 1, "--retries must be 0 or more"},
		"acct without session":      {[]string{"acct", "stop"}, 1, "acct stop: name the session with --session"},
		"acct of no kind":           {[]string{"acct", "pause"}, 1, `invalid argument "pause"`},
		"acct with a cause of none": {[]string{"acct", "stop", "--session", "1", "--cause", "Boredom"}, 1, `attribute "Acct-Terminate-Cause": "Boredom" is not a number`},
		"acct with half a line":     {[]string{"acct", "stop", "--session", "1", "--remote", "0x1"}, 1, `--remote: "0x1" is not allowed`},
	} {
		t.Run(name, func(t *testing.T) {
			sent := run(t, "", append([]string{"send"}, test.args...)...)
			require.Error(t, sent.err)
			assert.Equal(t, test.status, exitStatus(sent.err), sent.stderr)
			assert.Contains(t, sent.stderr, test.want)
		})
	}
}

func TestSendSaysThatNothingListens(t *testing.T) {
	freshStore(t)
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	conn.Close()
	sent := run(t, "", "send", "status", "--server", conn.LocalAddr().String())
	assert.Equal(t, 2, exitStatus(sent.err))
	assert.Contains(t, sent.stderr, "nothing listens at "+conn.LocalAddr().String())
}

func TestSendAcctCountsBeyond32Bits(t *testing.T) {
	freshStore(t)
	seen := make(chan *radius.Packet, 5)
	address := foreignServer(t, func(w radius.ResponseWriter, r *radius.Request) {
		seen <- r.Packet
		_ = w.Write(r.Response(radius.CodeAccountingResponse))
	})
	for word, status := range map[string]rfc2866.AcctStatusType{
		"start": rfc2866.AcctStatusType_Value_Start, "interim": rfc2866.AcctStatusType_Value_InterimUpdate,
		"stop": rfc2866.AcctStatusType_Value_Stop, "on": rfc2866.AcctStatusType_Value_AccountingOn,
		"off": rfc2866.AcctStatusType_Value_AccountingOff,
	} {
		sent := run(t, "", "send", "acct", word, "--server", address, "--session", "s1", "--user", "alice",
			"--session-time", "60", "--input-octets", "5000000000", "--attr", "NAS-IP-Address = 192.0.2.1")
		require.NoError(t, sent.err, sent.stderr)
		assert.Regexp(t, `^Accounting-Response from .* ms, authentic\n$`, sent.stdout)

		packet := <-seen
		assert.Equal(t, status, rfc2866.AcctStatusType_Get(packet))
		assert.Equal(t, "s1", rfc2866.AcctSessionID_GetString(packet))
		assert.Equal(t, "alice", rfc2865.UserName_GetString(packet))
		assert.Equal(t, "192.0.2.1", rfc2865.NASIPAddress_Get(packet).String())
		assert.Empty(t, rfc2865.NASIdentifier_GetString(packet), "a NAS that is named needs no other name")
		if word == "stop" {
			assert.Equal(t, uint32(5000000000&(1<<32-1)), uint32(rfc2866.AcctInputOctets_Get(packet)))
			assert.Equal(t, rfc2866.AcctTerminateCause_Value_UserRequest, rfc2866.AcctTerminateCause_Get(packet))
		}
	}
}

func TestExitStatusIsOneUnlessTheErrorSaysElse(t *testing.T) {
	assert.Equal(t, 0, exitStatus(nil))
	assert.Equal(t, 1, exitStatus(errors.New("any")))
	assert.Equal(t, 2, exitStatus(errors.Join(statusError{2, net.ErrClosed})))
	assert.ErrorIs(t, statusError{2, net.ErrClosed}, net.ErrClosed)
}
