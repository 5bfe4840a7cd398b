package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
)

func testAudit(t *testing.T, e engine) {
	e.tenants(t, "demo")
	before := time.Now().Add(-time.Second)
	e.put(t, onLine("demo", "alice", "\x00\xff"))
	changed := onLine("demo", "alice", "line 2")
	changed.Credential = linegate.Credential{Kind: linegate.CredentialCleartext, Value: "hush-hush"}
	e.put(t, changed)
	e.put(t, changed)
	e.delete(t, "demo", "alice")
	e.put(t, plain("demo", "alice"))
	e.put(t, plain("demo", "bob"))

	entries, err := e.Audit(within(t), "demo", "alice")
	require.NoError(t, err)

	t.Run("every write and no other is told, oldest first", func(t *testing.T) {
		var outcomes []linegate.Outcome
		for _, entry := range entries {
			outcomes = append(outcomes, entry.Outcome)
		}
		assert.Equal(t, []linegate.Outcome{linegate.Created, linegate.Changed, linegate.Deleted, linegate.Created}, outcomes)
		assert.True(t, slices.IsSortedFunc(entries, func(a, b linegate.AuditEntry) int { return int(a.Revision - b.Revision) }))
	})
	t.Run("an entry says who, when and what", func(t *testing.T) {
		entry := entries[1]
		assert.Equal(t, "ann@desk", entry.Actor)
		assert.WithinRange(t, entry.At, before, time.Now())
		assert.Equal(t, linegate.AuditSubscriber, entry.Kind)
		assert.Equal(t, "demo", entry.Tenant)
		assert.Equal(t, "alice", entry.Name)
		assert.Equal(t, entries[0].ID, entry.ID)
		assert.Equal(t, []linegate.FieldChange{
			{Field: "password", Old: "none", New: "cleartext (changed)"},
			{Field: "circuit_id", Old: "0x00ff", New: "line 2"},
		}, entry.Changes)
	})
	t.Run("no password is in the trail", func(t *testing.T) {
		assert.NotContains(t, fmt.Sprintf("%+v", entries), "hush-hush")
	})
	t.Run("the second subscriber of a name is another", func(t *testing.T) {
		assert.NotEqual(t, entries[0].ID, entries[3].ID)
		assert.Equal(t, entries[3].ID, e.get(t, "demo", "alice").ID)
		assert.Equal(t, entries[3].Revision, e.get(t, "demo", "alice").Revision)
	})
	t.Run("a name that nobody ever had is not found", func(t *testing.T) {
		_, err := e.Audit(within(t), "demo", "ghost")
		assert.ErrorIs(t, err, linegate.ErrNotFound)
	})
}

func testFeed(t *testing.T, e engine) {
	revision, err := e.Revision(within(t))
	require.NoError(t, err)
	require.Zero(t, revision)
	e.tenants(t, "demo")
	_, err = e.putNAS(t, nas("demo", "bng", "192.0.2.1/32"))
	require.NoError(t, err)
	e.put(t, onLine("demo", "alice", "\x00\xffold"))
	e.put(t, onLine("demo", "alice", "new"))
	e.delete(t, "demo", "alice")
	e.update(t, func(tx store.Tx) error { return tx.DeleteNAS("demo", "bng") })

	entries, err := e.Feed(within(t), 0, 100)
	require.NoError(t, err)
	require.Len(t, entries, 6)

	t.Run("entries come in order of revision and name what they are about", func(t *testing.T) {
		var told []string
		for i, entry := range entries {
			told = append(told, fmt.Sprint(entry.Kind, " ", entry.Name, " ", entry.Outcome))
			if i > 0 {
				assert.Greater(t, entry.Revision, entries[i-1].Revision)
			}
		}
		assert.Equal(t, []string{"tenant demo created", "nas bng created", "subscriber alice created",
			"subscriber alice changed", "subscriber alice deleted", "nas bng deleted"}, told)
	})
	t.Run("keys are those of the old state and the new", func(t *testing.T) {
		name := linegate.NewKey("demo", linegate.ByUsername, "alice")
		from := linegate.NewKey("demo", linegate.ByCircuit, "\x00\xffold")
		to := linegate.NewKey("demo", linegate.ByCircuit, "new")
		assert.ElementsMatch(t, []linegate.Key{name, from}, entries[2].Keys)
		assert.ElementsMatch(t, []linegate.Key{name, from, to}, entries[3].Keys)
		assert.ElementsMatch(t, []linegate.Key{name, to}, entries[4].Keys)
		assert.Empty(t, entries[1].Keys)
	})
	t.Run("a reader goes on where it stopped", func(t *testing.T) {
		var again []linegate.AuditEntry
		for after := int64(0); ; {
			page, err := e.Feed(within(t), after, 2)
			require.NoError(t, err)
			if len(page) == 0 {
				break
			}
			require.LessOrEqual(t, len(page), 2)
			again, after = append(again, page...), page[len(page)-1].Revision
		}
		assert.Equal(t, entries, again)
	})
	t.Run("the newest revision is that of the last entry", func(t *testing.T) {
		revision, err := e.Revision(within(t))
		require.NoError(t, err)
		assert.Equal(t, entries[5].Revision, revision)
	})
}

func testChanged(t *testing.T, e engine) {
	e.tenants(t, "demo")

	t.Run("waiting ends with the context when nobody writes", func(t *testing.T) {
		ctx, cancel := context.WithCancel(within(t))
		waited := make(chan error, 1)
		go func() { waited <- e.Changed(ctx) }()
		cancel()
		assert.Equal(t, context.Canceled, <-waited)
	})
	t.Run("a write ends the waiting", func(t *testing.T) {
		waited := make(chan error, 1)
		go func() { waited <- e.Changed(within(t)) }()
		for wrote := 0; ; wrote++ {
			e.put(t, plain("demo", fmt.Sprintf("wake%d", wrote)))
			select {
			case err := <-waited:
				require.NoError(t, err)
				return
			case <-time.After(10 * time.Millisecond): // it may not have begun to wait
			}
		}
	})
	t.Run("a reader that follows the feed misses nothing", func(t *testing.T) {
		const writes = 50
		after, err := e.Revision(within(t))
		require.NoError(t, err)
		var writers sync.WaitGroup
		writers.Go(func() {
			for i := range writes {
				assert.NoError(t, e.Update(within(t), "ann@desk", func(tx store.Tx) error {
					_, err := tx.PutSubscriber(plain("demo", fmt.Sprintf("user%d", i)))
					return err
				}))
			}
		})
		for seen := 0; seen < writes; {
			entries, err := e.Feed(within(t), after, 7)
			require.NoError(t, err)
			if len(entries) == 0 {
				hint, cancel := context.WithTimeout(within(t), time.Second)
				if err := e.Changed(hint); err != nil {
					require.ErrorIs(t, err, context.DeadlineExceeded)
				}
				cancel()
				continue
			}
			seen, after = seen+len(entries), entries[len(entries)-1].Revision
		}
		writers.Wait()
	})
}

func testFeedUnderLoad(t *testing.T, e engine) {
	e.tenants(t, "demo")
	const writers, each = 8, 25
	var mu sync.Mutex
	var committed []string
	write := func(writer, i int) {
		name := fmt.Sprintf("writer%d-%d", writer, i)
		rolledBack := errors.New("rolled back")
		err := e.Update(within(t), "ann@desk", func(tx store.Tx) error {
			for _, part := range []string{"a", "b"} {
				if _, err := tx.PutSubscriber(plain("demo", name+part)); err != nil {
					return err
				}
			}
			if i%3 == 0 {
				return rolledBack
			}
			return nil
		})
		if i%3 == 0 {
			assert.ErrorIs(t, err, rolledBack)
			return
		}
		assert.NoError(t, err)
		mu.Lock()
		defer mu.Unlock()
		committed = append(committed, name+"a", name+"b")
	}
	after, err := e.Revision(within(t))
	require.NoError(t, err)
	var running sync.WaitGroup
	for writer := range writers {
		running.Go(func() {
			for i := range each {
				write(writer, i)
			}
		})
	}
	ended := make(chan struct{})
	go func() { running.Wait(); close(ended) }()

	var read []string
	for last := false; ; {
		entries, err := e.Feed(within(t), after, 7)
		require.NoError(t, err)
		for _, entry := range entries {
			require.Greater(t, entry.Revision, after, "in order, and each once")
			after, read = entry.Revision, append(read, entry.Name)
		}
		if len(entries) > 0 {
			continue
		}
		if last {
			break
		}
		select { // what is committed when the writers have ended is read once more
		case <-ended:
			last = true
		default:
			hint, cancel := context.WithTimeout(within(t), 100*time.Millisecond)
			_ = e.Changed(hint)
			cancel()
		}
	}
	assert.ElementsMatch(t, committed, read)
	for i := 0; i+1 < len(read); i += 2 {
		assert.Equal(t, read[i][:len(read[i])-1]+"b", read[i+1], "writes of one transaction stay together")
	}
}

func testTransactions(t *testing.T, e engine) {
	e.tenants(t, "demo")
	stop := errors.New("dry run")

	t.Run("a transaction that returns an error leaves no trace", func(t *testing.T) {
		before, err := e.Feed(within(t), 0, 100)
		require.NoError(t, err)
		err = e.Update(within(t), "ann@desk", func(tx store.Tx) error {
			_, err := tx.PutTenant(linegate.Tenant{Name: "other"})
			require.NoError(t, err)
			_, err = tx.PutSubscriber(plain("demo", "dry"))
			require.NoError(t, err)
			_, err = tx.PutNAS(nas("demo", "bng", "192.0.2.1/32"))
			require.NoError(t, err)
			return stop
		})
		assert.ErrorIs(t, err, stop)
		after, err := e.Feed(within(t), 0, 100)
		require.NoError(t, err)
		assert.Equal(t, before, after)
		assert.Empty(t, e.names(t, ""))
		nases, err := e.NASes(within(t), "")
		require.NoError(t, err)
		assert.Empty(t, nases)
	})
	t.Run("a transaction that panics leaves no trace and no lock", func(t *testing.T) {
		assert.Panics(t, func() {
			e.Update(within(t), "ann@desk", func(tx store.Tx) error {
				tx.PutSubscriber(plain("demo", "panic"))
				panic("caller's bug")
			})
		})
		e.put(t, plain("demo", "after"))
		assert.Equal(t, []string{"demo/after"}, e.names(t, ""))
	})
	t.Run("a transaction sees its own writes and others see them when it commits", func(t *testing.T) {
		e.update(t, func(tx store.Tx) error {
			_, err := tx.PutSubscriber(plain("demo", "own"))
			require.NoError(t, err)
			own, err := tx.Subscriber("demo", "own")
			require.NoError(t, err)
			assert.Equal(t, "own", own.Username)
			assert.Zero(t, e.find(t, "demo", linegate.ByUsername, "own"))
			return nil
		})
		assert.NotNil(t, e.find(t, "demo", linegate.ByUsername, "own").Subscriber)
	})
	t.Run("a context that has ended writes nothing", func(t *testing.T) {
		ctx, cancel := context.WithCancel(within(t))
		cancel()
		err := e.Update(ctx, "ann@desk", func(tx store.Tx) error {
			_, err := tx.PutSubscriber(plain("demo", "late"))
			return err
		})
		assert.ErrorIs(t, err, context.Canceled)
		assert.Zero(t, e.find(t, "demo", linegate.ByUsername, "late"))
	})
	t.Run("writers that run side by side lose nothing", func(t *testing.T) {
		const each = 20
		var writers sync.WaitGroup
		for writer := range 4 {
			writers.Go(func() {
				for i := range each {
					assert.NoError(t, e.Update(within(t), "ann@desk", func(tx store.Tx) error {
						_, err := tx.PutSubscriber(plain("demo", fmt.Sprintf("writer%d-%d", writer, i)))
						return err
					}))
					assert.NoError(t, e.RecordAccounting(within(t), []linegate.AccountingEvent{
						start(fmt.Sprintf("s%d-%d", writer, i), epoch)}))
				}
			})
		}
		writers.Wait()
		count, err := e.CountSubscribers(within(t), "demo")
		require.NoError(t, err)
		assert.Equal(t, 2+4*each, count)
		events, err := e.CountAccounting(within(t))
		require.NoError(t, err)
		assert.Equal(t, 4*each, events)
	})
}

func testClosed(t *testing.T, e engine) {
	e.tenants(t, "demo")
	entries, err := e.Feed(within(t), 0, 10)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	waiting := make(chan error, 1)
	go func() { waiting <- e.Changed(within(t)) }()
	require.NoError(t, e.Close())
	assert.ErrorIs(t, <-waiting, linegate.ErrUnavailable)
	require.NoError(t, e.Close(), "closing twice is harmless")

	ctx := within(t)
	for name, ask := range map[string]func() error{
		"Lookup":            func() error { _, err := e.Lookup(ctx, linegate.NewKey("demo", linegate.ByUsername, "a")); return err },
		"Subscriber":        func() error { _, err := e.Subscriber(ctx, "demo", "a"); return err },
		"EachSubscriber":    func() error { return e.EachSubscriber(ctx, "", nil) },
		"CountSubscribers":  func() error { _, err := e.CountSubscribers(ctx, ""); return err },
		"Tenants":           func() error { _, err := e.Tenants(ctx); return err },
		"NASes":             func() error { _, err := e.NASes(ctx, ""); return err },
		"Update":            func() error { return e.Update(ctx, "", nil) },
		"Audit":             func() error { _, err := e.Audit(ctx, "demo", "a"); return err },
		"Feed":              func() error { _, err := e.Feed(ctx, 0, 1); return err },
		"Revision":          func() error { _, err := e.Revision(ctx); return err },
		"Changed":           func() error { return e.Changed(ctx) },
		"RecordAccounting":  func() error { return e.RecordAccounting(ctx, []linegate.AccountingEvent{start("s", epoch)}) },
		"EachSession":       func() error { return e.EachSession(ctx, store.SessionFilter{}, nil) },
		"CountAccounting":   func() error { _, err := e.CountAccounting(ctx); return err },
		"ActiveByVLAN":      func() error { _, err := e.ActiveByVLAN(ctx); return err },
		"RecordValidations": func() error { return e.RecordValidations(ctx, nil) },
		"LearnNAS":          func() error { return e.LearnNAS(ctx, "demo", "bng", linegate.Yes) },
		"MarkStale":         func() error { _, err := e.MarkStale(ctx, epoch, 3); return err },
		"Admit":             func() error { _, err := e.Admit(ctx, linegate.Admission{SubscriberID: "s", Limit: 1}); return err },
		"Admit with a hold": func() error {
			_, err := e.Admit(ctx, linegate.Admission{SubscriberID: "s", Limit: 1, Hold: time.Second})
			return err
		},
		"Retain": func() error { _, err := e.Retain(ctx, store.Retention{EventsBefore: epoch}); return err },
		"ID":     func() error { _, err := e.ID(ctx); return err },
	} {
		assert.ErrorIs(t, ask(), linegate.ErrUnavailable, name)
	}
}
