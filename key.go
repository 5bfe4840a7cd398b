package linegate

import (
	"bytes"
	"slices"
	"strings"
)

// Key names what a subscriber is looked up by: tenant, way of identification,
// and value in its one comparable form. It is text so that it can be built in a
// reused buffer (AppendKey) and looked up without allocating.
type Key string

// AppendKey appends the key to buffer. A username that is a MAC is put in one
// notation, so that all notations find the same subscriber; for ByMAC the value
// is the notation of MAC.String.
func AppendKey[T ~string | ~[]byte](buffer []byte, tenant string, by Identity, value T) []byte {
	buffer = appendKeyStart(buffer, tenant, by)
	if by == ByUsername || by == ByMAC {
		if mac, ok := ParseMAC(value); ok {
			return appendMAC(buffer, mac)
		}
	}
	return append(buffer, value...)
}

// AppendMACKey appends the ByMAC key of an address.
func AppendMACKey(buffer []byte, tenant string, mac MAC) []byte {
	return appendMAC(appendKeyStart(buffer, tenant, ByMAC), mac)
}

// appendKeyStart appends what stands before the value. Neither part holds a NUL.
func appendKeyStart(buffer []byte, tenant string, by Identity) []byte {
	return append(append(buffer, tenant...), 0, by[0], 0)
}

// NewKey is AppendKey into fresh memory.
func NewKey(tenant string, by Identity, value string) Key {
	return Key(AppendKey(nil, tenant, by, value))
}

// Split returns the parts of a key made by AppendKey.
func (k Key) Split() (tenant string, by Identity, value string) {
	tenant, rest, _ := strings.Cut(string(k), "\x00")
	kind, value, _ := strings.Cut(rest, "\x00")
	for _, identity := range []Identity{ByUsername, ByCircuit, ByMAC, ByLineForm} {
		if identity[:1] == Identity(kind) {
			by = identity
		}
	}
	return tenant, by, value
}

// ComparableUsername returns the form in which usernames are unique and looked
// up: a MAC in the notation of MAC.String, everything else as it is.
func ComparableUsername(username string) string {
	_, _, value := NewKey("", ByUsername, username).Split()
	return value
}

// Keys returns every key under which the subscriber can be found.
func (s *Subscriber) Keys() []Key {
	keys := []Key{NewKey(s.Tenant, ByUsername, s.Username)}
	if p := s.Profile; p != nil {
		for i := range p.LineCount() {
			keys = p.appendLineKeys(keys, s.Tenant, p.LineAt(i).CircuitID)
		}
		if !p.MAC.IsZero() {
			keys = append(keys, NewKey(s.Tenant, ByMAC, p.MAC.String()))
		}
	}
	return keys
}

// appendLineKeys appends the keys of one circuit-id: its octets, and the form in
// which it is found where a comparison is not of octets. A pattern has only the
// former, as it names no line. Lines that are given twice have one key.
func (p *NetworkProfile) appendLineKeys(keys []Key, tenant string, circuit Octets) []Key {
	if circuit == "" {
		return keys
	}
	if key := NewKey(tenant, ByCircuit, string(circuit)); !slices.Contains(keys, key) {
		keys = append(keys, key)
	}
	form := p.LineForm(circuit)
	if key := NewKey(tenant, ByLineForm, string(form)); len(form) > 0 && !slices.Contains(keys, key) {
		keys = append(keys, key)
	}
	return keys
}

// LineForm returns the form by which one of the profile's circuit-ids is looked up;
// empty for a pattern, which can't be.
func (p *NetworkProfile) LineForm(circuit Octets) []byte {
	return p.appendLineForm(nil, circuit)
}

func (p *NetworkProfile) appendLineForm(buffer []byte, circuit Octets) []byte {
	if p.LineMatch.pattern(circuit) {
		return buffer
	}
	var value lineSpace
	return AppendLineForm(buffer, append(value[:0], circuit...))
}

// HasKey reports whether the subscriber can be found under the key, as Keys has it.
// It does not allocate.
func (s *Subscriber) HasKey(key []byte) bool {
	if len(key) < len(s.Tenant)+3 {
		return false
	}
	var space [512]byte
	switch p := s.Profile; key[len(s.Tenant)+1] {
	case ByUsername[0]:
		return bytes.Equal(key, AppendKey(space[:0], s.Tenant, ByUsername, s.Username))
	case ByMAC[0]:
		return p != nil && !p.MAC.IsZero() && bytes.Equal(key, AppendMACKey(space[:0], s.Tenant, p.MAC))
	case ByCircuit[0]:
		return p != nil && p.anyCircuit(func(circuit Octets) bool {
			return bytes.Equal(key, AppendKey(space[:0], s.Tenant, ByCircuit, circuit))
		})
	case ByLineForm[0]:
		return p != nil && p.anyCircuit(func(circuit Octets) bool {
			start := appendKeyStart(space[:0], s.Tenant, ByLineForm)
			form := p.appendLineForm(start, circuit)
			return len(form) > len(start) && bytes.Equal(key, form)
		})
	}
	return false
}

// anyCircuit reports whether is says so of one of the profile's circuit-ids.
func (p *NetworkProfile) anyCircuit(is func(Octets) bool) bool {
	for i := range p.LineCount() {
		if circuit := p.LineAt(i).CircuitID; circuit != "" && is(circuit) {
			return true
		}
	}
	return false
}

// Lookup is the answer to a Key: one subscriber, nobody (zero value), or more
// than one, which identifies none.
type Lookup struct {
	Subscriber *Subscriber
	Ambiguous  bool
}

// Room is memory in which an answer can be built, so that looking up leaves nothing
// to the garbage collector. What is built in it holds until the next answer is. The
// zero value is ready.
type Room struct {
	Subscriber Subscriber
	Profile    NetworkProfile
	Lines      Lines
	Addresses  Addresses
	Attributes Attributes
}
