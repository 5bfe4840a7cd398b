package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
)

func testRetention(t *testing.T, e engine) {
	retain := func(t *testing.T, retention store.Retention) store.Retained {
		t.Helper()
		dropped, err := e.Retain(within(t), retention)
		require.NoError(t, err)
		return dropped
	}
	day := 24 * time.Hour
	e.record(t, start("open", epoch.Add(-500*day)), interim("open", epoch.Add(-500*day), 100*day, 1))
	e.record(t, start("old", epoch.Add(-100*day)), stop("old", epoch.Add(-100*day), time.Hour, 1))
	e.record(t, start("long", epoch.Add(-100*day)), stop("long", epoch.Add(-100*day), 99*day, 1))
	e.record(t, event(linegate.AcctOn, "", epoch.Add(-900*day)))
	require.Equal(t, 7, e.countEvents(t))

	t.Run("nothing is dropped unless it is said how old", func(t *testing.T) {
		assert.Zero(t, retain(t, store.Retention{}))
		assert.Equal(t, 7, e.countEvents(t))
	})
	t.Run("events go by their age and sessions stay", func(t *testing.T) {
		assert.Equal(t, store.Retained{Events: 3}, retain(t, store.Retention{EventsBefore: epoch.Add(-100 * day)}))
		assert.Equal(t, 4, e.countEvents(t))
		assert.Len(t, e.sessions(t, store.SessionFilter{}), 3)
		assert.Zero(t, retain(t, store.Retention{EventsBefore: epoch.Add(-100 * day)}), "they go once")
	})
	t.Run("sessions go by the age of their end and open ones never", func(t *testing.T) {
		assert.Equal(t, store.Retained{Sessions: 1}, retain(t, store.Retention{SessionsBefore: epoch.Add(-50 * day)}))
		assert.Empty(t, e.named(t, "old"))
		e.one(t, "long")
		assert.True(t, e.one(t, "open").Open())
	})
	t.Run("more than one step drops at a time is dropped", func(t *testing.T) {
		const many = 2500
		events := make([]linegate.AccountingEvent, many)
		for i := range events {
			events[i] = stop(fmt.Sprintf("many%d", i), epoch.Add(-40*day), time.Hour, 1)
		}
		e.record(t, events...)
		before := epoch.Add(-30 * day)
		assert.Equal(t, store.Retained{Events: many + 3, Sessions: many}, retain(t, store.Retention{EventsBefore: before, SessionsBefore: before}))
		assert.Len(t, e.sessions(t, store.SessionFilter{}), 2)
	})
	t.Run("a session whose events are gone goes on", func(t *testing.T) {
		given := interim("open", epoch.Add(-500*day), 500*day, 99)
		e.record(t, given)
		session := e.one(t, "open")
		assert.Equal(t, given.At, session.UpdatedAt)
		assert.Equal(t, uint64(99), session.InputOctets)
	})
	t.Run("it ends with its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(within(t))
		cancel()
		_, err := e.Retain(ctx, store.Retention{EventsBefore: epoch, SessionsBefore: epoch})
		assert.ErrorIs(t, err, context.Canceled)
	})
}
