package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"linegate/radiusd/wire"
)

// Request is a signed packet, and what a true answer to it has to prove.
type Request struct {
	octets  []byte
	answers []wire.Code
	success []byte // MS-CHAP2-Success without its first octet; nil: not MS-CHAPv2
}

func (r Request) identifier() uint8 { return r.octets[1] }

func (r Request) authenticator() [wire.AuthenticatorSize]byte {
	return [wire.AuthenticatorSize]byte(r.octets[4:wire.HeaderSize])
}

// Builder makes requests, each in the space that the caller gives it, grown where
// that is too small. Random is what authenticators and challenges are made of:
// crypto/rand's Reader, or a faster one where nobody is to be kept out. A Builder
// is as safe for concurrent use as its Random.
type Builder struct {
	Signer *wire.Signer
	Random io.Reader
	// WithoutMessageAuthenticator makes Access-Requests as old NAS do, which anybody
	// on the way can change, and leaves it out of changes, which have a digest.
	WithoutMessageAuthenticator bool
}

// The answers that each kind of request can get (RFC 2865 section 4, RFC 2866
// section 4, RFC 5997 section 3, RFC 5176 section 2).
var (
	accessAnswers     = []wire.Code{wire.AccessAccept, wire.AccessReject, wire.AccessChallenge}
	accountingAnswers = []wire.Code{wire.AccountingResponse}
	statusAnswers     = []wire.Code{wire.AccessAccept, wire.AccountingResponse}
	coaAnswers        = []wire.Code{wire.CoAACK, wire.CoANAK}
	disconnectAnswers = []wire.Code{wire.DisconnectACK, wire.DisconnectNAK}
)

// Access makes an Access-Request: Message-Authenticator unless it goes without, name, the proof of the
// password, then the login's attributes.
func (b *Builder) Access(space []byte, identifier uint8, login *Login) (Request, error) {
	request := Request{answers: accessAnswers}
	packet, err := b.begin(space, wire.AccessRequest, identifier)
	if err != nil {
		return Request{}, err
	}
	if !b.WithoutMessageAuthenticator {
		packet = wire.AppendMessageAuthenticator(packet)
	}
	if login.UserName != "" {
		packet = wire.AppendText(packet, wire.UserName, login.UserName)
	}
	if packet, request.success, err = b.appendProof(packet, login); err != nil {
		return Request{}, err
	}
	request.octets = append(packet, login.Attributes...)
	return request, b.Signer.SignRequest(request.octets)
}

// Accounting makes an Accounting-Request with the given attributes.
func (b *Builder) Accounting(space []byte, identifier uint8, attributes []byte) (Request, error) {
	var authenticator [wire.AuthenticatorSize]byte
	packet := wire.AppendHeader(space[:0], wire.AccountingRequest, identifier, authenticator)
	packet = append(packet, attributes...)
	return Request{octets: packet, answers: accountingAnswers}, b.Signer.SignAccounting(packet)
}

// Change makes a Disconnect-Request or a CoA-Request: Message-Authenticator unless
// it goes without, the given attributes, and as Event-Timestamp when it is first
// sent (RFC 5176 section 6.3).
func (b *Builder) Change(space []byte, identifier uint8, disconnect bool, attributes []byte, at time.Time) (Request, error) {
	code, answers := wire.CoARequest, coaAnswers
	if disconnect {
		code, answers = wire.DisconnectRequest, disconnectAnswers
	}
	packet := wire.AppendHeader(space[:0], code, identifier, [wire.AuthenticatorSize]byte{})
	if !b.WithoutMessageAuthenticator {
		packet = wire.AppendMessageAuthenticator(packet)
	}
	packet = append(packet, attributes...)
	packet = wire.AppendInteger(packet, wire.EventTimestamp, uint32(at.Unix()))
	return Request{octets: packet, answers: answers}, b.Signer.SignAccounting(packet)
}

// Status makes a Status-Server, which always has a Message-Authenticator (RFC
// 5997 section 3), with the given attributes.
func (b *Builder) Status(space []byte, identifier uint8, attributes []byte) (Request, error) {
	packet, err := b.begin(space, wire.StatusServer, identifier)
	if err != nil {
		return Request{}, err
	}
	packet = append(wire.AppendMessageAuthenticator(packet), attributes...)
	return Request{octets: packet, answers: statusAnswers}, b.Signer.SignRequest(packet)
}

// begin makes a header with a random authenticator.
func (b *Builder) begin(space []byte, code wire.Code, identifier uint8) ([]byte, error) {
	packet := wire.AppendHeader(space[:0], code, identifier, [wire.AuthenticatorSize]byte{})
	return packet, b.fill(packet[wire.HeaderSize-wire.AuthenticatorSize:])
}

func (b *Builder) fill(octets []byte) error {
	if _, err := io.ReadFull(b.Random, octets); err != nil {
		return fmt.Errorf("random octets: %w", err)
	}
	return nil
}

// Why a datagram is no answer to a request, beside what wire says about its form
// and its authenticators.
var (
	errIdentifier = errors.New("identifier is that of another request")
	errSuccess    = errors.New("MS-CHAP2-Success is wrong or missing: the server does not know the password")
)

// verify returns the packet in a datagram if it answers the request.
func (r Request) verify(datagram []byte, signer *wire.Signer) (packet wire.Packet, ma bool, err error) {
	if packet, err = wire.Parse(datagram); err != nil {
		return wire.Packet{}, false, err
	}
	if packet.Identifier() != r.identifier() {
		return wire.Packet{}, false, errIdentifier
	}
	if ma, err = signer.VerifyReply(packet, r.authenticator()); err != nil {
		return wire.Packet{}, false, err
	}
	if !slices.Contains(r.answers, packet.Code()) {
		return wire.Packet{}, false, fmt.Errorf("%s is no answer to such a request", packet.Code())
	}
	if r.success != nil && packet.Code() == wire.AccessAccept && !r.provesPassword(packet) {
		return wire.Packet{}, false, errSuccess
	}
	return packet, ma, nil
}

// provesPassword reports whether an Access-Accept holds the right
// MS-CHAP2-Success (RFC 2548 section 2.3.3); a message may follow the proof.
func (r Request) provesPassword(accept wire.Packet) bool {
	for attribute := range accept.Attributes() {
		vendor, data, ok := attribute.Vendor()
		if !ok || vendor != wire.VendorMicrosoft {
			continue
		}
		for sub := range wire.VendorAttributes(data) {
			if sub.Type == wire.MSCHAP2Success && len(sub.Value) > 0 && bytes.HasPrefix(sub.Value[1:], r.success) {
				return true
			}
		}
	}
	return false
}
