package sqlite

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"zombiezen.com/go/sqlite"

	"linegate"
	"linegate/store"
	"linegate/store/column"
)

// endless is a query that finds a row after more time than anybody has.
const endless = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n`

// numbers finds two rows.
const numbers = `SELECT 1 UNION ALL SELECT 2`

func TestArgumentsAreStoredAsTheyAre(t *testing.T) {
	s := newStore(t)
	for name, test := range map[string]struct {
		arg    any
		stored string
	}{
		"text":             {"it's", `'it''s'`},
		"no text":          {"", `''`},
		"text of a type":   {linegate.ByMAC, `'mac'`},
		"text with a zero": {"a\x00b", `'a`},
		"octets":           {[]byte{0, 255}, `X'00FF'`},
		"no octets":        {[]byte{}, `X''`},
		"nil octets":       {[]byte(nil), `NULL`},
		"nothing":          {nil, `NULL`},
		"a number":         {int64(math.MinInt64), `-9223372036854775808`},
		"a small number":   {-7, `-7`},
		"one of a type":    {linegate.VLAN(4094), `4094`},
		"true":             {true, `1`},
		"false":            {false, `0`},
	} {
		t.Run(name, func(t *testing.T) {
			var stored string
			require.NoError(t, s.lookups.row(t.Context(), `SELECT quote(?)`, into(&stored), test.arg))
			assert.True(t, strings.HasPrefix(stored, test.stored), stored)
		})
	}
}

func TestArgumentsThatFitNoColumnAreErrors(t *testing.T) {
	s := newStore(t)
	for name, args := range map[string][]any{
		"too large a number": {uint64(math.MaxUint64)},
		"a struct":           {time.Time{}},
		"one too few":        {},
		"one too many":       {1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			err := s.lookups.exec(t.Context(), `SELECT ?`, args...)
			require.Error(t, err)
			assert.NotErrorIs(t, err, linegate.ErrUnavailable, "it is our own mistake")
			assert.NoError(t, s.lookups.exec(t.Context(), `SELECT ?`, 1))
		})
	}
}

func TestAColumnIsReadAsItIsOrNotAtAll(t *testing.T) {
	s := newStore(t)
	var (
		text   string
		kind   linegate.Identity
		octets []byte
		number int
		vlan   linegate.VLAN
		yes    bool
		at     time.Time
	)
	for name, test := range map[string]struct {
		value string
		into  any
		fits  bool
	}{
		"text":                            {`'a'`, &text, true},
		"text of a type":                  {`'a'`, &kind, true},
		"text as octets":                  {`'a'`, &octets, true},
		"octets":                          {`x'00'`, &octets, true},
		"no octets":                       {`x''`, &octets, true},
		"a number":                        {`-1`, &number, true},
		"a VLAN":                          {`65535`, &vlan, true},
		"a bool":                          {`1`, &yes, true},
		"a time":                          {`1`, column.ReadMicros(&at), true},
		"a number as text":                {`1`, &text, false},
		"octets as text":                  {`x'00'`, &text, false},
		"text as a number":                {`'1'`, &number, false},
		"a fraction as a number":          {`1.5`, &number, false},
		"a number as octets":              {`1`, &octets, false},
		"a VLAN that is too large":        {`65536`, &vlan, false},
		"a VLAN below zero":               {`-1`, &vlan, false},
		"a bool that is neither":          {`2`, &yes, false},
		"text as a time":                  {`'now'`, column.ReadMicros(&at), false},
		"a fraction as a time":            {`1.5`, column.ReadMicros(&at), false},
		"nothing as text":                 {`NULL`, &text, false},
		"nothing as octets":               {`NULL`, &octets, false},
		"nothing as a number":             {`NULL`, &number, false},
		"nothing as a time":               {`NULL`, column.ReadMicros(&at), false},
		"a number as something different": {`1`, &struct{}{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := s.lookups.row(t.Context(), `SELECT `+test.value+` AS wanted`, into(test.into))
			if test.fits {
				require.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, "column wanted: ")
			assert.ErrorIs(t, err, linegate.ErrUnavailable)
		})
	}
	assert.ErrorContains(t, s.lookups.row(t.Context(), `SELECT 1, 2`, into(&number)), "2 columns for 1 values")
}

// onEach runs a test with each of the ways to read.
func onEach(t *testing.T, s *Store, test func(t *testing.T, each func(query string, scan func(scanner) error) error)) {
	for name, p := range map[string]*pool{"lookups": s.lookups, "lists": s.lists} {
		t.Run(name, func(t *testing.T) {
			test(t, func(query string, scan func(scanner) error) error { return p.each(t.Context(), query, scan) })
		})
	}
	t.Run("writer", func(t *testing.T) {
		test(t, func(query string, scan func(scanner) error) error {
			return s.write(t.Context(), func(w *writing) error { return w.rows(query, scan) })
		})
	})
}

// requireNothingHeld fails when a connection still reads or writes.
func requireNothingHeld(t *testing.T, s *Store) {
	t.Helper()
	var busy, log, moved int
	require.NoError(t, s.write(t.Context(), func(w *writing) error { return w.exec(`UPDATE meta SET value = value`) }))
	require.NoError(t, s.writer.row(t.Context(), `PRAGMA wal_checkpoint(TRUNCATE)`, into(&busy, &log, &moved)))
	require.Zero(t, busy)
}

func TestAReadThatIsAbandonedLeavesNothingBehind(t *testing.T) {
	s := newStore(t)
	onEach(t, s, func(t *testing.T, each func(string, func(scanner) error) error) {
		enough := errors.New("enough")
		for range 2 * listConnections {
			require.Equal(t, enough, each(`SELECT name FROM meta`, func(scanner) error { return enough }))
			requireNothingHeld(t, s)
		}
	})
}

func TestAPanicInACallbackLeavesNothingBehind(t *testing.T) {
	s := newStore(t)
	onEach(t, s, func(t *testing.T, each func(string, func(scanner) error) error) {
		for range 2 * listConnections {
			require.PanicsWithValue(t, "oops", func() {
				_ = each(`SELECT name FROM meta`, func(scanner) error { panic("oops") })
			})
			requireNothingHeld(t, s)
		}
	})
}

func TestALongReadEndsWithItsContext(t *testing.T) {
	s := newStore(t)
	for range 2 * listConnections {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		var count int
		err := s.lists.row(ctx, endless, into(&count))
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, linegate.ErrUnavailable)
		require.NoError(t, s.lists.row(t.Context(), `SELECT 1`, into(&count)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	read := 0
	err := s.lists.each(ctx, numbers, func(scanner) error { read++; cancel(); return nil })
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, read)
	requireNothingHeld(t, s)
}

func TestNothingIsBegunForAContextThatHasEnded(t *testing.T) {
	s := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var count int
	for _, err := range []error{
		s.lookups.row(ctx, `SELECT 1`, into(&count)),
		s.lists.row(ctx, `SELECT 1`, into(&count)),
		s.write(ctx, func(*writing) error { t.Error("written"); return nil }),
	} {
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, linegate.ErrUnavailable)
	}
}

func TestATransactionWhoseContextEndsCommitsNothing(t *testing.T) {
	s := newStore(t)
	for name, end := range map[string]func(*writing) error{
		"before a statement":  func(w *writing) error { return w.exec(`INSERT INTO tenants (name) VALUES ('more')`) },
		"before the commit":   func(*writing) error { return nil },
		"and nobody looks":    func(w *writing) error { _ = w.exec(`DELETE FROM tenants`); return nil },
		"and something fails": func(*writing) error { return context.Canceled },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			err := s.write(ctx, func(w *writing) error {
				require.NoError(t, w.exec(`INSERT INTO tenants (name) VALUES ('half')`))
				cancel()
				return end(w)
			})
			require.ErrorIs(t, err, context.Canceled)
			tenants, err := s.Tenants(t.Context())
			require.NoError(t, err)
			assert.Empty(t, tenants)
			requireNothingHeld(t, s)
		})
	}
}

func TestWaitingForAConnectionEndsWithTheContext(t *testing.T) {
	s := newStore(t)
	require.NoError(t, s.write(t.Context(), func(*writing) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		err := s.write(ctx, func(*writing) error { t.Error("two write at once"); return nil })
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorIs(t, err, linegate.ErrUnavailable)
		return nil
	}))
}

// again opens the file of a store as another process would.
func again(t *testing.T, s *Store) *pool {
	t.Helper()
	p, err := openPool(t.Context(), fileOf(t, s), 1, role{})
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return p
}

func fileOf(t *testing.T, s *Store) (path string) {
	t.Helper()
	require.NoError(t, s.lookups.row(t.Context(), `SELECT file FROM pragma_database_list`, into(&path)))
	return path
}

func TestALockThatIsReleasedIsWaitedFor(t *testing.T) {
	s := newStore(t)
	other := again(t, s)
	require.NoError(t, other.exec(t.Context(), `BEGIN IMMEDIATE`))
	var waiting sync.WaitGroup
	waiting.Go(func() {
		assert.NoError(t, s.write(t.Context(), func(w *writing) error { return w.exec(`INSERT INTO tenants (name) VALUES ('patient')`) }))
	})
	require.Eventually(t, func() bool { return len(s.writer.free) == 0 }, 30*time.Second, time.Millisecond, "it holds the connection, and asks for the lock")
	require.NoError(t, other.exec(t.Context(), `COMMIT`))
	waiting.Wait()
}

func TestALockThatIsNeverReleasedIsNotWaitedForForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, asked := time.Now(), 0
		err := patiently(t.Context(), func() error { asked++; return sqlite.ResultBusySnapshot.ToError() })
		assert.ErrorIs(t, err, linegate.ErrUnavailable)
		assert.True(t, isBusy(err))
		assert.InDelta(t, busyTimeout.Seconds(), time.Since(began).Seconds(), 0.1)
		assert.Less(t, asked, 2000)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		err = patiently(ctx, func() error { return sqlite.ResultBusy.ToError() })
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorIs(t, err, linegate.ErrUnavailable)
		assert.True(t, isBusy(err), "it says what was waited for")
		assert.Equal(t, time.Second, time.Since(began))
	})
}

// openFiles counts how often this process has files open that belong to a database.
func openFiles(t *testing.T, path string) (count int) {
	t.Helper()
	descriptors, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	for _, descriptor := range descriptors {
		if file, err := os.Readlink(descriptor); err == nil && strings.HasPrefix(file, path) {
			count++
		}
	}
	return count
}

func TestCloseLetsWhatIsUnderWayFinishAndLeavesNothingOpen(t *testing.T) {
	s := newStore(t)
	path := fileOf(t, s)
	const users = 3 // one beside each role
	var begun, finished sync.WaitGroup
	closed := make(chan struct{})
	begun.Add(users)
	hold := func(scanner) error {
		begun.Done()
		<-closed
		return nil
	}
	finished.Go(func() { assert.NoError(t, s.lists.each(t.Context(), `SELECT 1`, hold)) })
	finished.Go(func() { assert.NoError(t, s.lookups.each(t.Context(), `SELECT 1`, hold)) })
	finished.Go(func() {
		assert.NoError(t, s.write(t.Context(), func(w *writing) error {
			return errors.Join(hold(nil), w.exec(`INSERT INTO tenants (name) VALUES ('last')`))
		}))
	})
	begun.Wait()
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "twice is once")
	assert.NotZero(t, openFiles(t, path))
	close(closed)
	finished.Wait()
	assert.Zero(t, openFiles(t, path))

	_, revision := s.Revision(t.Context())
	_, lookup := s.Lookup(t.Context(), linegate.NewKey("demo", linegate.ByUsername, "alice"))
	_, list := s.Tenants(t.Context())
	written := s.Update(t.Context(), "test", func(store.Tx) error { return nil })
	for _, err := range []error{revision, lookup, list, written, s.Changed(t.Context())} {
		assert.ErrorIs(t, err, linegate.ErrUnavailable)
	}
}

func TestCloseEndsTheWaitForAConnection(t *testing.T) {
	s := newStore(t)
	require.NoError(t, s.write(t.Context(), func(*writing) error {
		var waiting sync.WaitGroup
		waiting.Go(func() {
			assert.ErrorIs(t, s.write(t.Context(), func(*writing) error { return nil }), linegate.ErrUnavailable)
		})
		assert.NoError(t, s.Close())
		waiting.Wait()
		return nil
	}))
}

func TestAListPreparesNothingForEver(t *testing.T) {
	s := newStore(t)
	for limit := range 10 {
		require.NoError(t, s.EachSession(t.Context(), store.SessionFilter{Limit: limit}, func(*linegate.Session) error { return nil }))
	}
	for range listConnections {
		require.NoError(t, s.lists.hold(t.Context(), func(c *connection) error {
			assert.Empty(t, c.prepared)
			return nil
		}))
	}
}

// An allocation of its own for each argument or column would be noticed here.
func TestWhatALookupAllocates(t *testing.T) {
	s := newStore(t)
	var kind, name string
	args := []any{"table", "meta"}
	scan := into(&kind, &name)
	read := func() {
		if err := s.lookups.row(t.Context(), `SELECT type, name FROM sqlite_master WHERE type = ? AND name = ?`, scan, args...); err != nil {
			t.Error(err)
		}
	}
	allocations := testing.AllocsPerRun(100, read)
	assert.LessOrEqual(t, allocations, 4.0, "two texts that are read, and two for the call")
}
