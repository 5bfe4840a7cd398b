package radiusd_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/radiusd"
	"linegate/radiusd/wire"
	"linegate/telemetry"
)

func TestAccountingIsAcknowledgedOnlyWhenDurable(t *testing.T) {
	b := start(t, nil)
	b.ledger.change(func() { b.ledger.hold = true })
	raw := b.acct(wire.StatusStart, session("s1"))
	b.unanswered(radiusd.AcctPort, raw)
	b.ledger.release()
	assert.Equal(t, wire.AccountingResponse, b.verified(raw, b.receive(radiusd.AcctPort)).Code())

	b.ledger.change(func() { b.ledger.hold, b.ledger.fails = false, linegate.ErrUnavailable })
	b.send(radiusd.AcctPort, b.acct(wire.StatusStop, session("s1")))
	require.Eventually(t, func() bool { return b.drops(telemetry.DropStoreUnavailable) == 1 }, waitLimit, pollInterval)

	b.ledger.change(func() { b.ledger.fails = fmt.Errorf("%w: %w", linegate.ErrUnavailable, linegate.ErrSpoolFull) })
	b.send(radiusd.AcctPort, b.acct(wire.StatusStop, session("s1")))
	require.Eventually(t, func() bool { return b.drops(telemetry.DropSpoolFull) == 1 }, waitLimit, pollInterval)

	b.ledger.change(func() { b.ledger.refuses = linegate.ErrOverloaded })
	b.unanswered(radiusd.AcctPort, b.acct(wire.StatusStop, session("s1")))
	assert.EqualValues(t, 1, b.drops(telemetry.DropOverloaded))
}

func TestAnEventHoldsAllThatTheNASTold(t *testing.T) {
	b := start(t, nil)
	alice := b.alice()
	class := linegate.AppendClass(nil, linegate.Class{Tenant: linegate.TagOf("demo"), SubscriberID: alice.ID, DecidedAt: time.Unix(1_700_000_000, 0)})
	raw := b.acct(wire.StatusInterimUpdate, func(raw []byte) []byte {
		raw = wire.AppendText(raw, wire.AcctSessionID, "05997017DF0E13F5")
		raw = wire.AppendText(raw, wire.UserName, "alice")
		raw = wire.AppendAddress(raw, wire.NASIPAddress, netip.MustParseAddr("10.99.0.2"))
		raw = wire.AppendText(raw, wire.ClassAttribute, "a Class of somebody else")
		raw = wire.AppendAttribute(raw, wire.ClassAttribute, class)
		raw = wire.AppendInteger(raw, wire.AcctDelayTime, 30)
		raw = wire.AppendInteger(raw, wire.AcctSessionTime, 600)
		raw = wire.AppendInteger(raw, wire.AcctInputOctets, 5)
		raw = wire.AppendInteger(raw, wire.AcctInputGigawords, 1)
		raw = wire.AppendInteger(raw, wire.AcctOutputOctets, 7)
		raw = wire.AppendInteger(raw, wire.AcctOutputGigawords, 2)
		raw = wire.AppendInteger(raw, wire.AcctInputPackets, 11)
		raw = wire.AppendInteger(raw, wire.AcctOutputPackets, 13)
		raw = wire.AppendInteger(raw, wire.AcctTerminateCause, 1)
		raw = wire.AppendText(raw, wire.CallingStationID, "02:00:00:00:02:01")
		raw = wire.AppendText(raw, wire.NASPortID, "ppp0")
		raw = wire.AppendAddress(raw, wire.FramedIPAddress, netip.MustParseAddr("100.64.0.11"))
		raw = wire.AppendAddress(raw, wire.FramedIPv6Address, netip.MustParseAddr("2001:db8::5"))
		raw = wire.AppendIPv6Prefix(raw, wire.FramedIPv6Prefix, netip.MustParsePrefix("2001:db8:21::/64"))
		raw = wire.AppendIPv6Prefix(raw, wire.DelegatedIPv6Prefix, netip.MustParsePrefix("2001:db8:2100::/56"))
		raw = wire.AppendVendorAttribute(raw, 3561, 2, []byte("cpe-0021"))
		return wire.AppendVendorAttribute(raw, 3561, 1, []byte("olt1"))
	})
	assert.Equal(t, wire.AccountingResponse, b.ask(radiusd.AcctPort, raw).Code())

	events := b.ledger.recorded()
	require.Len(t, events, 1)
	event := events[0]
	assert.Equal(t, linegate.NASKey{Tenant: "demo", Name: "bng1", Address: netip.MustParseAddr("10.99.0.2")}, event.NAS)
	assert.Equal(t, linegate.AcctInterim, event.Status)
	assert.Equal(t, 30*time.Second, event.ReceivedAt.Sub(event.At))
	assert.EqualValues(t, 1<<32|5, event.InputOctets)
	assert.EqualValues(t, 2<<32|7, event.OutputOctets)
	assert.EqualValues(t, 11, event.InputPackets)
	assert.EqualValues(t, 13, event.OutputPackets)
	assert.Equal(t, alice.ID, event.SubscriberID)
	assert.Equal(t, linegate.Octets(class), event.Class, "ours, not the other")
	assert.EqualValues(t, 101, event.ServiceVLAN)
	assert.Equal(t, "2001:db8:2100::/56", event.DelegatedIPv6Prefix.String())
	assert.Equal(t, "2001:db8:21::/64", event.FramedIPv6Prefix.String())
	assert.Equal(t, "2001:db8::5", event.FramedIPv6Address.String())
	assert.Equal(t, linegate.Octets("olt1"), event.Line.CircuitID)
	assert.Equal(t, linegate.Octets("cpe-0021"), event.Line.RemoteID)
	assert.Equal(t, "ppp0", event.NASPortID)
	assert.EqualValues(t, 1, event.TerminateCause)
	assert.EqualValues(t, 1, b.count("radius_accounting_events_total", map[string]string{"status": "interim"}))
}

// accel-ppp's Accounting-On has neither User-Name nor Acct-Session-Id.
func TestAccountingOnNeedsNoSession(t *testing.T) {
	b := start(t, nil)
	for _, status := range []uint32{wire.StatusAccountingOn, wire.StatusAccountingOff} {
		assert.Equal(t, wire.AccountingResponse, b.ask(radiusd.AcctPort, b.acct(status, nil)).Code())
	}
	events := b.ledger.recorded()
	require.Len(t, events, 2)
	assert.Equal(t, linegate.AcctOn, events[0].Status)
	assert.Equal(t, linegate.AcctOff, events[1].Status)
	assert.Equal(t, netip.MustParseAddr("127.0.0.1"), events[0].NAS.Address, "the source, where the NAS names no address")
}

func TestADuplicateOfAcknowledgedAccountingIsNotRecordedAgain(t *testing.T) {
	b := start(t, nil)
	raw := b.acct(wire.StatusStop, session("s1"))
	b.ask(radiusd.AcctPort, raw)
	b.ask(radiusd.AcctPort, raw)
	assert.Len(t, b.ledger.recorded(), 1)
}

func TestAClassOfAnotherTenantNamesNobody(t *testing.T) {
	b := start(t, nil)
	foreign := linegate.AppendClass(nil, linegate.Class{Tenant: linegate.TagOf("other"), SubscriberID: "018f0000-0000-7000-8000-0000000000ff"})
	b.ask(radiusd.AcctPort, b.acct(wire.StatusStart, func(raw []byte) []byte {
		return wire.AppendAttribute(session("s1")(raw), wire.ClassAttribute, foreign)
	}))
	assert.Empty(t, b.ledger.recorded()[0].SubscriberID)
}

func TestASessionInTheWalledGardenIsOnItsVLAN(t *testing.T) {
	b := start(t, nil)
	suspended := b.alice().Clone()
	suspended.Status, suspended.Profile.WalledGarden.ServiceVLAN = linegate.StatusSuspended, 666
	b.directory.put(b.directory.known, suspended)
	b.ask(radiusd.AcctPort, b.acct(wire.StatusStart, func(raw []byte) []byte {
		return wire.AppendText(session("s1")(raw), wire.UserName, "alice")
	}))
	assert.EqualValues(t, 666, b.ledger.recorded()[0].ServiceVLAN)
}

func TestANASMayNameItsIPv6Address(t *testing.T) {
	b := start(t, nil)
	b.ask(radiusd.AcctPort, b.acct(wire.StatusAccountingOn, func(raw []byte) []byte {
		return wire.AppendAddress(raw, wire.NASIPv6Address, netip.MustParseAddr("2001:db8::1"))
	}))
	assert.Equal(t, "2001:db8::1", b.ledger.recorded()[0].NAS.Address.String())
}

// codelaboratoryltd/bng computes a Message-Authenticator of its own kind.
func TestAWrongMessageAuthenticatorInAccountingIsIgnored(t *testing.T) {
	b := start(t, nil)
	raw := wire.AppendHeader(nil, wire.AccountingRequest, 3, [16]byte{})
	raw = wire.AppendAttribute(raw, wire.MessageAuthenticator, []byte("sixteen octets!!")[:15])
	raw = wire.AppendInteger(raw, wire.AcctStatusType, wire.StatusAccountingOn)
	require.NoError(t, b.signer.SignAccounting(raw))
	assert.Equal(t, wire.AccountingResponse, b.ask(radiusd.AcctPort, raw).Code())
}
