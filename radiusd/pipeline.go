package radiusd

import (
	"bytes"
	"errors"
	"time"

	"linegate"
	"linegate/radiusd/wire"
	"linegate/telemetry"
)

// The story of a packet: open finds whose NAS it is, whether its form is right and what
// it asks for; handle finds whether the NAS really sent it and whether it is a
// duplicate, and then does what it asks for; flush signs the answers and sends them.
// All of it runs on the socket's loop, for a batch of packets at a time, and never
// waits for a store.

// open takes a packet into the batch.
func (s *socket) open(datagram []byte, from peer, now time.Time) {
	client := s.server.clients.Load().find(from.address.Addr())
	if client == nil {
		s.server.drop(telemetry.DropUnknownClient, from, nil, nil)
		return
	}
	packet, err := wire.Parse(datagram)
	if err != nil {
		s.server.drop(telemetry.DropMalformed, from, client, err)
		return
	}
	asked, refused := s.accepts(packet.Code())
	if refused != "" {
		s.server.drop(refused, from, client, nil)
		return
	}
	client.tenant.Request(asked)
	s.opened = append(s.opened, exchange{socket: s, client: client, packet: packet, asked: asked, from: from, received: now})
	s.checks = append(s.checks, wire.Check{Signer: client.signer, Packet: packet})
}

// handle works on what was opened.
func (s *socket) handle() {
	s.lanes.Verify(s.checks)
	for i := range s.opened {
		x := &s.opened[i]
		if refused := x.client.refuses(&s.checks[i]); refused != "" {
			s.server.drop(refused, x.from, x.client, nil)
			continue
		}
		x.handle()
	}
	s.opened, s.checks = s.opened[:0], s.checks[:0]
}

// flush signs the answers, keeps them for duplicates, and sends them.
func (s *socket) flush(now time.Time) {
	s.lanes.SignReplies(s.unsigned)
	for i := range s.unsigned {
		s.replies.finish(s.tickets[i], s.unsigned[i].Packet, now)
	}
	s.unsigned, s.tickets = s.unsigned[:0], s.tickets[:0]
	s.mail.flush(s.failed)
}

func (x *exchange) handle() {
	s := x.socket
	if x.asked == telemetry.RequestStatus {
		x.status()
		return
	}
	key := replyKey{source: x.from.address, identifier: x.packet.Identifier()}
	seen, ticket, reply := s.replies.begin(key, x.packet.Authenticator(), x.received)
	switch seen {
	case sightedAnswered:
		s.server.metrics.Duplicate(telemetry.DuplicateResent)
		s.mail.put(reply, addressee{x.from, x.client})
		return
	case sightedInFlight:
		s.server.metrics.Duplicate(telemetry.DuplicateInFlight)
		s.server.drop(telemetry.DropDuplicateInFlight, x.from, x.client, nil)
		return
	}
	x.ticket = ticket
	if x.asked == telemetry.RequestAuth {
		x.access()
	} else {
		x.accounting()
	}
}

// accepts tells what a code asks for on this socket's port, or why it does not
// belong there.
func (s *socket) accepts(code wire.Code) (telemetry.RequestType, telemetry.Drop) {
	switch {
	case code == wire.StatusServer:
		return telemetry.RequestStatus, ""
	case code == wire.AccessRequest && s.port == AuthPort:
		return telemetry.RequestAuth, ""
	case code == wire.AccountingRequest && s.port == AcctPort:
		return telemetry.RequestAcct, ""
	case code == wire.AccessRequest, code == wire.AccountingRequest:
		return "", telemetry.DropWrongPort
	}
	return "", telemetry.DropUnknownCode
}

// exchange is one request on its way to an answer. It points into the socket's
// buffers until it is detached.
type exchange struct {
	socket   *socket
	client   *Client
	packet   wire.Packet
	asked    telemetry.RequestType
	from     peer
	ticket   ticket
	received time.Time
	detached bool // its answer can't go with the loop's mail
}

// detach returns a copy that outlives the socket's buffers, and makes shutdown
// wait until its answer or drop.
func (x *exchange) detach() *exchange {
	held := *x
	held.detached = true
	held.packet, _ = wire.Parse(bytes.Clone(x.packet.Raw())) // was parsed before
	held.from.control = bytes.Clone(x.from.control)
	x.socket.server.pending.Add(1)
	return &held
}

// done ends what detach began.
func (x *exchange) done() { x.socket.server.pending.Done() }

// status answers Status-Server, which asks only whether we are alive (RFC 5997).
func (x *exchange) status() {
	code, replied := wire.AccessAccept, telemetry.ReplyAccessAccept
	if x.socket.port == AcctPort {
		code, replied = wire.AccountingResponse, telemetry.ReplyAccountingResponse
	}
	reply := x.client.appendPlainReply(x.socket.mail.space(), code, x.packet)
	if err := x.client.signer.SignReply(reply, x.packet.Authenticator()); err != nil {
		x.socket.server.drop(telemetry.DropSendFailed, x.from, x.client, err)
		return
	}
	x.client.tenant.Reply(replied)
	x.socket.mail.put(reply, addressee{x.from, x.client})
}

// answer sends a reply and keeps it for duplicates. It is false for one that does not
// fit a packet.
func (x *exchange) answer(reply []byte, code telemetry.ReplyCode) bool {
	var err error
	if x.detached {
		err = x.answerAlone(reply)
	} else {
		err = x.answerWithOthers(reply)
	}
	if err != nil {
		x.giveUp(telemetry.DropSendFailed, err)
		return false
	}
	x.client.tenant.Reply(code)
	return true
}

// answerWithOthers leaves the rest to flush.
func (x *exchange) answerWithOthers(reply []byte) error {
	if err := wire.SetLength(reply); err != nil {
		return err
	}
	s := x.socket
	reply = s.mail.put(reply, addressee{x.from, x.client})
	s.unsigned = append(s.unsigned, wire.Unsigned{Signer: x.client.signer, Packet: reply, Request: x.packet.Authenticator()})
	s.tickets = append(s.tickets, x.ticket)
	return nil
}

func (x *exchange) answerAlone(reply []byte) error {
	s := x.socket
	if err := x.client.signer.SignReply(reply, x.packet.Authenticator()); err != nil {
		return err
	}
	s.replies.finish(x.ticket, reply, s.server.options.Now())
	if err := s.send(reply, x.from); err != nil {
		s.unsent(addressee{x.from, x.client}, err) // it is kept for the next try of the NAS
	}
	return nil
}

// giveUp leaves a request without an answer, so that the NAS asks again, here or
// elsewhere.
func (x *exchange) giveUp(reason telemetry.Drop, cause error) {
	x.socket.replies.forget(x.ticket)
	x.socket.server.drop(reason, x.from, x.client, cause)
}

// dropFor translates an error of a store or a queue into the reason to count.
func dropFor(err error) telemetry.Drop {
	switch {
	case errors.Is(err, linegate.ErrOverloaded):
		return telemetry.DropOverloaded
	case errors.Is(err, linegate.ErrSpoolFull):
		return telemetry.DropSpoolFull
	}
	return telemetry.DropStoreUnavailable
}
