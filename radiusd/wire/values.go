package wire

import (
	"encoding/binary"
	"net/netip"
)

// Uint32 reads an integer attribute; ok is false unless it has 4 octets.
func Uint32(value []byte) (n uint32, ok bool) {
	if len(value) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(value), true
}

// Address reads an IPv4 or IPv6 address attribute of 4 or 16 octets; the zero
// Addr stands for any other length and for none.
func Address(value []byte) netip.Addr {
	address, _ := netip.AddrFromSlice(value)
	return address
}

// AppendAddress appends an address attribute.
func AppendAddress(dst []byte, attributeType uint8, address netip.Addr) []byte {
	octets := address.As16()
	if address.Is4() {
		return AppendAttribute(dst, attributeType, octets[12:])
	}
	return AppendAttribute(dst, attributeType, octets[:])
}

// IPv6Prefix reads a prefix attribute leniently: missing octets are zeros, and
// bits beyond the length are masked (RFC 3162 section 2.3). ok is false below 2
// or above 18 octets and for a length above 128.
func IPv6Prefix(value []byte) (prefix netip.Prefix, ok bool) {
	if len(value) < 2 || len(value) > 18 || value[1] > 128 {
		return netip.Prefix{}, false
	}
	var octets [16]byte
	copy(octets[:], value[2:])
	return netip.PrefixFrom(netip.AddrFrom16(octets), int(value[1])).Masked(), true
}

// AppendIPv6Prefix appends a prefix attribute with all 16 octets of the address,
// 20 in total: RFC 3162 and 4818 allow fewer, but this form is what FreeRADIUS 3
// sends and so what every BNG has been fed.
func AppendIPv6Prefix(dst []byte, attributeType uint8, prefix netip.Prefix) []byte {
	octets := prefix.Masked().Addr().As16()
	dst = append(dst, attributeType, 20, 0, byte(prefix.Bits()))
	return append(dst, octets[:]...)
}

// AppendTaggedInteger appends an RFC 2868 integer: a tag octet (0: untagged) and
// 24 bits of value.
func AppendTaggedInteger(dst []byte, attributeType, tag uint8, value uint32) []byte {
	return append(dst, attributeType, 6, tag, byte(value>>16), byte(value>>8), byte(value))
}
