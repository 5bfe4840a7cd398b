package dictionary

import (
	"encoding/binary"
	"strings"
)

// vendorSpecific is the type of the attribute that vendors' attributes lie in
// (RFC 2865 section 5.26).
const vendorSpecific = 26

// Read names one attribute of a packet, given by its type and value. It returns
// several pairs for a Vendor-Specific attribute that holds several, and raw
// octets under a numbered name (Attr-250, Vendor-9-Attr-1) for what has no
// definition or does not fit it. The pairs' values point into the packet.
func (d *Dictionary) Read(attributeType uint8, value []byte) []Pair {
	if attributeType == vendorSpecific {
		if pairs := d.readVendor(value); pairs != nil {
			return pairs
		}
	}
	if pair, ok := d.readExtended(attributeType, value); ok {
		return []Pair{pair}
	}
	return []Pair{d.pair(0, uint32(attributeType), value)}
}

// Format writes one attribute of a packet as Read names it: "Name = value", with
// a comma between several.
func (d *Dictionary) Format(attributeType uint8, value []byte) string {
	var lines []string
	for _, pair := range d.Read(attributeType, value) {
		lines = append(lines, pair.String())
	}
	return strings.Join(lines, ", ")
}

// readExtended names an extended attribute (RFC 6929). ok is false for one that is
// not defined, does not fit, or goes on in another attribute.
func (d *Dictionary) readExtended(attributeType uint8, value []byte) (pair Pair, ok bool) {
	holder, known := d.Find(0, uint32(attributeType))
	if !known || len(value) == 0 {
		return Pair{}, false
	}
	inner := holder.children[uint32(value[0])]
	if inner == nil {
		return Pair{}, false
	}
	rest, ok := inner.Within(value)
	if !ok || !inner.fits(rest) {
		return Pair{}, false
	}
	return Pair{Attribute: inner, Value: rest}, true
}

// readVendor returns nil when the value is not framed as its vendor does it.
func (d *Dictionary) readVendor(value []byte) []Pair {
	if len(value) < 4 {
		return nil
	}
	pen := binary.BigEndian.Uint32(value)
	if pen == 0 || pen > maxPEN {
		return nil
	}
	parts, ok := d.layoutOf(pen).split(value[4:])
	if !ok {
		return nil
	}
	pairs := make([]Pair, len(parts))
	for i, part := range parts {
		pairs[i] = d.pair(pen, part.number, part.value)
	}
	return pairs
}

// pair reads a value under its definition, or raw where that does not hold.
func (d *Dictionary) pair(vendor, attribute uint32, value []byte) Pair {
	if known, ok := d.Find(vendor, attribute); ok {
		if tag, rest, ok := known.untag(value); ok && known.fits(rest) {
			return Pair{Attribute: known, Tag: tag, Value: rest}
		}
		if known.Encrypt != 0 {
			return Pair{Attribute: known, Value: value}
		}
	}
	return Pair{Attribute: d.raw(vendor, attribute), Value: value}
}

// untag splits the tag off. In a text the first octet is a tag only up to 31, in
// an encrypted text always (RFC 2868 sections 3.3 and 3.5).
func (a *Attribute) untag(value []byte) (tag uint8, rest []byte, ok bool) {
	switch {
	case !a.Tagged:
		return 0, value, true
	case len(value) == 0:
		return 0, value, a.Type != TypeInteger
	case value[0] <= maxTag:
		return value[0], value[1:], true
	case a.Encrypt != 0:
		return 0, value[1:], true
	}
	return 0, value, a.Type != TypeInteger
}
