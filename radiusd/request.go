package radiusd

import (
	"linegate"
	"linegate/policy/dialect"
	"linegate/radiusd/wire"
)

// Scratch is memory that reading and identifying a request reuse. The zero
// value is ready; it must not serve two requests at a time.
type Scratch struct {
	password [128]byte
	key      [512]byte
	form     [256]byte
	line     dialect.Scratch
	found    linegate.Room // who the request is about
	owner    linegate.Room // whose line it came from
}

// ReadRequest reads an Access-Request. What it returns points into the packet
// and the scratch memory.
func (c *Client) ReadRequest(packet wire.Packet, scratch *Scratch) linegate.Request {
	request := linegate.Request{NAS: &c.NAS, Line: c.dialect.ReadLine(packet, &scratch.line)}
	var chapChallenge []byte
	var pap, chap bool
	for attribute := range packet.Attributes() {
		switch attribute.Type {
		case wire.UserName:
			request.UserName = attribute.Value
		case wire.CallingStationID:
			request.CallingStationID = attribute.Value
		case wire.NASPortID:
			request.NASPortID = attribute.Value
		case wire.UserPassword:
			pap = true
			request.Proof.Method = linegate.MethodPAP
			request.Proof.Password, _ = c.signer.RevealPassword(scratch.password[:0], attribute.Value, packet.Authenticator())
		case wire.CHAPPassword:
			chap = true
			request.Proof.Method = linegate.MethodCHAP
			if len(attribute.Value) == 17 {
				request.Proof.ID, request.Proof.Response = attribute.Value[0], attribute.Value[1:]
			}
		case wire.CHAPChallenge:
			chapChallenge = attribute.Value
		case wire.EAPMessage:
			request.Proof.Method = linegate.MethodEAP
		case wire.VendorSpecific:
			readMSCHAP(&request.Proof, attribute)
		}
	}
	switch {
	case pap && chap:
		request.Proof = linegate.Proof{Method: linegate.MethodNone} // not both, says RFC 2865 section 4.1: neither counts
	case request.Proof.Method == "":
		request.Proof.Method = linegate.MethodNone
	case request.Proof.Method == linegate.MethodCHAP && chapChallenge != nil:
		request.Proof.Challenge = chapChallenge
	case request.Proof.Method == linegate.MethodCHAP:
		request.Proof.Challenge = packet.Raw()[4:wire.HeaderSize] // RFC 2865 section 5.3
	}
	return request
}

// mschapResponseSize is the length of MS-CHAP-Response and MS-CHAP2-Response in
// octets (RFC 2548 section 2.1.3 and 2.3.2).
const mschapResponseSize = 50

// readMSCHAP takes what a Microsoft attribute holds of an MS-CHAP proof. One of
// the wrong length leaves the proof without a response, so it proves nothing.
func readMSCHAP(proof *linegate.Proof, attribute wire.Attribute) {
	vendor, data, ok := attribute.Vendor()
	if !ok || vendor != wire.VendorMicrosoft {
		return
	}
	for sub := range wire.VendorAttributes(data) {
		switch sub.Type {
		case wire.MSCHAPChallenge:
			proof.Challenge = sub.Value
		case wire.MSCHAPResponse: // identifier, flags, LM response, NT response
			proof.Method = linegate.MethodMSCHAPv1
			if len(sub.Value) == mschapResponseSize {
				proof.ID, proof.Response = sub.Value[0], sub.Value[26:]
			}
		case wire.MSCHAP2Response: // identifier, flags, peer challenge, 8 reserved, NT response
			proof.Method = linegate.MethodMSCHAPv2
			if len(sub.Value) == mschapResponseSize {
				proof.ID, proof.PeerChallenge, proof.Response = sub.Value[0], sub.Value[2:18], sub.Value[26:]
			}
		}
	}
}
