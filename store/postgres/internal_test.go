package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
	"linegate/store/postgres/pgtest"
	"linegate/store/sqlite"
)

// Setting returns a setting of the connections that record accounting.
func (s *Store) Setting(t *testing.T, name string) (value string) {
	require.NoError(t, s.accounting.QueryRow(t.Context(), `SELECT current_setting($1)`, name).Scan(&value))
	return value
}

func newStore(t *testing.T) *Store {
	t.Helper()
	sealer, err := store.OpenKeyFile(filepath.Join(t.TempDir(), "key"))
	require.NoError(t, err)
	s, err := Open(t.Context(), pgtest.Shared(t).Database(t), sealer, Options{})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	require.NoError(t, s.Prepare(t.Context()))
	return s
}

func (s *Store) mustExec(t *testing.T, query string, args ...any) {
	t.Helper()
	_, err := s.lists.Exec(t.Context(), query, args...)
	require.NoError(t, err)
}

func TestTheDSNMaySaySettingsOtherwise(t *testing.T) {
	s := newStore(t)
	for setting, want := range map[string]string{"application_name": "linegate", "lock_timeout": "5s",
		"idle_in_transaction_session_timeout": "1min", "plan_cache_mode": "force_custom_plan"} {
		assert.Equal(t, want, s.Setting(t, setting))
	}
	dsn := s.config.ConnString()
	for _, setting := range []string{"lock_timeout=7000", "connect_timeout=9", "application_name=node-b"} {
		dsn = pgtest.With(dsn, setting)
	}
	other, err := Open(t.Context(), dsn, nil, Options{})
	require.NoError(t, err)
	defer other.Close()
	assert.Equal(t, "7s", other.Setting(t, "lock_timeout"))
	assert.Equal(t, "node-b", other.Setting(t, "application_name"))
	assert.Equal(t, 9*time.Second, other.config.ConnectTimeout)
	assert.Equal(t, connectTimeout, s.config.ConnectTimeout)
}

func TestABadDSNShowsNoPassword(t *testing.T) {
	_, err := Open(t.Context(), "postgres://user:hunter2@host/db?sslmode=nonsense", nil, Options{})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
	_, err = Status(t.Context(), "port=nonsense")
	assert.Error(t, err)
	_, err = Migrate(t.Context(), "port=nonsense", nil)
	assert.Error(t, err)
}

func TestWhatTheDatabaseSaysIsPutInOurWords(t *testing.T) {
	for code, want := range map[string]error{
		"23505": linegate.ErrConflict, "23503": linegate.ErrConflict,
		"08006": linegate.ErrUnavailable, "53300": linegate.ErrUnavailable, "57P01": linegate.ErrUnavailable, "57014": linegate.ErrUnavailable,
		"25006": linegate.ErrUnavailable, "25P03": linegate.ErrUnavailable, "55P03": linegate.ErrUnavailable, "40001": linegate.ErrUnavailable,
		"40P01": linegate.ErrUnavailable, "28P01": linegate.ErrUnavailable, "58030": linegate.ErrUnavailable, "XX001": linegate.ErrUnavailable,
	} {
		assert.ErrorIs(t, fail(&pgconn.PgError{Code: code}), want, code)
	}
	for _, code := range []string{"42601", "42P01", "22021", "25001", "55006"} {
		mistake := fail(&pgconn.PgError{Code: code})
		for _, sentinel := range []error{linegate.ErrConflict, linegate.ErrNotFound, linegate.ErrUnavailable} {
			assert.NotErrorIs(t, mistake, sentinel, "our own mistake is nothing a caller can handle: %s", code)
		}
	}
	assert.ErrorIs(t, fail(pgx.ErrNoRows), linegate.ErrNotFound)
	assert.ErrorIs(t, fail(io.ErrUnexpectedEOF), linegate.ErrUnavailable)
	assert.ErrorIs(t, fail(context.Canceled), linegate.ErrUnavailable)
	assert.ErrorIs(t, fail(context.Canceled), context.Canceled)
	assert.Equal(t, fail(fail(io.EOF)), fail(io.EOF))
	assert.NoError(t, fail(nil))
	assert.Empty(t, code(io.EOF))
}

func TestATransactionThatWasEndedForAnotherIsTriedAgain(t *testing.T) {
	s := newStore(t)
	for _, said := range []string{serializationFailed, deadlockDetected} {
		tries := 0
		raise := fmt.Sprintf(`DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '%s'; END $$`, said)
		err := s.repeatedly(t.Context(), s.accounting, func(w *writing) error {
			if tries++; tries < recordAttempts {
				return w.exec(raise)
			}
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, recordAttempts, tries)
		err = s.repeatedly(t.Context(), s.accounting, func(w *writing) error { return w.exec(raise) })
		assert.ErrorIs(t, err, linegate.ErrUnavailable)
	}
}

func TestATransactionWithAFailedWriteDoesNotCommit(t *testing.T) {
	s := newStore(t)
	err := s.write(t.Context(), s.updates, func(w *writing) error {
		require.NoError(t, w.exec(`INSERT INTO tenants (name) VALUES ('half')`))
		require.Error(t, w.exec(`INSERT INTO tenants (name) VALUES ('half')`))
		return nil // the caller looked away
	})
	require.ErrorIs(t, err, linegate.ErrConflict)
	tenants, err := s.Tenants(t.Context())
	require.NoError(t, err)
	assert.Empty(t, tenants)
}

func TestNoRequestReadsAWholeTable(t *testing.T) {
	s := newStore(t)
	queries := []string{feedQuery, revisionQuery, sessionsByName, recordedKeys, closeAll, recordValidation, oneNAS, subscriberByName, subscribersByName,
		lineQuery("circuit_id"), lineQuery("circuit_key"), deleteLines, circuitsAfter, beginJournal, journalOf, dropRecords, dropJournals, recordsOf, subscriberByMAC, dropSessions, dropEvents, releaseOldest, releasePlaces, admitPlace,
		updateRows("sessions", sessionChanging, [][]any{append(sessionChangingValues(&linegate.Session{}), "id")}).query}
	for _, filter := range []store.SessionFilter{
		{}, {Tenant: "demo"}, {UserName: "alice"}, {Tenant: "demo", UserName: "alice"}, {NAS: "bng"}, {ID: "id"}, {Active: true},
		{Tenant: "demo", Active: true}, {Tenant: "demo", Active: true, NAS: "bng"}, {Tenant: "demo", Active: true, VLAN: 5},
	} {
		filter.Limit = 50
		query, _ := sessionsQuery(filter)
		queries = append(queries, query)
	}
	tx, err := s.lookups.Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(t.Context())
	_, err = tx.Exec(t.Context(), `SET LOCAL plan_cache_mode = force_generic_plan`)
	require.NoError(t, err)
	for i, query := range queries {
		name := fmt.Sprintf("q%d", i)
		prepared, err := tx.Prepare(t.Context(), name, query)
		require.NoError(t, err, query)
		nulls := strings.TrimSuffix(strings.Repeat("NULL, ", len(prepared.ParamOIDs)), ", ")
		if nulls != "" {
			nulls = "(" + nulls + ")"
		}
		rows, err := tx.Query(t.Context(), "EXPLAIN EXECUTE "+name+nulls, pgx.QueryExecModeSimpleProtocol)
		require.NoError(t, err, query)
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err, query)
		assert.NotContains(t, strings.Join(plan, "\n"), "Seq Scan", query)
	}
}

// A table that was just filled has no statistics, and the plan must be good still.
func TestWhatABatchLooksForIsLookedUpOneByOne(t *testing.T) {
	s := newStore(t)
	const many = 3000
	subs, events := make([]*linegate.Subscriber, many), make([]linegate.AccountingEvent, many)
	for i := range many {
		subs[i] = &linegate.Subscriber{Tenant: "demo", Username: fmt.Sprint("user", i),
			Credential: linegate.Credential{Kind: linegate.CredentialCleartext, Value: "pw"}}
		events[i] = start(fmt.Sprint("session", i), time.Unix(int64(i), 0))
		events[i].NAS = linegate.NASKey{Tenant: "demo", Name: "bng", Address: prefix("192.0.2.1/32").Addr()}
	}
	require.NoError(t, s.Update(t.Context(), "test", func(tx store.Tx) error {
		_, err := tx.PutTenant(linegate.Tenant{Name: "demo"})
		_, put := tx.PutSubscribers(subs)
		return errors.Join(err, put)
	}))
	require.NoError(t, s.RecordAccounting(t.Context(), events))
	for _, test := range []struct {
		query, condition string
		args             []any
	}{
		{subscribersByName, "(username_key = name.key)", []any{"demo", make([]string, many)}},
		{sessionsByName, "(acct_session_id = name.id)", []any{[]string{"demo"}, []string{"bng"}, []string{"192.0.2.1"}, []string{"a"}, 16}},
		{recordedKeys, "(record_key = asked.key)", []any{[][]byte{{1}, {2}}, int64(0), int64(many * 1_000_000)}},
	} {
		rows, err := s.accounting.Query(t.Context(), "EXPLAIN "+test.query, test.args...)
		require.NoError(t, err)
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		assert.Regexp(t, "Index Cond: .*"+regexp.QuoteMeta(test.condition), strings.Join(plan, "\n"))
		assert.NotContains(t, strings.Join(plan, "\n"), "Seq Scan")
	}
}

func TestDamagedRowsAreErrorsAndNoPanics(t *testing.T) {
	each := func(s *Store) error {
		return s.EachSession(t.Context(), store.SessionFilter{}, func(*linegate.Session) error { return nil })
	}
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
		"a session with a broken prefix": {`UPDATE sessions SET framed_ipv6_prefix = '::/999'`, each},
		"a name with broken digits":      {`UPDATE sessions SET user_name = '\x0'`, each},
		"a session with a broken prefix, on the way to an event": {`UPDATE sessions SET framed_ipv6_prefix = '::/999'`, func(s *Store) error {
			return s.RecordAccounting(t.Context(), []linegate.AccountingEvent{{Status: linegate.AcctStop, AcctSessionID: "s"}})
		}},
		"a NAS sealed for another": {`UPDATE nas SET name = 'moved'`, func(s *Store) error {
			_, err := s.NASes(t.Context(), "")
			return err
		}},
		"a subscriber sealed for another": {`UPDATE subscribers SET id = 'moved'`, func(s *Store) error {
			return s.EachSubscriber(t.Context(), "", func(*linegate.Subscriber) error { return nil })
		}},
		"a seal check that is too short": {`UPDATE meta SET value = '\x00'`, func(s *Store) error { return s.checkSeal(t.Context()) }},
		"a seal check that is gone":      {`DELETE FROM meta`, func(s *Store) error { return s.checkSeal(t.Context()) }},
		"an id that is gone":             {`DELETE FROM meta`, func(s *Store) error { _, err := s.ID(t.Context()); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			require.NoError(t, s.Update(t.Context(), "test", func(tx store.Tx) error {
				_, err := tx.PutTenant(linegate.Tenant{Name: "demo"})
				_, put := tx.PutSubscriber(&linegate.Subscriber{Tenant: "demo", Username: "alice",
					Credential: linegate.Credential{Kind: linegate.CredentialCleartext, Value: "pw"}})
				_, nas := tx.PutNAS(linegate.NAS{Tenant: "demo", Name: "bng", Address: prefix("192.0.2.1/32"), Secret: "secret"})
				return errors.Join(err, put, nas)
			}))
			require.NoError(t, s.RecordAccounting(t.Context(), []linegate.AccountingEvent{{Status: linegate.AcctStart, AcctSessionID: "s"}}))
			require.NoError(t, test.read(s))
			s.mustExec(t, test.damage)
			assert.Error(t, test.read(s))
		})
	}
}

func TestWhatWasToldComesBackAndStaysDistinct(t *testing.T) {
	stored := map[string]string{}
	for _, given := range []string{"", "alice", "Müller", "al\x00ice", "\xff", `\x616c`, `\x`, `\xff`, "\ufffd", "a\\x41"} {
		kept := told(given)
		assert.NotContains(t, stored, kept)
		stored[kept] = given
		var back string
		require.NoError(t, toldColumn{&back}.ScanText(pgtype.Text{String: kept, Valid: true}))
		assert.Equal(t, given, back)
	}
	attributes, back := linegate.Attributes{"Reply-Message = \x00\xff"}, linegate.Attributes{}
	require.NoError(t, textColumn{&back}.ScanText(pgtype.Text{String: text(attributes), Valid: true}))
	assert.Equal(t, attributes, back)
	assert.True(t, utf8.ValidString(text(attributes)))
}

func FuzzTold(f *testing.F) {
	f.Add("al\x00\xff", `\x616c`)
	f.Fuzz(func(t *testing.T, one, other string) {
		var back string
		require.NoError(t, toldColumn{&back}.ScanText(pgtype.Text{String: told(one), Valid: true}))
		assert.Equal(t, one, back)
		assert.Equal(t, one == other, told(one) == told(other))
	})
}

func TestColumnsRefuseNull(t *testing.T) {
	assert.Error(t, textColumn{}.ScanText(pgtype.Text{}))
	assert.Error(t, toldColumn{new(string)}.ScanText(pgtype.Text{}))
	assert.Error(t, timeColumn{}.ScanInt64(pgtype.Int8{}))
	assert.Error(t, counterColumn{}.ScanInt64(pgtype.Int8{}))
}

// today is noon of a day that parts are made for.
func today(s *Store) time.Time {
	now := time.Date(2027, 5, 10, 12, 0, 0, 0, time.UTC)
	s.now = func() time.Time { return now }
	return now
}

func start(id string, at time.Time) linegate.AccountingEvent {
	return linegate.AccountingEvent{Status: linegate.AcctStart, AcctSessionID: id, At: at, ReceivedAt: at}
}

func (s *Store) partOf(t *testing.T, id string) (part string) {
	t.Helper()
	require.NoError(t, s.lists.QueryRow(t.Context(), `SELECT tableoid::regclass::text FROM accounting_events WHERE acct_session_id = $1`, id).Scan(&part))
	return part
}

func TestEventsGoToThePartOfTheirDayOrToTheRest(t *testing.T) {
	s := newStore(t)
	now := today(s)
	require.NoError(t, s.RecordAccounting(t.Context(), []linegate.AccountingEvent{start("now", now), start("soon", now.Add(6*aDay)),
		start("long ago", now.Add(-400*aDay)), start("broken clock", now.Add(4000*aDay))}))
	for id, part := range map[string]string{"now": "accounting_events_20270510", "soon": "accounting_events_20270516",
		"long ago": "accounting_events_rest", "broken clock": "accounting_events_rest"} {
		assert.Equal(t, part, s.partOf(t, id), id)
	}
	parts, err := s.parts(t.Context())
	require.NoError(t, err)
	assert.Len(t, slices.Collect(maps.Keys(parts)), partsAhead+1)

	require.NoError(t, s.RecordAccounting(t.Context(), []linegate.AccountingEvent{start("now", now.Add(time.Second)), start("late", now.Add(10*aDay))}))
	count, err := s.CountAccounting(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 5, count, "a repetition is found in whatever part it is")
}

func TestADayThatTheRestHasEventsOfStaysThere(t *testing.T) {
	s := newStore(t)
	now := today(s)
	s.now = func() time.Time { return now.Add(-20 * aDay) }
	require.NoError(t, s.RecordAccounting(t.Context(), []linegate.AccountingEvent{start("early", now)}))
	require.Equal(t, "accounting_events_rest", s.partOf(t, "early"))
	s.now = func() time.Time { return now }
	require.NoError(t, s.RecordAccounting(t.Context(), []linegate.AccountingEvent{start("same day", now), start("next day", now.Add(aDay))}))
	assert.Equal(t, "accounting_events_rest", s.partOf(t, "same day"))
	assert.Equal(t, "accounting_events_20270511", s.partOf(t, "next day"))
}

func TestOldDaysAreDroppedWhole(t *testing.T) {
	s := newStore(t)
	now := today(s)
	for day := range 5 {
		require.NoError(t, s.RecordAccounting(t.Context(), []linegate.AccountingEvent{start(fmt.Sprint("day ", day), now.Add(time.Duration(day)*aDay))}))
	}
	require.NoError(t, s.RecordAccounting(t.Context(), []linegate.AccountingEvent{start("older than all", now.Add(-100*aDay))}))
	s.now = func() time.Time { return now.Add(30 * aDay) }
	dropped, err := s.Retain(t.Context(), store.Retention{EventsBefore: now.Add(3 * aDay)})
	require.NoError(t, err)
	assert.Equal(t, store.Retained{Events: 4}, dropped, "three days and what the rest has; a day that is partly old stays")
	parts, err := s.parts(t.Context())
	require.NoError(t, err)
	days := slices.Sorted(maps.Values(parts))
	assert.Equal(t, "accounting_events_20270513", days[0])
	assert.Equal(t, "accounting_events_20270616", days[len(days)-1], "and those of the coming days are made")
}

func TestPartsAreMadeByOneAtATimeAndRecordingWaitsForNone(t *testing.T) {
	s := newStore(t)
	now := today(s)
	err := s.write(t.Context(), s.lists, func(w *writing) error { // another node is at it
		free, err := w.lockParts()
		require.NoError(t, err)
		require.True(t, free)
		dropped, err := s.dropParts(t.Context(), now)
		assert.Zero(t, dropped)
		return errors.Join(err, s.RecordAccounting(t.Context(), []linegate.AccountingEvent{start("meanwhile", now)}))
	})
	require.NoError(t, err)
	assert.Equal(t, "accounting_events_rest", s.partOf(t, "meanwhile"))
}

func TestASchemaThatIsNotOursIsRefused(t *testing.T) {
	s := newStore(t)
	dsn := s.config.ConnString()
	schema, err := Status(t.Context(), dsn)
	require.NoError(t, err)
	assert.Equal(t, schema.Newest, schema.Version)
	require.Len(t, schema.Migrations, schema.Newest)
	assert.Equal(t, "0001_initial", schema.Migrations[0].Name)
	assert.WithinDuration(t, time.Now(), schema.Migrations[1].AppliedAt, time.Hour)

	s.mustExec(t, `INSERT INTO schema_version (version, applied_at) VALUES (99, 1)`)
	assert.ErrorContains(t, s.Prepare(t.Context()), "newer linegate wrote it")
	_, err = Migrate(t.Context(), dsn, s.sealer)
	assert.ErrorContains(t, err, "newer linegate wrote it")
}

func TestAnOlderSchemaIsBroughtUpOnlyWhenAsked(t *testing.T) {
	sealer, err := store.OpenKeyFile(filepath.Join(t.TempDir(), "key"))
	require.NoError(t, err)
	dsn := pgtest.Shared(t).Database(t)
	s, err := Open(t.Context(), dsn, sealer, Options{})
	require.NoError(t, err)
	defer s.Close()
	schema, err := Status(t.Context(), dsn)
	require.NoError(t, err)
	assert.Zero(t, schema.Version)
	assert.Zero(t, schema.Migrations[0].AppliedAt)
	assert.ErrorContains(t, s.CheckSchema(t.Context()), "linegate migrate up")

	require.NoError(t, s.write(t.Context(), s.updates, func(w *writing) error {
		_, err := w.schemaVersion()
		return errors.Join(err, s.apply(w, 1, "migrations/0001_initial.sql"))
	}))
	assert.EqualError(t, s.Prepare(t.Context()), fmt.Sprintf("schema version is 1 and this linegate needs %d: run `linegate migrate up`", schema.Newest))
	schema, err = Migrate(t.Context(), dsn, sealer)
	require.NoError(t, err)
	assert.Equal(t, schema.Newest, schema.Version)
	assert.NoError(t, s.CheckSchema(t.Context()))

	other, err := store.OpenKeyFile(filepath.Join(t.TempDir(), "other"))
	require.NoError(t, err)
	_, err = Migrate(t.Context(), dsn, other)
	assert.ErrorContains(t, err, "another key")
}

func TestMigrationGivesThoseWhoWereThereTheFormOfTheirLine(t *testing.T) {
	s := newStore(t)
	const many = bulkPage + 1 // more than a page
	subs := make([]*linegate.Subscriber, many)
	for i := range many {
		subs[i] = &linegate.Subscriber{Tenant: "demo", Username: fmt.Sprint("user", i),
			Profile: &linegate.NetworkProfile{CircuitID: linegate.Octets(fmt.Sprint("Line ", i))}}
	}
	require.NoError(t, s.Update(t.Context(), "test", func(tx store.Tx) error {
		_, err := tx.PutTenant(linegate.Tenant{Name: "demo"})
		_, put := tx.PutSubscribers(subs)
		return errors.Join(err, put)
	}))
	s.mustExec(t, `UPDATE subscribers SET circuit_key = ''`)
	require.NoError(t, s.write(t.Context(), s.updates, (*writing).fillCircuitKeys))
	for _, i := range []int{0, bulkPage - 1, bulkPage} {
		found, err := s.Lookup(t.Context(), linegate.NewKey("demo", linegate.ByLineForm, fmt.Sprint("line ", i)))
		require.NoError(t, err)
		require.NotNil(t, found.Subscriber)
		assert.Equal(t, subs[i].Username, found.Subscriber.Username)
	}
	left, err := s.count(t.Context(), `SELECT count(*) FROM subscribers WHERE circuit_key = ''`)
	require.NoError(t, err)
	assert.Zero(t, left)
}

func TestADeletedSubscriberLeavesNoLines(t *testing.T) {
	s := newStore(t)
	require.NoError(t, s.Update(t.Context(), "ann@desk", func(tx store.Tx) error {
		_, err := tx.PutTenant(linegate.Tenant{Name: "demo"})
		_, put := tx.PutSubscriber(&linegate.Subscriber{Tenant: "demo", Username: "alice",
			Profile: &linegate.NetworkProfile{CircuitID: "first", MoreLines: linegate.Lines{{CircuitID: "second"}, {CircuitID: "third"}}}})
		return errors.Join(err, put)
	}))
	lines := func() int {
		count, err := s.count(t.Context(), `SELECT count(*) FROM subscriber_lines`)
		require.NoError(t, err)
		return count
	}
	require.Equal(t, 2, lines())
	require.NoError(t, s.Update(t.Context(), "ann@desk", func(tx store.Tx) error { return tx.DeleteSubscriber("demo", "alice") }))
	assert.Zero(t, lines())
}

func TestJournalsThatAreTooOldMakeRoom(t *testing.T) {
	s := newStore(t)
	now := today(s)
	begin := func(key string) {
		first, _, err := s.BeginChanges(t.Context(), key, "disconnect")
		require.NoError(t, err)
		assert.True(t, first)
		require.NoError(t, s.RecordChanges(t.Context(), key, []linegate.ChangeRecord{{SessionID: "a", At: now}}))
	}
	begin("old")
	s.now = func() time.Time { return now.Add(journalKept) }
	begin("young")
	s.now = func() time.Time { return now.Add(journalKept + time.Second) }
	begin("new")
	begin("old")
	assert.NoError(t, s.RecordChanges(t.Context(), "none was sent", nil))
	failed := errors.New("enough")
	assert.ErrorIs(t, s.EachChangeRecord(t.Context(), "young", func(linegate.ChangeRecord) error { return failed }), failed)
	s.mustExec(t, `UPDATE change_records SET session_id = '\x0'`)
	assert.Error(t, s.EachChangeRecord(t.Context(), "young", func(linegate.ChangeRecord) error { return nil }))
}

func TestOfALineThatManyHaveTwoAreRead(t *testing.T) {
	s := newStore(t)
	s.mustExec(t, `INSERT INTO subscriber_lines SELECT 'id' || n, 'demo', 'shared', 'shared' FROM generate_series(1, 5000) n`)
	for _, column := range []string{"circuit_id", "circuit_key"} {
		plan := s.plan(t, "ANALYZE, TIMING OFF", lineQuery(column), "demo", []byte("shared"))
		assert.NotRegexp(t, `actual rows=[0-9]{2,}`, plan)
		assert.Regexp(t, `subscribers_pkey.*\n.*Index Cond: \(id = `, plan)
		assert.NotContains(t, plan, "Filter:")
	}
}

func TestOldJournalsAreDroppedByTheirKeys(t *testing.T) {
	s := newStore(t)
	assert.Regexp(t, `change_records_pkey.*\n.*Index Cond: \(key = ANY`, s.plan(t, "COSTS off", dropRecords, int64(1)))
}

// plan tells how PostgreSQL answers what a request asks.
func (s *Store) plan(t *testing.T, options, query string, args ...any) string {
	t.Helper()
	rows, err := s.lookups.Query(t.Context(), "EXPLAIN ("+options+") "+query, args...)
	require.NoError(t, err)
	plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return strings.Join(plan, "\n")
}

func TestADatabaseThatKeepsTextOtherwiseIsRefused(t *testing.T) {
	server := pgtest.New(t, false)
	server.Exec(t, `CREATE DATABASE linegate_latin ENCODING 'LATIN1' TEMPLATE template0`)
	s, err := Open(t.Context(), server.DSN("linegate_latin"), nil, Options{})
	require.NoError(t, err)
	defer s.Close()
	assert.ErrorContains(t, s.Prepare(t.Context()), "keeps text as LATIN1")
}

// Both engines have the same tables and columns, so that what is said of one holds
// for the other.
func TestBothEnginesHaveTheSameSchema(t *testing.T) {
	s := newStore(t)
	var ours []string
	require.NoError(t, s.each(t.Context(), s.lists, func(row scanner) error {
		var column string
		err := row.Scan(&column)
		ours = append(ours, column)
		return err
	}, `SELECT relname || '.' || attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid `+
		`WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace AND attnum > 0`))

	path := filepath.Join(t.TempDir(), "linegate.db")
	embedded, err := sqlite.Open(t.Context(), path, s.sealer)
	require.NoError(t, err)
	defer embedded.Close()
	assert.ElementsMatch(t, sqliteColumns(t, path), ours)
}
