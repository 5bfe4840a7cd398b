package dialect

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"linegate/dictionary"
)

// statement writes one attribute: "Name = value" or "Name:tag = value" as radclient
// takes it, with fields in braces, compiled. It is written when every field
// without a default holds a value; a statement without fields is always written.
//
//	Mikrotik-Rate-Limit = {upload_kbps|0}k/{download_kbps|0}k
type statement struct {
	attribute *dictionary.Attribute
	tag       uint8
	parts     []part // what the value is made of; nil: it is constant
	// short lets a prefix end with its last octet that counts (RFC 3162 section 2.3).
	short bool

	// Made beforehand, so that a packet only copies.
	head     []byte // what stands before the value; of a constant, all of the attribute
	isText   bool   // the attribute takes any text
	isPrefix bool   // it takes an IPv6 prefix
	octets   int    // that a number takes
	most     uint64 // the greatest number that they hold
}

// part is a stretch of text, or a field.
type part struct {
	literal  string
	field    field
	shape    shape
	fallback string // stands for a field without a value
	optional bool   // the field has a fallback
}

// compile reads a statement with the names of a dictionary.
func compile(names *dictionary.Dictionary, text string, short bool) (statement, error) {
	name, value, found := strings.Cut(text, "=")
	if !found {
		return statement{}, fmt.Errorf("%q is not allowed: write Name = value", text)
	}
	if !strings.Contains(value, "{") {
		pair, err := names.ParsePair(text)
		if err != nil {
			return statement{}, err
		}
		return constantStatement(pair)
	}
	// The dictionary knows names and tags; it is given a value that suits any type.
	name, tagText, tagged := strings.Cut(strings.TrimSpace(name), ":")
	attribute, ok := names.Lookup(name)
	if !ok {
		return statement{}, fmt.Errorf("attribute %q is not in the dictionary", name)
	}
	s := statement{attribute: attribute, short: short, octets: attribute.Size(), isPrefix: attribute.Type == dictionary.TypeIPv6Prefix,
		isText: attribute.Type == dictionary.TypeString || attribute.Type == dictionary.TypeOctets}
	if tagged {
		tag, err := strconv.ParseUint(tagText, 10, 8)
		if err != nil || tag > maxTag || !attribute.Tagged {
			return statement{}, fmt.Errorf("attribute %q: tag %q is not allowed: 0 to %d, and only where the dictionary says has_tag", name, tagText, maxTag)
		}
		s.tag = uint8(tag)
	}
	if _, ok := attribute.Outer(); !ok || attribute.Encrypt != 0 {
		return statement{}, fmt.Errorf("attribute %q is encrypted or lies inside another: a dialect can't write it", name)
	}
	var err error
	if s.parts, err = splitParts(strings.TrimSpace(value)); err != nil {
		return statement{}, fmt.Errorf("attribute %q: %w", name, err)
	}
	return s, s.prepare()
}

const maxTag = 31 // RFC 2868 section 3.1

func constantStatement(pair dictionary.Pair) (statement, error) {
	if _, ok := pair.Attribute.Outer(); !ok || pair.Attribute.Encrypt != 0 {
		return statement{}, fmt.Errorf("attribute %q is encrypted or lies inside another: a dialect can't write it", pair.Attribute.Name)
	}
	whole, err := pair.Append(nil)
	return statement{attribute: pair.Attribute, tag: pair.Tag, head: whole}, err
}

// splitParts parts a value at its braces.
func splitParts(value string) (parts []part, err error) {
	for value != "" {
		open := strings.IndexByte(value, '{')
		if open < 0 {
			return append(parts, part{literal: value}), nil
		}
		if open > 0 {
			parts = append(parts, part{literal: value[:open]})
		}
		end := strings.IndexByte(value, '}')
		if end < open {
			return nil, fmt.Errorf("%q has a brace without its other", value)
		}
		name, fallback, optional := strings.Cut(value[open+1:end], "|")
		f, known := fieldNamed(name)
		if !known {
			return nil, fmt.Errorf("there is no field {%s}: %s", name, strings.Join(fieldNames(), ", "))
		}
		parts = append(parts, part{field: f, shape: fieldTable[f].shape, fallback: fallback, optional: optional})
		value = value[end+1:]
	}
	return parts, nil
}

func fieldNames() []string {
	var names []string
	for _, info := range fieldTable {
		names = append(names, info.name)
	}
	slices.Sort(names)
	return names
}

// prepare makes what stands before the value, and reports fields that the
// attribute's type can't carry.
func (s *statement) prepare() error {
	s.head = s.attribute.Open(nil)
	if s.attribute.Tagged && (s.tag != 0 || !s.isText) {
		s.head = append(s.head, s.tag)
	}
	if s.isText {
		return nil
	}
	allowed := map[dictionary.Type][]shape{
		dictionary.TypeInteger: {shapeNumber}, dictionary.TypeInteger64: {shapeNumber},
		dictionary.TypeShort: {shapeNumber}, dictionary.TypeByte: {shapeNumber},
		dictionary.TypeIPv4: {shapeAddress}, dictionary.TypeIPv6: {shapeAddress}, dictionary.TypeCombo: {shapeAddress},
		dictionary.TypeIPv6Prefix: {shapePrefix, shapeAddress},
	}[s.attribute.Type]
	if len(s.parts) != 1 || s.parts[0].optional || !slices.Contains(allowed, s.parts[0].shape) {
		return fmt.Errorf("attribute %q is of type %s: it takes one field that is of that kind, and nothing else", s.attribute.Name, s.attribute.Type)
	}
	if s.parts[0].shape == shapeNumber {
		s.most = s.attribute.Largest()
	}
	return nil
}

// speaks reports whether the statement has a value to write.
func (s *statement) speaks(from *source) bool {
	some := len(s.parts) == 0
	for i := range s.parts {
		p := &s.parts[i]
		if p.field == 0 {
			continue
		}
		if from.has(p.field, p.shape) {
			some = true
		} else if !p.optional {
			return false
		}
	}
	return some
}

// append writes the attribute, if it has a value that fits one.
func (s *statement) append(dst []byte, from *source) []byte {
	start := len(dst)
	switch {
	case s.parts == nil:
		return append(dst, s.head...)
	case !s.isText:
		dst = s.appendTyped(dst, from)
	case s.speaks(from):
		dst = s.appendText(append(dst, s.head...), from)
	}
	if len(dst) > start {
		dst, _ = s.attribute.Close(dst, start)
	}
	return dst
}

func (s *statement) appendText(dst []byte, from *source) []byte {
	for i := range s.parts {
		p := &s.parts[i]
		switch {
		case p.field == 0:
			dst = append(dst, p.literal...)
		case p.optional && !from.has(p.field, p.shape):
			dst = append(dst, p.fallback...)
		default:
			dst = appendFieldText(dst, p, from)
		}
	}
	return dst
}

func appendFieldText(dst []byte, p *part, from *source) []byte {
	switch p.shape {
	case shapeText:
		text, _ := from.text(p.field)
		return append(dst, text...)
	case shapeNumber:
		n, _ := from.number(p.field)
		return strconv.AppendUint(dst, n, 10)
	case shapeAddress:
		address, _ := from.address(p.field)
		return address.AppendTo(dst)
	}
	prefix, _ := from.prefix(p.field)
	return prefix.AppendTo(dst)
}

// appendTyped writes head and value of an attribute that is no text, if its one
// field has a value. A number that the attribute can't hold is written as the
// greatest it can: the nearest to what was meant (see overflows).
func (s *statement) appendTyped(dst []byte, from *source) []byte {
	p := &s.parts[0]
	switch p.shape {
	case shapeNumber:
		n, ok := from.number(p.field)
		if !ok {
			return dst
		}
		var octets [8]byte
		binary.BigEndian.PutUint64(octets[:], min(n, s.most))
		return append(append(dst, s.head...), octets[8-s.octets:]...)
	case shapeAddress:
		address, ok := from.address(p.field)
		if !ok {
			return dst
		}
		return s.appendAddress(append(dst, s.head...), address)
	}
	prefix, ok := from.prefix(p.field)
	if !ok {
		return dst
	}
	return s.appendPrefix(append(dst, s.head...), prefix)
}

// appendAddress writes an address as its octets, or as the prefix that holds it alone.
func (s *statement) appendAddress(dst []byte, address netip.Addr) []byte {
	if s.isPrefix {
		return s.appendPrefix(dst, netip.PrefixFrom(address, address.BitLen()))
	}
	octets := address.As16()
	if address.Is4() {
		return append(dst, octets[12:]...)
	}
	return append(dst, octets[:]...)
}

// appendPrefix writes a prefix with all 16 octets of its address, or as few as it
// needs.
func (s *statement) appendPrefix(dst []byte, prefix netip.Prefix) []byte {
	octets := prefix.Masked().Addr().As16()
	dst = append(dst, 0, byte(prefix.Bits()))
	if s.short {
		return append(dst, octets[:(prefix.Bits()+7)/8]...)
	}
	return append(dst, octets[:]...)
}

// overflows returns the name of a field whose number the attribute can't hold, with
// the greatest value that the field may have; empty: everything fits.
func (s *statement) overflows(from *source) (name string, most uint64) {
	if s.most == 0 {
		return "", 0
	}
	f := s.parts[0].field
	n, _ := from.number(f)
	if n <= s.most {
		return "", 0
	}
	most = s.most
	switch f {
	case fieldDownloadBps:
		return fieldTable[fieldDownloadKbps].name, most / bitsPerKbit
	case fieldUploadBps:
		return fieldTable[fieldUploadKbps].name, most / bitsPerKbit
	}
	return fieldTable[f].name, most
}
