package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"zombiezen.com/go/sqlite/sqlitex"

	"linegate"
	"linegate/store"
)

func newStore(t *testing.T) *Store {
	t.Helper()
	sealer, err := store.OpenKeyFile(filepath.Join(t.TempDir(), "key"))
	require.NoError(t, err)
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "linegate.db"), sealer)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func TestSettingsHoldOnEveryConnection(t *testing.T) {
	s := newStore(t)
	for name, pool := range map[string]*pool{"writer": s.writer, "lookups": s.lookups, "lists": s.lists} {
		want := map[string]string{"foreign_keys": "1", "journal_mode": "wal", "query_only": "1", "cache_size": "-8000"}
		connections := 4
		if name == "writer" {
			want["query_only"], want["synchronous"], want["cache_size"], connections = "0", "2", "-16384", 1
		}
		for range connections { // taken out together, so each is another
			conn, err := pool.take(t.Context())
			require.NoError(t, err)
			defer pool.put(conn)
			for setting, value := range want {
				var got string
				require.NoError(t, conn.row(t.Context(), "SELECT CAST("+setting+" AS TEXT) FROM pragma_"+setting, into(&got)))
				assert.Equal(t, value, got, "%s of %s", setting, name)
			}
		}
	}
}

// plan is how SQLite would go about a query.
func plan(t *testing.T, s *Store, query string) (steps []string) {
	t.Helper()
	highest := strings.Count(query, "?")
	for numbered := range 9 {
		if strings.Contains(query, fmt.Sprint("?", numbered)) {
			highest = numbered
		}
	}
	require.NoError(t, s.writer.each(t.Context(), "EXPLAIN QUERY PLAN "+query, func(row scanner) error {
		var id, parent, unused int
		var detail string
		err := row.Scan(&id, &parent, &unused, &detail)
		steps = append(steps, detail)
		return err
	}, make([]any, highest)...), query)
	return steps
}

func TestNoRequestReadsAWholeTable(t *testing.T) {
	s := newStore(t)
	queries := []string{feedQuery, sessionsByName, closeAll, recordValidation, oneNAS, dropEvents, dropSessions, releaseOldest, releasePlace}
	for _, query := range lookupQueries {
		queries = append(queries, query)
	}
	for _, filter := range []store.SessionFilter{
		{}, {Tenant: "demo"}, {UserName: "alice"}, {Tenant: "demo", UserName: "alice"}, {NAS: "bng"}, {Active: true},
		{ID: "id"}, {Tenant: "demo", Active: true}, {Tenant: "demo", Active: true, NAS: "bng"}, {Tenant: "demo", Active: true, VLAN: 5},
	} {
		where, _ := sessionConditions(filter)
		queries = append(queries, selectSession+where+` ORDER BY started_at DESC, rowid DESC LIMIT 50`)
	}
	for _, query := range queries {
		for _, step := range plan(t, s, query) {
			assert.NotContains(t, step, "TEMP B-TREE", query)
			if strings.HasPrefix(step, "SCAN") {
				assert.Contains(t, step, "USING INDEX", query)
			}
		}
	}
}

func TestQueriesOfLiveSessionsUseTheirOwnIndexes(t *testing.T) {
	s := newStore(t)
	named, _ := sessionConditions(store.SessionFilter{Tenant: "demo", NAS: "bng", AcctSessionID: "0001", Active: true})
	for query, index := range map[string]string{
		selectSession + named: "sessions_by_acct_id (acct_session_id=?",
		sessionsByName:        "sessions_by_acct_id (acct_session_id=? AND nas_address=? AND nas=? AND tenant=?)",
		findStale:             "sessions_open_by_update",
		placesTaken:           "sessions_open_by_subscriber",
		subscribersByName:     "subscribers_",
	} {
		steps := strings.Join(plan(t, s, query), "; ")
		assert.Contains(t, steps, index)
		assert.NotRegexp(t, "SCAN (sessions|subscribers|admissions)", steps)
	}
}

func TestWhatTheDatabaseSaysIsPutInOurWords(t *testing.T) {
	s := newStore(t)
	insert := func(w *writing) error { return w.exec(`INSERT INTO tenants (name) VALUES ('twice')`) }
	run := func(fn func(*writing) error) error { return s.write(t.Context(), fn) }
	require.NoError(t, run(insert))

	assert.ErrorIs(t, run(insert), linegate.ErrConflict)
	foreign := `INSERT INTO nas (tenant, name, address, secret, dialect, identify, require_message_authenticator, limit_proxy_state, learned, allow_mschapv1)
		VALUES ('none', 'n', 'a', x'', '', '', '', '', '', 0)`
	assert.ErrorIs(t, run(func(w *writing) error { return w.exec(foreign) }), linegate.ErrConflict)

	mistake := run(func(w *writing) error { return w.exec(`INSERT INTO nonsense VALUES (1)`) })
	require.Error(t, mistake)
	for _, sentinel := range []error{linegate.ErrConflict, linegate.ErrNotFound, linegate.ErrUnavailable} {
		assert.NotErrorIs(t, mistake, sentinel, "our own mistake is nothing a caller can handle")
	}
	var name string
	assert.ErrorIs(t, s.lists.row(t.Context(), `SELECT name FROM tenants WHERE name = 'none'`, into(&name)), linegate.ErrNotFound)
	assert.NoError(t, fail(nil))
}

func TestATransactionWithAFailedWriteDoesNotCommit(t *testing.T) {
	s := newStore(t)
	err := s.write(t.Context(), func(w *writing) error {
		require.NoError(t, w.exec(`INSERT INTO tenants (name) VALUES ('half')`))
		require.Error(t, w.exec(`INSERT INTO tenants (name) VALUES ('half')`))
		return nil // the caller looked away
	})
	require.ErrorIs(t, err, linegate.ErrConflict)
	tenants, err := s.Tenants(t.Context())
	require.NoError(t, err)
	assert.Empty(t, tenants)
}

func TestJournalsAreDroppedAfterTheirTime(t *testing.T) {
	s := newStore(t)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s.now = func() time.Time { return now }
	begin := func(key string) (first bool) {
		first, _, err := s.BeginChanges(t.Context(), key, "disconnect")
		require.NoError(t, err)
		return first
	}
	count := func(key string) (records int) {
		require.NoError(t, s.EachChangeRecord(t.Context(), key, func(linegate.ChangeRecord) error { records++; return nil }))
		return records
	}
	require.True(t, begin("old"))
	require.NoError(t, s.RecordChanges(t.Context(), "old", []linegate.ChangeRecord{{SessionID: "a", Result: linegate.ChangeAcked, At: now}}))
	now = now.Add(journalKept)
	require.True(t, begin("younger"))
	require.Equal(t, 1, count("old"))
	now = now.Add(time.Second)
	require.True(t, begin("youngest"))
	assert.Zero(t, count("old"))
	assert.True(t, begin("old"))
	assert.False(t, begin("younger"))
}

// damage runs statements that no method of the store would.
func damage(t *testing.T, s *Store, script string) {
	t.Helper()
	require.NoError(t, s.writer.hold(t.Context(), func(c *connection) error { return sqlitex.ExecuteScript(c.raw, script, nil) }))
}

func TestDamagedRowsAreErrorsAndNoPanics(t *testing.T) {
	for name, test := range map[string]struct {
		damage string
		read   func(*Store) error
	}{
		"an address that is none": {`UPDATE subscribers SET static_ipv4 = 'nonsense'`, func(s *Store) error {
			_, err := s.Subscriber(t.Context(), "demo", "alice")
			return err
		}},
		"changes that are no JSON": {`UPDATE changes SET changes = '{'`, func(s *Store) error {
			_, err := s.Audit(t.Context(), "demo", "alice")
			return err
		}},
		"keys that are no JSON": {`UPDATE changes SET keys = '[1]'`, func(s *Store) error {
			_, err := s.Feed(t.Context(), 0, 10)
			return err
		}},
		"a session with a broken prefix": {`UPDATE sessions SET framed_ipv6_prefix = '::/999'`, func(s *Store) error {
			return s.EachSession(t.Context(), store.SessionFilter{}, func(*linegate.Session) error { return nil })
		}},
		"a session with a broken prefix, on the way to an event": {`UPDATE sessions SET framed_ipv6_prefix = '::/999'`, func(s *Store) error {
			return s.RecordAccounting(t.Context(), []linegate.AccountingEvent{{Status: linegate.AcctStart, AcctSessionID: "s"}})
		}},
		"a secret for changes that was not sealed for it": {`UPDATE nas SET coa_secret = secret`, func(s *Store) error {
			_, err := s.NASes(t.Context(), "demo")
			return err
		}},
		"a record of a change with a cause that is none": {`INSERT INTO change_journals VALUES ('k', '', 0);
			INSERT INTO change_records VALUES ('k', 's', 'acked', -1, 0, 0)`, func(s *Store) error {
			return s.EachChangeRecord(t.Context(), "k", func(linegate.ChangeRecord) error { return nil })
		}},
		"a seal check that is too short": {`UPDATE meta SET value = x'00'`, func(s *Store) error { return s.checkSeal(t.Context()) }},
		"a seal check that is gone":      {`DELETE FROM meta`, func(s *Store) error { return s.checkSeal(t.Context()) }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			require.NoError(t, s.Update(t.Context(), "test", func(tx store.Tx) error {
				_, err := tx.PutTenant(linegate.Tenant{Name: "demo"})
				_, put := tx.PutSubscriber(&linegate.Subscriber{Tenant: "demo", Username: "alice",
					Credential: linegate.Credential{Kind: linegate.CredentialCleartext, Value: "pw"}})
				_, nas := tx.PutNAS(linegate.NAS{Tenant: "demo", Name: "bng", Address: netip.MustParsePrefix("192.0.2.1/32"), Secret: "s", CoASecret: "c"})
				return errors.Join(err, put, nas)
			}))
			require.NoError(t, s.RecordAccounting(t.Context(), []linegate.AccountingEvent{{Status: linegate.AcctStart, AcctSessionID: "s"}}))
			require.NoError(t, test.read(s))
			damage(t, s, test.damage)
			assert.Error(t, test.read(s))
		})
	}
}

func TestACommitBetweenFeedAndChangedIsNotMissed(t *testing.T) {
	s := newStore(t)
	put := func(name string) {
		require.NoError(t, s.Update(t.Context(), "test", func(tx store.Tx) error {
			_, err := tx.PutTenant(linegate.Tenant{Name: name})
			return err
		}))
	}
	put("first")
	entries, err := s.Feed(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	put("second")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, s.Changed(ctx))

	_, err = s.Feed(t.Context(), 1, 10)
	require.NoError(t, err)
	ctx, cancel = context.WithTimeout(t.Context(), 2*pollInterval)
	defer cancel()
	assert.Equal(t, context.DeadlineExceeded, s.Changed(ctx), "what was read is no news")
}

func TestMigrationGivesSubscribersOfBeforeTheFormOfTheirLine(t *testing.T) {
	s := newStore(t)
	const many = circuitPage + 1 // more than a page
	subs := make([]*linegate.Subscriber, many)
	for i := range many {
		subs[i] = &linegate.Subscriber{Tenant: "demo", Username: fmt.Sprint("user", i),
			Profile: &linegate.NetworkProfile{CircuitID: linegate.Octets(fmt.Sprint("OLT", i))}}
	}
	require.NoError(t, s.Update(t.Context(), "ann@desk", func(tx store.Tx) error {
		_, err := tx.PutTenant(linegate.Tenant{Name: "demo"})
		_, put := tx.PutSubscribers(subs)
		return errors.Join(err, put)
	}))
	find := func(i int) *linegate.Subscriber {
		lookup, err := s.Lookup(t.Context(), linegate.NewKey("demo", linegate.ByLineForm, fmt.Sprint("olt", i)))
		require.NoError(t, err)
		return lookup.Subscriber
	}
	require.NoError(t, s.write(t.Context(), func(w *writing) error { return w.exec(`UPDATE subscribers SET circuit_key = x''`) }))
	require.Nil(t, find(0), "as migration 3 leaves it")
	require.NoError(t, s.write(t.Context(), (*writing).fillCircuitKeys))
	for i := range many {
		found := find(i)
		require.NotNil(t, found, i)
		require.Equal(t, subs[i].Username, found.Username)
	}
}

func TestADeletedSubscriberLeavesNoLines(t *testing.T) {
	s := newStore(t)
	require.NoError(t, s.Update(t.Context(), "ann@desk", func(tx store.Tx) error {
		_, err := tx.PutTenant(linegate.Tenant{Name: "demo"})
		_, put := tx.PutSubscriber(&linegate.Subscriber{Tenant: "demo", Username: "alice",
			Profile: &linegate.NetworkProfile{CircuitID: "first", MoreLines: linegate.Lines{{CircuitID: "second"}, {CircuitID: "third"}}}})
		return errors.Join(err, put)
	}))
	lines := func() (count int) {
		require.NoError(t, s.lists.row(t.Context(), `SELECT count(*) FROM subscriber_lines`, into(&count)))
		return count
	}
	require.Equal(t, 2, lines())
	require.NoError(t, s.Update(t.Context(), "ann@desk", func(tx store.Tx) error { return tx.DeleteSubscriber("demo", "alice") }))
	assert.Zero(t, lines())
}
