package linegate_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"linegate"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// event happened so many seconds after noon, with that session time.
func event(status linegate.AcctStatus, second int, sessionTime uint32) *linegate.AccountingEvent {
	return &linegate.AccountingEvent{Status: status, At: noon.Add(time.Duration(second) * time.Second), AcctSessionID: "s1", SessionTime: sessionTime}
}

func TestCountersNeverFallWhateverTheOrder(t *testing.T) {
	newer, older := event(linegate.AcctInterim, 600, 600), event(linegate.AcctInterim, 300, 300)
	newer.InputOctets, newer.OutputOctets, newer.UserName = 1<<33, 200, "alice"
	older.InputOctets, older.OutputOctets, older.UserName, older.NASPortID = 100, 100, "old", "ppp0"
	older.FramedIPv4 = netip.MustParseAddr("192.0.2.1")

	session := linegate.NewSession("id", newer)
	session.Apply(older)
	assert.EqualValues(t, 1<<33, session.InputOctets)
	assert.EqualValues(t, 200, session.OutputOctets)
	assert.EqualValues(t, 600, session.SessionTime)
	assert.Equal(t, "alice", session.UserName, "a late event doesn't rename")
	assert.Equal(t, "ppp0", session.NASPortID, "but fills what was unknown")
	assert.Equal(t, "192.0.2.1", session.FramedIPv4.String())
	assert.Equal(t, newer.At, session.UpdatedAt)
	moved := event(linegate.AcctInterim, 900, 900)
	moved.ServiceVLAN = 101
	session.Apply(moved)
	moved.ServiceVLAN = 102
	session.Apply(moved)
	assert.EqualValues(t, 101, session.ServiceVLAN, "a change of the profile moves nobody who is online")
	assert.Equal(t, noon, session.StartedAt)
	assert.True(t, session.Open())
}

func TestTheFirstStopCounts(t *testing.T) {
	session := linegate.NewSession("id", event(linegate.AcctStart, 0, 0))
	stop := event(linegate.AcctStop, 60, 60)
	stop.TerminateCause = 1
	session.Apply(stop)
	later := event(linegate.AcctStop, 90, 90)
	later.TerminateCause = 6
	session.Apply(later)
	session.Apply(event(linegate.AcctInterim, 120, 60))
	assert.Equal(t, stop.At, session.StoppedAt)
	assert.EqualValues(t, 1, session.TerminateCause)
	session.Close(noon.Add(time.Hour), linegate.CauseNASReboot)
	assert.Equal(t, stop.At, session.StoppedAt)
}

func TestWhichEventsBelongToASession(t *testing.T) {
	ours := linegate.Octets(linegate.AppendClass(nil, linegate.Class{SubscriberID: "018f0000-0000-7000-8000-000000000001", DecidedAt: noon}))
	withClass := func(e *linegate.AccountingEvent) *linegate.AccountingEvent { e.Class = ours; return e }
	open := linegate.NewSession("id", withClass(event(linegate.AcctStart, 0, 0)))
	open.Apply(event(linegate.AcctInterim, 3600, 3600))
	stopped := linegate.NewSession("id", event(linegate.AcctStart, 0, 0))
	stopped.Apply(event(linegate.AcctStop, 600, 600))

	for name, test := range map[string]struct {
		session *linegate.Session
		event   *linegate.AccountingEvent
		want    bool
	}{
		"the Start again":                               {open, event(linegate.AcctStart, 4, 0), true},
		"a Start with another start":                    {open, event(linegate.AcctStart, 7200, 0), false},
		"that Start with the same Class":                {open, withClass(event(linegate.AcctStart, 7200, 0)), true},
		"the next Interim":                              {open, event(linegate.AcctInterim, 7200, 7200), true},
		"a late Interim":                                {open, event(linegate.AcctInterim, 1800, 1800), true},
		"an Interim of a session that began later":      {open, event(linegate.AcctInterim, 7200, 60), false},
		"the Stop of a stopped session again":           {stopped, event(linegate.AcctStop, 602, 600), true},
		"a late Interim of a stopped session":           {stopped, event(linegate.AcctInterim, 300, 300), true},
		"a late Start of a stopped session":             {stopped, event(linegate.AcctStart, 0, 0), true},
		"a Start after the stop":                        {stopped, event(linegate.AcctStart, 660, 0), false},
		"a Stop of a session that began after the stop": {stopped, event(linegate.AcctStop, 900, 200), false},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, test.session.Holds(test.event)) })
	}
}

func TestABrokenSessionTimeTellsNoStart(t *testing.T) {
	assert.Equal(t, noon, event(linegate.AcctStop, 0, 4294967295).StartedAt())
}

func TestRecordKeyKnowsARetransmission(t *testing.T) {
	first, again := event(linegate.AcctInterim, 300, 300), event(linegate.AcctInterim, 301, 300)
	assert.Equal(t, first.RecordKey("id"), again.RecordKey("id"))
	assert.NotEqual(t, first.RecordKey("id"), first.RecordKey("other"))
	again.InputOctets = 1
	assert.NotEqual(t, first.RecordKey("id"), again.RecordKey("id"))
	on, later := event(linegate.AcctOn, 0, 0), event(linegate.AcctOn, 5, 0)
	assert.NotEqual(t, on.RecordKey(""), later.RecordKey(""))

	const id = "018f0000-0001-7000-8000-0000000000ff"
	inTime := first.RecordKey(id)
	assert.Equal(t, []byte{0x01, 0x8f, 0, 0, 0, 1}, inTime[:6], "beside those of sessions that began together")
	assert.NotEqual(t, inTime, first.RecordKey("018f0000-0001-7000-8000-0000000000fe"))
}

// silent is a session that began at noon, was last heard of ten minutes later and
// is marked stale.
func silent() *linegate.Session {
	session := linegate.NewSession("id", event(linegate.AcctStart, 0, 0))
	session.Apply(event(linegate.AcctInterim, 600, 600))
	session.MarkStale()
	return session
}

func TestAStaleSessionIsOverWhenItWasLastHeardOf(t *testing.T) {
	session := silent()
	assert.False(t, session.Open())
	assert.False(t, session.Ended(), "but not for good")
	assert.Equal(t, noon.Add(10*time.Minute), session.StoppedAt)
	assert.Equal(t, linegate.CauseStale, session.TerminateCause)

	stopped := linegate.NewSession("id", event(linegate.AcctStop, 60, 60))
	stopped.MarkStale()
	assert.Zero(t, stopped.TerminateCause, "what has ended can't go stale")
}

func TestWhatAStaleSessionMakesOfAnEvent(t *testing.T) {
	stop := event(linegate.AcctStop, 500, 500)
	stop.TerminateCause = 4
	for name, test := range map[string]struct {
		event *linegate.AccountingEvent
		open  bool
		ended bool
	}{
		"an Interim from after it was last heard of revives it": {event(linegate.AcctInterim, 3600, 3600), true, false},
		"one without a session time does so too":                {event(linegate.AcctInterim, 3600, 0), true, false},
		"an Interim from before does not":                       {event(linegate.AcctInterim, 300, 300), false, false},
		"nor one from that very moment":                         {event(linegate.AcctInterim, 600, 0), false, false},
		"a Stop ends it":                                        {event(linegate.AcctStop, 3600, 3600), false, true},
		"a Stop from before it was last heard of as well":       {stop, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			session := silent()
			assert.True(t, session.Holds(test.event))
			session.Apply(test.event)
			assert.Equal(t, test.open, session.Open())
			assert.Equal(t, test.ended, session.Ended())
			switch {
			case test.open:
				assert.Zero(t, session.TerminateCause)
			case test.ended:
				assert.Equal(t, test.event.At, session.StoppedAt)
				assert.Equal(t, test.event.TerminateCause, session.TerminateCause)
			default:
				assert.Equal(t, noon.Add(10*time.Minute), session.StoppedAt)
			}
		})
	}
}

func TestNothingRevivesAStaleSessionThatWasClosed(t *testing.T) {
	session := silent()
	session.Close(noon.Add(time.Hour), linegate.CauseLostCarrier)
	session.Apply(event(linegate.AcctInterim, 7200, 7200))
	assert.Equal(t, noon.Add(10*time.Minute), session.StoppedAt, "it keeps the end it had")
	assert.Equal(t, linegate.CauseLostCarrier, session.TerminateCause)
	assert.EqualValues(t, 7200, session.SessionTime, "though counters are taken over")
}

func TestAPlaceIsTheBestNameOfACPE(t *testing.T) {
	station := linegate.PlaceOf("02-00-00-00-01-01", "olt1", "ge-0/0/1")
	assert.Equal(t, station, linegate.PlaceOf("0200.0000.0101", "", ""), "a MAC in any notation")
	circuit := linegate.PlaceOf("", "olt1", "ge-0/0/1")
	assert.Equal(t, circuit, linegate.PlaceOf("", "olt1", ""))
	port := linegate.PlaceOf("", "", "olt1")
	assert.NotEqual(t, circuit, port)
	assert.NotEqual(t, station, circuit)
	assert.Empty(t, linegate.PlaceOf("", "", ""))
	session := linegate.Session{CircuitID: "olt1", NASPortID: "ge-0/0/1"}
	assert.Equal(t, circuit, session.Place())
}
