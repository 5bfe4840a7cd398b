package client

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"linegate/radiusd/wire"
)

// Subject is one subscriber to ask for: a login from the right line and one from
// a wrong line, and what a server has to answer.
type Subject struct {
	UserName string
	Password string     // empty: none is sent
	Address  netip.Addr // while online; zero: none is told
	// Right and Wrong are the framed attributes that name the line.
	Right, Wrong []byte
	// AcceptWrong tells that the subscriber's policy lets a wrong line in.
	AcceptWrong bool
}

// Logins is a load of Access-Requests whose right answers are known.
type Logins struct {
	Subjects   []Subject // at least one; taken in turn, all sockets together covering all
	Attributes []byte    // of every request, framed
	Method     Method
	WrongShare float64 // of requests from a wrong line, 0 to 1
	Pace       Pace
	Seed       uint64 // which come from a wrong line
}

// Source is the part of one socket.
func (l *Logins) Source(socket, sockets int) Source {
	return &loginSource{
		Logins: l,
		pacer:  pacer{Pace: l.Pace, turn: socket, sockets: sockets},
		random: newRandom(^l.Seed, socket),
		next:   len(l.Subjects) * socket / sockets,
	}
}

type loginSource struct {
	*Logins
	pacer
	random *rand.ChaCha8
	next   int // subject
	login  Login
}

func (s *loginSource) Next(elapsed time.Duration) time.Duration { return s.pacer.next(elapsed) }

func (s *loginSource) Build(builder *Builder, ask *Ask) error {
	s.take()
	subject := &s.Subjects[s.next]
	s.next = (s.next + 1) % len(s.Subjects)
	wrong := fraction(s.random) < s.WrongShare
	return s.Logins.build(builder, ask, &s.login, subject, wrong)
}

// build makes a subject's Access-Request. login is space for it.
func (l *Logins) build(builder *Builder, ask *Ask, login *Login, subject *Subject, wrong bool) (err error) {
	line := subject.Right
	ask.Accept, ask.Acct = true, false
	if wrong {
		line, ask.Accept = subject.Wrong, subject.AcceptWrong
	}
	login.UserName, login.Password, login.Method = subject.UserName, subject.Password, l.Method
	if subject.Password == "" {
		login.Method = MethodNone
	}
	login.Attributes = append(append(login.Attributes[:0], l.Attributes...), line...)
	ask.Request, err = builder.Access(ask.Request.octets, ask.Identifier, login)
	return err
}

// fraction returns a random number from 0 to below 1.
func fraction(random *rand.ChaCha8) float64 { return float64(random.Uint64()>>11) / (1 << 53) }

func (s *loginSource) Settle(ask *Ask, reply wire.Packet, counts *Counts) bool {
	counts.judge(reply.Code(), ask.Accept)
	return true
}

func (s *loginSource) GiveUp(*Ask) {}

// judge compares an answer to an Access-Request with the one that was due.
func (c *Counts) judge(code wire.Code, accept bool) {
	switch code {
	case wire.AccessAccept:
		c.Accepts++
		if !accept {
			c.WrongAccepts++
		}
	case wire.AccessReject:
		c.Rejects++
		if accept {
			c.WrongRejects++
		}
	default:
		c.OtherAnswers++
	}
}
