package radiusd

import (
	"encoding/binary"
	"time"

	"linegate"
	"linegate/radiusd/wire"
)

// AppendAccessReply writes the answer to an Access-Request and signs it. now goes into
// Class. It fails when the answer does not fit a packet.
func (c *Client) AppendAccessReply(dst []byte, packet wire.Packet, request *linegate.Request, decision *linegate.Decision, now time.Time) ([]byte, error) {
	dst = c.appendAccessReply(dst, packet, request, decision, now)
	return dst, c.signer.SignReply(dst, packet.Authenticator())
}

// appendAccessReply leaves the answer without Length and signature. The
// Message-Authenticator comes first, whether or not the request had one
// (CVE-2024-3596); Proxy-State comes last, unchanged and in order (RFC 2865
// section 5.33).
func (c *Client) appendAccessReply(dst []byte, packet wire.Packet, request *linegate.Request, decision *linegate.Decision, now time.Time) []byte {
	authenticator := packet.Authenticator()
	code := wire.AccessReject
	if decision.Accept {
		code = wire.AccessAccept
	}
	dst = wire.AppendMessageAuthenticator(wire.AppendHeader(dst, code, packet.Identifier(), authenticator))
	if decision.Accept {
		dst = c.dialect.AppendGrant(dst, &decision.Grant)
		dst = c.appendClass(dst, decision.Subscriber, now)
		dst = c.appendMSCHAP2(dst, request, &decision.MSCHAP2, authenticator)
	} else {
		dst = wire.AppendText(dst, wire.ReplyMessage, replyMessage(decision.Reason))
		dst = appendFailure(dst, packet, request)
	}
	return appendProxyStates(dst, packet)
}

// appendPlainReply writes an answer that has no attributes of its own, without Length
// and signature: Accounting-Response, or the answer to Status-Server.
func (c *Client) appendPlainReply(dst []byte, code wire.Code, packet wire.Packet) []byte {
	dst = wire.AppendHeader(dst, code, packet.Identifier(), packet.Authenticator())
	if packet.Code() == wire.StatusServer {
		dst = wire.AppendMessageAuthenticator(dst)
	}
	return appendProxyStates(dst, packet)
}

func appendProxyStates(dst []byte, packet wire.Packet) []byte {
	for attribute := range packet.Attributes() {
		if attribute.Type == wire.ProxyState {
			dst = wire.AppendAttribute(dst, wire.ProxyState, attribute.Value)
		}
	}
	return dst
}

func (c *Client) appendClass(dst []byte, subscriber *linegate.Subscriber, now time.Time) []byte {
	var space [linegate.ClassSize]byte
	class := linegate.AppendClass(space[:0], linegate.Class{Tenant: c.tag, SubscriberID: subscriber.ID, DecidedAt: now})
	if len(class) == 0 {
		return dst
	}
	return wire.AppendAttribute(dst, wire.ClassAttribute, class)
}

// What MS-MPPE-Encryption-Policy and -Types say: encryption allowed, 40 and 128
// bit (RFC 2548 section 2.4.4 and 2.4.5).
const (
	mppeAllowed   = 1
	mppe40And128  = 6
	mschapV3Error = "E=691 R=0 C=00000000000000000000000000000000 V=3 M=Access denied"
)

// appendMSCHAP2 writes what an MS-CHAPv2 client needs to trust us, and the keys
// for its encryption (RFC 2548 section 2.3.3, 2.4.2 and 2.4.3).
func (c *Client) appendMSCHAP2(dst []byte, request *linegate.Request, reply *linegate.MSCHAP2Reply, authenticator [wire.AuthenticatorSize]byte) []byte {
	if reply.Success == "" {
		return dst
	}
	success := append([]byte{request.Proof.ID}, reply.Success...)
	dst = wire.AppendVendorAttribute(dst, wire.VendorMicrosoft, wire.MSCHAP2Success, success)
	dst = wire.AppendVendorAttribute(dst, wire.VendorMicrosoft, wire.MSMPPEEncPolicy, []byte{0, 0, 0, mppeAllowed})
	dst = wire.AppendVendorAttribute(dst, wire.VendorMicrosoft, wire.MSMPPEEncTypes, []byte{0, 0, 0, mppe40And128})
	salt := binary.BigEndian.Uint16(authenticator[:]) // random, as the authenticator is
	send := c.signer.AppendSalted(nil, reply.SendKey[:], salt, authenticator)
	receive := c.signer.AppendSalted(nil, reply.RecvKey[:], salt+1, authenticator)
	dst = wire.AppendVendorAttribute(dst, wire.VendorMicrosoft, wire.MSMPPESendKey, send)
	return wire.AppendVendorAttribute(dst, wire.VendorMicrosoft, wire.MSMPPERecvKey, receive)
}

// appendFailure tells an MS-CHAP or EAP client of its failure in its own terms
// (RFC 2548 section 2.1.5, RFC 3579 section 2.6.3).
func appendFailure(dst []byte, packet wire.Packet, request *linegate.Request) []byte {
	switch request.Proof.Method {
	case linegate.MethodMSCHAPv1, linegate.MethodMSCHAPv2:
		return wire.AppendVendorAttribute(dst, wire.VendorMicrosoft, wire.MSCHAPError, append([]byte{request.Proof.ID}, mschapV3Error...))
	case linegate.MethodEAP:
		if eap := packet.Find(wire.EAPMessage); len(eap) >= 2 {
			return wire.AppendAttribute(dst, wire.EAPMessage, []byte{4, eap[1], 0, 4})
		}
	}
	return dst
}

// replyMessage is what a rejected subscriber may read. It does not tell an
// unknown name from a wrong password.
func replyMessage(reason linegate.Reason) string {
	switch reason {
	case linegate.ReasonOption82Mismatch, linegate.ReasonOption82Missing, linegate.ReasonLineNotIdentified,
		linegate.ReasonVLANMismatch, linegate.ReasonVLANUnknown:
		return "Access denied: this account does not belong to this line"
	case linegate.ReasonSuspended:
		return "Access denied: the service is suspended"
	case linegate.ReasonTerminated:
		return "Access denied: the service has ended"
	case linegate.ReasonMethodNotAllowed, linegate.ReasonMethodNeedsClear:
		return "Access denied: this way of authentication is not accepted"
	case linegate.ReasonSessionLimit:
		return "Access denied: as many devices as allowed are online already"
	case linegate.ReasonNoProfile:
		return "Access denied: no service is set up"
	}
	return "Access denied: unknown name or wrong password"
}
