// Package dictionary knows RADIUS attributes by name: it reads definitions in
// the text format of FreeRADIUS, turns "Name = value" into octets and octets
// into "Name = value". It works on octets that came from anybody and loses
// none of them; it never opens a file but through the fs.FS it is given, never
// encrypts or decrypts a value, and never shows one that is encrypted.
package dictionary

import (
	"fmt"
	"strconv"
	"strings"
)

// Dictionary is a set of definitions. It is immutable and safe for concurrent use.
type Dictionary struct {
	byName   map[string]*Attribute // lower case
	byNumber map[number]*Attribute
	vendors  map[uint32]*vendor
	penOf    map[string]uint32 // lower case vendor name
}

// number is where an attribute stands in packets.
type number struct{ vendor, attribute uint32 }

// vendor is a Private Enterprise Number and how its attributes are framed.
type vendor struct {
	name   string
	pen    uint32
	layout layout
}

// Attribute defines one attribute. Treat it as read-only.
type Attribute struct {
	Name   string
	Vendor uint32 // the vendor's Private Enterprise Number; 0: no Vendor-Specific attribute
	Number uint32 // 1 to 255, or as wide as the vendor's type field
	Type   Type
	Tagged bool // groups with others by a tag (RFC 2868 section 3)
	// Encrypt says how the value is hidden in packets: 0 not at all, 1 as
	// User-Password (RFC 2865 section 5.2), 2 with a salt as Tunnel-Password
	// (RFC 2868 section 3.5), 3 as Ascend-Send-Secret.
	Encrypt uint8
	// Parent is the attribute that this one lies in; nil for one that stands in
	// packets on its own.
	Parent *Attribute

	layout   layout
	children map[uint32]*Attribute
	numbers  map[string]uint64 // VALUE names in lower case
	names    map[uint64]string
}

// Lookup finds a definition by name, in any case. Names of the form Attr-250 and
// Vendor-9-Attr-1 stand for attributes without one, and for any attribute as raw
// octets.
func (d *Dictionary) Lookup(name string) (*Attribute, bool) {
	if attribute, ok := d.byName[strings.ToLower(name)]; ok {
		return attribute, true
	}
	return d.lookupNumbered(name)
}

// Find finds the definition of an attribute by its numbers; vendor is 0 for the
// standard ones.
func (d *Dictionary) Find(vendor, attribute uint32) (*Attribute, bool) {
	found, ok := d.byNumber[number{vendor, attribute}]
	return found, ok
}

// VendorNumber returns the Private Enterprise Number of a vendor by name, in any
// case.
func (d *Dictionary) VendorNumber(name string) (pen uint32, ok bool) {
	pen, ok = d.penOf[strings.ToLower(name)]
	return pen, ok
}

// maxPEN is the largest number that fits a Vendor-Id, whose high octet is zero
// (RFC 2865 section 5.26).
const maxPEN = 1<<24 - 1

// lookupNumbered reads Attr-N and Vendor-PEN-Attr-N.
func (d *Dictionary) lookupNumbered(name string) (*Attribute, bool) {
	parts := strings.Split(strings.ToLower(name), "-")
	var pen, attribute uint64
	var errVendor, errNumber error
	switch {
	case len(parts) == 2 && parts[0] == "attr":
		attribute, errNumber = strconv.ParseUint(parts[1], 10, 32)
	case len(parts) == 4 && parts[0] == "vendor" && parts[2] == "attr":
		pen, errVendor = strconv.ParseUint(parts[1], 10, 32)
		attribute, errNumber = strconv.ParseUint(parts[3], 10, 32)
		if pen == 0 || pen > maxPEN {
			return nil, false
		}
	default:
		return nil, false
	}
	raw := d.raw(uint32(pen), uint32(attribute))
	if errVendor != nil || errNumber != nil || raw.checkNumber() != nil {
		return nil, false
	}
	return raw, true
}

// raw is the definition of an attribute of which only the numbers are known.
func (d *Dictionary) raw(vendor, attribute uint32) *Attribute {
	raw := &Attribute{Vendor: vendor, Number: attribute, Type: TypeRaw, layout: d.layoutOf(vendor)}
	raw.Name = fmt.Sprintf("Attr-%d", attribute)
	if vendor != 0 {
		raw.Name = fmt.Sprintf("Vendor-%d-Attr-%d", vendor, attribute)
	}
	return raw
}

// layoutOf returns a vendor's layout; for one that isn't known, the one that
// RFC 2865 section 5.26 recommends.
func (d *Dictionary) layoutOf(pen uint32) layout {
	if known, ok := d.vendors[pen]; ok {
		return known.layout
	}
	return layout{typeSize: 1, lengthSize: 1}
}

// checkNumber reports a number that does not fit the attribute's type field.
func (a *Attribute) checkNumber() error {
	most := uint64(255)
	if a.Vendor != 0 {
		most = 1<<(8*a.layout.typeSize) - 1
	}
	if a.Number == 0 && a.Vendor == 0 || uint64(a.Number) > most {
		return fmt.Errorf("attribute %q: number %d does not fit a packet: at most %d", a.Name, a.Number, most)
	}
	return nil
}
