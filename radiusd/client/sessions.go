package client

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"linegate/radiusd/wire"
)

// Sessions is a load of accounting: sessions of the subjects in turn, each with a
// Start, Interims and a Stop whose counters grow. No two events are alike.
//
// With Online, there is a schedule: all Starts, then so many rounds of Interims,
// then all Stops, each round spread evenly over an equal part of Over, whatever
// the servers do. Without, events follow each other as fast as the servers
// acknowledge them, each session's in order, until Duration is over.
type Sessions struct {
	Subjects   []Subject // at least one
	Attributes []byte    // of every request, framed
	Prefix     string    // of each Acct-Session-Id
	// NAS are the IPv4 addresses of the boxes that the sessions are on, in turn, told
	// as NAS-IP-Address; zero: none is told.
	NAS       netip.Prefix
	Interims  int  // of each session
	LeaveOpen bool // no Stops
	Online    int
	Over      time.Duration
	Duration  time.Duration

	shares []*share
}

// maxInterims keeps Acct-Session-Time of a session in the closed loop, and the
// counters, within what they can hold.
const maxInterims = 10000

// Validate says what is wrong with what was asked for.
func (s *Sessions) Validate() error {
	switch {
	case len(s.Subjects) == 0:
		return errors.New("sessions: nobody to account for")
	case s.Interims < 0 || s.Interims > maxInterims:
		return errors.New("sessions: 0 to " + strconv.Itoa(maxInterims) + " Interims are allowed")
	case s.NAS.IsValid() && !s.NAS.Addr().Is4():
		return fmt.Errorf("sessions: %s is not allowed for the NAS: an IPv4 prefix", s.NAS)
	case s.Online < 0 || s.Online > 0 && s.Over <= 0:
		return errors.New("sessions: a schedule needs a number of sessions and a duration of more than 0")
	}
	return nil
}

// Progress is what was acknowledged of a session.
type Progress struct {
	Started, Stopped bool
	Interims         uint16
}

// share is one socket's part: the sessions whose number leaves the socket's as
// remainder. It knows what was acknowledged of each that was begun.
type share struct {
	*Sessions
	socket, sockets int
	progress        []Progress
	space           []byte
}

// Source is the part of one socket.
func (s *Sessions) Source(socket, sockets int) Source {
	part := s.share(socket, sockets)
	if s.Online > 0 {
		return &timetable{share: part}
	}
	return &stream{share: part}
}

func (s *Sessions) share(socket, sockets int) *share {
	part := &share{Sessions: s, socket: socket, sockets: sockets}
	s.shares = append(s.shares, part)
	return part
}

// Begun is a session that was begun, and what was acknowledged of it.
type Begun struct {
	ID       string // Acct-Session-Id
	UserName string
	NAS      netip.Addr // zero: none was told
	Progress
}

// Each calls fn for every session that was begun, after the load has ended. It
// stops at fn's first error and returns it.
func (s *Sessions) Each(fn func(session Begun) error) error {
	for _, share := range s.shares {
		for i, progress := range share.progress {
			number := share.number(i)
			begun := Begun{string(s.appendID(nil, number)), s.subject(number).UserName, s.nas(number), progress}
			if err := fn(begun); err != nil {
				return err
			}
		}
	}
	return nil
}

// subject is whose session has the number among all.
func (s *Sessions) subject(number int) *Subject { return &s.Subjects[number%len(s.Subjects)] }

// nas is the box that it is on.
func (s *Sessions) nas(number int) netip.Addr {
	if !s.NAS.IsValid() {
		return netip.Addr{}
	}
	address := s.NAS.Masked().Addr().As4()
	boxes := 1 << (32 - s.NAS.Bits())
	binary.BigEndian.PutUint32(address[:], binary.BigEndian.Uint32(address[:])+uint32(number%boxes))
	return netip.AddrFrom4(address)
}

// steps is how many events a session has.
func (s *Sessions) steps() int {
	if s.LeaveOpen {
		return 1 + s.Interims
	}
	return 2 + s.Interims
}

// status is the Acct-Status-Type of a session's event.
func (s *Sessions) status(step int) uint32 {
	switch {
	case step == 0:
		return wire.StatusStart
	case step <= s.Interims:
		return wire.StatusInterimUpdate
	}
	return wire.StatusStop
}

// number is that of the share's i-th session among all.
func (s *share) number(i int) int { return s.socket + i*s.sockets }

func (s *Sessions) appendID(dst []byte, number int) []byte {
	return strconv.AppendInt(append(dst, s.Prefix...), int64(number), 10)
}

// build makes the event that ask.Task and ask.Step name, at an age of the session.
func (s *share) build(builder *Builder, ask *Ask, age time.Duration, class []byte) (err error) {
	number := s.number(ask.Task)
	subject := s.subject(number)
	s.space = s.appendEvent(s.space[:0], subject, number, ask.Step, age)
	if class != nil {
		s.space = wire.AppendAttribute(s.space, wire.ClassAttribute, class)
	}
	ask.Acct = true
	ask.Request, err = builder.Accounting(ask.Request.octets, ask.Identifier, s.space)
	return err
}

// What a subscriber moves between two events, in octets: gigawords are soon
// needed.
const (
	stepInput  = 700_000_000
	stepOutput = 3_000_000_000
)

// appendEvent appends what RFC 2866 section 5.13 wants of each kind of event.
func (s *Sessions) appendEvent(dst []byte, subject *Subject, number, step int, age time.Duration) []byte {
	status := s.status(step)
	dst = wire.AppendInteger(dst, wire.AcctStatusType, status)
	var id [253]byte
	dst = wire.AppendAttribute(dst, wire.AcctSessionID, s.appendID(id[:0], number))
	dst = wire.AppendText(dst, wire.UserName, subject.UserName)
	dst = append(append(dst, s.Attributes...), subject.Right...)
	if nas := s.nas(number); nas.IsValid() {
		dst = wire.AppendAddress(dst, wire.NASIPAddress, nas)
	}
	if subject.Address.Is4() {
		dst = wire.AppendAddress(dst, wire.FramedIPAddress, subject.Address)
	}
	if status == wire.StatusStart {
		return dst
	}
	input, output := uint64(step)*stepInput, uint64(step)*stepOutput
	dst = wire.AppendInteger(dst, wire.AcctSessionTime, uint32(age/time.Second))
	dst = wire.AppendInteger(dst, wire.AcctInputOctets, uint32(input))
	dst = wire.AppendInteger(dst, wire.AcctInputGigawords, uint32(input>>32))
	dst = wire.AppendInteger(dst, wire.AcctOutputOctets, uint32(output))
	dst = wire.AppendInteger(dst, wire.AcctOutputGigawords, uint32(output>>32))
	if status == wire.StatusStop {
		dst = wire.AppendInteger(dst, wire.AcctTerminateCause, causeUserRequest)
	}
	return dst
}

// causeUserRequest is the usual Acct-Terminate-Cause (RFC 2866 section 5.10).
const causeUserRequest = 1

// Settle counts an acknowledged event.
func (s *share) Settle(ask *Ask, _ wire.Packet, counts *Counts) bool {
	progress := &s.progress[ask.Task]
	switch s.status(ask.Step) {
	case wire.StatusStart:
		counts.Starts++
		progress.Started = true
	case wire.StatusInterimUpdate:
		counts.Interims++
		progress.Interims++
	case wire.StatusStop:
		counts.Stops++
		progress.Stopped = true
	}
	return true
}

// timetable is a share on a schedule.
type timetable struct {
	*share
	step, session int // of the next event
}

// due is when an event happens: within its round, in the order of the sessions.
func (t *timetable) due(step, session int) time.Duration {
	event := step*t.Online + t.number(session)
	return time.Duration(float64(t.Over) * float64(event) / float64(t.steps()*t.Online))
}

func (t *timetable) Next(time.Duration) time.Duration {
	if t.number(t.session) >= t.Online {
		t.step, t.session = t.step+1, 0
	}
	if t.step >= t.steps() || t.socket >= t.Online {
		return Never
	}
	return t.due(t.step, t.session)
}

func (t *timetable) Build(builder *Builder, ask *Ask) error {
	ask.Task, ask.Step = t.session, t.step
	if t.step == 0 {
		t.progress = append(t.progress, Progress{})
	}
	t.session++
	return t.build(builder, ask, t.due(ask.Step, ask.Task)-t.due(0, ask.Task), nil)
}

func (t *timetable) GiveUp(*Ask) {}

// stream is a share in the closed loop.
type stream struct {
	*share
	elapsed time.Duration
	begun   []time.Duration // of each session
	resting []Ask           // sessions with nothing under way, and their next step
}

func (s *stream) Next(elapsed time.Duration) time.Duration {
	if s.elapsed = elapsed; elapsed >= s.Duration {
		return Never
	}
	return Now
}

// Build goes on with a session that waits, or begins one.
func (s *stream) Build(builder *Builder, ask *Ask) error {
	if last := len(s.resting) - 1; last >= 0 {
		ask.Task, ask.Step = s.resting[last].Task, s.resting[last].Step
		s.resting = s.resting[:last]
	} else {
		ask.Task, ask.Step = len(s.progress), 0
		s.progress, s.begun = append(s.progress, Progress{}), append(s.begun, s.elapsed)
	}
	return s.build(builder, ask, s.elapsed-s.begun[ask.Task], nil)
}

func (s *stream) Settle(ask *Ask, reply wire.Packet, counts *Counts) bool {
	s.GiveUp(ask)
	return s.share.Settle(ask, reply, counts)
}

// GiveUp goes on with the session's next event, as a NAS would.
func (s *stream) GiveUp(ask *Ask) {
	if ask.Step+1 < s.steps() {
		s.resting = append(s.resting, Ask{Task: ask.Task, Step: ask.Step + 1})
	}
}
