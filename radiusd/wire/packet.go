// Package wire is the RADIUS packet codec: parsing without copying, appending
// attributes, authenticators and password hiding. Everything is pure and works
// on octets that came from anybody: it never panics, never allocates on the
// parsing and signing paths, and never decides what a packet is worth.
package wire

import (
	"encoding/binary"
	"errors"
	"iter"
	"strconv"
)

// Code is the kind of a packet (RFC 2865 section 3, RFC 2866, RFC 5176, RFC 5997).
type Code uint8

const (
	AccessRequest      Code = 1
	AccessAccept       Code = 2
	AccessReject       Code = 3
	AccountingRequest  Code = 4
	AccountingResponse Code = 5
	AccessChallenge    Code = 11
	StatusServer       Code = 12
	DisconnectRequest  Code = 40
	DisconnectACK      Code = 41
	DisconnectNAK      Code = 42
	CoARequest         Code = 43
	CoAACK             Code = 44
	CoANAK             Code = 45
)

// String returns the name the RFCs use.
func (c Code) String() string {
	switch c {
	case AccessRequest:
		return "Access-Request"
	case AccessAccept:
		return "Access-Accept"
	case AccessReject:
		return "Access-Reject"
	case AccountingRequest:
		return "Accounting-Request"
	case AccountingResponse:
		return "Accounting-Response"
	case AccessChallenge:
		return "Access-Challenge"
	case StatusServer:
		return "Status-Server"
	case DisconnectRequest:
		return "Disconnect-Request"
	case DisconnectACK:
		return "Disconnect-ACK"
	case DisconnectNAK:
		return "Disconnect-NAK"
	case CoARequest:
		return "CoA-Request"
	case CoAACK:
		return "CoA-ACK"
	case CoANAK:
		return "CoA-NAK"
	}
	return "Code-" + strconv.Itoa(int(c))
}

// Sizes in octets (RFC 2865 section 3 and 5).
const (
	HeaderSize        = 20
	MaxPacketSize     = 4096
	AuthenticatorSize = 16
	MaxValueSize      = 253
)

// MaxAttributes is how many attributes a packet may hold before it is taken for
// an attack, as FreeRADIUS does.
const MaxAttributes = 200

// What makes Parse refuse a datagram. All mean: discard silently (RFC 2865
// section 3).
var (
	ErrShort         = errors.New("packet: shorter than its header or than its Length field")
	ErrLength        = errors.New("packet: Length field outside 20 to 4096")
	ErrAttribute     = errors.New("packet: attribute of type 0, shorter than 2 octets or beyond the end")
	ErrTooManyAttrs  = errors.New("packet: more than 200 attributes")
	ErrPacketTooLong = errors.New("packet: longer than 4096 octets")
)

// Packet is a well-formed RADIUS packet, still in the buffer it came in: it
// lives as long as that buffer. The zero value is not a packet.
type Packet struct{ raw []byte }

// Parse checks a datagram's form. Octets beyond the Length field are padding
// and ignored (RFC 2865 section 3).
func Parse(datagram []byte) (Packet, error) {
	if len(datagram) < HeaderSize {
		return Packet{}, ErrShort
	}
	length := int(binary.BigEndian.Uint16(datagram[2:]))
	if length < HeaderSize || length > MaxPacketSize {
		return Packet{}, ErrLength
	}
	if length > len(datagram) {
		return Packet{}, ErrShort
	}
	count := 0
	for rest := datagram[HeaderSize:length]; len(rest) > 0; rest = rest[rest[1]:] {
		if len(rest) < 2 || rest[0] == 0 || rest[1] < 2 || int(rest[1]) > len(rest) {
			return Packet{}, ErrAttribute
		}
		if count++; count > MaxAttributes {
			return Packet{}, ErrTooManyAttrs
		}
	}
	return Packet{raw: datagram[:length:length]}, nil
}

// Code, Identifier and Authenticator are the header's fields.
func (p Packet) Code() Code        { return Code(p.raw[0]) }
func (p Packet) Identifier() uint8 { return p.raw[1] }
func (p Packet) Authenticator() [AuthenticatorSize]byte {
	return [AuthenticatorSize]byte(p.raw[4:HeaderSize])
}

// Raw returns the packet's octets, padding left out.
func (p Packet) Raw() []byte { return p.raw }

// Attribute is one type, length, value triple. Value points into the packet.
type Attribute struct {
	Type  uint8
	Value []byte
}

// Attributes iterates in the order of the packet.
func (p Packet) Attributes() iter.Seq[Attribute] { return attributes(p.raw[HeaderSize:]) }

// attributes walks type-length-value triples and stops where they are malformed.
func attributes(rest []byte) iter.Seq[Attribute] {
	return func(yield func(Attribute) bool) {
		for len(rest) >= 2 && rest[1] >= 2 && int(rest[1]) <= len(rest) {
			if !yield(Attribute{Type: rest[0], Value: rest[2:rest[1]:rest[1]]}) {
				return
			}
			rest = rest[rest[1]:]
		}
	}
}

// Find returns the value of the first attribute of a type; nil when there is none.
func (p Packet) Find(attributeType uint8) []byte {
	for attribute := range p.Attributes() {
		if attribute.Type == attributeType {
			return attribute.Value
		}
	}
	return nil
}

// Vendor splits a Vendor-Specific attribute (RFC 2865 section 5.26) into the
// vendor's number and its data.
func (a Attribute) Vendor() (vendor uint32, data []byte, ok bool) {
	if a.Type != VendorSpecific || len(a.Value) < 4 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint32(a.Value), a.Value[4:], true
}

// VendorAttributes iterates over the sub-attributes in a vendor's data, where
// the vendor uses one octet for each of type and length. A value may be empty
// (RFC 4679 IWF-Session). It stops at the first malformed one.
func VendorAttributes(data []byte) iter.Seq[Attribute] { return attributes(data) }

// AppendHeader begins a packet. Its Length is set when it is signed.
func AppendHeader(dst []byte, code Code, identifier uint8, authenticator [AuthenticatorSize]byte) []byte {
	dst = append(dst, byte(code), identifier, 0, 0)
	return append(dst, authenticator[:]...)
}

// AppendAttribute appends one attribute. A value has at most 253 octets; what
// is beyond that is cut, so callers check lengths when values are stored.
func AppendAttribute(dst []byte, attributeType uint8, value []byte) []byte {
	value = value[:min(len(value), MaxValueSize)]
	dst = append(dst, attributeType, byte(2+len(value)))
	return append(dst, value...)
}

// AppendText is AppendAttribute for a string.
func AppendText(dst []byte, attributeType uint8, value string) []byte {
	value = value[:min(len(value), MaxValueSize)]
	dst = append(dst, attributeType, byte(2+len(value)))
	return append(dst, value...)
}

// AppendInteger appends a 32-bit value.
func AppendInteger(dst []byte, attributeType uint8, value uint32) []byte {
	dst = append(dst, attributeType, 6)
	return binary.BigEndian.AppendUint32(dst, value)
}

// AppendVendorAttribute appends a Vendor-Specific attribute that holds one
// sub-attribute. A value has at most 247 octets; what is beyond is cut.
func AppendVendorAttribute(dst []byte, vendor uint32, attributeType uint8, value []byte) []byte {
	value = value[:min(len(value), MaxValueSize-6)]
	dst = append(dst, VendorSpecific, byte(8+len(value)))
	dst = binary.BigEndian.AppendUint32(dst, vendor)
	dst = append(dst, attributeType, byte(2+len(value)))
	return append(dst, value...)
}
