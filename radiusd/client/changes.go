package client

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"linegate"
	"linegate/radiusd/wire"
)

// Changes is a load of CoA-Requests and Disconnect-Requests (RFC 5176) for open
// sessions, taken in turn. A session has one request under way at a time, since of
// two the NAS could carry out either first; one that a Disconnect-ACK has ended is
// asked for no more.
type Changes struct {
	Sessions        [][]byte // what names each, framed; every socket needs one of its own
	Change          []byte   // what a CoA-Request asks for, framed
	DisconnectShare float64  // of requests that are Disconnect-Requests, 0 to 1
	Pace            Pace
	Seed            uint64 // which are Disconnect-Requests

	sources []*changeSource
}

// Validate says what is wrong with what was asked for.
func (c *Changes) Validate(sockets int) error {
	if len(c.Sessions) < sockets {
		return fmt.Errorf("changes: %d open sessions for %d sockets: each needs one of its own", len(c.Sessions), sockets)
	}
	if len(c.Change) == 0 && c.DisconnectShare < 1 {
		return errors.New("changes: a CoA-Request has to ask for something")
	}
	return nil
}

// Causes is how many requests were refused for each reason, 0 among them: none
// was given. It is known after the load has ended.
func (c *Changes) Causes() map[linegate.ErrorCause]uint64 {
	all := map[linegate.ErrorCause]uint64{}
	for _, source := range c.sources {
		for cause, count := range source.causes {
			all[cause] += count
		}
	}
	return all
}

// Source is the part of one socket: the sessions whose number leaves the socket's
// as remainder.
func (c *Changes) Source(socket, sockets int) Source {
	source := &changeSource{
		Changes: c,
		pacer:   pacer{Pace: c.Pace, turn: socket, sockets: sockets},
		random:  newRandom(^c.Seed, socket),
		causes:  map[linegate.ErrorCause]uint64{},
	}
	for session := socket; session < len(c.Sessions); session += sockets {
		source.resting = append(source.resting, session)
	}
	c.sources = append(c.sources, source)
	return source
}

type changeSource struct {
	*Changes
	pacer
	random  *rand.ChaCha8
	resting []int // sessions with nothing under way, the one that rested longest first
	causes  map[linegate.ErrorCause]uint64
	space   []byte
}

func (s *changeSource) Next(elapsed time.Duration) time.Duration {
	if len(s.resting) == 0 {
		return Never
	}
	return s.pacer.next(elapsed)
}

// Build asks for the session that rested longest. Its Proxy-State is the number of
// the request among all: no two are alike, so that no server takes one for a copy
// of another, and an answer shows that it belongs to this one.
func (s *changeSource) Build(builder *Builder, ask *Ask) (err error) {
	ask.Task, ask.Step, ask.Acct = s.resting[0], s.take(), false
	s.resting = s.resting[1:]
	disconnect := fraction(s.random) < s.DisconnectShare
	s.space = append(s.space[:0], s.Sessions[ask.Task]...)
	if !disconnect {
		s.space = append(s.space, s.Change...)
	}
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], uint64(ask.Step))
	s.space = wire.AppendAttribute(s.space, wire.ProxyState, number[:])
	ask.Request, err = builder.Change(ask.Request.octets, ask.Identifier, disconnect, s.space, time.Now())
	return err
}

func (s *changeSource) Settle(ask *Ask, reply wire.Packet, counts *Counts) bool {
	if !carriesNumber(reply, ask.Step) {
		counts.WrongProxyStates++
	}
	acked := reply.Code() == wire.CoAACK || reply.Code() == wire.DisconnectACK
	cause, fits := causeOf(reply, acked)
	if !fits {
		counts.WrongCauses++
	}
	if acked {
		counts.Acks++
	} else {
		counts.Naks++
		s.causes[cause]++
	}
	if reply.Code() != wire.DisconnectACK {
		s.GiveUp(ask)
	}
	return true
}

// GiveUp lets the session rest.
func (s *changeSource) GiveUp(ask *Ask) { s.resting = append(s.resting, ask.Task) }

// carriesNumber reports whether a reply returns the request's Proxy-State (RFC 5176
// section 3.1).
func carriesNumber(reply wire.Packet, number int) bool {
	state := reply.Find(wire.ProxyState)
	return len(state) == 8 && binary.BigEndian.Uint64(state) == uint64(number)
}

// causeOf returns a reply's Error-Cause, 0 when it has none. fits is false for one
// that such a reply can't have: 200 to 299 are of an ACK, others of a NAK (RFC 5176
// section 3.5).
func causeOf(reply wire.Packet, acked bool) (cause linegate.ErrorCause, fits bool) {
	value := reply.Find(wire.ErrorCause)
	if value == nil {
		return 0, true
	}
	number, ok := wire.Uint32(value)
	return linegate.ErrorCause(number), ok && acked == (number >= 200 && number <= 299)
}
