package linegate

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Line names one access line. An empty field is not checked.
type Line struct {
	CircuitID Octets
	RemoteID  Octets
}

// Named reports whether the line says anything.
func (l Line) Named() bool { return l != Line{} }

// Lines are further lines of a subscriber, e.g. of a second ONT. As text they are
// parted by semicolons, circuit-id and remote-id by a comma:
//
//	olt1 xpon 0/1/1,ONT1; olt2 xpon 0/1/1; ,ONT3; "a,b",0x0006
//
// Each is written as Octets are; one with a comma, a semicolon, a quote, or a blank
// at an end stands in double quotes, with a backslash before quotes and backslashes.
type Lines []Line

// maxLines bounds how many further lines a subscriber has.
const maxLines = 16

const linesAllowed = "up to 16 lines as CIRCUIT,REMOTE; CIRCUIT,REMOTE with either left out where it is not checked"

// String returns the text form.
func (l Lines) String() string {
	texts := make([]string, len(l))
	for i, line := range l {
		texts[i] = quotedOctets(line.CircuitID)
		if line.RemoteID != "" {
			texts[i] += "," + quotedOctets(line.RemoteID)
		}
	}
	return strings.Join(texts, "; ")
}

func (l Lines) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

func (l *Lines) UnmarshalText(text []byte) error {
	lines, err := ParseLines("more_lines", string(text))
	if err == nil {
		*l = lines
	}
	return err
}

// ParseLines reads the text form; empty is none. field names it in errors.
func ParseLines(field, text string) (Lines, error) {
	refused := &FieldError{Field: field, Value: text, Allowed: linesAllowed}
	var lines Lines
	entries, ok := splitQuoted(text, ';')
	for _, entry := range entries {
		parts, closed := splitQuoted(entry, ',')
		if !ok || !closed || len(parts) > 2 {
			return nil, refused
		}
		line, err := parseLine(field, parts)
		if err != nil {
			return nil, err
		}
		if !line.Named() || len(lines) == maxLines {
			return nil, refused
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// parseLine reads a circuit-id and, where there is one, a remote-id.
func parseLine(field string, parts []string) (line Line, err error) {
	for i, into := range []*Octets{&line.CircuitID, &line.RemoteID}[:len(parts)] {
		if *into, err = parseQuotedOctets(field, parts[i]); err != nil {
			return Line{}, err
		}
		if len(*into) > maxOctets {
			return Line{}, &FieldError{Field: field, Value: parts[i], Allowed: octetsAllowed}
		}
	}
	return line, nil
}

// quotedOctets writes octets so that they can stand in a list.
func quotedOctets(o Octets) string {
	text := o.String()
	if strings.ContainsAny(text, `,;"\`) || strings.TrimSpace(text) != text {
		return strconv.Quote(text)
	}
	return text
}

func parseQuotedOctets(field, text string) (Octets, error) {
	if !strings.HasPrefix(text, `"`) {
		return ParseOctets(field, text)
	}
	plain, err := strconv.Unquote(text)
	if err != nil {
		return "", &FieldError{Field: field, Value: text, Allowed: "text in double quotes with escapes by backslash"}
	}
	return ParseOctets(field, plain)
}

// splitQuoted parts a text at separators that stand outside of double quotes, and
// takes blanks off the parts. A text of blanks has none. ok is false when a quote is
// not closed.
func splitQuoted(text string, separator byte) (parts []string, ok bool) {
	if strings.TrimSpace(text) == "" {
		return nil, true
	}
	start, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quoted:
			i++
		case text[i] == '"':
			quoted = !quoted
		case text[i] == separator && !quoted:
			parts = append(parts, strings.TrimSpace(text[start:i]))
			start = i + 1
		}
	}
	return append(parts, strings.TrimSpace(text[start:])), !quoted
}

// Addresses is a list of IP addresses, as text with commas between.
type Addresses []netip.Addr

// String returns the text form.
func (a Addresses) String() string {
	texts := make([]string, len(a))
	for i, address := range a {
		texts[i] = address.String()
	}
	return strings.Join(texts, ",")
}

func (a Addresses) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

func (a *Addresses) UnmarshalText(text []byte) error {
	addresses, err := ParseAddresses("addresses", string(text))
	if err == nil {
		*a = addresses
	}
	return err
}

// What a dialect can write of name servers.
const (
	maxDNS4    = 2
	maxDNS6    = 3
	dnsAllowed = "up to 2 IPv4 and 3 IPv6 unicast addresses with commas"
)

// ParseAddresses reads unicast addresses with commas between; empty is none. field
// names them in errors.
func ParseAddresses(field, text string) (Addresses, error) {
	var addresses Addresses
	four, six := 0, 0
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		address, err := netip.ParseAddr(word)
		if err != nil || address.Zone() != "" || address.IsUnspecified() || address.IsMulticast() || address.Is4In6() {
			return nil, &FieldError{Field: field, Value: word, Allowed: dnsAllowed}
		}
		if address.Is4() {
			four++
		} else {
			six++
		}
		addresses = append(addresses, address)
	}
	if four > maxDNS4 || six > maxDNS6 {
		return nil, &FieldError{Field: field, Value: text, Allowed: dnsAllowed}
	}
	return addresses, nil
}

// Attributes are RADIUS attributes as "Name = value", by the dictionary. As text
// they are parted by semicolons outside of double quotes.
type Attributes []string

// maxAttributes bounds how many extra attributes a reply has.
const maxAttributes = 16

var attributesAllowed = fmt.Sprintf("up to %d attributes as Name = value; Name = value with the names of the dictionary", maxAttributes)

// String returns the text form.
func (a Attributes) String() string { return strings.Join(a, "; ") }

func (a Attributes) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

func (a *Attributes) UnmarshalText(text []byte) error {
	attributes, err := ParseAttributes("reply_attributes", string(text))
	if err == nil {
		*a = attributes
	}
	return err
}

// ParseAttributes reads the text form; empty is none. Whether the names exist is
// the dictionary's to say. field names them in errors.
func ParseAttributes(field, text string) (Attributes, error) {
	parts, ok := splitQuoted(text, ';')
	var attributes Attributes
	for _, part := range parts {
		if part == "" {
			continue
		}
		if !strings.Contains(part, "=") {
			ok = false
		}
		attributes = append(attributes, part)
	}
	if !ok || len(attributes) > maxAttributes || len(text) > 2048 {
		return nil, &FieldError{Field: field, Value: text, Allowed: attributesAllowed}
	}
	return attributes, nil
}
