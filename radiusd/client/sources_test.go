package client

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2866"
	"layeh.com/radius/rfc2869"

	"linegate/radiusd/wire"
)

// event is what a server sees of an accounting request.
type event struct {
	session, user, class string
	status               uint32
	seconds              uint32
	output               uint64
	identifier           byte
}

// books is an accounting server that remembers what it acknowledged. The first
// lost requests get no answer.
type books struct {
	t      testing.TB
	mu     sync.Mutex
	lost   int
	events []event
	octets [][]byte // of every datagram
}

func (b *books) answer(octets []byte) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.octets = append(b.octets, bytes.Clone(octets))
	if wire.Code(octets[0]) == wire.AccessRequest {
		return reply(octets, wire.AccessAccept, wire.AppendText(nil, wire.ClassAttribute, "class-of-the-call")...)
	}
	if !assert.True(b.t, radius.IsAuthenticRequest(octets, []byte(secret))) {
		return nil
	}
	packet, err := radius.Parse(octets, []byte(secret))
	if !assert.NoError(b.t, err) {
		return nil
	}
	if b.lost > 0 {
		b.lost--
		return nil
	}
	b.events = append(b.events, event{
		session: rfc2866.AcctSessionID_GetString(packet), user: rfc2865.UserName_GetString(packet),
		class: rfc2865.Class_GetString(packet), status: uint32(rfc2866.AcctStatusType_Get(packet)),
		seconds:    uint32(rfc2866.AcctSessionTime_Get(packet)),
		output:     uint64(rfc2869.AcctOutputGigawords_Get(packet))<<32 | uint64(rfc2866.AcctOutputOctets_Get(packet)),
		identifier: packet.Identifier,
	})
	return reply(octets, wire.AccountingResponse)
}

// all returns the events, and the octets of every datagram.
func (b *books) all() (events []event, octets [][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.events, b.octets
}

// count is how many events of a kind were acknowledged.
func (b *books) count(status uint32) (count uint64) {
	events, _ := b.all()
	for _, event := range events {
		if event.status == status {
			count++
		}
	}
	return count
}

// bySession lists the events of each session in the order they came.
func (b *books) bySession() map[string][]event {
	sessions := map[string][]event{}
	events, _ := b.all()
	for _, event := range events {
		sessions[event.session] = append(sessions[event.session], event)
	}
	return sessions
}

func TestSessionsFollowEachOtherAsFastAsTheyAreAcknowledged(t *testing.T) {
	kept := &books{t: t}
	sessions := &Sessions{Subjects: subjects(5), Prefix: "run-", Interims: 2, Duration: 200 * time.Millisecond}
	result, err := load(respond(t, kept.answer), sessions.Source).Run(t.Context())
	require.NoError(t, err)

	assert.Equal(t, result.Sent, result.Acknowledged())
	assert.Equal(t, kept.count(wire.StatusStart), result.Starts)
	assert.Equal(t, kept.count(wire.StatusInterimUpdate), result.Interims)
	assert.Equal(t, kept.count(wire.StatusStop), result.Stops)
	assert.Greater(t, result.Stops, uint64(10))
	whole := []uint32{wire.StatusStart, wire.StatusInterimUpdate, wire.StatusInterimUpdate, wire.StatusStop}
	for id, events := range kept.bySession() {
		output := uint64(0)
		for i, event := range events {
			assert.Equal(t, whole[i], event.status, id)
			assert.Equal(t, events[0].user, event.user)
			assert.True(t, i == 0 || event.output > output, "counters grow")
			output = event.output
		}
	}
	begun, bySession := 0, kept.bySession()
	require.NoError(t, sessions.Each(func(session Begun) error {
		begun++
		events, progress := bySession[session.ID], session.Progress
		assert.Equal(t, len(events) > 0, progress.Started)
		assert.Equal(t, len(events) == 4, progress.Stopped)
		assert.Equal(t, max(0, min(2, len(events)-1)), int(progress.Interims))
		return nil
	}))
	assert.Len(t, bySession, begun)
	failed := errors.New("enough")
	assert.ErrorIs(t, sessions.Each(func(Begun) error { return failed }), failed)
}

func TestAScheduleOfSessionsIsExact(t *testing.T) {
	kept := &books{t: t, lost: 7}
	sessions := &Sessions{Subjects: subjects(4), Prefix: "s", Interims: 3, Online: 25, Over: 300 * time.Millisecond}
	asked := load(respond(t, kept.answer), sessions.Source)
	asked.Timeout, asked.Tries, asked.Sockets = 100*time.Millisecond, 50, 3
	result, err := asked.Run(t.Context())
	require.NoError(t, err)

	assert.Equal(t, []uint64{25, 75, 25}, []uint64{result.Starts, result.Interims, result.Stops})
	assert.GreaterOrEqual(t, result.Retransmissions, uint64(7))
	assert.Zero(t, result.Timeouts)
	require.NoError(t, sessions.Each(func(session Begun) error {
		assert.Equal(t, Progress{Started: true, Stopped: true, Interims: 3}, session.Progress, session.ID)
		return nil
	}))
	assert.Len(t, kept.bySession(), 25)
}

func TestTheScheduleSpreadsEventsEvenly(t *testing.T) {
	sessions := &Sessions{Subjects: subjects(1), Interims: 1, Online: 4, Over: 12 * time.Second}
	var due []time.Duration
	for socket := range 2 {
		source := sessions.Source(socket, 2)
		builder := builder()
		for at := source.Next(0); at != Never; at = source.Next(0) {
			due = append(due, at)
			ask := &Ask{}
			require.NoError(t, source.Build(builder, ask))
			packet, err := radius.Parse(ask.Request.octets, []byte(secret))
			require.NoError(t, err)
			assert.Equal(t, 4*ask.Step, int(rfc2866.AcctSessionTime_Get(packet)), "the time since the session's Start")
		}
	}
	slices.Sort(due)
	for i, at := range due {
		assert.Equal(t, time.Duration(i)*time.Second, at)
	}
	assert.Len(t, due, 12)

	t.Run("sockets without a session have nothing to do", func(t *testing.T) {
		assert.Equal(t, Never, sessions.Source(4, 5).Next(0))
	})
	t.Run("sessions that stay open have no Stop", func(t *testing.T) {
		open := &Sessions{LeaveOpen: true, Interims: 1}
		assert.Equal(t, 2, open.steps())
		assert.EqualValues(t, wire.StatusInterimUpdate, open.status(1))
	})
}

func TestASessionGoesOnWhenAnEventGetsNoAnswer(t *testing.T) {
	kept := &books{t: t, lost: 1}
	sessions := &Sessions{Subjects: subjects(1), Duration: 250 * time.Millisecond}
	asked := load(respond(t, kept.answer), sessions.Source)
	asked.Sockets, asked.Window, asked.Timeout = 1, 1, 50*time.Millisecond
	result, err := asked.Run(t.Context())
	require.NoError(t, err)
	assert.Positive(t, result.Timeouts)
	events, _ := kept.all()
	assert.EqualValues(t, wire.StatusStop, events[0].status, "the Start was lost")
}

func TestSessionsNeedSense(t *testing.T) {
	assert.NoError(t, (&Sessions{Subjects: subjects(1)}).Validate())
	for want, sessions := range map[string]*Sessions{
		"nobody to account for": {},
		"0 to 10000 Interims":   {Subjects: subjects(1), Interims: 10001},
		"duration of more than": {Subjects: subjects(1), Online: 1},
	} {
		assert.ErrorContains(t, sessions.Validate(), want)
	}
}

func TestAnEventTellsTheLineAndTheAddress(t *testing.T) {
	subject := &Subject{UserName: "alice", Address: netip.MustParseAddr("100.64.0.9"), Right: wire.AppendText(nil, wire.NASPortID, "line")}
	sessions := &Sessions{Attributes: wire.AppendText(nil, wire.NASIdentifier, "nas")}
	request, err := builder().Accounting(nil, 1, sessions.appendEvent(nil, subject, 7, 0, 0))
	require.NoError(t, err)
	packet, err := radius.Parse(request.octets, []byte(secret))
	require.NoError(t, err)
	assert.Equal(t, "100.64.0.9", rfc2865.FramedIPAddress_Get(packet).String())
	assert.Equal(t, "line", rfc2869.NASPortID_GetString(packet))
	assert.Equal(t, "nas", rfc2865.NASIdentifier_GetString(packet))
}

func TestARequestGoesToTheNextServerUnchanged(t *testing.T) {
	silent, awake := &books{t: t, lost: 1 << 30}, &books{t: t}
	sessions := &Sessions{Subjects: subjects(1), Online: 6, Over: time.Millisecond}
	asked := load("", sessions.Source)
	asked.Auth, asked.Acct = nil, []string{respond(t, silent.answer), respond(t, awake.answer)}
	asked.Timeout, asked.Tries = 50*time.Millisecond, 40
	result, err := asked.Run(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 12, result.Acknowledged())
	assert.GreaterOrEqual(t, result.Retransmissions, uint64(6), "the half that began with the silent one")
	_, unanswered := silent.all()
	_, answered := awake.all()
	for _, octets := range unanswered {
		assert.True(t, slices.ContainsFunc(answered, func(other []byte) bool { return bytes.Equal(octets, other) }))
	}
}

func TestCallsAreALoginAStartAndAStop(t *testing.T) {
	kept := &books{t: t}
	calls := &Calls{
		Logins:   Logins{Subjects: subjects(3), Method: MethodPAP, Pace: Pace{Duration: 200 * time.Millisecond}},
		Sessions: Sessions{Prefix: "c"},
	}
	result, err := load(respond(t, kept.answer), calls.Source).Run(t.Context())
	require.NoError(t, err)
	assert.Positive(t, result.Calls)
	assert.Equal(t, result.Accepts, result.Calls, "calls that began are completed")
	assert.Equal(t, result.Calls, result.Starts)
	assert.Equal(t, result.Calls, result.Stops)
	assert.EqualValues(t, result.Calls, result.Latency.TotalCount(), "the latency is that of calls")
	for id, events := range kept.bySession() {
		require.Len(t, events, 2, id)
		assert.EqualValues(t, wire.StatusStart, events[0].status)
		assert.EqualValues(t, wire.StatusStop, events[1].status)
		assert.Equal(t, "class-of-the-call", events[0].class)
		assert.Equal(t, "class-of-the-call", events[1].class)
	}
}

func TestACallThatIsRejectedEnds(t *testing.T) {
	calls := &Calls{Logins: Logins{Subjects: subjects(3), Method: MethodPAP, Pace: Pace{Rate: 100, Duration: 100 * time.Millisecond}}}
	asked := load(respond(t, func(octets []byte) []byte { return reply(octets, wire.AccessReject) }), calls.Source)
	result, err := asked.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, result.Sent, result.WrongRejects)
	assert.Zero(t, result.Calls)

	silent := load(respond(t, func([]byte) []byte { return nil }), calls.Source)
	silent.Timeout = 30 * time.Millisecond
	result, err = silent.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, result.Sent, result.Timeouts)
}

func TestAPaceSpreadsWorkOverTheSockets(t *testing.T) {
	pace := Pace{Rate: 10, Duration: time.Second}
	var due []time.Duration
	for socket := range 3 {
		p := pacer{Pace: pace, turn: socket, sockets: 3}
		for at := p.next(0); at != Never; at = p.next(0) {
			due = append(due, at)
			p.take()
		}
	}
	slices.Sort(due)
	require.Len(t, due, 10)
	for i, at := range due {
		assert.Equal(t, time.Duration(i)*100*time.Millisecond, at)
	}
	late := pacer{Pace: pace, sockets: 1}
	assert.Equal(t, Never, late.next(2*time.Second), "what could not begin does not begin after the end")
	closed := pacer{Pace: Pace{Duration: time.Second}, sockets: 1}
	assert.Equal(t, Now, closed.next(0))
	assert.Equal(t, Never, closed.next(time.Second))
}

// A server that is stopped for a while has to show in the latency of a schedule:
// what was due meanwhile waited, although it could not even be sent.
func TestLatencyCountsFromTheScheduledTime(t *testing.T) {
	const pause = 300 * time.Millisecond
	var once sync.Once
	asked := logins()
	asked.Pace = Pace{Rate: 1000, Duration: 600 * time.Millisecond}
	l := load(respond(t, func(octets []byte) []byte {
		once.Do(func() { time.Sleep(pause) })
		return admit(octets)
	}), asked.Source)
	l.Sockets, l.Window = 1, 1
	result, err := l.Run(t.Context())
	require.NoError(t, err)
	slow := 0
	for _, bar := range result.Latency.Distribution() {
		if bar.From > (pause / 3).Microseconds() {
			slow += int(bar.Count)
		}
	}
	assert.Greater(t, slow, 100, "not just the one request that the server held up")
}

func TestTheFloorTakesWhatComesBack(t *testing.T) {
	asked := logins()
	l := load(respond(t, func(octets []byte) []byte { return octets }), asked.Source)
	l.Floor = true
	result, err := l.Run(t.Context())
	require.NoError(t, err)
	assert.Positive(t, result.Echoes)
	assert.Equal(t, result.Sent, result.Answered())

	l.Floor, l.Timeout = false, 30*time.Millisecond
	result, err = l.Run(t.Context())
	require.NoError(t, err)
	assert.Zero(t, result.Answered(), "an echo is no answer")
}

func TestRequestsCanGoWithoutMessageAuthenticator(t *testing.T) {
	for _, without := range []bool{false, true} {
		asked := logins()
		var signed atomic.Int64
		l := load(respond(t, func(octets []byte) []byte {
			packet, err := wire.Parse(octets)
			if assert.NoError(t, err) && packet.Find(wire.MessageAuthenticator) != nil {
				signed.Add(1)
			}
			return admit(octets)
		}), asked.Source)
		l.WithoutMessageAuthenticator = without
		result, err := l.Run(t.Context())
		require.NoError(t, err)
		assert.Zero(t, result.Wrong())
		assert.Equal(t, without, signed.Load() == 0)
	}
}

func TestEverySocketDrawsItsOwnNumbers(t *testing.T) {
	draw := func(r *rand.ChaCha8) uint64 { return r.Uint64() }
	assert.Equal(t, draw(newRandom(1, 2)), draw(newRandom(1, 2)))
	assert.NotEqual(t, draw(newRandom(1, 2)), draw(newRandom(1, 3)))
	assert.NotEqual(t, draw(newRandom(1, 2)), draw(newRandom(2, 2)))
}

func TestIdentifiersOfSessionsAreTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	sessions := &Sessions{Prefix: "x"}
	for socket := range 3 {
		share := sessions.share(socket, 3)
		for i := range 10 {
			id := string(sessions.appendID(nil, share.number(i)))
			assert.False(t, seen[id], id)
			assert.True(t, strings.HasPrefix(id, "x"))
			seen[id] = true
		}
	}
}

// The asking side shares the machine with the server that it measures.
func TestBuildingRequestsAllocatesNothing(t *testing.T) {
	sessions := &Sessions{Subjects: subjects(5), Interims: 3, Online: 1 << 20, Over: time.Hour, Prefix: "s-"}
	calls := logins()
	for name, source := range map[string]Source{"logins": calls.Source(0, 1), "a schedule of sessions": sessions.Source(0, 1)} {
		builder := &Builder{Signer: wire.NewSigner(secret), Random: newRandom(1, 0)}
		ask := &Ask{Request: Request{octets: make([]byte, 0, wire.MaxPacketSize)}}
		build := func() { require.NoError(t, source.Build(builder, ask)) }
		build()
		assert.Less(t, testing.AllocsPerRun(1000, build), 1.0, name)
	}
}

func TestSessionsAreSpreadOverTheirNAS(t *testing.T) {
	var mu sync.Mutex
	told := map[string]string{}
	sessions := &Sessions{Subjects: subjects(4), Online: 5, Over: 20 * time.Millisecond, LeaveOpen: true, NAS: netip.MustParsePrefix("10.1.2.3/31")}
	require.NoError(t, sessions.Validate())
	_, err := load(respond(t, func(octets []byte) []byte {
		packet, err := wire.Parse(octets)
		if err != nil {
			panic(err)
		}
		mu.Lock()
		defer mu.Unlock()
		told[string(packet.Find(wire.AcctSessionID))] = wire.Address(packet.Find(wire.NASIPAddress)).String()
		return reply(octets, wire.AccountingResponse)
	}), sessions.Source).Run(t.Context())
	require.NoError(t, err)
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, map[string]string{"0": "10.1.2.2", "1": "10.1.2.3", "2": "10.1.2.2", "3": "10.1.2.3", "4": "10.1.2.2"}, told)
	require.NoError(t, sessions.Each(func(session Begun) error {
		assert.Equal(t, told[session.ID], session.NAS.String())
		assert.NotEmpty(t, session.UserName)
		return nil
	}))
	sessions.NAS = netip.MustParsePrefix("2001:db8::/127")
	assert.ErrorContains(t, sessions.Validate(), "2001:db8::/127 is not allowed for the NAS: an IPv4 prefix")
}
