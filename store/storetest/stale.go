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

// interval is how often the sessions of these tests report.
const interval = 5 * time.Minute

// reporting is the event of a session that reports in an interval.
func reporting(e linegate.AccountingEvent) linegate.AccountingEvent {
	e.InterimInterval = uint32(interval / time.Second)
	return e
}

// markStale marks what was silent for three intervals.
func (e engine) markStale(t *testing.T, now time.Time) (marked int) {
	t.Helper()
	marked, err := e.MarkStale(within(t), now, 3)
	require.NoError(t, err)
	return marked
}

func testStale(t *testing.T, e engine) {
	lastHeard := epoch.Add(interval)
	late := lastHeard.Add(3*interval + time.Second)
	silent := func(t *testing.T, id string) {
		t.Helper()
		e.record(t, reporting(start(id, epoch)), reporting(interim(id, epoch, interval, 100)))
		require.Equal(t, 1, e.markStale(t, late))
	}

	t.Run("a session is stale after three silent intervals and not before", func(t *testing.T) {
		e.record(t, reporting(start("silent", epoch)), reporting(interim("silent", epoch, interval, 100)))
		assert.Zero(t, e.markStale(t, lastHeard.Add(3*interval)))
		assert.True(t, e.one(t, "silent").Open())
		assert.Equal(t, 1, e.markStale(t, late))
		session := e.one(t, "silent")
		assert.Equal(t, lastHeard, session.StoppedAt, "it ends when it was last heard of")
		assert.Equal(t, lastHeard, session.UpdatedAt)
		assert.Equal(t, linegate.CauseStale, session.TerminateCause)
		assert.Equal(t, uint64(100), session.InputOctets)
		assert.Zero(t, e.markStale(t, late), "it is marked once")
	})
	t.Run("how many intervals are too many is the caller's word", func(t *testing.T) {
		e.record(t, reporting(start("patient", epoch)))
		for _, test := range []struct{ intervals, want int }{{10, 0}, {2, 1}} {
			marked, err := e.MarkStale(within(t), epoch.Add(9*interval), test.intervals)
			require.NoError(t, err)
			assert.Equal(t, test.want, marked, "after %d", test.intervals)
		}
		assert.False(t, e.one(t, "patient").Open())
	})
	t.Run("a session without an interval never goes stale", func(t *testing.T) {
		e.record(t, start("quiet", epoch))
		assert.Zero(t, e.markStale(t, epoch.Add(10*365*24*time.Hour)))
		assert.True(t, e.one(t, "quiet").Open())
	})
	t.Run("what has ended stays as it ended", func(t *testing.T) {
		end := reporting(stop("ended", epoch, time.Minute, 1))
		e.record(t, reporting(start("ended", epoch)), end)
		assert.Zero(t, e.markStale(t, late))
		assert.Equal(t, uint32(1), e.one(t, "ended").TerminateCause)
	})
	t.Run("a later interim revives the session", func(t *testing.T) {
		silent(t, "revived")
		id := e.one(t, "revived").ID
		e.record(t, reporting(interim("revived", epoch, 5*interval, 900)))
		session := e.one(t, "revived")
		assert.Equal(t, id, session.ID)
		assert.True(t, session.Open())
		assert.Zero(t, session.StoppedAt)
		assert.Zero(t, session.TerminateCause)
		assert.Equal(t, uint64(900), session.InputOctets)
		assert.Equal(t, epoch.Add(5*interval), session.UpdatedAt)
		assert.Equal(t, 1, e.markStale(t, epoch.Add(9*interval)), "and it may go stale again")
	})
	t.Run("so does one that tells no session time", func(t *testing.T) {
		silent(t, "timeless")
		again := event(linegate.AcctInterim, "timeless", late)
		again.InputOctets = 900
		e.record(t, again)
		assert.True(t, e.one(t, "timeless").Open())
		e.record(t, stop("timeless", epoch, 20*interval, 901))
	})
	t.Run("an interim from before it was last heard of does not", func(t *testing.T) {
		silent(t, "late")
		e.record(t, interim("late", epoch, time.Minute, 50))
		session := e.one(t, "late")
		assert.Equal(t, lastHeard, session.StoppedAt)
		assert.Equal(t, linegate.CauseStale, session.TerminateCause)
	})
	t.Run("nor does a retransmission", func(t *testing.T) {
		silent(t, "again")
		again := reporting(interim("again", epoch, interval, 100))
		again.At, again.ReceivedAt = late, late
		e.record(t, again)
		assert.False(t, e.one(t, "again").Open())
	})
	t.Run("a later stop gives it its true end and cause", func(t *testing.T) {
		silent(t, "stopped")
		end := stop("stopped", epoch, 6*interval, 950)
		e.record(t, end)
		session := e.one(t, "stopped")
		assert.Equal(t, end.At, session.StoppedAt)
		assert.Equal(t, uint32(1), session.TerminateCause)
		assert.Equal(t, uint64(950), session.InputOctets)
		e.record(t, reporting(interim("stopped", epoch, 7*interval, 960)))
		assert.Equal(t, end.At, e.one(t, "stopped").StoppedAt, "and nothing revives it any more")
	})
	t.Run("an id that comes back ends the stale session for good", func(t *testing.T) {
		silent(t, "reused")
		e.record(t, start("reused", epoch.Add(24*time.Hour)))
		e.record(t, reporting(interim("reused", epoch, 25*time.Hour, 70_000)))
		sessions := e.named(t, "reused")
		require.Len(t, sessions, 2)
		assert.Equal(t, lastHeard, sessions[0].StoppedAt)
		assert.Equal(t, linegate.CauseLostCarrier, sessions[0].TerminateCause)
		assert.Equal(t, uint64(70_000), sessions[0].InputOctets)
		assert.True(t, sessions[1].Open())
	})
	t.Run("any number of sessions may fall silent together", func(t *testing.T) {
		const many = 1500
		events := make([]linegate.AccountingEvent, many)
		for i := range events {
			events[i] = reporting(start(fmt.Sprintf("many%d", i), epoch))
			events[i].ServiceVLAN = 77
		}
		e.record(t, events...)
		assert.Equal(t, many, e.markStale(t, late))
		counts, err := e.ActiveByVLAN(within(t))
		require.NoError(t, err)
		for _, count := range counts {
			assert.NotEqual(t, linegate.VLAN(77), count.VLAN, "none of them counts as online")
		}
	})
}

func testIPv6(t *testing.T, e engine) {
	prefix, delegated := netip.MustParsePrefix("2001:db8:1::/64"), netip.MustParsePrefix("2001:db8:100::/56")
	address := netip.MustParseAddr("2001:db8::5")
	both(t, e, "addresses that come with an interim are recorded, and stay when later events leave them out",
		func(t *testing.T, id string, record func(...linegate.AccountingEvent)) {
			told := reporting(interim(id, epoch, time.Minute, 1)) // SLAAC and DHCPv6 end after the Start
			told.FramedIPv6Prefix, told.DelegatedIPv6Prefix, told.FramedIPv6Address = prefix, delegated, address
			record(start(id, epoch), told, interim(id, epoch, time.Hour, 2), stop(id, epoch, 2*time.Hour, 3))
			session := e.one(t, id)
			assert.Equal(t, prefix, session.FramedIPv6Prefix)
			assert.Equal(t, delegated, session.DelegatedIPv6Prefix)
			assert.Equal(t, address, session.FramedIPv6Address)
			assert.Equal(t, uint32(300), session.InterimInterval)
		})
	both(t, e, "a prefix that changes is the newest one", func(t *testing.T, id string, record func(...linegate.AccountingEvent)) {
		first, second, late := interim(id, epoch, time.Hour, 1), interim(id, epoch, 3*time.Hour, 3), interim(id, epoch, 2*time.Hour, 2)
		first.DelegatedIPv6Prefix, second.DelegatedIPv6Prefix = delegated, netip.MustParsePrefix("2001:db8:200::/56")
		late.DelegatedIPv6Prefix = netip.MustParsePrefix("2001:db8:300::/56")
		record(start(id, epoch), first, second, late)
		assert.Equal(t, second.DelegatedIPv6Prefix, e.one(t, id).DelegatedIPv6Prefix)
	})
}

func testSessionNames(t *testing.T, e engine) {
	alice := store.NewID()
	given := start("s1", epoch)
	given.SubscriberID = alice
	twin := start("s1", epoch)
	twin.NAS.Name = "bng-b"
	e.record(t, given, twin, start("s2", epoch.Add(time.Minute)))
	session := e.sessions(t, store.SessionFilter{SubscriberID: alice})
	require.Len(t, session, 1)

	for name, test := range map[string]struct {
		filter store.SessionFilter
		want   int
	}{
		"by its own id":                        {store.SessionFilter{ID: session[0].ID}, 1},
		"by an id that is none":                {store.SessionFilter{ID: store.NewID()}, 0},
		"by acct-session-id, as many there be": {store.SessionFilter{AcctSessionID: "s1"}, 2},
		"by acct-session-id and nas":           {store.SessionFilter{AcctSessionID: "s1", NAS: "bng-b"}, 1},
		"by another subscriber":                {store.SessionFilter{SubscriberID: store.NewID()}, 0},
		"by subscriber, open":                  {store.SessionFilter{SubscriberID: alice, Active: true}, 1},
		"by subscriber, of another tenant":     {store.SessionFilter{SubscriberID: alice, Tenant: "other"}, 0},
	} {
		t.Run(name, func(t *testing.T) { assert.Len(t, e.sessions(t, test.filter), test.want) })
	}
}
