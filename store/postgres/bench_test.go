package postgres_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
	"linegate/store/postgres"
	"linegate/store/postgres/pgtest"
)

// openDurable opens a database that commits as in earnest.
func openDurable(b *testing.B) *postgres.Store {
	s := open(b, pgtest.New(b, true).Database(b), sealer(b, b.TempDir()))
	require.NoError(b, s.Prepare(b.Context()))
	return s
}

// BenchmarkRecordAccounting records interims of 100,000 sessions in batches of
// several sizes.
func BenchmarkRecordAccounting(b *testing.B) {
	for _, batch := range []int{1, 64, 512, 4096} {
		b.Run(fmt.Sprint(batch), func(b *testing.B) {
			s := openDurable(b)
			events := make([]linegate.AccountingEvent, batch)
			count := 0
			for b.Loop() {
				for i := range events {
					events[i] = interim(count + i)
				}
				require.NoError(b, s.RecordAccounting(b.Context(), events))
				count += batch
			}
			b.ReportMetric(float64(count)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// interim is the nth event of 100,000 sessions that report in turn.
func interim(n int) linegate.AccountingEvent {
	const sessions = 100_000
	lasted := time.Duration(n/sessions) * 5 * time.Minute
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(lasted)
	return linegate.AccountingEvent{
		NAS:    linegate.NASKey{Tenant: "demo", Name: "bng", Address: netip.MustParseAddr("192.0.2.1")},
		Status: linegate.AcctInterim, At: at, ReceivedAt: at,
		AcctSessionID: fmt.Sprintf("%08x", uint32(n%sessions*2654435761)), UserName: fmt.Sprintf("user%d", n%sessions),
		SubscriberID: "01900000-0000-7000-8000-000000000000", SessionTime: uint32(lasted / time.Second),
		InputOctets: uint64(n), OutputOctets: uint64(2 * n), CallingStationID: "02:00:00:00:01:01",
		NASPortID: "xe-0/0/0.101", FramedIPv4: netip.MustParseAddr("100.64.0.11"), InterimInterval: 300,
	}
}

// BenchmarkRecordInterims records the second and later interims of 100,000 open
// sessions, which is what a server does all day.
func BenchmarkRecordInterims(b *testing.B) {
	const batch = 512
	s := openDurable(b)
	events := make([]linegate.AccountingEvent, batch)
	count := 0
	record := func() {
		for i := range events {
			events[i] = interim(count + i)
		}
		require.NoError(b, s.RecordAccounting(b.Context(), events))
		count += batch
	}
	for count < 100_000 {
		record()
	}
	before := count
	for b.Loop() {
		record()
	}
	b.ReportMetric(float64(count-before)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkLookup finds subscribers by circuit among 10,000.
func BenchmarkLookup(b *testing.B) {
	const subscribers = 10_000
	s := openDurable(b)
	importMany(b, s, subscribers)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		found, err := s.Lookup(b.Context(), linegate.NewKey("demo", linegate.ByCircuit, fmt.Sprintf("olt1 xpon %d", n%subscribers)))
		require.NoError(b, err)
		require.NotNil(b, found.Subscriber)
		n++
	}
}

// BenchmarkFeed reads the newest page of changes.
func BenchmarkFeed(b *testing.B) {
	const page = 1000
	s := openDurable(b)
	importMany(b, s, 10*page)
	newest, err := s.Revision(b.Context())
	require.NoError(b, err)
	for b.Loop() {
		entries, err := s.Feed(b.Context(), newest-page, page)
		require.NoError(b, err)
		require.Len(b, entries, page)
	}
	b.ReportMetric(float64(page*b.N)/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkPutSubscribers imports 200,000 subscribers in one transaction.
func BenchmarkPutSubscribers(b *testing.B) {
	const count = 200_000
	for b.Loop() {
		importMany(b, openDurable(b), count)
	}
	b.ReportMetric(float64(count*b.N)/b.Elapsed().Seconds(), "subscribers/s")
}

// BenchmarkAdmit asks for sessions of many subscribers.
func BenchmarkAdmit(b *testing.B) {
	s := openDurable(b)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for n := 0; b.Loop(); n++ {
		_, err := s.Admit(b.Context(), linegate.Admission{SubscriberID: fmt.Sprint(n % 10_000), Place: "station", Limit: 1, At: at, Hold: time.Minute})
		require.NoError(b, err)
	}
}

// importMany makes the tenant and subscribers of it, each with a line, as an import
// does: page by page, in one transaction.
func importMany(tb testing.TB, s *postgres.Store, count int) {
	const page = 2000
	require.NoError(tb, s.Update(context.WithoutCancel(tb.Context()), "bench", func(tx store.Tx) error {
		if _, err := tx.PutTenant(linegate.Tenant{Name: "demo"}); err != nil {
			return err
		}
		for from := 0; from < count; from += page {
			subs := make([]*linegate.Subscriber, min(page, count-from))
			for i := range subs {
				subs[i] = onLine(from + i)
			}
			if _, err := tx.PutSubscribers(subs); err != nil {
				return err
			}
		}
		return nil
	}))
}

func onLine(n int) *linegate.Subscriber {
	return &linegate.Subscriber{Tenant: "demo", Username: fmt.Sprintf("user%06d", n),
		Credential: linegate.Credential{Kind: linegate.CredentialCleartext, Value: "secretpw"},
		Profile: &linegate.NetworkProfile{CircuitID: linegate.Octets(fmt.Sprintf("olt1 xpon %d", n)), RemoteID: "ONT",
			Option82Policy: linegate.Option82Enforce, ServiceVLAN: linegate.VLAN(1 + n%4094),
			StaticIPv4: netip.AddrFrom4([4]byte{100, 64, byte(n >> 8), byte(n)})}}
}
