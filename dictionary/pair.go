package dictionary

import (
	"fmt"
	"strconv"
	"strings"
)

// Pair is an attribute with a value. Value is what stands in the packet behind
// the framing and the tag: numbers in network order, 3 octets in a tagged
// integer. Where the attribute is encrypted, ParsePair gives the value in clear,
// to be hidden by the caller before Append, and Read gives it as it is hidden.
type Pair struct {
	Attribute *Attribute
	Tag       uint8 // 1 to 31 (RFC 2868 section 3); 0: none
	Value     []byte
}

// hidden stands for the value of an encrypted attribute.
const hidden = "(hidden)"

// Text returns the value alone: the name of a number that has one, octets as
// text where they are plain ASCII and as 0x hex digits otherwise. An encrypted
// value is never shown.
func (p Pair) Text() string {
	switch {
	case p.Attribute.Encrypt != 0:
		return hidden
	case !p.Attribute.fits(p.Value):
		return (&Attribute{Type: TypeRaw}).formatValue(p.Value)
	}
	return p.Attribute.formatValue(p.Value)
}

// Name returns the attribute's name, followed by a colon and the tag if it has
// one.
func (p Pair) Name() string {
	if p.Tag == 0 {
		return p.Attribute.Name
	}
	return p.Attribute.Name + ":" + strconv.Itoa(int(p.Tag))
}

// String returns "Name = value", which ParsePair reads back unless the value is
// encrypted. Text stands in quotes, with escapes for what can't be printed.
func (p Pair) String() string {
	if p.Attribute.Encrypt == 0 && p.Attribute.showsText(p.Value) {
		return p.Name() + " = " + strconv.Quote(string(p.Value))
	}
	return p.Name() + " = " + p.Text()
}

// maxTag is the highest tag (RFC 2868 section 3.1).
const maxTag = 0x1f

// ParsePair reads "Name = value" or "Name:tag = value", as radclient takes it.
// Text may stand in double quotes, with escapes, or in single quotes, without.
func (d *Dictionary) ParsePair(text string) (Pair, error) {
	name, value, found := strings.Cut(text, "=")
	if !found {
		return Pair{}, fmt.Errorf("%q has no '=': write Name = value", text)
	}
	name, tagText, hasTag := strings.Cut(strings.TrimSpace(strings.TrimRight(name, " \t:+")), ":")
	attribute, ok := d.Lookup(name)
	if !ok {
		return Pair{}, fmt.Errorf("attribute %q is not in the dictionary: use its name there, or Attr-NUMBER or Vendor-PEN-Attr-NUMBER", name)
	}
	if _, ok := attribute.Outer(); !ok {
		return Pair{}, fmt.Errorf("attribute %q lies inside %q: give that one, as 0x hex", attribute.Name, attribute.Parent.Name)
	}
	pair := Pair{Attribute: attribute}
	if hasTag {
		tag, err := strconv.ParseUint(tagText, 10, 8)
		if err != nil || tag > maxTag || !attribute.Tagged {
			return Pair{}, fmt.Errorf("attribute %q: tag %q is not allowed: 0 to 31, and only where the dictionary says has_tag", attribute.Name, tagText)
		}
		pair.Tag = uint8(tag)
	}
	value, quoted, err := unquote(strings.TrimSpace(value))
	if err != nil {
		return Pair{}, fmt.Errorf("attribute %q: %w", attribute.Name, err)
	}
	if pair.Value, err = attribute.parseValue(value, quoted); err != nil {
		return Pair{}, fmt.Errorf("attribute %q: %w", attribute.Name, err)
	}
	return pair, pair.check()
}

// unquote takes quotes away and tells whether there were any.
func unquote(text string) (value string, quoted bool, err error) {
	if len(text) == 0 || text[0] != '"' && text[0] != '\'' {
		return text, false, nil
	}
	if len(text) < 2 || text[len(text)-1] != text[0] {
		return "", true, fmt.Errorf("%s has no closing quote", text)
	}
	if text[0] == '\'' {
		return text[1 : len(text)-1], true, nil
	}
	if value, err = strconv.Unquote(text); err != nil {
		return "", true, fmt.Errorf("%s is not a quoted text: escape quotes and backslashes with a backslash", text)
	}
	return value, true, nil
}

// Append appends the attribute as it stands in packets: type, length, for a
// vendor's attribute the Vendor-Specific framing, tag, value. It fails when the
// value is longer than one attribute can carry.
func (p Pair) Append(dst []byte) ([]byte, error) {
	if err := p.check(); err != nil {
		return dst, err
	}
	start := len(dst)
	dst, _ = p.Attribute.Close(append(p.Attribute.Open(dst), p.tagged()...), start) // check has said that it fits
	return dst, nil
}

// check reports what keeps the pair from standing in a packet.
func (p Pair) check() error {
	if err := p.Attribute.checkNumber(); err != nil {
		return err
	}
	most := 255 - len(p.Attribute.Open(nil))
	if size := len(p.tagged()); size > most {
		return fmt.Errorf("attribute %q: value of %d octets: at most %d fit", p.Attribute.Name, size, most)
	}
	return nil
}

// tagged returns the value behind its tag. A text without a tag has no tag
// octet, unless its first octet would be taken for one; an integer and an
// encrypted text always have it (RFC 2868 section 3).
func (p Pair) tagged() []byte {
	if !p.Attribute.Tagged {
		return p.Value
	}
	always := p.Attribute.Type == TypeInteger || p.Attribute.Encrypt != 0
	if p.Tag == 0 && !always && (len(p.Value) == 0 || p.Value[0] > maxTag) {
		return p.Value
	}
	return append([]byte{p.Tag}, p.Value...)
}
