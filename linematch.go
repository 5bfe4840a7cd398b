package linegate

import (
	"bytes"
	"strings"
)

// LineMatch says in which forms a circuit-id or remote-id counts as equal to the
// profile's. It is a set; the zero value compares octets and nothing else.
type LineMatch uint8

const (
	MatchHex    LineMatch = 1 << iota // hex digits as the octets they stand for
	MatchHeader                       // without a type of 0 or 1 and a length in front
	MatchTrim                         // without NUL and blanks at either end
	MatchFold                         // ASCII letters in either case
	MatchGlob                         // * and ? in the profile's value stand for any octets, and for one

	// MatchExact compares octets whatever the NAS's setting is.
	MatchExact
)

// MatchAll is every form but patterns. It is also the form in which lines are
// looked up, see AppendLineForm.
const MatchAll = MatchHex | MatchHeader | MatchTrim | MatchFold

// matchWords gives the modes their names, in the order they are written.
var matchWords = []struct {
	mode LineMatch
	word string
}{{MatchExact, "exact"}, {MatchHex, "hex"}, {MatchHeader, "header"}, {MatchTrim, "trim"}, {MatchFold, "fold"}, {MatchGlob, "glob"}}

const lineMatchAllowed = "exact alone, or some of hex, header, trim, fold, glob, with commas"

// ParseLineMatch reads modes with commas between; empty is the zero value. field
// names what is read, for the error.
func ParseLineMatch(field, text string) (LineMatch, error) {
	var m LineMatch
	for word := range strings.SplitSeq(text, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		known := word == ""
		for _, w := range matchWords {
			if w.word == word {
				m, known = m|w.mode, true
			}
		}
		if !known {
			return 0, &FieldError{Field: field, Value: text, Allowed: lineMatchAllowed}
		}
	}
	if m&MatchExact != 0 && m != MatchExact {
		return 0, &FieldError{Field: field, Value: text, Allowed: lineMatchAllowed}
	}
	return m, nil
}

// String returns the modes as ParseLineMatch reads them.
func (m LineMatch) String() string {
	var words []string
	for _, w := range matchWords {
		if m&w.mode != 0 {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, ",")
}

// MarshalText makes the modes read the same in JSON and YAML.
func (m LineMatch) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

func (m *LineMatch) UnmarshalText(text []byte) error {
	modes, err := ParseLineMatch("line_match", string(text))
	if err == nil {
		*m = modes
	}
	return err
}

// Or returns the modes, or those of a fallback where none are set.
func (m LineMatch) Or(fallback LineMatch) LineMatch {
	if m == 0 {
		return fallback
	}
	return m
}

// pattern reports whether a profile's value stands for more than itself.
func (m LineMatch) pattern(value Octets) bool {
	return m&MatchGlob != 0 && strings.ContainsAny(string(value), "*?")
}

// lineSpace is room for any value of an attribute, for forms that are made of it.
type lineSpace [256]byte

// Equal compares a profile's value with a request's. It does not allocate.
func (m LineMatch) Equal(expected Octets, actual []byte) bool {
	if string(expected) == string(actual) {
		return true
	}
	if m&^MatchExact == 0 {
		return false
	}
	var left, right lineSpace
	form := m.appendForm(right[:0], actual)
	if m.pattern(expected) {
		pattern := append(left[:0], expected...)
		if m&MatchFold != 0 {
			fold(pattern)
		}
		return globs(pattern, form)
	}
	return bytes.Equal(m.appendForm(left[:0], append(left[:0], expected...)), form)
}

// AppendLineForm appends the one form in which lines that MatchAll calls equal are
// the same: a line is looked up by it where its octets find nobody.
func AppendLineForm(dst, value []byte) []byte { return MatchAll.appendForm(dst, value) }

// appendForm appends a value in its comparable form: without the header, in octets
// where it was hex digits, without the header that these had, and trimmed last, so
// that no NUL of a binary value is taken for padding too early. value may be the
// memory that dst appends to.
func (m LineMatch) appendForm(dst, value []byte) []byte {
	start := len(dst)
	dst = append(dst, m.withoutHeader(value)...)
	if m&MatchHex != 0 {
		digits := dst[start:]
		if m&MatchTrim != 0 {
			digits = bytes.Trim(digits, "\x00 ")
		}
		if octets, ok := unhexed(dst[:start], digits); ok {
			dst = append(dst[:start], m.withoutHeader(octets[start:])...)
		}
	}
	form := dst[start:]
	if m&MatchTrim != 0 {
		form = append(form[:0], bytes.TrimLeft(bytes.TrimRight(form, "\x00 "), " ")...)
	}
	if m&MatchFold != 0 {
		fold(form)
	}
	return dst[:start+len(form)]
}

// withoutHeader takes a type of 0 or 1 and a length that agrees off a value.
func (m LineMatch) withoutHeader(value []byte) []byte {
	if m&MatchHeader != 0 && len(value) > 2 && value[0] <= 1 && int(value[1]) == len(value)-2 {
		return value[2:]
	}
	return value
}

// unhexed appends the octets that hex digits, with or without 0x, stand for. ok is
// false, and dst as it was, when they are none.
func unhexed(dst, digits []byte) (octets []byte, ok bool) {
	if len(digits) > 2 && digits[0] == '0' && digits[1]|0x20 == 'x' {
		digits = digits[2:]
	}
	if len(digits) == 0 || len(digits)%2 != 0 {
		return dst, false
	}
	for _, digit := range digits {
		if hexValue(digit) > 15 {
			return dst, false
		}
	}
	for i := 0; i < len(digits); i += 2 {
		dst = append(dst, hexValue(digits[i])<<4|hexValue(digits[i+1]))
	}
	return dst, true
}

// hexValue reads one hex digit; 255 for anything else.
func hexValue(digit byte) byte {
	switch {
	case digit >= '0' && digit <= '9':
		return digit - '0'
	case digit|0x20 >= 'a' && digit|0x20 <= 'f':
		return digit | 0x20 - 'a' + 10
	}
	return 255
}

// fold turns ASCII letters into small ones.
func fold(text []byte) {
	for i, octet := range text {
		if octet >= 'A' && octet <= 'Z' {
			text[i] = octet | 0x20
		}
	}
}

// globs reports whether a pattern with * and ? stands for all of a text, in time
// of at most their lengths multiplied.
func globs(pattern, text []byte) bool {
	p, t := 0, 0
	star, retry := -1, 0 // the last *, and where the text it does not cover begins
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			retry++
			p, t = star+1, retry
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
