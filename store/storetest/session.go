package storetest

import (
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
)

var (
	epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	box   = linegate.NASKey{Tenant: "demo", Name: "bng", Address: netip.MustParseAddr("192.0.2.1")}
)

func event(status linegate.AcctStatus, id string, at time.Time) linegate.AccountingEvent {
	return linegate.AccountingEvent{NAS: box, Status: status, AcctSessionID: id, At: at, ReceivedAt: at, UserName: "alice"}
}

func start(id string, at time.Time) linegate.AccountingEvent {
	return event(linegate.AcctStart, id, at)
}

// counted is an Interim or Stop of a session that has lasted and moved octets in
// both directions.
func counted(status linegate.AcctStatus, id string, startedAt time.Time, lasted time.Duration, octets uint64) linegate.AccountingEvent {
	e := event(status, id, startedAt.Add(lasted))
	e.SessionTime = uint32(lasted / time.Second)
	e.InputOctets, e.OutputOctets, e.InputPackets, e.OutputPackets = octets, 2*octets, octets/100, octets/50
	return e
}

func interim(id string, startedAt time.Time, lasted time.Duration, octets uint64) linegate.AccountingEvent {
	return counted(linegate.AcctInterim, id, startedAt, lasted, octets)
}

func stop(id string, startedAt time.Time, lasted time.Duration, octets uint64) linegate.AccountingEvent {
	e := counted(linegate.AcctStop, id, startedAt, lasted, octets)
	e.TerminateCause = 1
	return e
}

// record records events in one batch.
func (e engine) record(t *testing.T, events ...linegate.AccountingEvent) {
	t.Helper()
	require.NoError(t, e.RecordAccounting(within(t), events))
}

// sessions lists what the filter lets through.
func (e engine) sessions(t *testing.T, filter store.SessionFilter) (sessions []*linegate.Session) {
	t.Helper()
	require.NoError(t, e.EachSession(within(t), filter, func(s *linegate.Session) error {
		sessions = append(sessions, s)
		return nil
	}))
	return sessions
}

// named returns the sessions with an Acct-Session-Id, oldest first.
func (e engine) named(t *testing.T, id string) (sessions []*linegate.Session) {
	t.Helper()
	for _, s := range e.sessions(t, store.SessionFilter{}) {
		if s.AcctSessionID == id {
			sessions = append([]*linegate.Session{s}, sessions...)
		}
	}
	return sessions
}

// one returns the only session with an Acct-Session-Id.
func (e engine) one(t *testing.T, id string) *linegate.Session {
	t.Helper()
	sessions := e.named(t, id)
	require.Len(t, sessions, 1)
	return sessions[0]
}

func (e engine) countEvents(t *testing.T) int {
	t.Helper()
	count, err := e.CountAccounting(within(t))
	require.NoError(t, err)
	return count
}

// both runs a test with the events in one batch, and with each in its own: what
// a batch holds must not matter.
func both(t *testing.T, e engine, name string, test func(t *testing.T, id string, record func(...linegate.AccountingEvent))) {
	t.Run(name+", in one batch", func(t *testing.T) {
		test(t, name+" batch", func(events ...linegate.AccountingEvent) { e.record(t, events...) })
	})
	t.Run(name+", one by one", func(t *testing.T) {
		test(t, name+" single", func(events ...linegate.AccountingEvent) {
			for _, event := range events {
				e.record(t, event)
			}
		})
	})
}

func testSessions(t *testing.T, e engine) {
	both(t, e, "start interim and stop make one session", func(t *testing.T, id string, record func(...linegate.AccountingEvent)) {
		end := stop(id, epoch, 2*time.Hour, 5000)
		record(start(id, epoch), interim(id, epoch, time.Hour, 3000), end)
		session := e.one(t, id)
		assert.Equal(t, epoch, session.StartedAt)
		assert.Equal(t, end.At, session.StoppedAt)
		assert.Equal(t, end.At, session.UpdatedAt)
		assert.Equal(t, uint32(7200), session.SessionTime)
		assert.Equal(t, []uint64{5000, 10000, 50, 100},
			[]uint64{session.InputOctets, session.OutputOctets, session.InputPackets, session.OutputPackets})
		assert.Equal(t, uint32(1), session.TerminateCause)
		assert.Len(t, session.ID, 36)
	})
	t.Run("every field of an event comes back", func(t *testing.T) {
		given := start("every \x00\xff", epoch)
		given.UserName, given.SubscriberID = "al\x00\xff", store.NewID()
		given.Class = linegate.Octets(linegate.AppendClass(nil, linegate.Class{SubscriberID: given.SubscriberID, DecidedAt: epoch}))
		given.CallingStationID, given.NASPortID = "02:00:00:00:01:01", "xe-0/0/0.\xff"
		given.Line.CircuitID, given.Line.RemoteID = "\x00\xff", "ONT1"
		given.FramedIPv4, given.FramedIPv6Address = netip.MustParseAddr("100.64.0.11"), netip.MustParseAddr("2001:db8::5")
		given.FramedIPv6Prefix, given.DelegatedIPv6Prefix = netip.MustParsePrefix("2001:db8:1::/64"), netip.MustParsePrefix("2001:db8:100::/56")
		given.ServiceVLAN, given.InnerVLAN, given.InterimInterval = 101, 202, 300
		e.record(t, given)
		session := e.one(t, given.AcctSessionID)
		want := linegate.NewSession(session.ID, &given)
		assert.Equal(t, want, session)
	})
	t.Run("counters use all of 64 bits", func(t *testing.T) {
		big := interim("big", epoch, time.Hour, 0)
		big.InputOctets, big.OutputOctets, big.InputPackets = math.MaxUint64, 1<<63, 5<<32+7
		e.record(t, start("big", epoch), big)
		session := e.one(t, "big")
		assert.Equal(t, uint64(math.MaxUint64), session.InputOctets)
		assert.Equal(t, uint64(1<<63), session.OutputOctets)
		assert.Equal(t, uint64(5<<32+7), session.InputPackets)
	})
	both(t, e, "counters never fall", func(t *testing.T, id string, record func(...linegate.AccountingEvent)) {
		record(start(id, epoch), interim(id, epoch, 2*time.Hour, 9000), interim(id, epoch, time.Hour, 4000),
			interim(id, epoch, 3*time.Hour, 100))
		session := e.one(t, id)
		assert.Equal(t, uint64(9000), session.InputOctets)
		assert.Equal(t, uint64(18000), session.OutputOctets)
		assert.Equal(t, uint32(3*3600), session.SessionTime)
		assert.True(t, session.Open())
	})
	both(t, e, "a late interim neither rejuvenates nor overwrites", func(t *testing.T, id string, record func(...linegate.AccountingEvent)) {
		newest, late := interim(id, epoch, 2*time.Hour, 9000), interim(id, epoch, time.Hour, 4000)
		newest.FramedIPv4, late.FramedIPv4 = netip.MustParseAddr("100.64.0.2"), netip.MustParseAddr("100.64.0.1")
		record(start(id, epoch), newest, late)
		session := e.one(t, id)
		assert.Equal(t, newest.At, session.UpdatedAt)
		assert.Equal(t, newest.FramedIPv4, session.FramedIPv4)
	})
	both(t, e, "an interim without a start makes the session", func(t *testing.T, id string, record func(...linegate.AccountingEvent)) {
		record(interim(id, epoch, time.Hour, 4000), start(id, epoch), interim(id, epoch, 2*time.Hour, 5000))
		session := e.one(t, id)
		assert.Equal(t, epoch, session.StartedAt)
		assert.Equal(t, uint64(5000), session.InputOctets)
		assert.True(t, session.Open())
	})
	both(t, e, "a stop without a start makes an ended session", func(t *testing.T, id string, record func(...linegate.AccountingEvent)) {
		record(stop(id, epoch, time.Hour, 4000), start(id, epoch))
		session := e.one(t, id)
		assert.Equal(t, epoch, session.StartedAt)
		assert.False(t, session.Open())
	})
	both(t, e, "the first stop counts", func(t *testing.T, id string, record func(...linegate.AccountingEvent)) {
		first, second := stop(id, epoch, time.Hour, 4000), stop(id, epoch, time.Hour+time.Minute, 4100)
		second.TerminateCause = 9
		record(start(id, epoch), first, second)
		session := e.one(t, id)
		assert.Equal(t, first.At, session.StoppedAt)
		assert.Equal(t, uint32(1), session.TerminateCause)
		assert.Equal(t, uint64(4100), session.InputOctets)
	})
	both(t, e, "an interim after the stop does not reopen", func(t *testing.T, id string, record func(...linegate.AccountingEvent)) {
		end := stop(id, epoch, time.Hour, 4000)
		record(start(id, epoch), end, interim(id, epoch, 59*time.Minute, 3900), interim(id, epoch, time.Hour+time.Second, 4001))
		session := e.one(t, id)
		assert.Equal(t, end.At, session.StoppedAt)
		assert.Equal(t, uint64(4001), session.InputOctets)
	})
	both(t, e, "interims without a session time belong to the open session", func(t *testing.T, id string, record func(...linegate.AccountingEvent)) {
		second, end := event(linegate.AcctInterim, id, epoch.Add(time.Hour)), event(linegate.AcctStop, id, epoch.Add(2*time.Hour))
		second.InputOctets, end.InputOctets = 100, 200
		record(start(id, epoch), second, end)
		session := e.one(t, id)
		assert.Equal(t, end.At, session.StoppedAt)
		assert.Equal(t, uint64(200), session.InputOctets)
	})
	t.Run("equal ids of two boxes are two sessions", func(t *testing.T) {
		second := start("shared", epoch)
		second.NAS.Address = netip.MustParseAddr("192.0.2.2")
		third := start("shared", epoch)
		third.NAS.Name = "bng-b"
		fourth := start("shared", epoch)
		fourth.NAS.Tenant = "other"
		e.record(t, start("shared", epoch), second, third, fourth)
		assert.Len(t, e.named(t, "shared"), 4)
	})
}

func testSessionLists(t *testing.T, e engine) {
	for i := range 6 {
		s := start(fmt.Sprintf("s%d", i), epoch.Add(time.Duration(i)*time.Minute))
		s.ServiceVLAN = linegate.VLAN(100 + i%2)
		s.UserName = fmt.Sprintf("user%d", i%3)
		if i == 5 {
			s.NAS.Tenant, s.NAS.Name = "other", "bng-b"
		}
		e.record(t, s)
	}
	ended := stop("s0", epoch, time.Hour, 1)
	ended.ServiceVLAN, ended.UserName = 100, "user0"
	e.record(t, ended)

	for name, test := range map[string]struct {
		filter store.SessionFilter
		want   []string
	}{
		"all, newest start first":  {store.SessionFilter{}, []string{"s5", "s4", "s3", "s2", "s1", "s0"}},
		"of a tenant":              {store.SessionFilter{Tenant: "other"}, []string{"s5"}},
		"open ones":                {store.SessionFilter{Tenant: "demo", Active: true}, []string{"s4", "s3", "s2", "s1"}},
		"of a user":                {store.SessionFilter{UserName: "user0"}, []string{"s3", "s0"}},
		"of a NAS":                 {store.SessionFilter{NAS: "bng-b"}, []string{"s5"}},
		"on a VLAN":                {store.SessionFilter{VLAN: 100}, []string{"s4", "s2", "s0"}},
		"no more than the limit":   {store.SessionFilter{Limit: 2}, []string{"s5", "s4"}},
		"all conditions together":  {store.SessionFilter{Tenant: "demo", Active: true, UserName: "user2", NAS: "bng", VLAN: 100, Limit: 9}, []string{"s2"}},
		"of a tenant that is none": {store.SessionFilter{Tenant: "' OR 1=1 --"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var ids []string
			for _, s := range e.sessions(t, test.filter) {
				ids = append(ids, s.AcctSessionID)
			}
			assert.Equal(t, test.want, ids)
		})
	}
	t.Run("open sessions are counted by tenant and vlan", func(t *testing.T) {
		counts, err := e.ActiveByVLAN(within(t))
		require.NoError(t, err)
		assert.Equal(t, []store.VLANCount{
			{Tenant: "demo", VLAN: 100, Count: 2}, {Tenant: "demo", VLAN: 101, Count: 2}, {Tenant: "other", VLAN: 101, Count: 1}}, counts)
	})
	t.Run("a list ends with the first error of its reader", func(t *testing.T) {
		enough, calls := fmt.Errorf("enough"), 0
		err := e.EachSession(within(t), store.SessionFilter{}, func(*linegate.Session) error { calls++; return enough })
		assert.ErrorIs(t, err, enough)
		assert.Equal(t, 1, calls)
	})
}
