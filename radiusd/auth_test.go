package radiusd_test

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"linegate"
	"linegate/radiusd"
	"linegate/radiusd/wire"
	"linegate/telemetry"
)

func TestAliceIsAdmittedFromHerOwnLineOnly(t *testing.T) {
	b := start(t, nil)
	alice := b.alice()

	accept := b.ask(radiusd.AuthPort, b.pap("alice", "secretpw", "olt1"))
	assert.Equal(t, wire.AccessAccept, accept.Code())
	assert.Equal(t, []byte{0x50, 0x12}, accept.Raw()[20:22], "Message-Authenticator first")
	assert.Equal(t, []byte{100, 64, 0, 11}, accept.Find(wire.FramedIPAddress))
	assert.Equal(t, "101", string(accept.Find(wire.TunnelPrivateGroupID)))
	class, ours := linegate.ParseClass(accept.Find(wire.ClassAttribute))
	assert.True(t, ours)
	assert.Equal(t, alice.ID, class.SubscriberID)
	assert.Equal(t, linegate.Option82Match, <-b.bookkeeper)

	reject := b.ask(radiusd.AuthPort, b.pap("alice", "secretpw", "olt2"))
	assert.Equal(t, wire.AccessReject, reject.Code())
	assert.Equal(t, []byte{0x50, 0x12}, reject.Raw()[20:22])
	assert.Nil(t, reject.Find(wire.FramedIPAddress), "a reject grants nothing")
	assert.Contains(t, string(reject.Find(wire.ReplyMessage)), "line")
	assert.Equal(t, linegate.Option82Mismatch, <-b.bookkeeper)

	for _, name := range []string{"alice", "nobody"} {
		reject = b.ask(radiusd.AuthPort, b.pap(name, "wrong", "olt9"))
		assert.Equal(t, wire.AccessReject, reject.Code())
		assert.Equal(t, "Access denied: unknown name or wrong password", string(reject.Find(wire.ReplyMessage)))
	}
}

func TestAReplyCarriesMessageAuthenticatorEvenWhenTheRequestDoesNot(t *testing.T) {
	b := start(t, func(nas *linegate.NAS, _ *radiusd.Options) { nas.RequireMessageAuthenticator = linegate.No })
	b.alice()
	raw := wire.AppendHeader(nil, wire.AccessRequest, 1, [16]byte{7})
	raw = wire.AppendText(raw, wire.UserName, "alice")
	require.NoError(t, b.signer.SignRequest(raw))
	assert.Equal(t, []byte{0x50, 0x12}, b.ask(radiusd.AuthPort, raw).Raw()[20:22])
}

func TestCHAPAndMSCHAPv2(t *testing.T) {
	b := start(t, nil)
	b.alice()
	line := func(raw []byte) []byte { return wire.AppendVendorAttribute(raw, 3561, 1, []byte("olt1")) }

	chap := func(withChallenge bool) []byte {
		return b.access(func(raw []byte, authenticator [16]byte) []byte {
			challenge := authenticator[:]
			raw = line(wire.AppendText(raw, wire.UserName, "alice"))
			if withChallenge {
				challenge = []byte("a challenge of its own")
				raw = wire.AppendAttribute(raw, wire.CHAPChallenge, challenge)
			}
			response := linegate.CHAPResponse(5, "secretpw", challenge)
			return wire.AppendAttribute(raw, wire.CHAPPassword, append([]byte{5}, response[:]...))
		})
	}
	assert.Equal(t, wire.AccessAccept, b.ask(radiusd.AuthPort, chap(false)).Code())
	assert.Equal(t, wire.AccessAccept, b.ask(radiusd.AuthPort, chap(true)).Code())

	mschap := func(password string) []byte {
		return b.access(func(raw []byte, _ [16]byte) []byte { return line(appendMSCHAP2(t, raw, "alice", password)) })
	}
	accept := b.ask(radiusd.AuthPort, mschap("secretpw"))
	require.Equal(t, wire.AccessAccept, accept.Code())
	microsoft := microsoftAttributes(accept)
	assert.Equal(t, byte(9), microsoft[wire.MSCHAP2Success][0])
	assert.Regexp(t, "^S=[0-9A-F]{40}$", string(microsoft[wire.MSCHAP2Success][1:]))
	assert.Len(t, microsoft[wire.MSMPPESendKey], 34)
	assert.NotEqual(t, microsoft[wire.MSMPPESendKey][:2], microsoft[wire.MSMPPERecvKey][:2], "salts differ")

	reject := b.ask(radiusd.AuthPort, mschap("wrong"))
	assert.Equal(t, wire.AccessReject, reject.Code())
	assert.Contains(t, string(microsoftAttributes(reject)[wire.MSCHAPError]), "E=691")
}

func TestTwoProofsAtOnceAreNone(t *testing.T) {
	b := start(t, nil)
	b.alice()
	both := b.access(func(raw []byte, authenticator [16]byte) []byte {
		raw = wire.AppendVendorAttribute(wire.AppendText(raw, wire.UserName, "alice"), 3561, 1, []byte("olt1"))
		response := linegate.CHAPResponse(5, "secretpw", authenticator[:])
		raw = wire.AppendAttribute(raw, wire.CHAPPassword, append([]byte{5}, response[:]...))
		return wire.AppendAttribute(raw, wire.UserPassword, b.signer.HidePassword(nil, "secretpw", authenticator))
	})
	assert.Equal(t, wire.AccessReject, b.ask(radiusd.AuthPort, both).Code())
}

func TestMSCHAPv1AndEAPAreRejectedInTheirOwnTerms(t *testing.T) {
	b := start(t, nil)
	b.alice()
	v1 := b.access(func(raw []byte, _ [16]byte) []byte {
		raw = wire.AppendText(raw, wire.UserName, "alice")
		raw = wire.AppendVendorAttribute(raw, wire.VendorMicrosoft, wire.MSCHAPChallenge, make([]byte, 8))
		return wire.AppendVendorAttribute(raw, wire.VendorMicrosoft, wire.MSCHAPResponse, make([]byte, 50))
	})
	reject := b.ask(radiusd.AuthPort, v1)
	assert.Equal(t, wire.AccessReject, reject.Code())
	assert.Contains(t, string(reject.Find(wire.ReplyMessage)), "way of authentication")

	eap := b.access(func(raw []byte, _ [16]byte) []byte {
		raw = wire.AppendText(raw, wire.UserName, "alice")
		return wire.AppendAttribute(raw, wire.EAPMessage, []byte{2, 77, 0, 5, 1})
	})
	reject = b.ask(radiusd.AuthPort, eap)
	assert.Equal(t, []byte{4, 77, 0, 4}, reject.Find(wire.EAPMessage), "EAP-Failure with the identifier of the response")
}

func TestIPoESubscriberIsFoundByCircuitAndByMAC(t *testing.T) {
	b := start(t, nil)
	frank := &linegate.Subscriber{ID: "018f0000-0000-7000-8000-000000000006", Tenant: "demo", Username: "frank",
		Profile: &linegate.NetworkProfile{CircuitID: "olt6", MAC: linegate.MAC{2, 0, 0, 0, 1, 1}, Option82Policy: linegate.Option82Enforce}}
	frank.Normalize()
	b.directory.put(b.directory.known, frank)

	request := func(user, calling, circuit string) []byte {
		return b.access(func(raw []byte, _ [16]byte) []byte {
			if user != "" {
				raw = wire.AppendText(raw, wire.UserName, user)
			}
			raw = wire.AppendText(raw, wire.CallingStationID, calling)
			return wire.AppendVendorAttribute(raw, 3561, 1, []byte(circuit))
		})
	}
	accept := b.ask(radiusd.AuthPort, request("", "", "olt6"))
	assert.Equal(t, wire.AccessAccept, accept.Code())
	assert.Equal(t, "frank", string(accept.Find(wire.UserName)), "the name for accounting")
	assert.Equal(t, wire.AccessReject, b.ask(radiusd.AuthPort, request("", "", "olt7")).Code())
	for _, mac := range []string{"02:00:00:00:01:01", "02-00-00-00-01-01", "0200.0000.0101", "0200-0000-0101", "020000000101"} {
		assert.Equal(t, wire.AccessReject, b.ask(radiusd.AuthPort, request("", mac, "olt7")).Code(), "the MAC is his, the line is not")
		assert.Equal(t, wire.AccessReject, b.ask(radiusd.AuthPort, request(mac, "", "olt7")).Code())
	}
	assert.EqualValues(t, 10, b.count("radius_decisions_total", map[string]string{"reason": string(linegate.ReasonOption82Mismatch)}), "each notation found him")
}

func TestACircuitOfTwoSubscribersIdentifiesNeither(t *testing.T) {
	b := start(t, nil)
	b.directory.change(func() {
		b.directory.known[linegate.NewKey("demo", linegate.ByCircuit, "olt7")] = linegate.Lookup{Ambiguous: true}
	})
	request := b.access(func(raw []byte, _ [16]byte) []byte { return wire.AppendVendorAttribute(raw, 3561, 1, []byte("olt7")) })
	assert.Equal(t, wire.AccessReject, b.ask(radiusd.AuthPort, request).Code())
	assert.EqualValues(t, 1, b.count("radius_decisions_total", map[string]string{"reason": string(linegate.ReasonAmbiguousIdentity)}))
}

func TestASubscriberOutsideMemoryIsLoadedWithoutBlockingOthers(t *testing.T) {
	b := start(t, nil)
	b.alice()
	bob := &linegate.Subscriber{ID: "018f0000-0000-7000-8000-000000000002", Tenant: "demo", Username: "bob",
		Credential: linegate.Credential{Kind: linegate.CredentialCleartext, Value: "secretpw"}}
	b.directory.put(b.directory.later, bob)
	b.directory.change(func() { b.directory.gate = make(chan struct{}) })

	slow := b.pap("bob", "secretpw", "x")
	b.send(radiusd.AuthPort, slow)
	assert.Equal(t, wire.AccessAccept, b.ask(radiusd.AuthPort, b.pap("alice", "secretpw", "olt1")).Code(), "while bob is being loaded")
	b.unanswered(radiusd.AuthPort, slow)
	assert.EqualValues(t, 1, b.drops(telemetry.DropDuplicateInFlight))
	close(b.directory.gate)
	assert.Equal(t, wire.AccessAccept, b.verified(slow, b.receive(radiusd.AuthPort)).Code())
	b.directory.change(func() { assert.Equal(t, 1, b.directory.loads) })
}

func TestNoAnswerWhileTheStoreIsAway(t *testing.T) {
	b := start(t, nil)
	b.directory.change(func() { b.directory.fails = linegate.ErrUnavailable })
	raw := b.pap("alice", "secretpw", "olt1")
	b.send(radiusd.AuthPort, raw)
	require.Eventually(t, func() bool { return b.drops(telemetry.DropStoreUnavailable) == 1 }, waitLimit, pollInterval)
	b.unanswered(radiusd.AuthPort, nil)

	b.directory.change(func() { b.directory.fails = nil })
	b.alice()
	assert.Equal(t, wire.AccessAccept, b.ask(radiusd.AuthPort, raw).Code(), "the retransmission is worked on anew")
}

func TestTooManyWaitingRequestsAreDropped(t *testing.T) {
	b := start(t, func(_ *linegate.NAS, options *radiusd.Options) { options.Lookups = 1 })
	bob := &linegate.Subscriber{ID: "2", Tenant: "demo", Username: "bob"}
	b.directory.put(b.directory.later, bob)
	b.directory.change(func() { b.directory.gate = make(chan struct{}) })
	b.send(radiusd.AuthPort, b.pap("bob", "x", "x"))
	b.unanswered(radiusd.AuthPort, b.pap("bob", "x", "x"))
	assert.EqualValues(t, 1, b.drops(telemetry.DropOverloaded))
	assert.Equal(t, 1, b.server.Waiting())
	close(b.directory.gate)
	b.receive(radiusd.AuthPort)
}

func TestAHashedPasswordIsCheckedOnceAndThenRemembered(t *testing.T) {
	b := start(t, nil)
	hash, err := bcrypt.GenerateFromPassword([]byte("secretpw"), bcrypt.MinCost)
	require.NoError(t, err)
	credential, err := linegate.ParseCredential(string(hash))
	require.NoError(t, err)
	b.directory.put(b.directory.known, &linegate.Subscriber{ID: "3", Tenant: "demo", Username: "carol", Credential: credential})
	for range 3 {
		assert.Equal(t, wire.AccessAccept, b.ask(radiusd.AuthPort, b.pap("carol", "secretpw", "x")).Code())
		assert.Equal(t, wire.AccessReject, b.ask(radiusd.AuthPort, b.pap("carol", "wrong", "x")).Code())
	}
}

func TestADuplicateGetsTheSameOctetsAgain(t *testing.T) {
	b := start(t, nil)
	b.alice()
	raw := b.pap("alice", "secretpw", "olt1")
	b.send(radiusd.AuthPort, raw)
	first := b.receive(radiusd.AuthPort)
	b.send(radiusd.AuthPort, append(bytes.Clone(raw), 0, 0, 0)) // padding makes it no other packet
	assert.Equal(t, first, b.receive(radiusd.AuthPort))
	assert.EqualValues(t, 1, b.count("radius_duplicates_total", map[string]string{"kind": "resent"}))
	assert.EqualValues(t, 1, b.count("radius_decisions_total", nil), "not decided twice")

	other := b.pap("alice", "wrong", "olt1")
	other[1] = raw[1] // the identifier of the first, another authenticator
	require.NoError(t, b.signer.SignRequest(other))
	assert.Equal(t, wire.AccessReject, b.ask(radiusd.AuthPort, other).Code(), "a new request purges the old answer")
}

func TestProxyStateComesBackInOrder(t *testing.T) {
	b := start(t, nil)
	b.alice()
	raw := b.access(func(raw []byte, _ [16]byte) []byte {
		raw = wire.AppendText(raw, wire.ProxyState, "first")
		raw = wire.AppendText(raw, wire.UserName, "nobody")
		return wire.AppendText(raw, wire.ProxyState, "second")
	})
	var states []string
	for attribute := range b.ask(radiusd.AuthPort, raw).Attributes() {
		if attribute.Type == wire.ProxyState {
			states = append(states, string(attribute.Value))
		}
	}
	assert.Equal(t, []string{"first", "second"}, states)
}

func TestWhatMayNotBeTrustedIsDropped(t *testing.T) {
	unsigned := func(b *bench, attributes ...byte) []byte {
		b.identifier++
		raw := append(wire.AppendHeader(nil, wire.AccessRequest, b.identifier, [16]byte{3, b.identifier}), attributes...)
		require.NoError(b, b.signer.SignRequest(raw))
		return raw
	}
	for name, test := range map[string]struct {
		nas    linegate.NAS
		packet func(b *bench) []byte
		port   radiusd.Port
		reason telemetry.Drop
	}{
		"a wrong Message-Authenticator": {packet: func(b *bench) []byte {
			raw := b.pap("alice", "secretpw", "olt1")
			raw[25] ^= 1
			return raw
		}, reason: telemetry.DropBadMessageAuthenticator},
		"no Message-Authenticator where it is required": {nas: linegate.NAS{RequireMessageAuthenticator: linegate.Yes},
			packet: func(b *bench) []byte { return unsigned(b) }, reason: telemetry.DropMissingMessageAuthenticator},
		"no Message-Authenticator where it was learned": {nas: linegate.NAS{Learned: linegate.Yes},
			packet: func(b *bench) []byte { return unsigned(b) }, reason: telemetry.DropMissingMessageAuthenticator},
		"EAP without Message-Authenticator": {packet: func(b *bench) []byte { return unsigned(b, wire.EAPMessage, 7, 2, 1, 0, 5, 1) },
			reason: telemetry.DropMissingMessageAuthenticator},
		"Proxy-State without Message-Authenticator": {packet: func(b *bench) []byte { return unsigned(b, wire.ProxyState, 3, 'x') },
			reason: telemetry.DropProxyStateUnprotected},
		"a wrong accounting authenticator": {port: radiusd.AcctPort, packet: func(b *bench) []byte {
			raw := b.acct(wire.StatusStart, session("s"))
			raw[5] ^= 1
			return raw
		}, reason: telemetry.DropBadAuthenticator},
		"accounting on the auth port": {packet: func(b *bench) []byte { return b.acct(wire.StatusStart, session("s")) }, reason: telemetry.DropWrongPort},
		"a code that is no request":   {packet: func(b *bench) []byte { return wire.AppendHeader(nil, wire.AccessAccept, 1, [16]byte{}) }, reason: telemetry.DropMalformed},
		"an unknown code": {packet: func(b *bench) []byte {
			raw := unsigned(b)
			raw[0] = 99
			return raw
		}, reason: telemetry.DropUnknownCode},
		"garbage": {packet: func(*bench) []byte { return []byte("GET / HTTP/1.1\r\n\r\n") }, reason: telemetry.DropMalformed},
		"an accounting request without a session": {port: radiusd.AcctPort, packet: func(b *bench) []byte { return b.acct(wire.StatusStart, nil) },
			reason: telemetry.DropNoAcctFields},
		"an accounting request of an unknown status": {port: radiusd.AcctPort, packet: func(b *bench) []byte { return b.acct(15, session("s")) },
			reason: telemetry.DropNoAcctFields},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, func(nas *linegate.NAS, _ *radiusd.Options) {
				nas.RequireMessageAuthenticator, nas.Learned = test.nas.RequireMessageAuthenticator, test.nas.Learned
			})
			b.alice()
			port := test.port
			if port == "" {
				port = radiusd.AuthPort
			}
			b.unanswered(port, test.packet(b))
			assert.EqualValues(t, 1, b.drops(test.reason))
			assert.Empty(t, b.ledger.recorded())
		})
	}
}

func TestAnUnknownClientGetsNothing(t *testing.T) {
	b := start(t, func(nas *linegate.NAS, options *radiusd.Options) {
		nas.Address = netip.MustParsePrefix("192.0.2.1/32")
	})
	b.send(radiusd.AuthPort, b.pap("alice", "secretpw", "olt1"))
	require.Eventually(t, func() bool { return b.drops(telemetry.DropUnknownClient) == 1 }, waitLimit, pollInterval)
}

func TestTheFirstPacketDecidesWhetherMessageAuthenticatorIsRequired(t *testing.T) {
	b := start(t, nil)
	b.alice()
	eap := b.access(func(raw []byte, _ [16]byte) []byte {
		return wire.AppendAttribute(raw, wire.EAPMessage, []byte{2, 1, 0, 4})
	})
	b.ask(radiusd.AuthPort, eap)
	assert.Empty(t, b.learner, "EAP tells nothing: it always signs")
	b.ask(radiusd.AuthPort, b.pap("alice", "secretpw", "olt1"))
	assert.Equal(t, linegate.Yes, <-b.learner)

	raw := wire.AppendHeader(nil, wire.AccessRequest, 200, [16]byte{1})
	require.NoError(t, b.signer.SignRequest(raw))
	b.unanswered(radiusd.AuthPort, raw)
	assert.EqualValues(t, 1, b.drops(telemetry.DropMissingMessageAuthenticator))

	b = start(t, nil)
	b.ask(radiusd.AuthPort, raw)
	assert.Equal(t, linegate.No, <-b.learner)
	b.ask(radiusd.AuthPort, b.pap("alice", "secretpw", "olt1"))
	assert.Empty(t, b.learner, "decided once")
}

func TestStatusServerIsAnsweredOnBothPorts(t *testing.T) {
	b := start(t, nil)
	status := func(signed bool) []byte {
		b.identifier++
		raw := wire.AppendHeader(nil, wire.StatusServer, b.identifier, [16]byte{4, b.identifier})
		if signed {
			raw = wire.AppendMessageAuthenticator(raw)
		}
		require.NoError(t, b.signer.SignRequest(raw))
		return raw
	}
	assert.Equal(t, wire.AccessAccept, b.ask(radiusd.AuthPort, status(true)).Code())
	assert.Equal(t, wire.AccountingResponse, b.ask(radiusd.AcctPort, status(true)).Code())
	b.unanswered(radiusd.AuthPort, status(false))
	assert.EqualValues(t, 1, b.drops(telemetry.DropMissingMessageAuthenticator))
}

func TestAnswersLeaveFromTheAddressThatWasAsked(t *testing.T) {
	for _, wildcard := range []string{":0", "0.0.0.0:0"} {
		b := start(t, func(nas *linegate.NAS, options *radiusd.Options) {
			nas.Address = netip.MustParsePrefix("127.0.0.0/8")
			options.Auth = []string{wildcard}
		})
		port := b.server.Addresses(radiusd.AuthPort)[0].Port()
		for _, asked := range []string{"127.0.0.1", "127.0.0.2", "127.1.2.3"} {
			// A connected socket takes answers from the asked address only.
			conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(asked), port)))
			require.NoError(t, err)
			b.conns[radiusd.AuthPort] = conn
			b.ask(radiusd.AuthPort, b.pap("nobody", "x", "x"))
			require.NoError(t, conn.Close())
		}
	}
}

func TestListenAddressesMayOverlap(t *testing.T) {
	free, err := net.ListenUDP("udp", &net.UDPAddr{})
	require.NoError(t, err)
	port := free.LocalAddr().(*net.UDPAddr).Port
	require.NoError(t, free.Close())
	b := start(t, func(_ *linegate.NAS, options *radiusd.Options) {
		options.Auth = []string{fmt.Sprintf("[::]:%d", port), fmt.Sprintf("0.0.0.0:%d", port), fmt.Sprintf("127.0.0.1:%d", port)}
	})
	conn, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	b.conns[radiusd.AuthPort] = conn
	assert.Equal(t, wire.AccessReject, b.ask(radiusd.AuthPort, b.pap("nobody", "x", "x")).Code())
}

func TestIPv6NASAreServed(t *testing.T) {
	b := start(t, func(nas *linegate.NAS, options *radiusd.Options) {
		nas.Address = netip.MustParsePrefix("::1/128")
		options.Auth = []string{"127.0.0.1:0", "[::1]:0"}
	})
	addresses := b.server.Addresses(radiusd.AuthPort)
	require.Len(t, addresses, 2)
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addresses[1]))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	b.conns[radiusd.AuthPort] = conn
	assert.Equal(t, wire.AccessReject, b.ask(radiusd.AuthPort, b.pap("nobody", "x", "x")).Code())
}

func TestShutdownAnswersWhatIsUnderWay(t *testing.T) {
	b := start(t, nil)
	b.ledger.change(func() { b.ledger.hold = true })
	raw := b.acct(wire.StatusStart, session("last"))
	b.send(radiusd.AcctPort, raw)
	require.Eventually(t, func() bool { return len(b.ledger.recorded()) == 1 }, waitLimit, pollInterval)
	stopped := make(chan struct{})
	go func() { b.stop(); close(stopped) }()
	select {
	case <-stopped:
		t.Fatal("stopped with an event not yet durable")
	case <-time.After(50 * time.Millisecond):
	}
	b.ledger.release()
	assert.Equal(t, wire.AccountingResponse, b.verified(raw, b.receive(radiusd.AcctPort)).Code())
	<-stopped
}

func TestAPortThatIsTakenIsAnError(t *testing.T) {
	b := start(t, nil)
	for _, address := range []string{b.server.Addresses(radiusd.AuthPort)[0].String(), "256.0.0.1:0"} {
		server, err := radiusd.New(t.Context(), radiusd.Options{Auth: []string{address}, Metrics: b.metrics})
		require.NoError(t, err)
		assert.ErrorContains(t, server.Listen(t.Context()), "listen for auth", "a second server must not share the packets of the first")
	}
}

func TestAnUnknownDialectLeavesOnlyItsOwnNASOut(t *testing.T) {
	b := start(t, nil)
	good := linegate.NAS{Tenant: "demo", Name: "good", Address: netip.MustParsePrefix("127.0.0.1/32"), Secret: secret}
	good.Normalize()
	bad := good
	bad.Name, bad.Dialect, bad.Address = "bad", "klingon", netip.MustParsePrefix("192.0.2.0/24")
	problems := b.server.SetNASes([]linegate.NAS{bad, good})
	require.Len(t, problems, 1)
	assert.ErrorContains(t, problems[0], `dialect "klingon" does not exist`)
	assert.Equal(t, wire.AccessReject, b.ask(radiusd.AuthPort, b.pap("nobody", "x", "x")).Code())
}
