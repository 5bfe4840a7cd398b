package storetest

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"linegate"
	"linegate/store"
)

// RunBook runs the suite of what provisioning has to remember. open returns an
// empty book and sees to its closing when the test ends.
func RunBook(t *testing.T, open func(t *testing.T) store.Book) {
	for name, test := range map[string]func(t *testing.T, b store.Book){
		"a subscriber has one order at a time": testClaims,
		"records of services":                  testServices,
		"allocations":                          testAllocations,
		"pools of VLANs":                       testVLANPools,
		"VLANs are assigned once":              testVLANAssignments,
		"VLANs are assigned to many at once":   testVLANsAtOnce,
		"reserved VLANs":                       testVLANReservations,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func testClaims(t *testing.T, b store.Book) {
	ctx := within(t)
	require.NoError(t, b.Claim(ctx, "acme", "Alice\x00", "acme/1"))
	require.NoError(t, b.Claim(ctx, "acme", "Alice\x00", "acme/1"), "a second time")
	err := b.Claim(ctx, "acme", "Alice\x00", "acme/2")
	require.ErrorIs(t, err, linegate.ErrConflict)
	assert.ErrorContains(t, err, "order acme/1 is under way")
	require.NoError(t, b.Claim(ctx, "other", "Alice\x00", "other/1"))
	require.NoError(t, b.Claim(ctx, "acme", "02:00:00:00:01:01", "acme/3"))
	require.ErrorIs(t, b.Claim(ctx, "acme", "0200.0000.0101", "acme/4"), linegate.ErrConflict, "the same MAC in another notation")

	asked, err := b.CancelAsked(ctx, "acme/1")
	require.NoError(t, err)
	assert.False(t, asked)
	require.NoError(t, b.AskCancel(ctx, "acme/1"))
	asked, err = b.CancelAsked(ctx, "acme/1")
	require.NoError(t, err)
	assert.True(t, asked)
	require.ErrorIs(t, b.AskCancel(ctx, "acme/9"), linegate.ErrNotFound)
	asked, err = b.CancelAsked(ctx, "acme/9")
	require.NoError(t, err)
	assert.False(t, asked)

	require.NoError(t, b.Unclaim(ctx, "acme", "Alice\x00", "acme/2"), "not the holder's")
	var claims []string
	require.NoError(t, b.Claims(ctx, func(tenant, username, order string) error { claims = append(claims, order); return nil }))
	assert.Equal(t, []string{"acme/3", "acme/1", "other/1"}, claims)
	require.NoError(t, b.Unclaim(ctx, "acme", "Alice\x00", "acme/1"))
	require.NoError(t, b.Unclaim(ctx, "acme", "Alice\x00", "acme/1"))
	require.NoError(t, b.Claim(ctx, "acme", "Alice\x00", "acme/2"))
	asked, err = b.CancelAsked(ctx, "acme/2")
	require.NoError(t, err)
	assert.False(t, asked, "the wish was for the order before")
}

func aService(id string, updated time.Time) linegate.Service {
	return linegate.Service{
		ID: id, Tenant: "acme", Username: "alice", State: linegate.ServiceActive, OrderID: "acme/1", Updated: updated,
		Metadata: linegate.ServiceMetadata{
			NetworkProfile: linegate.ServiceProfile{ServiceVLAN: 100, StaticIPv4: netip.MustParseAddr("100.64.0.1"), CircuitID: "0x00ff"},
			Allocations:    []linegate.Allocation{{Key: id + "/ipv4", Slot: linegate.SlotIPv4, Prefix: netip.MustParsePrefix("100.64.0.1/32"), ID: 7}},
			VLAN:           &linegate.VLANAssignment{Key: id, VLANPair: linegate.VLANPair{Outer: 100, Inner: 5}},
			ONU:            &linegate.ONUService{ID: id, Serial: "ABCD12345678", UNI: 1, Upstream: linegate.Bandwidth{PIR: 1}},
			CPE:            &linegate.CPESettings{Device: "cpe", DNS: []netip.Addr{netip.MustParseAddr("2001:db8::53")}},
			Suspended:      &linegate.SuspendedState{Strategy: linegate.SuspendByRate, Rate: linegate.Rate{DownloadKbps: 9}},
		},
	}
}

func testServices(t *testing.T, b store.Book) {
	ctx := within(t)
	_, err := b.Service(ctx, "acme", "alice")
	require.ErrorIs(t, err, linegate.ErrNotFound)
	at := time.UnixMicro(1_700_000_000_000_000).UTC()
	older, newer := aService("svc-1", at), aService("svc-2", at.Add(time.Second))
	require.NoError(t, b.PutService(ctx, newer))
	require.NoError(t, b.PutService(ctx, older))
	found, err := b.Service(ctx, "acme", "alice")
	require.NoError(t, err)
	assert.Equal(t, newer, found)
	older.State, older.Updated = linegate.ServiceTerminated, at.Add(2*time.Second)
	require.NoError(t, b.PutService(ctx, older))
	found, err = b.Service(ctx, "acme", "alice")
	require.NoError(t, err)
	assert.Equal(t, older, found)
	require.NoError(t, b.DeleteService(ctx, "svc-1"))
	require.NoError(t, b.DeleteService(ctx, "svc-1"))
	var ids []string
	for _, tenant := range []string{"", "acme", "other"} {
		require.NoError(t, b.Services(ctx, tenant, func(s linegate.Service) error { ids = append(ids, tenant+":"+s.ID); return nil }))
	}
	assert.Equal(t, []string{":svc-2", "acme:svc-2"}, ids)
	require.ErrorIs(t, b.Services(ctx, "", func(linegate.Service) error { return errStop }), errStop)
}

var errStop = errors.New("stop")

func testAllocations(t *testing.T, b store.Book) {
	ctx := within(t)
	record := linegate.AllocationRecord{
		Claim: linegate.AddressClaim{Key: "svc-1/ipv4", Tenant: "acme", Username: "alice", Service: "svc-1", Slot: linegate.SlotIPv4},
		State: linegate.AllocationIntended, Updated: time.UnixMicro(5).UTC(),
	}
	require.NoError(t, b.PutAllocation(ctx, record))
	record.State, record.FreeAt = linegate.AllocationQuarantined, time.UnixMicro(9).UTC()
	record.Allocation = linegate.Allocation{Key: "svc-1/ipv4", Slot: linegate.SlotIPv4, Prefix: netip.MustParsePrefix("100.64.0.1/32"), Pool: "100.64.0.0/16", ID: 3}
	require.NoError(t, b.PutAllocation(ctx, record))
	assert.Equal(t, []linegate.AllocationRecord{record}, allocations(t, b))
	require.NoError(t, b.DeleteAllocation(ctx, "svc-1/ipv4"))
	require.NoError(t, b.DeleteAllocation(ctx, "svc-1/ipv4"))
	assert.Empty(t, allocations(t, b))
}

func allocations(t *testing.T, b store.Book) (all []linegate.AllocationRecord) {
	t.Helper()
	require.NoError(t, b.Allocations(within(t), func(r linegate.AllocationRecord) error { all = append(all, r); return nil }))
	return all
}

func pool(name string, ranges ...linegate.VLANRange) linegate.VLANPool {
	return linegate.VLANPool{Tenant: "acme", OLT: "olt-1", Name: name, Ranges: ranges}
}

func testVLANPools(t *testing.T, b store.Book) {
	ctx := within(t)
	internet := pool("internet", linegate.VLANRange{First: 200, Last: 299, Capacity: 1}, linegate.VLANRange{First: 100, Last: 199, InnerFirst: 1, InnerLast: 4094})
	require.NoError(t, b.PutVLANPool(ctx, internet))
	require.NoError(t, b.PutVLANPool(ctx, internet))
	err := b.PutVLANPool(ctx, linegate.VLANPool{Tenant: "other", OLT: "olt-1", Name: "voice", Ranges: []linegate.VLANRange{{First: 299, Last: 300, Capacity: 9}}})
	require.ErrorIs(t, err, linegate.ErrConflict)
	assert.ErrorContains(t, err, "pool internet of tenant acme has some of 299 to 300")
	elsewhere := linegate.VLANPool{Tenant: "other", OLT: "olt-2", Name: "voice", Ranges: []linegate.VLANRange{{First: 299, Last: 300, Capacity: 9}}}
	require.NoError(t, b.PutVLANPool(ctx, elsewhere), "behind another OLT")
	var fields linegate.FieldErrors
	require.ErrorAs(t, b.PutVLANPool(ctx, pool("bad", linegate.VLANRange{First: 10, Last: 5, Capacity: 1})), &fields)
	pools, err := b.VLANPools(ctx, "")
	require.NoError(t, err)
	assert.Equal(t, []linegate.VLANPool{internet, elsewhere}, pools)
	pools, err = b.VLANPools(ctx, "other")
	require.NoError(t, err)
	assert.Len(t, pools, 1)

	_, err = b.AssignVLAN(ctx, wish("svc-1", "internet"))
	require.NoError(t, err)
	require.ErrorIs(t, b.DeleteVLANPool(ctx, "acme", "olt-1", "internet"), linegate.ErrConflict)
	require.NoError(t, b.UnassignVLAN(ctx, "svc-1"))
	require.NoError(t, b.DeleteVLANPool(ctx, "acme", "olt-1", "internet"))
	require.ErrorIs(t, b.DeleteVLANPool(ctx, "acme", "olt-1", "internet"), linegate.ErrNotFound)
}

func wish(key, pool string) linegate.VLANAssignment {
	return linegate.VLANAssignment{Key: key, Tenant: "acme", OLT: "olt-1", Pool: pool}
}

func testVLANAssignments(t *testing.T, b store.Book) {
	ctx := within(t)
	require.NoError(t, b.PutVLANPool(ctx, pool("internet", linegate.VLANRange{First: 200, Last: 200, Capacity: 2}, linegate.VLANRange{First: 100, Last: 100, InnerFirst: 7, InnerLast: 8})))
	want := []linegate.VLANPair{{Outer: 200}, {Outer: 200}, {Outer: 100, Inner: 7}, {Outer: 100, Inner: 8}}
	for i, pair := range want {
		given, err := b.AssignVLAN(ctx, wish(fmt.Sprint("svc-", i), "internet"))
		require.NoError(t, err)
		assert.Equal(t, pair, given.VLANPair)
		again, err := b.AssignVLAN(ctx, wish(fmt.Sprint("svc-", i), "internet"))
		require.NoError(t, err)
		assert.Equal(t, given, again)
	}
	_, err := b.AssignVLAN(ctx, wish("svc-9", "internet"))
	require.ErrorIs(t, err, linegate.ErrExhausted)
	_, err = b.AssignVLAN(ctx, wish("svc-9", "nothing"))
	require.ErrorIs(t, err, linegate.ErrNotFound)
	require.NoError(t, b.PutVLANPool(ctx, pool("voice", linegate.VLANRange{First: 300, Last: 300, Capacity: 1})))
	_, err = b.AssignVLAN(ctx, wish("svc-0", "voice"))
	require.ErrorIs(t, err, linegate.ErrConflict, "a key has one VLAN")
	use, err := b.VLANUse(ctx)
	require.NoError(t, err)
	assert.Equal(t, []linegate.VLANPoolUse{
		{Tenant: "acme", OLT: "olt-1", Pool: "internet", Used: 4, Size: 4}, {Tenant: "acme", OLT: "olt-1", Pool: "voice", Size: 1},
	}, use)
	require.NoError(t, b.UnassignVLAN(ctx, "svc-1"))
	require.NoError(t, b.UnassignVLAN(ctx, "svc-1"))
	given, err := b.AssignVLAN(ctx, wish("svc-9", "internet"))
	require.NoError(t, err)
	assert.Equal(t, linegate.VLANPair{Outer: 200}, given.VLANPair)
}

func testVLANsAtOnce(t *testing.T, b store.Book) {
	ctx := within(t)
	require.NoError(t, b.PutVLANPool(ctx, pool("internet", linegate.VLANRange{First: 100, Last: 104, InnerFirst: 1, InnerLast: 8})))
	var tasks errgroup.Group
	for i := range 40 {
		tasks.Go(func() error { _, err := b.AssignVLAN(ctx, wish(fmt.Sprint("svc-", i), "internet")); return err })
	}
	require.NoError(t, tasks.Wait())
	seen := map[linegate.VLANPair]bool{}
	require.NoError(t, b.VLANAssignments(ctx, "acme", func(a linegate.VLANAssignment) error { seen[a.VLANPair] = true; return nil }))
	assert.Len(t, seen, 40, "no pair twice")
}

func testVLANReservations(t *testing.T, b store.Book) {
	ctx := within(t)
	require.NoError(t, b.PutVLANPool(ctx, pool("internet", linegate.VLANRange{First: 200, Last: 201, Capacity: 2})))
	management := wish("management", "internet")
	management.Outer = 200
	require.NoError(t, b.ReserveVLAN(ctx, management))
	require.NoError(t, b.ReserveVLAN(ctx, management))
	given, err := b.AssignVLAN(ctx, wish("svc-1", "internet"))
	require.NoError(t, err)
	assert.Equal(t, linegate.VLANPair{Outer: 201}, given.VLANPair)
	inUse := wish("voice", "internet")
	inUse.Outer = 201
	require.ErrorIs(t, b.ReserveVLAN(ctx, inUse), linegate.ErrConflict)
	beyond := wish("voice", "internet")
	beyond.Outer = 300
	require.ErrorIs(t, b.ReserveVLAN(ctx, beyond), linegate.ErrNotFound)
	management.Outer = 201
	require.ErrorIs(t, b.ReserveVLAN(ctx, management), linegate.ErrConflict)
	use, err := b.VLANUse(ctx)
	require.NoError(t, err)
	assert.Equal(t, 3, use[0].Used, "a reserved VLAN counts as full")
}
