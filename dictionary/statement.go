package dictionary

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// block is what the statements of one file stand in.
type block struct {
	*parser
	vendor  *vendor      // between BEGIN-VENDOR and END-VENDOR
	holder  *Attribute   // where BEGIN-VENDOR puts the vendor's attributes, if not in Vendor-Specific
	parents []*Attribute // between BEGIN-TLV and END-TLV
}

// statement reads any statement but $INCLUDE and VALUE.
func (b *block) statement(fields []string) error {
	arguments := fields[1:]
	least := map[string]int{"ATTRIBUTE": 3, "VENDOR": 2, "BEGIN-VENDOR": 1, "END-VENDOR": 1, "BEGIN-TLV": 1, "END-TLV": 1}
	if needed, known := least[fields[0]]; !known {
		return errors.New("unknown statement: ATTRIBUTE, VALUE, VENDOR, BEGIN-VENDOR, END-VENDOR, BEGIN-TLV, END-TLV or $INCLUDE is allowed")
	} else if len(arguments) < needed {
		return fmt.Errorf("%d words must follow", needed)
	}
	switch fields[0] {
	case "ATTRIBUTE":
		return b.attribute(arguments)
	case "VENDOR":
		return b.defineVendor(arguments)
	case "BEGIN-VENDOR":
		return b.beginVendor(arguments)
	case "END-VENDOR":
		return b.endVendor(arguments[0])
	case "BEGIN-TLV":
		return b.beginTLV(arguments[0])
	default:
		return b.endTLV(arguments[0])
	}
}

// end reports a block that the file leaves open.
func (b *block) end() error {
	if len(b.parents) > 0 {
		return fmt.Errorf("BEGIN-TLV %s has no END-TLV", b.parents[len(b.parents)-1].Name)
	}
	if b.vendor != nil {
		return fmt.Errorf("BEGIN-VENDOR %s has no END-VENDOR", b.vendor.name)
	}
	return nil
}

// defineVendor reads NAME NUMBER [format=LAYOUT].
func (b *block) defineVendor(arguments []string) error {
	name := arguments[0]
	pen, err := strconv.ParseUint(arguments[1], 10, 32)
	if err != nil || pen == 0 || pen > maxPEN {
		return fmt.Errorf("number %q is not allowed: 1 to %d", arguments[1], maxPEN)
	}
	if configured, ok := b.pens[name]; ok {
		if other, taken := b.dictionary.vendors[configured]; taken && configured != DocumentationPEN {
			return fmt.Errorf("number %d is that of vendor %q", configured, other.name)
		}
		pen = uint64(configured)
	}
	framing := layout{typeSize: 1, lengthSize: 1}
	for _, option := range arguments[2:] {
		text, ok := strings.CutPrefix(option, "format=")
		if !ok {
			return fmt.Errorf("option %q is not allowed: format=LAYOUT", option)
		}
		if framing, err = parseLayout(text); err != nil {
			return err
		}
	}
	if other, ok := b.dictionary.VendorNumber(name); ok && other != uint32(pen) {
		return fmt.Errorf("vendor %q has number %d already", name, other)
	}
	b.dictionary.vendors[uint32(pen)] = &vendor{name: name, pen: uint32(pen), layout: framing}
	b.dictionary.penOf[strings.ToLower(name)] = uint32(pen)
	return nil
}

func (b *block) findVendor(name string) (*vendor, error) {
	pen, ok := b.dictionary.VendorNumber(name)
	if !ok {
		return nil, fmt.Errorf("unknown vendor %q", name)
	}
	return b.dictionary.vendors[pen], nil
}

// beginVendor reads NAME [format=ATTRIBUTE|parent=ATTRIBUTE].
func (b *block) beginVendor(arguments []string) (err error) {
	if b.vendor != nil {
		return fmt.Errorf("vendor %q has no END-VENDOR yet", b.vendor.name)
	}
	if b.vendor, err = b.findVendor(arguments[0]); err != nil {
		return err
	}
	for _, option := range arguments[1:] {
		_, name, _ := strings.Cut(option, "=")
		holder, ok := b.dictionary.Lookup(name)
		if !ok {
			return fmt.Errorf("unknown attribute %q", name)
		}
		b.holder = holder
	}
	return nil
}

func (b *block) endVendor(name string) error {
	if b.vendor == nil || !strings.EqualFold(b.vendor.name, name) {
		return fmt.Errorf("vendor %q has no BEGIN-VENDOR here", name)
	}
	if len(b.parents) > 0 {
		return b.end()
	}
	b.vendor, b.holder = nil, nil
	return nil
}

func (b *block) beginTLV(name string) error {
	attribute, ok := b.dictionary.byName[strings.ToLower(name)]
	if !ok {
		return fmt.Errorf("unknown attribute %q", name)
	}
	b.parents = append(b.parents, attribute)
	return nil
}

func (b *block) endTLV(name string) error {
	last := len(b.parents) - 1
	if last < 0 || !strings.EqualFold(b.parents[last].Name, name) {
		return fmt.Errorf("attribute %q has no BEGIN-TLV here", name)
	}
	b.parents = b.parents[:last]
	return nil
}
