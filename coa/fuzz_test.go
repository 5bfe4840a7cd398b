package coa

import (
	"net/netip"
	"testing"

	"linegate"
	"linegate/radiusd/wire"
)

// FuzzAnswer feeds a NAS's port whatever may come to it, sealed with the right
// secret so that the reading behind the check is reached, too.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte{41, 7, 0, 20}, true)
	f.Add(wire.AppendInteger([]byte{45, 7, 0, 26, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, wire.ErrorCause, 503), true)
	f.Add([]byte{44, 7, 0, 23, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 101, 3, 1}, false)
	from := netip.MustParseAddrPort("192.0.2.1:3799")
	signer := wire.NewSigner("testing123")
	f.Fuzz(func(t *testing.T, datagram []byte, sealed bool) {
		request := wire.AppendHeader(nil, wire.CoARequest, 7, [16]byte{})
		if err := signer.SignAccounting(request); err != nil {
			t.Fatal(err)
		}
		if packet, err := wire.Parse(datagram); err == nil && sealed {
			datagram = append([]byte(nil), packet.Raw()...)
			if err := signer.SignReply(datagram, [16]byte(request[4:20])); err != nil {
				t.Fatal(err)
			}
		}
		at := &port{awaited: map[exchangeKey]*exchange{}}
		waiting := &exchange{to: from, signer: signer, request: request, answer: make(chan wire.Packet, 1)}
		at.await(exchangeKey{from, 7}, waiting)
		if at.take(datagram, from) != "" {
			return
		}
		outcome := outcomeOf(<-waiting.answer, true, "standard")
		if code := wire.Code(datagram[0]); (outcome.Result == linegate.ChangeAcked) != (code == wire.CoAACK) {
			t.Errorf("%s is taken for %s", code, outcome.Result)
		}
	})
}

// FuzzRequest reads whatever a client with the right secret may send.
func FuzzRequest(f *testing.F) {
	f.Add(append(wire.AppendText(nil, wire.UserName, "alice"), wire.AppendText(nil, wire.TunnelPrivateGroupID, "\x01100")...), false)
	f.Add(wire.AppendVendorAttribute(wire.AppendText(nil, wire.AcctSessionID, "s"), 32473, xDownloadKbps, []byte{0, 0, 1, 0}), false)
	f.Add([]byte{26, 9, 0, 0, 0x7e, 0xd9, 10, 9, 0, 123, 3, 200, 44, 2}, false)
	f.Add(wire.AppendText(wire.AppendText(nil, wire.ProxyState, "p"), wire.UserName, "bob"), true)
	signer := wire.NewSigner("testing123")
	f.Fuzz(func(t *testing.T, attributes []byte, disconnect bool) {
		code := wire.CoARequest
		if disconnect {
			code = wire.DisconnectRequest
		}
		raw := append(wire.AppendHeader(nil, code, 1, [16]byte{}), attributes...)
		if signer.SignAccounting(raw) != nil {
			return
		}
		packet, err := wire.Parse(raw)
		if err != nil {
			return
		}
		asked, cause := readRequest(packet, 32473)
		if cause == 0 && (asked.session.empty() || len(asked.changes) == 0) {
			t.Errorf("a request is let through that names no session or no change: %x", attributes)
		}
		reply, err := Reply(nil, signer, packet, cause)
		if err != nil {
			return // too long with its Proxy-States
		}
		answer, err := wire.Parse(reply)
		if err != nil {
			t.Fatalf("the answer is no packet: %v", err)
		}
		if _, err := signer.VerifyReply(answer, packet.Authenticator()); err != nil {
			t.Error(err)
		}
	})
}
