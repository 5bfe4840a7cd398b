package coa

import (
	"linegate"
	"linegate/radiusd/wire"
)

// Acknowledged and RefusedSilently are answers that no Error-Cause stands for.
const (
	Acknowledged    linegate.ErrorCause = 0
	RefusedSilently linegate.ErrorCause = 1<<32 - 1 // a NAK that says no cause
)

// Reply writes and signs the answer to a CoA-Request or Disconnect-Request: ACK, or
// NAK with the cause. It has a Message-Authenticator where the request has one, and
// the request's Proxy-States in their order (RFC 5176 section 3.1). It is made in
// the space, grown where that is too small. An error tells that the Proxy-States
// leave no room.
func Reply(space []byte, signer *wire.Signer, request wire.Packet, cause linegate.ErrorCause) ([]byte, error) {
	code := request.Code() + 1
	if cause != Acknowledged {
		code = request.Code() + 2
	}
	reply := wire.AppendHeader(space[:0], code, request.Identifier(), [wire.AuthenticatorSize]byte{})
	if request.Find(wire.MessageAuthenticator) != nil {
		reply = wire.AppendMessageAuthenticator(reply)
	}
	if cause != Acknowledged && cause != RefusedSilently {
		reply = wire.AppendInteger(reply, wire.ErrorCause, uint32(cause))
	}
	for attribute := range request.Attributes() {
		if attribute.Type == wire.ProxyState {
			reply = wire.AppendAttribute(reply, wire.ProxyState, attribute.Value)
		}
	}
	return reply, signer.SignReply(reply, request.Authenticator())
}
