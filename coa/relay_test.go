package coa_test

import (
	"context"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/coa"
	"linegate/radiusd/wire"
)

// table is a session table in memory.
type table struct {
	sessions []*linegate.Session
	fails    error
}

func (t *table) EachOpenSession(_ context.Context, search coa.Search, fn func(*linegate.Session) error) error {
	for _, one := range t.sessions {
		if one.NAS.Tenant != search.Tenant || search.UserName != "" && one.UserName != search.UserName {
			continue
		}
		if err := fn(one); err != nil {
			return err
		}
	}
	return t.fails
}

// backOffice is a client of a relay that runs on the loopback.
type backOffice struct {
	*testing.T
	conn    *net.UDPConn
	dropped chan linegate.RelayDrop
	answers chan coa.Answer
	signer  *wire.Signer

	mu    sync.Mutex
	asked []coa.Order
}

// apply is the Changer of a relay: it notes what is asked.
type apply func(ctx context.Context, order coa.Order) (linegate.ChangeOutcome, error)

func (a apply) Apply(ctx context.Context, order coa.Order) (linegate.ChangeOutcome, error) {
	return a(ctx, order)
}

func relayFor(t *testing.T, options coa.RelayOptions, outcome apply) *backOffice {
	t.Helper()
	b := &backOffice{T: t, dropped: make(chan linegate.RelayDrop, 100), answers: make(chan coa.Answer, 100), signer: wire.NewSigner("office secret")}
	if options.Sessions == nil {
		options.Sessions = &table{sessions: households()}
	}
	if options.Clients == nil {
		options.Clients = []coa.Client{
			{Address: netip.MustParsePrefix("127.0.0.0/8"), Tenant: "other", Secret: "another"},
			{Address: netip.MustParsePrefix("127.0.0.1/32"), Tenant: "demo", Secret: "office secret"},
		}
	}
	options.PEN = 32473
	options.Dropped = func(reason linegate.RelayDrop, _ netip.AddrPort, _ error) { b.dropped <- reason }
	options.Answered = func(answer coa.Answer) { b.answers <- answer }
	options.Changer = apply(func(ctx context.Context, order coa.Order) (linegate.ChangeOutcome, error) {
		b.mu.Lock()
		b.asked = append(b.asked, order)
		b.mu.Unlock()
		return outcome(ctx, order)
	})
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan struct{})
	go func() {
		coa.NewRelay(options).Serve(ctx, []*net.UDPConn{socket})
		close(served)
	}()
	b.conn, err = net.DialUDP("udp4", nil, socket.LocalAddr().(*net.UDPAddr))
	require.NoError(t, err)
	t.Cleanup(func() { cancel(); <-served; _ = b.conn.Close() })
	return b
}

// households are sessions of the tenant demo; two of them are bob's.
func households() []*linegate.Session {
	alice := session("s-alice")
	alice.FramedIPv4, alice.CallingStationID = netip.MustParseAddr("100.64.0.1"), "02:00:00:00:01:01"
	alice.DelegatedIPv6Prefix = netip.MustParsePrefix("2001:db8:100::/56")
	alice.FramedIPv6Address, alice.FramedIPv6Prefix = netip.MustParseAddr("2001:db8::1"), netip.MustParsePrefix("2001:db8:1::/64")
	alice.NASPortID = "eth1.100"
	bob, again, foreign := session("s-bob"), session("s-bob2"), session("s-eve")
	bob.UserName, again.UserName, foreign.UserName = "bob", "bob", "eve"
	foreign.NAS.Tenant = "other"
	return []*linegate.Session{alice, bob, again, foreign}
}

// orders are what the NAS was asked for so far.
func (b *backOffice) orders() []coa.Order {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked)
}

func (b *backOffice) write(packet []byte) {
	b.Helper()
	_, err := b.conn.Write(packet)
	require.NoError(b, err)
}

// request is a signed request with attributes.
func (b *backOffice) request(code wire.Code, identifier uint8, attributes ...[]byte) []byte {
	b.Helper()
	packet := wire.AppendHeader(nil, code, identifier, [16]byte{})
	for _, attribute := range attributes {
		packet = append(packet, attribute...)
	}
	require.NoError(b, b.signer.SignAccounting(packet))
	return packet
}

// read returns the next answer, proven to be that of the request.
func (b *backOffice) read(request []byte) wire.Packet {
	b.Helper()
	require.NoError(b, b.conn.SetReadDeadline(time.Now().Add(30*time.Second)))
	buffer := make([]byte, 5000)
	n, err := b.conn.Read(buffer)
	require.NoError(b, err)
	packet, err := wire.Parse(buffer[:n])
	require.NoError(b, err)
	_, err = b.signer.VerifyReply(packet, [16]byte(request[4:20]))
	require.NoError(b, err)
	assert.Equal(b, request[1], packet.Identifier())
	return packet
}

// ask sends a request and returns the answer's code and cause.
func (b *backOffice) ask(code wire.Code, attributes ...[]byte) (wire.Code, linegate.ErrorCause) {
	b.Helper()
	request := b.request(code, 7, attributes...)
	b.write(request)
	answer := b.read(request)
	cause, _ := wire.Uint32(answer.Find(wire.ErrorCause))
	return answer.Code(), linegate.ErrorCause(cause)
}

func user(name string) []byte { return wire.AppendText(nil, wire.UserName, name) }
func acctID(id string) []byte { return wire.AppendText(nil, wire.AcctSessionID, id) }
func address(attributeType uint8, text string) []byte {
	return wire.AppendAddress(nil, attributeType, netip.MustParseAddr(text))
}
func prefix(attributeType uint8, text string) []byte {
	return wire.AppendIPv6Prefix(nil, attributeType, netip.MustParsePrefix(text))
}
func vendorInteger(vendor uint32, attributeType uint8, value uint32) []byte {
	return wire.AppendVendorAttribute(nil, vendor, attributeType, binary.BigEndian.AppendUint32(nil, value))
}

func TestTheRelayFindsTheOneSessionThatAllAttributesFit(t *testing.T) {
	for name, test := range map[string]struct {
		attributes [][]byte
		code       wire.Code
		cause      linegate.ErrorCause
		session    string
	}{
		"by user":                         {[][]byte{user("alice")}, wire.DisconnectACK, 0, "s-alice"},
		"by Acct-Session-Id":              {[][]byte{acctID("s-bob")}, wire.DisconnectACK, 0, "s-bob"},
		"by address":                      {[][]byte{address(wire.FramedIPAddress, "100.64.0.1")}, wire.DisconnectACK, 0, "s-alice"},
		"by MAC in another notation":      {[][]byte{wire.AppendText(nil, wire.CallingStationID, "02-00-00-00-01-01")}, wire.DisconnectACK, 0, "s-alice"},
		"by port":                         {[][]byte{wire.AppendText(nil, wire.NASPortID, "eth1.100")}, wire.DisconnectACK, 0, "s-alice"},
		"by delegated prefix":             {[][]byte{prefix(wire.DelegatedIPv6Prefix, "2001:db8:100::/56")}, wire.DisconnectACK, 0, "s-alice"},
		"by IPv6 address and link prefix": {[][]byte{address(wire.FramedIPv6Address, "2001:db8::1"), prefix(wire.FramedIPv6Prefix, "2001:db8:1::/64")}, wire.DisconnectACK, 0, "s-alice"},
		"by all of it, with the NAS": {[][]byte{user("alice"), acctID("s-alice"), address(wire.NASIPAddress, "192.0.2.1"),
			wire.AppendText(nil, wire.NASIdentifier, "bng")}, wire.DisconnectACK, 0, "s-alice"},
		"with a message and a cause":               {[][]byte{user("alice"), wire.AppendText(nil, wire.ReplyMessage, "bye"), wire.AppendInteger(nil, wire.AcctTerminateCause, 6)}, wire.DisconnectACK, 0, "s-alice"},
		"one of two attributes fits":               {[][]byte{user("alice"), acctID("s-bob")}, wire.DisconnectNAK, 503, ""},
		"nobody":                                   {[][]byte{user("nobody")}, wire.DisconnectNAK, 503, ""},
		"a subscriber of another tenant":           {[][]byte{user("eve")}, wire.DisconnectNAK, 503, ""},
		"two sessions":                             {[][]byte{user("bob")}, wire.DisconnectNAK, 508, ""},
		"the session is on another NAS":            {[][]byte{user("alice"), address(wire.NASIPAddress, "192.0.2.2")}, wire.DisconnectNAK, 403, ""},
		"a NAS alone":                              {[][]byte{address(wire.NASIPAddress, "192.0.2.1")}, wire.DisconnectNAK, 402, ""},
		"nothing":                                  {nil, wire.DisconnectNAK, 402, ""},
		"an attribute that names nothing we know":  {[][]byte{user("alice"), wire.AppendInteger(nil, wire.NASPort, 1)}, wire.DisconnectNAK, 401, ""},
		"a change within a disconnect":             {[][]byte{user("alice"), wire.AppendText(nil, wire.FilterID, "x")}, wire.DisconnectNAK, 401, ""},
		"an address of wrong length":               {[][]byte{{wire.FramedIPAddress, 4, 1, 2}}, wire.DisconnectNAK, 407, ""},
		"a prefix of wrong length":                 {[][]byte{{wire.FramedIPv6Prefix, 3, 1}}, wire.DisconnectNAK, 407, ""},
		"an empty name":                            {[][]byte{{wire.UserName, 2}}, wire.DisconnectNAK, 407, ""},
		"two names, neither of which can be right": {[][]byte{user("alice"), user("bob")}, wire.DisconnectNAK, 407, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := relayFor(t, coa.RelayOptions{}, func(context.Context, coa.Order) (linegate.ChangeOutcome, error) { return acked(coa.Order{}) })
			code, cause := b.ask(wire.DisconnectRequest, test.attributes...)
			assert.Equal(t, test.code, code)
			assert.Equal(t, test.cause, cause)
			if test.session == "" {
				assert.Empty(t, b.orders())
				return
			}
			require.Len(t, b.orders(), 1)
			assert.Equal(t, test.session, b.orders()[0].Session.AcctSessionID)
			assert.Equal(t, []linegate.Change{disconnect}, b.orders()[0].Changes)
		})
	}
}

func TestTheRelayReadsGenericAttributesAsAChange(t *testing.T) {
	vlan := wire.AppendText(nil, wire.TunnelPrivateGroupID, "\x01100")
	tunnel := append(wire.AppendTaggedInteger(nil, wire.TunnelType, 1, wire.TunnelTypeVLAN), wire.AppendTaggedInteger(nil, wire.TunnelMediumType, 1, wire.TunnelMediumIEEE802)...)
	for name, test := range map[string]struct {
		attributes [][]byte
		want       linegate.Change
		cause      linegate.ErrorCause
	}{
		"a VLAN":           {[][]byte{tunnel, vlan}, linegate.Change{Kind: linegate.ChangeVLAN, Grant: linegate.Grant{ServiceVLAN: 100}}, 0},
		"an untagged VLAN": {[][]byte{wire.AppendText(nil, wire.TunnelPrivateGroupID, "4094")}, linegate.Change{Kind: linegate.ChangeVLAN, Grant: linegate.Grant{ServiceVLAN: 4094}}, 0},
		"two VLANs":        {[][]byte{vlan, vendorInteger(32473, 1, 200)}, linegate.Change{Kind: linegate.ChangeVLAN, Grant: linegate.Grant{ServiceVLAN: 100, InnerVLAN: 200, QinQ: true}}, 0},
		"our rate":         {[][]byte{vendorInteger(32473, 10, 50000), vendorInteger(32473, 11, 5000)}, linegate.Change{Kind: linegate.ChangeRate, Grant: linegate.Grant{Rate: linegate.Rate{DownloadKbps: 50000, UploadKbps: 5000}}}, 0},
		"a WISPr rate":     {[][]byte{vendorInteger(14122, 8, 50_000_000), vendorInteger(14122, 7, 5_000_000)}, linegate.Change{Kind: linegate.ChangeRate, Grant: linegate.Grant{Rate: linegate.Rate{DownloadKbps: 50000, UploadKbps: 5000}}}, 0},
		"a prefix": {[][]byte{prefix(wire.DelegatedIPv6Prefix, "2001:db8:9::/56")},
			linegate.Change{Kind: linegate.ChangePrefix, Grant: linegate.Grant{DelegatedIPv6Prefix: netip.MustParsePrefix("2001:db8:9::/56")}}, 0},
		"a filter":  {[][]byte{wire.AppendText(nil, wire.FilterID, "garden")}, linegate.Change{Kind: linegate.ChangeWalledGarden, Grant: linegate.Grant{FilterID: "garden"}}, 0},
		"a pool":    {[][]byte{wire.AppendText(nil, wire.FramedPool, "p")}, linegate.Change{Kind: linegate.ChangeWalledGarden, Grant: linegate.Grant{FramedPool: "p"}}, 0},
		"a timeout": {[][]byte{wire.AppendInteger(nil, wire.SessionTimeout, 60)}, linegate.Change{Kind: linegate.ChangeLimits, Grant: linegate.Grant{SessionTimeout: 60}}, 0},
		"an interval and a VLAN": {[][]byte{wire.AppendInteger(nil, wire.AcctInterimInterval, 60), vlan},
			linegate.Change{Kind: linegate.ChangeVLAN, Grant: linegate.Grant{AcctInterimInterval: 60, ServiceVLAN: 100}}, 0},
		"authorize only":                 {[][]byte{wire.AppendInteger(nil, wire.ServiceType, 17), wire.AppendText(nil, wire.State, "s")}, linegate.Change{Kind: linegate.ChangeReauthenticate}, 0},
		"another service":                {[][]byte{wire.AppendInteger(nil, wire.ServiceType, 2)}, linegate.Change{}, 405},
		"authorize only and more":        {[][]byte{wire.AppendInteger(nil, wire.ServiceType, 17), vlan}, linegate.Change{}, 404},
		"nothing":                        {nil, linegate.Change{}, 402},
		"another vendor's":               {[][]byte{vendorInteger(9, 1, 1)}, linegate.Change{}, 401},
		"one of ours that changes none":  {[][]byte{vendorInteger(32473, 3, 1)}, linegate.Change{}, 401},
		"a vendor without attributes":    {[][]byte{{26, 6, 0, 0, 0x7e, 0xd9}}, linegate.Change{}, 407},
		"a vendor's of broken length":    {[][]byte{{26, 9, 0, 0, 0x7e, 0xd9, 10, 9, 0}}, linegate.Change{}, 407},
		"a vendor's of another size":     {[][]byte{wire.AppendVendorAttribute(nil, 32473, 10, []byte{1})}, linegate.Change{}, 407},
		"another tunnel":                 {[][]byte{wire.AppendTaggedInteger(nil, wire.TunnelType, 0, 3)}, linegate.Change{}, 407},
		"a VLAN that is none":            {[][]byte{wire.AppendText(nil, wire.TunnelPrivateGroupID, "4095")}, linegate.Change{}, 407},
		"a VLAN of nothing":              {[][]byte{{wire.TunnelPrivateGroupID, 2}}, linegate.Change{}, 407},
		"a timeout of 0":                 {[][]byte{wire.AppendInteger(nil, wire.SessionTimeout, 0)}, linegate.Change{}, 407},
		"two filters":                    {[][]byte{wire.AppendText(nil, wire.FilterID, "a"), wire.AppendText(nil, wire.FilterID, "b")}, linegate.Change{}, 407},
		"an attribute that can't change": {[][]byte{address(wire.FramedIPAddress, "100.64.0.1"), {wire.CHAPPassword, 3, 0}}, linegate.Change{}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			b := relayFor(t, coa.RelayOptions{}, func(context.Context, coa.Order) (linegate.ChangeOutcome, error) { return acked(coa.Order{}) })
			code, cause := b.ask(wire.CoARequest, append([][]byte{user("alice")}, test.attributes...)...)
			assert.Equal(t, test.cause, cause)
			if test.cause != 0 {
				assert.Equal(t, wire.CoANAK, code)
				assert.Empty(t, b.orders())
				return
			}
			assert.Equal(t, wire.CoAACK, code)
			require.Len(t, b.orders(), 1)
			assert.Equal(t, test.want, b.orders()[0].Changes[0])
		})
	}
}

func TestTheRelayReturnsTheAnswerOfTheNAS(t *testing.T) {
	for name, test := range map[string]struct {
		outcome linegate.ChangeOutcome
		err     error
		code    wire.Code
		cause   linegate.ErrorCause
	}{
		"acked":               {linegate.ChangeOutcome{Result: linegate.ChangeAcked}, nil, wire.CoAACK, 0},
		"gone":                {linegate.ChangeOutcome{Result: linegate.ChangeGone}, nil, wire.CoAACK, 0},
		"refused":             {linegate.ChangeOutcome{Result: linegate.ChangeRefused, Cause: 504}, nil, wire.CoANAK, 504},
		"refused, no cause":   {linegate.ChangeOutcome{Result: linegate.ChangeRefused}, nil, wire.CoANAK, 0},
		"silent":              {linegate.ChangeOutcome{Result: linegate.ChangeTimeout}, nil, wire.CoANAK, 505},
		"unsupported":         {linegate.ChangeOutcome{Result: linegate.ChangeUnsupported}, nil, wire.CoANAK, 401},
		"the NAS is no more":  {linegate.ChangeOutcome{}, linegate.ErrNotFound, wire.CoANAK, 502},
		"the NAS has no room": {linegate.ChangeOutcome{}, fmt.Errorf("wait: %w", coa.ErrBusy), wire.CoANAK, 506},
		"the network is down": {linegate.ChangeOutcome{}, errors.New("unreachable"), wire.CoANAK, 505},
	} {
		t.Run(name, func(t *testing.T) {
			b := relayFor(t, coa.RelayOptions{}, func(context.Context, coa.Order) (linegate.ChangeOutcome, error) { return test.outcome, test.err })
			code, cause := b.ask(wire.CoARequest, user("alice"), wire.AppendText(nil, wire.FilterID, "f"))
			assert.Equal(t, test.code, code)
			assert.Equal(t, test.cause, cause)
			answer := <-b.answers
			assert.Equal(t, coa.Answer{From: answer.From, Tenant: "demo", Code: test.code, Cause: test.cause}, answer)
			assert.Positive(t, b.orders()[0].Patience, "one NAS must not fill the relay")
		})
	}
}

func TestTheRelayKeepsProxyStateAndSignsWhoSigns(t *testing.T) {
	b := relayFor(t, coa.RelayOptions{}, func(context.Context, coa.Order) (linegate.ChangeOutcome, error) { return acked(coa.Order{}) })
	states := [][]byte{wire.AppendText(nil, wire.ProxyState, "first"), wire.AppendText(nil, wire.ProxyState, "second")}
	for name, attributes := range map[string][][]byte{
		"an ACK":                {wire.AppendMessageAuthenticator(nil), states[0], user("alice"), states[1]},
		"a NAK":                 {wire.AppendMessageAuthenticator(nil), states[0], user("nobody"), states[1]},
		"of what can't be read": {wire.AppendMessageAuthenticator(nil), states[0], {wire.UserName, 2}, states[1]},
	} {
		request := b.request(wire.DisconnectRequest, uint8(len(name)), attributes...)
		b.write(request)
		answer := b.read(request)
		var kept []string
		for attribute := range answer.Attributes() {
			if attribute.Type == wire.ProxyState {
				kept = append(kept, string(attribute.Value))
			}
		}
		assert.Equal(t, []string{"first", "second"}, kept, name)
		assert.EqualValues(t, wire.MessageAuthenticator, answer.Raw()[wire.HeaderSize], name)
	}
	unsigned := b.request(wire.DisconnectRequest, 1, user("alice"))
	b.write(unsigned)
	assert.Nil(t, b.read(unsigned).Find(wire.MessageAuthenticator))
}

func TestWhatProvesNothingIsDroppedAndCounted(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	stamped := func(at time.Time) []byte { return wire.AppendInteger(nil, wire.EventTimestamp, uint32(at.Unix())) }
	b := relayFor(t, coa.RelayOptions{Now: func() time.Time { return now }, ReplayWindow: 300 * time.Second},
		func(context.Context, coa.Order) (linegate.ChangeOutcome, error) { return acked(coa.Order{}) })
	forged := b.request(wire.DisconnectRequest, 1, user("alice"))
	forged[4]++
	badMA := b.request(wire.DisconnectRequest, 2, wire.AppendMessageAuthenticator(nil), user("alice"))
	badMA[22]++
	clear(badMA[4:20])
	digest := md5.Sum(append(slices.Clone(badMA), "office secret"...)) // right, so that only the other is wrong
	copy(badMA[4:], digest[:])
	twoMA := b.request(wire.DisconnectRequest, 3, wire.AppendMessageAuthenticator(nil), wire.AppendMessageAuthenticator(nil), user("alice"))
	for name, test := range map[string]struct {
		packet []byte
		reason linegate.RelayDrop
	}{
		"too short":                     {[]byte{40, 1, 0, 20}, linegate.RelayMalformed},
		"an Access-Request":             {b.request(wire.AccessRequest, 4, user("alice")), linegate.RelayUnknownCode},
		"a wrong authenticator":         {forged, linegate.RelayBadAuthenticator},
		"a wrong Message-Authenticator": {badMA, linegate.RelayBadMessageAuthenticator},
		"two Message-Authenticators":    {twoMA, linegate.RelayBadMessageAuthenticator},
		"too old":                       {b.request(wire.DisconnectRequest, 5, user("alice"), stamped(now.Add(-301*time.Second))), linegate.RelayReplayed},
		"from the future":               {b.request(wire.DisconnectRequest, 6, user("alice"), stamped(now.Add(301*time.Second))), linegate.RelayReplayed},
		"a time that is none":           {b.request(wire.DisconnectRequest, 7, user("alice"), []byte{wire.EventTimestamp, 3, 0}), linegate.RelayReplayed},
	} {
		b.write(test.packet)
		assert.Equal(t, test.reason, <-b.dropped, name)
	}
	assert.Empty(t, b.orders())
	code, _ := b.ask(wire.DisconnectRequest, user("alice"), stamped(now.Add(-299*time.Second)))
	assert.Equal(t, wire.DisconnectACK, code)
}

func TestASenderThatIsNoClientIsDropped(t *testing.T) {
	b := relayFor(t, coa.RelayOptions{Clients: []coa.Client{{Address: netip.MustParsePrefix("192.0.2.0/24"), Tenant: "demo", Secret: "office secret"}}},
		func(context.Context, coa.Order) (linegate.ChangeOutcome, error) { return acked(coa.Order{}) })
	b.write(b.request(wire.DisconnectRequest, 1, user("alice")))
	assert.Equal(t, linegate.RelayUnknownClient, <-b.dropped)
}

func TestARequestThatComesAgainIsCarriedOutOnce(t *testing.T) {
	proceed := make(chan struct{})
	b := relayFor(t, coa.RelayOptions{}, func(context.Context, coa.Order) (linegate.ChangeOutcome, error) {
		<-proceed
		return acked(coa.Order{})
	})
	request := b.request(wire.DisconnectRequest, 1, user("alice"))
	b.write(request)
	b.write(request)
	assert.Equal(t, linegate.RelayDuplicateInFlight, <-b.dropped)
	close(proceed)
	first := b.read(request)
	b.write(request)
	assert.Equal(t, first.Raw(), b.read(request).Raw())
	assert.False(t, (<-b.answers).Repeated)
	assert.True(t, (<-b.answers).Repeated)
	assert.Len(t, b.orders(), 1)

	other := b.request(wire.DisconnectRequest, 1, user("alice"), wire.AppendText(nil, wire.ReplyMessage, "again"))
	b.write(other) // the same identifier, but another request
	b.read(other)
	assert.Len(t, b.orders(), 2)
}

func TestTooManyRequestsAtATimeAreDropped(t *testing.T) {
	proceed := make(chan struct{})
	b := relayFor(t, coa.RelayOptions{Pending: 1}, func(context.Context, coa.Order) (linegate.ChangeOutcome, error) {
		<-proceed
		return acked(coa.Order{})
	})
	first, second := b.request(wire.DisconnectRequest, 1, user("alice")), b.request(wire.DisconnectRequest, 2, user("alice"))
	b.write(first)
	b.write(second)
	assert.Equal(t, linegate.RelayOverloaded, <-b.dropped)
	close(proceed)
	b.read(first)
	require.Eventually(t, func() bool { // its slot is given back behind the answer
		b.write(second)
		select {
		case reason := <-b.dropped:
			assert.Equal(t, linegate.RelayOverloaded, reason)
			return false
		case <-b.answers:
			return true
		}
	}, 30*time.Second, time.Millisecond)
}

func TestWithoutTheSessionTableThereIsNoAnswer(t *testing.T) {
	sessions := &table{sessions: nil, fails: linegate.ErrUnavailable}
	b := relayFor(t, coa.RelayOptions{Sessions: sessions}, func(context.Context, coa.Order) (linegate.ChangeOutcome, error) { return acked(coa.Order{}) })
	request := b.request(wire.DisconnectRequest, 1, user("alice"))
	for range 2 { // the second is no duplicate: the first got no answer
		b.write(request)
		assert.Equal(t, linegate.RelayStoreUnavailable, <-b.dropped)
	}
}
