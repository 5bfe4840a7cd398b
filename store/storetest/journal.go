package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
)

func testTenantChanges(t *testing.T, e engine) {
	put := func(tenant linegate.Tenant) (outcome linegate.Outcome) {
		e.update(t, func(tx store.Tx) (err error) {
			outcome, err = tx.PutTenant(tenant)
			return err
		})
		return outcome
	}
	pushing := linegate.Tenant{Name: "blue", PushChanges: true}
	assert.Equal(t, linegate.Created, put(linegate.Tenant{Name: "blue"}))
	assert.Equal(t, linegate.Changed, put(pushing))
	assert.Equal(t, linegate.Unchanged, put(pushing))
	tenants, err := e.Tenants(within(t))
	require.NoError(t, err)
	assert.Equal(t, []linegate.Tenant{pushing}, tenants)
	entries, err := e.Feed(within(t), 0, 10)
	require.NoError(t, err)
	require.Len(t, entries, 2)
	assert.Equal(t, []linegate.FieldChange{{Field: "push_changes", New: "true"}}, entries[1].Changes)
}

func testJournals(t *testing.T, e engine) {
	t.Run("the first of many who begin is told so", func(t *testing.T) {
		var firsts atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				first, known, err := e.BeginChanges(within(t), "blue/claimed", "disconnect")
				assert.NoError(t, err)
				assert.Equal(t, "disconnect", known)
				if first {
					firsts.Add(1)
				}
			})
		}
		all.Wait()
		assert.EqualValues(t, 1, firsts.Load())
	})
	t.Run("a later one is told what the key is for", func(t *testing.T) {
		first, known, err := e.BeginChanges(within(t), "blue/claimed", "rate 10M")
		require.NoError(t, err)
		assert.False(t, first)
		assert.Equal(t, "disconnect", known)
	})
	records := func(key string) (found []linegate.ChangeRecord) {
		require.NoError(t, e.EachChangeRecord(within(t), key, func(record linegate.ChangeRecord) error {
			found = append(found, record)
			return nil
		}))
		return found
	}
	t.Run("records come back by session, the last of each", func(t *testing.T) {
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		timeout := linegate.ChangeRecord{SessionID: "b", Result: linegate.ChangeTimeout, At: at}
		refused := linegate.ChangeRecord{SessionID: "a", Result: linegate.ChangeRefused, Cause: 503, At: at}
		acked := linegate.ChangeRecord{SessionID: "b", Result: linegate.ChangeAcked, Disconnected: true, At: at.Add(time.Second)}
		require.NoError(t, e.RecordChanges(within(t), "blue/claimed", []linegate.ChangeRecord{timeout, refused}))
		require.NoError(t, e.RecordChanges(within(t), "blue/claimed", []linegate.ChangeRecord{acked}))
		assert.Equal(t, []linegate.ChangeRecord{refused, acked}, records("blue/claimed"))
	})
	t.Run("another key has records of its own", func(t *testing.T) {
		assert.Empty(t, records("red/claimed"))
		assert.ErrorIs(t, e.RecordChanges(within(t), "red/claimed", []linegate.ChangeRecord{{SessionID: "a"}}), linegate.ErrConflict,
			"a journal that was never begun")
	})
}
