package sqlite_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
)

// BenchmarkRecordAccounting records interims of 100,000 sessions in batches as
// full as the ledger makes them.
func BenchmarkRecordAccounting(b *testing.B) {
	const batch, sessions = 512, 100_000
	s := open(b, b.TempDir())
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	events := make([]linegate.AccountingEvent, batch)
	count := 0
	started := time.Now()
	for b.Loop() {
		for i := range events {
			n := count + i
			lasted := time.Duration(n/sessions) * 5 * time.Minute
			events[i] = linegate.AccountingEvent{
				NAS:    linegate.NASKey{Tenant: "demo", Name: "bng", Address: netip.MustParseAddr("192.0.2.1")},
				Status: linegate.AcctInterim, At: at.Add(lasted), ReceivedAt: at.Add(lasted),
				AcctSessionID: fmt.Sprintf("%08x", uint32(n%sessions*2654435761)), UserName: fmt.Sprintf("user%d", n%sessions),
				SubscriberID: "01900000-0000-7000-8000-000000000000", SessionTime: uint32(lasted / time.Second),
				InputOctets: uint64(n), OutputOctets: uint64(2 * n), CallingStationID: "02:00:00:00:01:01",
				NASPortID: "xe-0/0/0.101", FramedIPv4: netip.MustParseAddr("100.64.0.11"),
			}
		}
		require.NoError(b, s.RecordAccounting(b.Context(), events))
		count += batch
	}
	b.ReportMetric(float64(count)/time.Since(started).Seconds(), "events/s")
}

// BenchmarkLookup finds subscribers by circuit among 10,000.
func BenchmarkLookup(b *testing.B) {
	const subscribers = 10_000
	s := open(b, b.TempDir())
	require.NoError(b, s.Update(b.Context(), "bench", func(tx store.Tx) error { return putMany(tx, subscribers) }))
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		found, err := s.Lookup(b.Context(), linegate.NewKey("demo", linegate.ByCircuit, fmt.Sprintf("olt1 xpon %d", n%subscribers)))
		require.NoError(b, err)
		require.NotNil(b, found.Subscriber)
		n++
	}
}

// putMany makes the tenant and subscribers of it, each with a line.
func putMany(tx store.Tx, count int) error {
	if _, err := tx.PutTenant(linegate.Tenant{Name: "demo"}); err != nil {
		return err
	}
	for i := range count {
		sub := &linegate.Subscriber{Tenant: "demo", Username: fmt.Sprintf("user%06d", i),
			Credential: linegate.Credential{Kind: linegate.CredentialCleartext, Value: "secretpw"},
			Profile: &linegate.NetworkProfile{CircuitID: linegate.Octets(fmt.Sprintf("olt1 xpon %d", i)), RemoteID: "ONT",
				Option82Policy: linegate.Option82Enforce, ServiceVLAN: linegate.VLAN(1 + i%4094),
				StaticIPv4: netip.AddrFrom4([4]byte{100, 64, byte(i >> 8), byte(i)})}}
		if _, err := tx.PutSubscriber(sub); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkPutSubscriber imports 100,000 subscribers in one transaction.
func BenchmarkPutSubscriber(b *testing.B) {
	for b.Loop() {
		s := open(b, b.TempDir())
		require.NoError(b, s.Update(b.Context(), "bench", func(tx store.Tx) error { return putMany(tx, 100_000) }))
		require.NoError(b, s.Close())
	}
}
