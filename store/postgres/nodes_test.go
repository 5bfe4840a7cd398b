package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
	"linegate/store/postgres"
	"linegate/store/postgres/pgtest"
)

// nodes opens an empty database as several nodes do, and names their connections.
func nodes(t *testing.T, server *pgtest.Server, names ...string) []*postgres.Store {
	t.Helper()
	dsn, key := server.Database(t), sealer(t, t.TempDir())
	stores := make([]*postgres.Store, len(names))
	for i, name := range names {
		stores[i] = open(t, pgtest.With(dsn, "application_name="+name), key)
	}
	var preparing sync.WaitGroup
	for _, s := range stores {
		preparing.Go(func() { assert.NoError(t, s.Prepare(t.Context())) })
	}
	preparing.Wait()
	return stores
}

func putTenants(names ...string) func(store.Tx) error {
	return func(tx store.Tx) error {
		for _, name := range names {
			if _, err := tx.PutTenant(linegate.Tenant{Name: name}); err != nil {
				return err
			}
		}
		return nil
	}
}

var errDryRun = errors.New("dry run")

// A reader goes by the highest revision it has seen. A transaction that got a lower
// one and commits later would be skipped for ever.
func TestAFollowerSkipsNothingHoweverWritersOverlap(t *testing.T) {
	const writers, writes = 8, 15
	server := pgtest.New(t, false)
	all := nodes(t, server, "writer", "writer", "reader")
	reader := all[2]
	var writing sync.WaitGroup
	for writer := range writers {
		writing.Go(func() {
			for i := range writes {
				name := fmt.Sprintf("w%d-%d", writer, i)
				err := all[writer%2].Update(t.Context(), "test", func(tx store.Tx) error {
					if err := putTenants(name, name+"-too")(tx); err != nil {
						return err
					}
					time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond) // between the revision and the commit
					if i%3 == 2 {
						return errDryRun
					}
					return nil
				})
				if i%3 == 2 {
					assert.ErrorIs(t, err, errDryRun)
				} else {
					assert.NoError(t, err)
				}
			}
		})
	}
	written := make(chan struct{})
	go func() { writing.Wait(); close(written) }()

	seen := follow(t, reader, written, func() { server.Exec(t, cutReader) })
	var want []string
	for writer := range writers {
		for i := range writes {
			if name := fmt.Sprintf("w%d-%d", writer, i); i%3 != 2 {
				want = append(want, name, name+"-too")
			}
		}
	}
	assert.ElementsMatch(t, want, seen)
}

const cutReader = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'reader'`

// follow reads the feed to its end, in order, and keeps losing the connection that
// tells of changes.
func follow(t *testing.T, reader *postgres.Store, written <-chan struct{}, cut func()) (names []string) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var after int64
	for round := 0; ; round++ {
		ended := false
		select {
		case <-written:
			ended = true
		default:
		}
		entries, err := reader.Feed(ctx, after, 10)
		if err != nil { // its connection was cut too
			require.ErrorIs(t, err, linegate.ErrUnavailable)
			continue
		}
		for _, entry := range entries {
			require.Equal(t, after+1, entry.Revision, "revisions have no gaps")
			names, after = append(names, entry.Name), entry.Revision
		}
		if ended && len(entries) == 0 {
			return names
		}
		if round%10 == 9 {
			cut()
		}
		hint, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		if err := reader.Changed(hint); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			assert.ErrorIs(t, err, linegate.ErrUnavailable)
		}
		cancel()
	}
}

func TestAChangeOnOneNodeWakesTheOthers(t *testing.T) {
	server := pgtest.New(t, false)
	all := nodes(t, server, "writer", "reader")
	writer, reader := all[0], all[1]
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	require.NoError(t, writer.Update(ctx, "test", putTenants("first")))
	entries, err := reader.Feed(ctx, 0, 10)
	require.NoError(t, err)
	require.Len(t, entries, 1)

	require.NoError(t, writer.Update(ctx, "test", putTenants("second")))
	require.NoError(t, reader.Changed(ctx), "a commit between Feed and Changed is not missed")
	_, err = reader.Feed(ctx, 1, 10)
	require.NoError(t, err)
	short, stop := context.WithTimeout(ctx, 50*time.Millisecond)
	defer stop()
	assert.Equal(t, context.DeadlineExceeded, reader.Changed(short), "what was read is no news")

	waiting := make(chan error, 2)
	for range cap(waiting) { // they take turns on one connection
		go func() { waiting <- reader.Changed(ctx) }()
	}
	require.NoError(t, writer.Update(ctx, "test", putTenants("third")))
	for range cap(waiting) {
		assert.NoError(t, <-waiting)
	}

	_, err = reader.Feed(ctx, 2, 10)
	require.NoError(t, err)
	go func() { waiting <- reader.Changed(ctx) }()
	for cutOff := false; !cutOff; {
		server.Exec(t, cutReader)
		select {
		case err := <-waiting:
			assert.ErrorIs(t, err, linegate.ErrUnavailable)
			cutOff = true
		case <-time.After(10 * time.Millisecond): // it may not have begun to listen
		}
	}
	require.NoError(t, writer.Update(ctx, "test", putTenants("fourth")))
	assert.NoError(t, reader.Changed(ctx), "and it listens again")
}

// events are Starts and Interims of sessions on several NAS, with an On among them.
func events(nases, sessions int) (events []linegate.AccountingEvent) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for n := range nases {
		nas := linegate.NASKey{Tenant: "demo", Name: fmt.Sprintf("bng%d", n), Address: netip.MustParseAddr("192.0.2.1")}
		events = append(events, linegate.AccountingEvent{NAS: nas, Status: linegate.AcctOn, At: at, ReceivedAt: at})
		for i := range sessions {
			begun := at.Add(time.Duration(1+i) * time.Second)
			start := linegate.AccountingEvent{NAS: nas, Status: linegate.AcctStart, At: begun, ReceivedAt: begun,
				AcctSessionID: fmt.Sprintf("%08x", i), UserName: fmt.Sprintf("user%d", i), SubscriberID: "alice", CallingStationID: fmt.Sprint(i % 7)}
			report := start
			report.Status, report.At, report.SessionTime, report.InputOctets = linegate.AcctInterim, begun.Add(time.Minute), 60, 1000
			events = append(events, start, report)
		}
	}
	return events
}

func TestNodesThatGetTheSameEventsRecordThemOnce(t *testing.T) {
	const nases, sessions = 5, 40
	given := events(nases, sessions)
	all := nodes(t, pgtest.Shared(t), "a", "b")
	var recording sync.WaitGroup
	for node, s := range all {
		for range 3 {
			recording.Go(func() {
				mine := slices.Clone(given)
				if node == 1 { // the other order of NAS, each in its own
					mine = slices.Concat(given[len(given)/2:], given[:len(given)/2])
				}
				for batch := range slices.Chunk(mine, 50) {
					assert.NoError(t, s.RecordAccounting(t.Context(), batch))
				}
			})
		}
		recording.Go(func() {
			for i := range 20 {
				_, err := s.Admit(t.Context(), linegate.Admission{SubscriberID: "alice", Place: linegate.PlaceOf(fmt.Sprint(i%7), "", ""),
					Limit: 10, At: given[0].At, Hold: time.Hour})
				assert.NoError(t, err)
				_, err = s.MarkStale(t.Context(), given[0].At.Add(time.Hour), 3)
				assert.NoError(t, err)
			}
		})
	}
	recording.Wait()

	count, err := all[0].CountAccounting(t.Context())
	require.NoError(t, err)
	assert.Equal(t, len(given), count)
	open := 0
	require.NoError(t, all[1].EachSession(t.Context(), store.SessionFilter{Active: true}, func(s *linegate.Session) error {
		open++
		assert.Equal(t, uint64(1000), s.InputOctets)
		return nil
	}))
	assert.Equal(t, nases*sessions, open)
}

// deadPort is where nobody listens.
func deadPort(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

func TestADatabaseThatIsAwayIsOpenedAndUnavailable(t *testing.T) {
	s := open(t, "postgres://linegate@"+deadPort(t)+"/none", sealer(t, t.TempDir()))
	ctx := t.Context()
	for name, ask := range map[string]func() error{
		"Lookup":           func() error { _, err := s.Lookup(ctx, linegate.NewKey("demo", linegate.ByUsername, "a")); return err },
		"Update":           func() error { return s.Update(ctx, "", nil) },
		"Feed":             func() error { _, err := s.Feed(ctx, 0, 1); return err },
		"Changed":          func() error { return s.Changed(ctx) },
		"RecordAccounting": func() error { return s.RecordAccounting(ctx, events(1, 1)) },
		"Admit":            func() error { _, err := s.Admit(ctx, linegate.Admission{}); return err },
		"MarkStale":        func() error { _, err := s.MarkStale(ctx, time.Now(), 3); return err },
		"Retain":           func() error { _, err := s.Retain(ctx, store.Retention{}); return err },
		"ID":               func() error { _, err := s.ID(ctx); return err },
		"Prepare":          func() error { return s.Prepare(ctx) },
		"CheckSchema":      func() error { return s.CheckSchema(ctx) },
	} {
		assert.ErrorIs(t, ask(), linegate.ErrUnavailable, name)
	}
}

func TestTheNextHostOfTheDSNIsTried(t *testing.T) {
	server := pgtest.New(t, false)
	_, port, err := net.SplitHostPort(server.Address())
	require.NoError(t, err)
	_, dead, err := net.SplitHostPort(deadPort(t))
	require.NoError(t, err)
	for _, dsn := range []string{
		"postgres://linegate@127.0.0.1:" + dead + ",127.0.0.1:" + port + "/postgres?sslmode=disable&target_session_attrs=read-write",
		"host=127.0.0.1,127.0.0.1 port=" + dead + "," + port + " user=linegate dbname=postgres sslmode=disable target_session_attrs=read-write",
	} {
		schema, err := postgres.Status(t.Context(), dsn)
		require.NoError(t, err)
		assert.Zero(t, schema.Version)
	}
}

func TestAServerThatStopsOrHangsIsUnavailableAndComesBack(t *testing.T) {
	server := pgtest.New(t, false)
	s := nodes(t, server, "a")[0]
	require.NoError(t, s.Update(t.Context(), "test", putTenants("demo")))
	within := func(limit time.Duration) (context.Context, context.CancelFunc) {
		return context.WithTimeout(t.Context(), limit)
	}
	lookup := func(limit time.Duration) error {
		ctx, cancel := within(limit)
		defer cancel()
		_, err := s.Lookup(ctx, linegate.NewKey("demo", linegate.ByUsername, "alice"))
		return err
	}
	record := func(limit time.Duration) error {
		ctx, cancel := within(limit)
		defer cancel()
		return s.RecordAccounting(ctx, events(1, 3))
	}
	require.NoError(t, errors.Join(lookup(time.Minute), record(time.Minute)))
	for name, outage := range map[string]struct{ begin, end func() }{
		"stopped": {func() { server.Stop(t, "fast") }, func() { server.Start(t) }},
		"crashed": {func() { server.Stop(t, "immediate") }, func() { server.Start(t) }},
		"frozen":  {func() { server.Freeze(t) }, func() { server.Thaw(t) }},
	} {
		outage.begin()
		assert.ErrorIs(t, lookup(200*time.Millisecond), linegate.ErrUnavailable, name)
		assert.ErrorIs(t, record(200*time.Millisecond), linegate.ErrUnavailable, name)
		outage.end()
		require.Eventually(t, func() bool { return lookup(5*time.Second) == nil && record(5*time.Second) == nil }, time.Minute, 10*time.Millisecond, name)
	}
	server.CutConnections(t)
	var count int
	require.Eventually(t, func() bool { // each kind of work has connections of its own, and finds out for itself
		err := errors.Join(lookup(5*time.Second), record(5*time.Second))
		if err == nil {
			count, err = s.CountAccounting(t.Context())
		}
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	assert.Equal(t, 7, count, "what was tried again is recorded once")
}

func TestListsAndImportsKeepNoLookupWaiting(t *testing.T) {
	s, err := postgres.Open(t.Context(), pgtest.Shared(t).Database(t), sealer(t, t.TempDir()),
		postgres.Options{Lookups: 1, Accounting: 1, Updates: 1, Lists: 1})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Prepare(t.Context()))
	importMany(t, s, 10)
	err = s.EachSubscriber(t.Context(), "", func(*linegate.Subscriber) error { // holds the only connection for lists
		return s.Update(t.Context(), "test", func(store.Tx) error { // and this the only one for updates
			_, err := s.Lookup(t.Context(), linegate.NewKey("demo", linegate.ByUsername, "user000001"))
			return errors.Join(err, s.RecordAccounting(t.Context(), events(1, 1)))
		})
	})
	assert.NoError(t, err)
}

func TestAfterAFailOverTheWriterIsLookedFor(t *testing.T) {
	server := pgtest.New(t, false)
	s := nodes(t, server, "a")[0]
	require.NoError(t, s.RecordAccounting(t.Context(), events(1, 1)))
	server.Exec(t, "ALTER SYSTEM SET default_transaction_read_only = on")
	server.Exec(t, "SELECT pg_reload_conf()")
	sessions := 1
	require.Eventually(t, func() bool { // once it has read its settings
		sessions++
		return errors.Is(s.RecordAccounting(t.Context(), events(1, sessions)), linegate.ErrUnavailable)
	}, time.Minute, 10*time.Millisecond)
	_, err := s.Tenants(t.Context())
	assert.NoError(t, err, "what only reads goes on")
	server.Exec(t, "ALTER SYSTEM RESET default_transaction_read_only")
	server.Exec(t, "SELECT pg_reload_conf()")
	require.Eventually(t, func() bool { return s.RecordAccounting(t.Context(), events(1, sessions)) == nil }, time.Minute, 10*time.Millisecond)
}

func TestWhatADatabaseAnswersBeforeItIsOnDiskIsNotTakenForDurable(t *testing.T) {
	server := pgtest.New(t, false)
	server.Exec(t, "ALTER SYSTEM SET synchronous_commit = off")
	server.Exec(t, "SELECT pg_reload_conf()")
	assert.Equal(t, "on", nodes(t, server, "a")[0].Setting(t, "synchronous_commit"))
}
