package storetest

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
)

func testReusedIDs(t *testing.T, e engine) {
	later := epoch.Add(24 * time.Hour)
	both(t, e, "a start far from the open session's is a new session and the old one is lost", func(t *testing.T, id string, record func(...linegate.AccountingEvent)) {
		record(start(id, epoch), interim(id, epoch, time.Hour, 100), start(id, later))
		sessions := e.named(t, id)
		require.Len(t, sessions, 2)
		assert.Equal(t, later, sessions[0].StoppedAt)
		assert.Equal(t, linegate.CauseLostCarrier, sessions[0].TerminateCause)
		assert.True(t, sessions[1].Open())
		assert.Zero(t, sessions[1].InputOctets)
	})
	both(t, e, "an id that comes back after the stop is a new session", func(t *testing.T, id string, record func(...linegate.AccountingEvent)) {
		record(start(id, epoch), stop(id, epoch, time.Hour, 100), start(id, later), interim(id, later, time.Hour, 7))
		sessions := e.named(t, id)
		require.Len(t, sessions, 2)
		assert.Equal(t, uint64(100), sessions[0].InputOctets)
		assert.Equal(t, uint64(7), sessions[1].InputOctets)
	})
	both(t, e, "an event of the ended session does not reach the one that follows", func(t *testing.T, id string, record func(...linegate.AccountingEvent)) {
		record(start(id, epoch), interim(id, epoch, time.Hour, 9_000_000), start(id, later), interim(id, epoch, 2*time.Hour, 9_500_000))
		sessions := e.named(t, id)
		require.Len(t, sessions, 2)
		assert.Equal(t, uint64(9_500_000), sessions[0].InputOctets)
		assert.Zero(t, sessions[1].InputOctets)
	})
	both(t, e, "nor when the two lie close together", func(t *testing.T, id string, record func(...linegate.AccountingEvent)) {
		record(start(id, epoch), start(id, epoch.Add(10*time.Minute)), interim(id, epoch, 8*time.Minute, 9_000_000))
		sessions := e.named(t, id)
		require.Len(t, sessions, 2)
		assert.Equal(t, uint64(9_000_000), sessions[0].InputOctets)
		assert.Zero(t, sessions[1].InputOctets)
	})
	both(t, e, "the class tells which of the sessions is meant", func(t *testing.T, id string, record func(...linegate.AccountingEvent)) {
		events := []linegate.AccountingEvent{start(id, epoch), stop(id, epoch, time.Hour, 100), start(id, later), event(linegate.AcctInterim, id, later.Add(time.Hour))}
		for i, at := range []time.Time{epoch, epoch, later, epoch} {
			events[i].Class = linegate.Octets(linegate.AppendClass(nil, linegate.Class{SubscriberID: "01900000-0000-7000-8000-000000000000", DecidedAt: at}))
		}
		events[3].InputOctets = 200
		record(events...)
		sessions := e.named(t, id)
		require.Len(t, sessions, 2)
		assert.Equal(t, uint64(200), sessions[0].InputOctets)
		assert.Zero(t, sessions[1].InputOctets)
	})
	both(t, e, "a stop of a session nobody knew does not end the one that follows", func(t *testing.T, id string, record func(...linegate.AccountingEvent)) {
		record(start(id, later), stop(id, epoch, time.Hour, 100))
		sessions := e.named(t, id)
		require.Len(t, sessions, 2)
		assert.Equal(t, epoch.Add(time.Hour), sessions[0].StoppedAt)
		assert.True(t, sessions[1].Open())
	})
	both(t, e, "a start that comes after its successor's does not stay open", func(t *testing.T, id string, record func(...linegate.AccountingEvent)) {
		middle := epoch.Add(12 * time.Hour)
		record(start(id, later), start(id, middle), start(id, epoch))
		sessions := e.named(t, id)
		require.Len(t, sessions, 3)
		assert.Equal(t, middle, sessions[0].StoppedAt)
		assert.Equal(t, later, sessions[1].StoppedAt)
		assert.True(t, sessions[2].Open())
	})
	both(t, e, "the same class is the same session however far the starts lie apart", func(t *testing.T, id string, record func(...linegate.AccountingEvent)) {
		class := linegate.Octets(linegate.AppendClass(nil, linegate.Class{SubscriberID: store.NewID(), DecidedAt: epoch}))
		first, second := start(id, epoch), start(id, later)
		first.Class, second.Class = class, class
		record(first, second)
		assert.Equal(t, epoch, e.one(t, id).StartedAt)
	})
	both(t, e, "a start told twice with clocks a little apart is one session", func(t *testing.T, id string, record func(...linegate.AccountingEvent)) {
		record(start(id, epoch), start(id, epoch.Add(9*time.Second)))
		e.one(t, id)
	})
}

func testReplays(t *testing.T, e engine) {
	later := epoch.Add(24 * time.Hour)
	off := event(linegate.AcctOff, "", later.Add(2*time.Hour))
	var story []linegate.AccountingEvent
	for i := range 3 {
		id := fmt.Sprintf("replay%d", i)
		story = append(story, start(id, epoch), interim(id, epoch, time.Hour, 1000), start(id, later),
			interim(id, epoch, 2*time.Hour, 2000), interim(id, later, time.Minute, 10))
	}
	story = append(story, interim("lost", epoch, time.Hour, 5), stop("lost", epoch, 2*time.Hour, 6), off, start("after", off.At.Add(time.Minute)))

	e.record(t, story...)
	first, events := e.sessions(t, store.SessionFilter{}), e.countEvents(t)
	require.Len(t, first, 8)
	require.Equal(t, len(story), events)

	t.Run("a whole batch again changes nothing", func(t *testing.T) {
		e.record(t, story...)
		assert.Equal(t, first, e.sessions(t, store.SessionFilter{}))
		assert.Equal(t, events, e.countEvents(t))
	})
	t.Run("each event again, backwards, changes nothing", func(t *testing.T) {
		for i := range story {
			e.record(t, story[len(story)-1-i])
		}
		assert.Equal(t, first, e.sessions(t, store.SessionFilter{}))
		assert.Equal(t, events, e.countEvents(t))
	})
	t.Run("an event twice in one batch is recorded once", func(t *testing.T) {
		e.record(t, start("twice", epoch), start("twice", epoch), stop("twice", epoch, time.Hour, 1), stop("twice", epoch, time.Hour, 1))
		e.one(t, "twice")
		assert.Equal(t, events+2, e.countEvents(t))
	})
	t.Run("an interim sent again without its delay changes nothing", func(t *testing.T) {
		given := interim("undelayed", epoch, time.Hour, 100)
		e.record(t, given)
		before := e.one(t, "undelayed")
		given.At, given.ReceivedAt = given.At.Add(20*time.Second), given.ReceivedAt.Add(20*time.Second)
		e.record(t, given)
		assert.Equal(t, before, e.one(t, "undelayed"))
	})
	t.Run("a stop sent again without its delay makes no second session", func(t *testing.T) {
		short := stop("short", epoch, 0, 0)
		again := short
		again.At, again.ReceivedAt = short.At.Add(20*time.Second), short.ReceivedAt.Add(20*time.Second)
		e.record(t, start("short", epoch), short)
		e.record(t, again)
		assert.Equal(t, short.At, e.one(t, "short").StoppedAt)
	})
	t.Run("a start sent again with its delay makes no second session", func(t *testing.T) {
		e.record(t, start("delayed", epoch), stop("delayed", epoch, 0, 0))
		e.record(t, start("delayed", epoch.Add(700*time.Millisecond)))
		e.one(t, "delayed")
	})
	t.Run("a replayed start makes no second session when an interim has moved its beginning", func(t *testing.T) {
		e.record(t, start("moved", epoch), interim("moved", epoch.Add(-10*time.Minute), time.Hour, 1))
		e.record(t, start("moved", epoch))
		e.one(t, "moved")
	})
}

func testOnOff(t *testing.T, e engine) {
	on := event(linegate.AcctOn, "", epoch.Add(time.Hour))
	on.UserName = ""
	elsewhere := start("elsewhere", epoch)
	elsewhere.NAS.Address = netip.MustParseAddr("192.0.2.2")
	other := start("other name", epoch)
	other.NAS.Name = "bng-b"
	foreign := start("foreign", epoch)
	foreign.NAS.Tenant = "other"

	e.record(t, start("stored", epoch))
	e.record(t, start("begun since", on.At.Add(time.Second)), start("same batch", epoch), elsewhere, other, foreign, stop("ended", epoch, time.Minute, 1),
		on, start("follows", on.At.Add(time.Second)))

	for _, id := range []string{"stored", "same batch"} {
		session := e.one(t, id)
		assert.Equal(t, on.At, session.StoppedAt, id)
		assert.Equal(t, linegate.CauseNASReboot, session.TerminateCause, id)
	}
	assert.Equal(t, uint32(1), e.one(t, "ended").TerminateCause, "what had ended stays as it ended")
	for _, id := range []string{"elsewhere", "other name", "foreign", "begun since", "follows"} {
		assert.True(t, e.one(t, id).Open(), id)
	}

	t.Run("the same on again closes nothing more", func(t *testing.T) {
		e.record(t, start("older than on, told late", on.At.Add(-time.Minute)))
		e.record(t, on)
		assert.True(t, e.one(t, "older than on, told late").Open())
	})
	t.Run("an id that comes back after the reboot is a new session", func(t *testing.T) {
		e.record(t, start("stored", on.At.Add(time.Minute)))
		sessions := e.named(t, "stored")
		require.Len(t, sessions, 2)
		assert.True(t, sessions[1].Open())
	})
	t.Run("off closes too", func(t *testing.T) {
		off := event(linegate.AcctOff, "", on.At.Add(time.Hour))
		e.record(t, off)
		assert.Equal(t, off.At, e.one(t, "follows").StoppedAt)
	})
}
