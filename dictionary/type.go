package dictionary

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Type is the data type of a value, in the words of the FreeRADIUS dictionaries
// (RFC 8044 gives most of them other names).
type Type string

const (
	TypeString     Type = "string"     // UTF-8 text
	TypeOctets     Type = "octets"     // shown as text where it is plain ASCII, else as 0x hex
	TypeRaw        Type = "raw"        // octets always shown as 0x hex: no definition, or one not yet understood
	TypeInteger    Type = "integer"    // 32 bits; 24 where the attribute is tagged
	TypeInteger64  Type = "integer64"  // 64 bits
	TypeShort      Type = "short"      // 16 bits
	TypeByte       Type = "byte"       // 8 bits
	TypeDate       Type = "date"       // seconds since 1970, 32 bits
	TypeIPv4       Type = "ipaddr"     //
	TypeIPv6       Type = "ipv6addr"   //
	TypeIPv6Prefix Type = "ipv6prefix" // RFC 3162 section 2.3; written with all 16 octets of the address
	TypeIPv4Prefix Type = "ipv4prefix" // RFC 8044 section 3.11
	TypeIfID       Type = "ifid"       // interface identifier, 64 bits
	TypeEther      Type = "ether"      // MAC address
	TypeCombo      Type = "combo-ip"   // an address of either family
	TypeSigned     Type = "signed"     // 32 bits, two's complement

	// What holds other attributes. Their values are shown as raw octets.
	TypeTLV          Type = "tlv"           // RFC 6929 section 2.3
	TypeExtended     Type = "extended"      // RFC 6929 section 2.1
	TypeLongExtended Type = "long-extended" // RFC 6929 section 2.2
	TypeEVS          Type = "evs"           // RFC 6929 section 2.4
)

// parseType reads a type's name; a width in brackets, as in octets[16], says
// nothing about the form. What isn't known is taken as octets, and containers as
// raw.
func parseType(name string) Type {
	name, _, _ = strings.Cut(strings.ToLower(name), "[")
	switch t := Type(name); t {
	case TypeString, TypeInteger, TypeInteger64, TypeShort, TypeByte, TypeDate, TypeIPv4, TypeIPv6,
		TypeIPv6Prefix, TypeIPv4Prefix, TypeIfID, TypeEther, TypeCombo, TypeSigned,
		TypeTLV, TypeExtended, TypeLongExtended, TypeEVS:
		return t
	}
	switch name {
	case "text":
		return TypeString
	case "uint8":
		return TypeByte
	case "uint16":
		return TypeShort
	case "uint32":
		return TypeInteger
	case "uint64":
		return TypeInteger64
	case "time":
		return TypeDate
	case "ipv4addr":
		return TypeIPv4
	case "abinary", "vsa", "struct":
		return TypeRaw
	}
	return TypeOctets
}

// size is how many octets a value has; 0 where that varies.
func (t Type) size() int {
	switch t {
	case TypeByte:
		return 1
	case TypeShort:
		return 2
	case TypeInteger, TypeSigned, TypeDate, TypeIPv4:
		return 4
	case TypeEther, TypeIPv4Prefix:
		return 6
	case TypeInteger64, TypeIfID:
		return 8
	case TypeIPv6:
		return 16
	}
	return 0
}

// numeric reports whether values are numbers, which can have names.
func (t Type) numeric() bool {
	return t == TypeInteger || t == TypeInteger64 || t == TypeShort || t == TypeByte
}

// holds reports whether a value is raw octets to us: a container, or one whose
// form isn't known.
func (t Type) holds() bool {
	switch t {
	case TypeRaw, TypeTLV, TypeExtended, TypeLongExtended, TypeEVS:
		return true
	}
	return false
}

// Size is how many octets the attribute's value has without its tag; 0 where
// that varies.
func (a *Attribute) Size() int {
	if a.Tagged && a.Type == TypeInteger {
		return 3
	}
	return a.Type.size()
}

// Largest is the greatest number that a numeric attribute can hold.
func (a *Attribute) Largest() uint64 { return math.MaxUint64 >> (64 - 8*a.Size()) }

// fits reports whether octets are a value of the attribute's type.
func (a *Attribute) fits(value []byte) bool {
	switch a.Type {
	case TypeIPv6Prefix:
		return len(value) >= 2 && len(value) <= 18 && value[1] <= 128
	case TypeIPv4Prefix:
		return len(value) == 6 && value[1]&0x3f <= 32
	case TypeCombo:
		return len(value) == 4 || len(value) == 16
	}
	return a.Size() == 0 || len(value) == a.Size()
}

// formatValue writes a value that fits.
func (a *Attribute) formatValue(value []byte) string {
	switch a.Type {
	case TypeInteger, TypeInteger64, TypeShort, TypeByte:
		n := bigEndian(value)
		if name, ok := a.names[n]; ok {
			return name
		}
		return strconv.FormatUint(n, 10)
	case TypeDate:
		return time.Unix(int64(bigEndian(value)), 0).UTC().Format(time.RFC3339)
	case TypeSigned:
		return strconv.FormatInt(int64(int32(bigEndian(value))), 10)
	case TypeIPv4, TypeIPv6, TypeCombo:
		address, _ := netip.AddrFromSlice(value)
		return address.String()
	case TypeIPv6Prefix:
		var octets [16]byte
		copy(octets[:], value[2:])
		return netip.PrefixFrom(netip.AddrFrom16(octets), int(value[1])).Masked().String()
	case TypeIPv4Prefix:
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(value[2:])), int(value[1]&0x3f)).Masked().String()
	case TypeIfID:
		return fmt.Sprintf("%04x:%04x:%04x:%04x", value[:2], value[2:4], value[4:6], value[6:])
	case TypeEther:
		return net.HardwareAddr(value).String()
	}
	if a.showsText(value) {
		return string(value)
	}
	return "0x" + hex.EncodeToString(value)
}

// showsText reports whether a value is written as text, and so in quotes where
// it stands in a line.
func (a *Attribute) showsText(value []byte) bool {
	return a.Type == TypeString || a.Type == TypeOctets && plain(value)
}

// plain reports whether octets can stand as text without being mistaken for the
// hex form.
func plain(value []byte) bool {
	beyond := func(octet byte) bool { return octet < 0x20 || octet > 0x7e }
	return !slices.ContainsFunc(value, beyond) && !strings.HasPrefix(string(value), "0x")
}

func bigEndian(value []byte) uint64 {
	var octets [8]byte
	copy(octets[8-len(value):], value)
	return binary.BigEndian.Uint64(octets[:])
}
