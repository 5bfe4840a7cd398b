package coa

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"linegate"
	"linegate/radiusd/wire"
)

// exchange is one request and the wait for its answer.
type exchange struct {
	to      netip.AddrPort
	signer  *wire.Signer
	request []byte // signed: it never changes from one transmission to the next
	answer  chan wire.Packet
}

// run sends the request until it is answered or RFC 5080 section 2.2.1 gives up.
// answered is false then; sent counts the transmissions.
func (e *exchange) run(ctx context.Context, from slot, retry Retry) (answer wire.Packet, answered bool, sent int, err error) {
	key := exchangeKey{e.to, from.identifier}
	from.port.await(key, e)
	defer from.port.forget(key)

	overall := time.NewTimer(retry.Overall)
	defer overall.Stop()
	pause := retry.first()
	again := time.NewTimer(pause)
	defer again.Stop()
	for {
		if _, err := from.port.conn.WriteToUDPAddrPort(e.request, e.to); err != nil && sent == 0 {
			return wire.Packet{}, false, 0, fmt.Errorf("send to %s: %w", e.to, err)
		}
		sent++
		select {
		case answer := <-e.answer:
			return answer, true, sent, nil
		case <-ctx.Done():
			return wire.Packet{}, false, sent, fmt.Errorf("wait for the answer of %s: %w", e.to, context.Cause(ctx))
		case <-overall.C:
			return wire.Packet{}, false, sent, nil
		case <-again.C:
		}
		if sent == retry.Count {
			return wire.Packet{}, false, sent, nil
		}
		pause = retry.after(pause)
		again.Reset(pause)
	}
}

func (s *port) await(key exchangeKey, e *exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awaited[key] = e
}

func (s *port) forget(key exchangeKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.awaited, key)
}

func (s *port) find(key exchangeKey) *exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.awaited[key]
}

// take hands a datagram to the exchange that waits for it; empty, or why nobody
// takes it.
func (s *port) take(datagram []byte, from netip.AddrPort) linegate.StrayAnswer {
	packet, err := wire.Parse(datagram)
	if err != nil {
		return linegate.StrayMalformed
	}
	waiting := s.find(exchangeKey{from, packet.Identifier()})
	if waiting == nil {
		return linegate.StrayNotAwaited
	}
	if stray := waiting.refuses(packet); stray != "" {
		return stray
	}
	kept, err := wire.Parse(slices.Clone(packet.Raw()))
	if err != nil {
		return linegate.StrayMalformed
	}
	if !s.deliver(exchangeKey{from, packet.Identifier()}, waiting, kept) {
		return linegate.StrayNotAwaited
	}
	return ""
}

// deliver gives an exchange its answer, unless it has one.
func (s *port) deliver(key exchangeKey, to *exchange, answer wire.Packet) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.awaited[key] != to {
		return false
	}
	delete(s.awaited, key)
	to.answer <- answer // has room: this happens once
	return true
}

// refuses says why a packet is not the answer to the request; empty: it is.
func (e *exchange) refuses(packet wire.Packet) linegate.StrayAnswer {
	asked := wire.Code(e.request[0])
	if code := packet.Code(); code != asked+1 && code != asked+2 { // the ACK and the NAK
		return linegate.StrayWrongCode
	}
	authenticator := [wire.AuthenticatorSize]byte(e.request[4:wire.HeaderSize])
	if _, err := e.signer.VerifyReply(packet, authenticator); err != nil {
		return linegate.StrayBadAuthenticator
	}
	return ""
}
