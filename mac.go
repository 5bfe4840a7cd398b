package linegate

import "encoding/hex"

// MAC is a 48-bit hardware address. The zero value means "none".
type MAC [6]byte

// IsZero reports whether there is no address.
func (m MAC) IsZero() bool { return m == MAC{} }

// String returns aa:bb:cc:dd:ee:ff, or "" for the zero value.
func (m MAC) String() string {
	if m.IsZero() {
		return ""
	}
	return string(appendMAC(nil, m))
}

func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

func (m *MAC) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*m = MAC{}
		return nil
	}
	parsed, ok := ParseMAC(text)
	if !ok {
		return &FieldError{Field: "mac", Value: string(text), Allowed: "12 hex digits, e.g. 02:00:00:00:01:01"}
	}
	*m = parsed
	return nil
}

// ParseMAC reads every notation NAS are known to send: six pairs with ':', '-' or
// a blank, three groups of four with '.', '-' or ':', two of six with '-',
// and twelve digits bare. ok is false for anything else, the all-zero address
// included. It does not allocate.
func ParseMAC[T ~string | ~[]byte](text T) (mac MAC, ok bool) {
	group, separator := macShape(text)
	if group == 0 {
		return MAC{}, false
	}
	var digits [12]byte
	n := 0
	for i := range len(text) {
		if separator != 0 && i%(group+1) == group {
			if text[i] != separator {
				return MAC{}, false
			}
			continue
		}
		digits[n] = text[i]
		n++
	}
	if _, err := hex.Decode(mac[:], digits[:]); err != nil {
		return MAC{}, false
	}
	return mac, !mac.IsZero()
}

// macShape returns how many digits stand together and what parts the groups;
// group is 0 for a text that has no MAC's length and separator.
func macShape[T ~string | ~[]byte](text T) (group int, separator byte) {
	switch {
	case len(text) == 12:
		return 12, 0
	case len(text) == 14 && (text[4] == '.' || text[4] == '-' || text[4] == ':'):
		return 4, text[4]
	case len(text) == 13 && text[6] == '-':
		return 6, text[6]
	case len(text) == 17 && (text[2] == ':' || text[2] == '-' || text[2] == ' '):
		return 2, text[2]
	}
	return 0, 0
}

const hexDigits = "0123456789abcdef"

func appendMAC(buffer []byte, mac MAC) []byte {
	for i, octet := range mac {
		if i > 0 {
			buffer = append(buffer, ':')
		}
		buffer = append(buffer, hexDigits[octet>>4], hexDigits[octet&15])
	}
	return buffer
}
