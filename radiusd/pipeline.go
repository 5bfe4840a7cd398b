package radiusd

import (
	"bytes"
	"errors"
	"time"

	"linegate"
	"linegate/radiusd/wire"
	"linegate/telemetry"
)

// receive is the story of a packet: whose NAS it is, whether its form is right,
// whether the NAS really sent it, whether it is a duplicate, and then what it
// asks for. It runs on the socket's loop and never waits for a store.
func (s *socket) receive(datagram []byte, from peer, now time.Time) {
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
	x := exchange{socket: s, client: client, packet: packet, from: from, received: now}
	requestType, refused := s.accepts(packet.Code())
	if refused == "" {
		client.tenant.Request(requestType)
		refused = client.Refuses(packet)
	}
	if refused != "" {
		s.server.drop(refused, from, client, nil)
		return
	}
	if requestType == telemetry.RequestStatus {
		x.status()
		return
	}

	key := replyKey{source: from.address, identifier: packet.Identifier()}
	seen, ticket, reply := s.replies.begin(key, packet.Authenticator(), now)
	switch seen {
	case sightedAnswered:
		s.server.metrics.Duplicate(telemetry.DuplicateResent)
		x.transmit(reply)
		return
	case sightedInFlight:
		s.server.metrics.Duplicate(telemetry.DuplicateInFlight)
		s.server.drop(telemetry.DropDuplicateInFlight, from, client, nil)
		return
	}
	x.ticket = ticket
	if requestType == telemetry.RequestAuth {
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
	reply, err := x.client.appendPlainReply(x.socket.mail.space(), code, x.packet)
	if err != nil {
		x.socket.server.drop(telemetry.DropSendFailed, x.from, x.client, err)
		return
	}
	x.client.tenant.Reply(replied)
	x.transmit(reply)
}

// answer sends a reply and keeps it for duplicates.
func (x *exchange) answer(reply []byte, code telemetry.ReplyCode) {
	x.socket.replies.finish(x.ticket, reply, x.socket.server.options.Now())
	x.client.tenant.Reply(code)
	x.transmit(reply)
}

// giveUp leaves a request without an answer, so that the NAS asks again, here or
// elsewhere.
func (x *exchange) giveUp(reason telemetry.Drop, cause error) {
	x.socket.replies.forget(x.ticket)
	x.socket.server.drop(reason, x.from, x.client, cause)
}

func (x *exchange) transmit(reply []byte) {
	if !x.detached {
		x.socket.mail.put(reply, addressee{x.from, x.client})
		return
	}
	if err := x.socket.send(reply, x.from); err != nil {
		x.socket.server.drop(telemetry.DropSendFailed, x.from, x.client, err)
	}
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
