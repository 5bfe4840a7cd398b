package dictionary

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parseValue reads a value as formatValue writes it. Within quotes, 0x is text.
func (a *Attribute) parseValue(text string, quoted bool) ([]byte, error) {
	switch a.Type {
	case TypeInteger, TypeInteger64, TypeShort, TypeByte:
		return a.parseNumber(text)
	case TypeDate:
		return parseDate(text)
	case TypeIPv4:
		return parseAddress(text, netip.Addr.Is4, "an IPv4 address")
	case TypeIPv6:
		return parseAddress(text, netip.Addr.Is6, "an IPv6 address")
	case TypeCombo:
		return parseAddress(text, netip.Addr.IsValid, "an IPv4 or IPv6 address")
	case TypeSigned:
		return parseSigned(text)
	case TypeIPv6Prefix:
		return parsePrefix(text, netip.Addr.Is6, "an IPv6 prefix, e.g. 2001:db8:100::/56")
	case TypeIPv4Prefix:
		return parsePrefix(text, netip.Addr.Is4, "an IPv4 prefix, e.g. 192.0.2.0/24")
	case TypeIfID:
		return parseInterfaceID(text)
	case TypeEther:
		return parseEther(text)
	}
	digits, isHex := strings.CutPrefix(text, "0x")
	if quoted || !isHex || a.Type == TypeString {
		return []byte(text), nil
	}
	octets, err := hex.DecodeString(digits)
	if err != nil {
		return nil, fmt.Errorf("%q is not 0x and an even number of hex digits", text)
	}
	return octets, nil
}

// parseNumber reads the name of a value, a decimal, or a hex number.
func (a *Attribute) parseNumber(text string) ([]byte, error) {
	n, named := a.numbers[strings.ToLower(text)]
	if !named {
		var err error
		if n, err = parseUint(text); err != nil || n > a.Largest() {
			return nil, fmt.Errorf("%q is not a number up to %d%s", text, a.Largest(), a.orOneOf())
		}
	}
	octets := binary.BigEndian.AppendUint64(nil, n)
	return octets[8-a.Size():], nil
}

func parseSigned(text string) ([]byte, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("%q is not a number from %d to %d", text, math.MinInt32, math.MaxInt32)
	}
	return binary.BigEndian.AppendUint32(nil, uint32(n)), nil
}

// orOneOf lists the names of values in the order of their numbers.
func (a *Attribute) orOneOf() string {
	if len(a.names) == 0 {
		return ""
	}
	var names []string
	for _, n := range slices.Sorted(maps.Keys(a.names)) {
		names = append(names, a.names[n])
	}
	return ", nor one of " + strings.Join(names, ", ")
}

// parseUint reads a decimal, or hex digits after 0x.
func parseUint(text string) (uint64, error) {
	if digits, isHex := strings.CutPrefix(text, "0x"); isHex {
		return strconv.ParseUint(digits, 16, 64)
	}
	return strconv.ParseUint(text, 10, 64)
}

func parseDate(text string) ([]byte, error) {
	seconds, err := parseUint(text)
	if err != nil {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil || at.Unix() < 0 {
			return nil, fmt.Errorf("%q is not a time, e.g. 2026-01-31T12:00:00Z or seconds since 1970", text)
		}
		seconds = uint64(at.Unix())
	}
	if seconds > math.MaxUint32 {
		return nil, fmt.Errorf("%q is beyond the year 2106, where 32 bits end", text)
	}
	return binary.BigEndian.AppendUint32(nil, uint32(seconds)), nil
}

func parseAddress(text string, family func(netip.Addr) bool, allowed string) ([]byte, error) {
	address, err := netip.ParseAddr(text)
	if err != nil || !family(address) || address.Zone() != "" {
		return nil, fmt.Errorf("%q is not %s", text, allowed)
	}
	return address.AsSlice(), nil
}

// parsePrefix writes a reserved octet, the length, and the whole address: the
// form that FreeRADIUS 3 has always sent (RFC 3162 allows fewer octets).
func parsePrefix(text string, family func(netip.Addr) bool, allowed string) ([]byte, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil || !family(prefix.Addr()) {
		return nil, fmt.Errorf("%q is not %s", text, allowed)
	}
	octets := []byte{0, byte(prefix.Bits())}
	return append(octets, prefix.Masked().Addr().AsSlice()...), nil
}

// parseInterfaceID reads four groups of one to four hex digits.
func parseInterfaceID(text string) ([]byte, error) {
	groups := strings.Split(text, ":")
	var octets []byte
	for _, group := range groups {
		n, err := strconv.ParseUint(group, 16, 16)
		if err != nil || len(groups) != 4 {
			return nil, fmt.Errorf("%q is not an interface identifier, e.g. 0000:0000:0000:0001", text)
		}
		octets = binary.BigEndian.AppendUint16(octets, uint16(n))
	}
	return octets, nil
}

func parseEther(text string) ([]byte, error) {
	address, err := net.ParseMAC(text)
	if err != nil || len(address) != 6 {
		return nil, fmt.Errorf("%q is not a MAC address, e.g. 02:00:00:00:01:01", text)
	}
	return address, nil
}
