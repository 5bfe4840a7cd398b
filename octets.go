package linegate

import (
	"encoding/hex"
	"strings"
)

// Octets is a value that RADIUS carries as raw octets, such as a circuit-id.
// It compares by octets. As text it reads as it is when it is plain ASCII, and
// as 0x followed by hex digits otherwise; both forms parse back to the same
// octets.
type Octets string

// String returns the text form.
func (o Octets) String() string {
	if o.plain() {
		return string(o)
	}
	return "0x" + hex.EncodeToString([]byte(o))
}

// plain reports whether the octets can stand as text without being mistaken
// for the hex form.
func (o Octets) plain() bool {
	for i := range len(o) {
		if o[i] < 0x20 || o[i] > 0x7e {
			return false
		}
	}
	return !strings.HasPrefix(string(o), "0x")
}

// ParseOctets reads the text form. A text that starts with 0x must be hex.
func ParseOctets(field, text string) (Octets, error) {
	digits, isHex := strings.CutPrefix(text, "0x")
	if !isHex {
		return Octets(text), nil
	}
	raw, err := hex.DecodeString(digits)
	if err != nil {
		return "", &FieldError{Field: field, Value: text, Allowed: "text, or 0x and an even number of hex digits"}
	}
	return Octets(raw), nil
}

// MarshalText makes Octets read the same in JSON and YAML.
func (o Octets) MarshalText() ([]byte, error) { return []byte(o.String()), nil }
