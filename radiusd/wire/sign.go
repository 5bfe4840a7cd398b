package wire

import (
	"crypto/md5"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

// Signer signs and verifies packets with one shared secret. It is immutable,
// safe for concurrent use, and allocates nothing.
type Signer struct {
	secret       string
	inner, outer [md5.BlockSize]byte // the secret, padded and masked (RFC 2104)
	// For Lanes: the states of MD5 after inner and outer.
	innerState, outerState [4]uint32
}

// NewSigner prepares a secret of 1 to 255 octets.
func NewSigner(secret string) *Signer {
	s := &Signer{secret: secret}
	key := []byte(secret)
	if len(key) > md5.BlockSize {
		sum := md5.Sum(key)
		key = sum[:]
	}
	copy(s.inner[:], key)
	copy(s.outer[:], key)
	for i := range s.inner {
		s.inner[i] ^= 0x36
		s.outer[i] ^= 0x5c
	}
	s.innerState, s.outerState = stateAfter(s.inner), stateAfter(s.outer)
	return s
}

// Why a packet does not prove that its sender knows the secret, or may not be
// trusted all the same (RFC 3579 section 3.2).
var (
	ErrAuthenticator        = errors.New("packet: wrong authenticator (is the secret the same on both sides?)")
	ErrMessageAuthenticator = errors.New("packet: wrong Message-Authenticator (is the secret the same on both sides?)")
	ErrMAForm               = errors.New("packet: Message-Authenticator twice, or not of 16 octets")
)

// SignRequest finishes an Access-Request or Status-Server: it sets Length and
// the value of its Message-Authenticator, if it has one (RFC 3579 section 3.2).
func (s *Signer) SignRequest(packet []byte) error {
	if err := SetLength(packet); err != nil {
		return err
	}
	s.setMessageAuthenticator(packet, [AuthenticatorSize]byte(packet[4:HeaderSize]))
	return nil
}

// SignAccounting finishes an Accounting-Request, CoA-Request or
// Disconnect-Request: its authenticator is a digest over the packet (RFC 2866
// section 3, RFC 5176 section 2.3).
func (s *Signer) SignAccounting(packet []byte) error {
	if err := SetLength(packet); err != nil {
		return err
	}
	var zero [AuthenticatorSize]byte
	s.setMessageAuthenticator(packet, zero)
	digest := s.digest(packet, zero)
	copy(packet[4:], digest[:])
	return nil
}

// SignReply finishes an answer to the request with that authenticator (RFC 2865
// section 3).
func (s *Signer) SignReply(packet []byte, request [AuthenticatorSize]byte) error {
	if err := SetLength(packet); err != nil {
		return err
	}
	s.setMessageAuthenticator(packet, request)
	digest := s.digest(packet, request)
	copy(packet[4:], digest[:])
	return nil
}

// AppendMessageAuthenticator appends an empty Message-Authenticator, which
// signing fills. It is to be the first attribute, right behind the header, so
// that no attribute before it can be chosen by an attacker (CVE-2024-3596).
func AppendMessageAuthenticator(dst []byte) []byte {
	var empty [md5.Size]byte
	return AppendAttribute(dst, MessageAuthenticator, empty[:])
}

// VerifyRequest checks what proves that the sender of a request knows the secret: the
// Request Authenticator of an Accounting-Request (RFC 2866 section 3), the
// Message-Authenticator of any other. signed is false, without error, when the packet
// has none. A Message-Authenticator in an Accounting-Request counts for nothing: real
// NAS compute it in ways of their own.
func (s *Signer) VerifyRequest(p Packet) (signed bool, err error) {
	c := Check{Signer: s, Packet: p}
	t := c.task()
	t.digest()
	c.judge(&t)
	return c.Signed, c.Err
}

// VerifyChange checks a CoA-Request or Disconnect-Request: its Request
// Authenticator, and its Message-Authenticator where it has one, which is
// calculated over a Request Authenticator of zeros (RFC 5176 sections 2.3 and 3.4).
func (s *Signer) VerifyChange(p Packet) error {
	if err := s.verifyDigest(p, [AuthenticatorSize]byte{}); err != nil {
		return err
	}
	_, err := s.verifyMA(p, [AuthenticatorSize]byte{})
	return err
}

// VerifyReply checks an answer to the request with that authenticator: Response
// Authenticator, and Message-Authenticator where it has one. ma reports that it
// had one.
func (s *Signer) VerifyReply(p Packet, request [AuthenticatorSize]byte) (ma bool, err error) {
	if err := s.verifyDigest(p, request); err != nil {
		return false, err
	}
	return s.verifyMA(p, request)
}

func (s *Signer) verifyDigest(p Packet, authenticator [AuthenticatorSize]byte) error {
	t := task{signer: s, packet: p.raw, authenticator: authenticator}
	t.digest()
	return t.verdict()
}

func (s *Signer) verifyMA(p Packet, authenticator [AuthenticatorSize]byte) (present bool, err error) {
	at, err := findMA(p.raw)
	if err != nil || at == 0 {
		return at != 0, err
	}
	t := task{signer: s, packet: p.raw, authenticator: authenticator, at: at}
	t.digest()
	return true, t.verdict()
}

// task is one digest over a packet: HMAC-MD5 for its Message-Authenticator, whose value
// begins at at, or MD5 for the authenticator in its header when at is 0. Without a
// signer there is nothing to do.
type task struct {
	signer        *Signer
	packet        []byte
	authenticator [AuthenticatorSize]byte
	at            int
	sum           [md5.Size]byte
}

func (t *task) digest() {
	switch {
	case t.signer == nil:
	case t.at != 0:
		t.sum = t.signer.hmac(t.packet, t.authenticator, t.at)
	default:
		t.sum = t.signer.digest(t.packet, t.authenticator)
	}
}

// verdict compares the sum with what the packet tells.
func (t *task) verdict() error {
	told, wrong := t.packet[4:HeaderSize], ErrAuthenticator
	if t.at != 0 {
		told, wrong = t.packet[t.at:t.at+md5.Size], ErrMessageAuthenticator
	}
	if subtle.ConstantTimeCompare(t.sum[:], told) != 1 {
		return wrong
	}
	return nil
}

// findMA returns where the value of the one Message-Authenticator begins, 0 when
// there is none.
func findMA(packet []byte) (at int, err error) {
	offset := HeaderSize
	for attribute := range attributes(packet[HeaderSize:]) {
		if attribute.Type == MessageAuthenticator {
			if at != 0 || len(attribute.Value) != md5.Size {
				return offset + 2, ErrMAForm
			}
			at = offset + 2
		}
		offset += 2 + len(attribute.Value)
	}
	return at, nil
}

func (s *Signer) setMessageAuthenticator(packet []byte, authenticator [AuthenticatorSize]byte) {
	if at, err := findMA(packet); err == nil && at != 0 {
		sum := s.hmac(packet, authenticator, at)
		copy(packet[at:], sum[:])
	}
}

// usualSize is what most packets fit in: memory on the stack for larger ones costs
// as much to clear as their digest.
const usualSize = 512

// digest is MD5 over the packet, with the given authenticator in its header,
// followed by the secret.
func (s *Signer) digest(packet []byte, authenticator [AuthenticatorSize]byte) [md5.Size]byte {
	if len(packet) <= usualSize {
		var space [usualSize + 255]byte
		return s.digestIn(space[:0], packet, authenticator)
	}
	var space [MaxPacketSize + 255]byte
	return s.digestIn(space[:0], packet, authenticator)
}

func (s *Signer) digestIn(space, packet []byte, authenticator [AuthenticatorSize]byte) [md5.Size]byte {
	message := append(space, packet...)
	copy(message[4:], authenticator[:])
	return md5.Sum(append(message, s.secret...))
}

// hmac is HMAC-MD5 over the packet, with the given authenticator in its header
// and zeros for the Message-Authenticator at that offset.
func (s *Signer) hmac(packet []byte, authenticator [AuthenticatorSize]byte, at int) [md5.Size]byte {
	if len(packet) <= usualSize {
		var space [md5.BlockSize + usualSize]byte
		return s.hmacIn(space[:0], packet, authenticator, at)
	}
	var space [md5.BlockSize + MaxPacketSize]byte
	return s.hmacIn(space[:0], packet, authenticator, at)
}

func (s *Signer) hmacIn(space, packet []byte, authenticator [AuthenticatorSize]byte, at int) [md5.Size]byte {
	message := append(append(space, s.inner[:]...), packet...)
	body := message[md5.BlockSize:]
	copy(body[4:], authenticator[:])
	clear(body[at : at+md5.Size])
	inner := md5.Sum(message)

	var outer [md5.BlockSize + md5.Size]byte
	copy(outer[:], s.outer[:])
	copy(outer[md5.BlockSize:], inner[:])
	return md5.Sum(outer[:])
}

// SetLength sets the Length of a packet that is complete.
func SetLength(packet []byte) error {
	if len(packet) > MaxPacketSize {
		return ErrPacketTooLong
	}
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
	return nil
}
