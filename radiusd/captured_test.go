package radiusd_test

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/policy"
	"linegate/policy/dialect"
	"linegate/radiusd"
	"linegate/radiusd/wire"
	"linegate/telemetry"
)

// captured reads a packet that a real NAS sent.
func captured(t testing.TB, name string) wire.Packet {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../testdata/nas", name+".hex"))
	require.NoError(t, err)
	raw, err := wire.ParseHex(string(text))
	require.NoError(t, err)
	packet, err := wire.Parse(raw)
	require.NoError(t, err)
	return packet
}

// bng is the NAS of the captures.
func bng(t testing.TB) *radiusd.Client {
	t.Helper()
	nas := linegate.NAS{Tenant: "isp", Name: "bng1", Address: netip.MustParsePrefix("10.99.0.2/32"), Secret: secret}
	nas.Normalize()
	client, err := radiusd.NewClient(nas, dialect.Builtin(32473), telemetry.NewMetrics())
	require.NoError(t, err)
	return client
}

// Every subscriber of the captures has this password and line where it has any.
func TestCapturedAccessRequestsAreDecided(t *testing.T) {
	for name, test := range map[string]struct {
		password string
		circuit  linegate.Octets
		remote   linegate.Octets
		mac      string
		user     string
		method   linegate.Method
	}{
		"ipoe-access":           {"", "olt1 eth 1/1:100", "cpe-0001", "02:00:00:00:01:01", "02:00:00:00:01:01", linegate.MethodPAP},
		"relay-access":          {"", "sub2", "", "66:bf:de:88:b8:4f", "sub2", linegate.MethodPAP},
		"pppoe-access":          {"pw-alice", "olt1 eth 2/1:100", "cpe-0021", "02:00:00:00:02:01", "alice@isp.example", linegate.MethodPAP},
		"pppoe-access-chap":     {"pw-alice", "olt1 eth 2/1:100", "cpe-0021", "02:00:00:00:02:01", "alice@isp.example", linegate.MethodCHAP},
		"pppoe-access-mschapv2": {"pw-alice", "olt1 eth 2/1:100", "cpe-0021", "02:00:00:00:02:01", "alice@isp.example", linegate.MethodMSCHAPv2},
	} {
		t.Run(name, func(t *testing.T) {
			packet, client := captured(t, name), bng(t)
			require.Empty(t, client.Refuses(packet), "the NAS signed it")
			request := client.ReadRequest(packet, &radiusd.Scratch{})
			assert.Equal(t, test.user, string(request.UserName))
			assert.Equal(t, test.method, request.Proof.Method)
			mac, _ := request.MAC()
			assert.Equal(t, test.mac, mac.String())

			credential, err := linegate.ParseCredential(test.password)
			require.NoError(t, err)
			subscriber := &linegate.Subscriber{ID: "018f0000-0000-7000-8000-000000000001", Tenant: "isp", Username: test.user, Credential: credential,
				Profile: &linegate.NetworkProfile{CircuitID: test.circuit, RemoteID: test.remote, Option82Policy: linegate.Option82Enforce}}
			subscriber.Normalize()
			facts := linegate.Facts{Subscriber: subscriber, FoundBy: linegate.ByUsername}
			assert.Equal(t, linegate.ReasonAuthorized, policy.Decide(&request, facts, linegate.Settings{}).Reason)

			subscriber.Profile.CircuitID = "another line"
			assert.Equal(t, linegate.ReasonOption82Mismatch, policy.Decide(&request, facts, linegate.Settings{}).Reason)
			if test.password != "" {
				subscriber.Credential.Value = "another password"
				assert.Equal(t, linegate.ReasonWrongPassword, policy.Decide(&request, facts, linegate.Settings{}).Reason)
			}
		})
	}
}

func TestCapturedEAPIsRejected(t *testing.T) {
	client, packet := bng(t), captured(t, "dot1x-access-eap")
	require.Empty(t, client.Refuses(packet))
	request := client.ReadRequest(packet, &radiusd.Scratch{})
	assert.Equal(t, linegate.MethodEAP, request.Proof.Method)
	mac, ok := request.MAC()
	assert.True(t, ok)
	assert.Equal(t, "66:24:c3:18:1b:a7", mac.String(), "hostapd's notation")
}

func TestCapturedAccountingIsRead(t *testing.T) {
	received := time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)
	for name, want := range map[string]struct {
		status  linegate.AcctStatus
		session string
		time    uint32
		input   uint64
		cause   uint32
		prefix  string
	}{
		"ipoe-on":       {linegate.AcctOn, "", 0, 0, 0, ""},
		"ipoe-start":    {linegate.AcctStart, "05997017DF0E13F5", 0, 0, 0, "2001:db8:1100::/56"},
		"ipoe-interim":  {linegate.AcctInterim, "05997017DF0E13F5", 5, 930, 0, "2001:db8:1100::/56"},
		"ipoe-stop":     {linegate.AcctStop, "05997017DF0E13F5", 15, 1417, 6, "2001:db8:1100::/56"},
		"pppoe-stop":    {linegate.AcctStop, "05997017DF0E13F5", 1, 106, 1, "2001:db8:2100::/56"},
		"relay-start":   {linegate.AcctStart, "05997017DF0E13F6", 0, 0, 0, ""},
		"dot1x-on":      {linegate.AcctOn, "2B6FE3E742981895", 0, 0, 0, ""},
		"dot1x-interim": {linegate.AcctInterim, "C6C95D233EA10B6A", 10, 0, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			packet := captured(t, name)
			assert.Empty(t, bng(t).Refuses(packet), "the NAS signed it")
			event := radiusd.ReadAccounting(packet, received)
			assert.Equal(t, want.status, event.Status)
			assert.Equal(t, want.session, event.AcctSessionID)
			assert.Equal(t, want.time, event.SessionTime)
			assert.Equal(t, want.input, event.InputOctets)
			assert.Equal(t, want.cause, event.TerminateCause)
			assert.Equal(t, "10.99.0.2", event.NAS.Address.String())
			if want.prefix != "" {
				assert.Equal(t, want.prefix, event.DelegatedIPv6Prefix.String())
			}
		})
	}
}

// FuzzRequest feeds anything through all that reads a packet before it is
// decided.
func FuzzRequest(f *testing.F) {
	for _, name := range []string{"ipoe-access", "pppoe-access", "pppoe-access-chap", "pppoe-access-mschapv2", "dot1x-access-eap", "ipoe-stop", "ipoe-on"} {
		f.Add(captured(f, name).Raw())
	}
	client := bng(f)
	subscriber := &linegate.Subscriber{ID: "018f0000-0000-7000-8000-000000000001",
		Credential: linegate.Credential{Kind: linegate.CredentialCleartext, Value: "pw-alice"}, Profile: &linegate.NetworkProfile{CircuitID: "x"}}
	subscriber.Normalize()
	f.Fuzz(func(t *testing.T, datagram []byte) {
		packet, err := wire.Parse(datagram)
		if err != nil {
			return
		}
		client.Refuses(packet)
		radiusd.ReadAccounting(packet, time.Unix(0, 0))
		request := client.ReadRequest(packet, &radiusd.Scratch{})
		for _, facts := range []linegate.Facts{{}, {Subscriber: subscriber}} {
			decision := policy.Decide(&request, facts, linegate.Settings{})
			reply, err := client.AppendAccessReply(nil, packet, &request, &decision, time.Unix(0, 0))
			if err != nil {
				continue // more Proxy-State than fits
			}
			if _, err := wire.Parse(reply); err != nil {
				t.Errorf("a reply that can't be parsed: %v", err)
			}
		}
	})
}

// FreeRADIUS answered the same MS-CHAPv2 request when it was captured: the proof
// for the client must be the same, and so must the keys, hidden with its salts.
func TestMSCHAPv2AnswerIsTheOneOfFreeRADIUS(t *testing.T) {
	packet, client, signer := captured(t, "pppoe-access-mschapv2"), bng(t), wire.NewSigner(secret)
	accept := captured(t, "pppoe-accept-mschapv2")
	_, err := signer.VerifyReply(accept, packet.Authenticator())
	require.NoError(t, err)
	theirs := microsoftAttributes(accept)

	request := client.ReadRequest(packet, &radiusd.Scratch{})
	subscriber := &linegate.Subscriber{Username: "alice@isp.example", Credential: linegate.Credential{Kind: linegate.CredentialCleartext, Value: "pw-alice"}}
	decision := policy.Decide(&request, linegate.Facts{Subscriber: subscriber, FoundBy: linegate.ByUsername}, linegate.Settings{})
	require.True(t, decision.Accept)
	raw, err := client.AppendAccessReply(nil, packet, &request, &decision, time.Unix(0, 0))
	require.NoError(t, err)
	reply, err := wire.Parse(raw)
	require.NoError(t, err)

	ours := microsoftAttributes(reply)
	assert.Equal(t, theirs[wire.MSCHAP2Success], ours[wire.MSCHAP2Success])
	for kind, key := range map[uint8][16]byte{wire.MSMPPESendKey: decision.MSCHAP2.SendKey, wire.MSMPPERecvKey: decision.MSCHAP2.RecvKey} {
		salt := binary.BigEndian.Uint16(theirs[kind])
		assert.Equal(t, theirs[kind], signer.AppendSalted(nil, key[:], salt, packet.Authenticator()))
	}
}
