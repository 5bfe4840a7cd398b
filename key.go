package linegate

import "strings"

// Key names what a subscriber is looked up by: tenant, way of identification,
// and value in its one comparable form. It is text so that it can be built in a
// reused buffer (AppendKey) and looked up without allocating.
type Key string

// AppendKey appends the key to buffer. A username that is a MAC is put in one
// notation, so that all notations find the same subscriber; for ByMAC the value
// is the notation of MAC.String.
func AppendKey[T ~string | ~[]byte](buffer []byte, tenant string, by Identity, value T) []byte {
	buffer = appendKeyStart(buffer, tenant, by)
	if by != ByCircuit {
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
	for _, identity := range DefaultIdentities() {
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
		if p.CircuitID != "" {
			keys = append(keys, NewKey(s.Tenant, ByCircuit, string(p.CircuitID)))
		}
		if !p.MAC.IsZero() {
			keys = append(keys, NewKey(s.Tenant, ByMAC, p.MAC.String()))
		}
	}
	return keys
}

// Lookup is the answer to a Key: one subscriber, nobody (zero value), or more
// than one, which identifies none.
type Lookup struct {
	Subscriber *Subscriber
	Ambiguous  bool
}
