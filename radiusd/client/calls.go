package client

import (
	"time"

	"linegate/radiusd/wire"
)

// Calls is a load of whole calls: an Access-Request that is accepted, then a Start
// and a Stop with the accept's Class. The latency of a call is from its beginning
// to the acknowledged Stop.
type Calls struct {
	Logins            // without a share of wrong lines
	Sessions Sessions // its prefix counts; the subjects and attributes are those of Logins
}

// The steps of a call: those of a session without Interims, and one before.
const (
	callLogin = -1
	callStop  = 1
)

// Source is the part of one socket.
func (c *Calls) Source(socket, sockets int) Source {
	c.Sessions.Subjects, c.Sessions.Attributes = c.Subjects, c.Attributes
	return &callSource{
		Calls: c, share: c.Sessions.share(socket, sockets),
		pacer: pacer{Pace: c.Pace, turn: socket, sockets: sockets},
	}
}

type callSource struct {
	*Calls
	share   *share
	pacer   pacer
	login   Login
	waiting []call // for their next step
	classes [][]byte
	spare   [][]byte // space of classes that are no longer needed
}

// call is one under way.
type call struct {
	session int
	step    int
	since   time.Time
}

func (s *callSource) Next(elapsed time.Duration) time.Duration {
	if len(s.waiting) > 0 {
		return Now
	}
	return s.pacer.next(elapsed)
}

// Build takes the next step of a call that waits, or begins one.
func (s *callSource) Build(builder *Builder, ask *Ask) error {
	last := len(s.waiting) - 1
	if last < 0 {
		s.pacer.take()
		ask.Task, ask.Step = len(s.share.progress), callLogin
		s.share.progress, s.classes = append(s.share.progress, Progress{}), append(s.classes, nil)
		subject := s.share.subject(s.share.number(ask.Task))
		return s.Logins.build(builder, ask, &s.login, subject, false)
	}
	next := s.waiting[last]
	s.waiting = s.waiting[:last]
	ask.Task, ask.Step, ask.Since = next.session, next.step, next.since
	return s.share.build(builder, ask, 0, s.classes[ask.Task])
}

func (s *callSource) Settle(ask *Ask, reply wire.Packet, counts *Counts) bool {
	if ask.Step == callLogin {
		counts.judge(reply.Code(), ask.Accept)
		if reply.Code() != wire.AccessAccept {
			return true
		}
		s.keepClass(ask.Task, reply.Find(wire.ClassAttribute))
	} else {
		s.share.Settle(ask, reply, counts)
	}
	if ask.Step == callStop {
		counts.Calls++
		s.GiveUp(ask)
		return true
	}
	s.waiting = append(s.waiting, call{session: ask.Task, step: ask.Step + 1, since: ask.Since})
	return false
}

// keepClass keeps what the NAS has to tell the accounting server unchanged (RFC
// 2865 section 5.25).
func (s *callSource) keepClass(session int, class []byte) {
	if class == nil {
		return
	}
	var space []byte
	if last := len(s.spare) - 1; last >= 0 {
		space, s.spare = s.spare[last], s.spare[:last]
	}
	s.classes[session] = append(space[:0], class...)
}

// GiveUp ends a call.
func (s *callSource) GiveUp(ask *Ask) {
	if class := s.classes[ask.Task]; class != nil {
		s.spare, s.classes[ask.Task] = append(s.spare, class), nil
	}
}
