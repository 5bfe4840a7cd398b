package linegate

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
)

// Identity is one way of finding the subscriber a request is about.
type Identity string

const (
	ByUsername Identity = "username" // User-Name; a MAC compares equal in every notation
	ByCircuit  Identity = "circuit"  // circuit-id octets
	ByMAC      Identity = "mac"      // Calling-Station-Id, else a User-Name that is a MAC

	// ByLineForm is not configured: it is how ByCircuit goes on where the octets of a
	// circuit-id find nobody, see AppendLineForm.
	ByLineForm Identity = "line"
)

// DefaultIdentities is the order used when a NAS names none.
func DefaultIdentities() []Identity { return []Identity{ByUsername, ByCircuit, ByMAC} }

// ParseIdentity reads username, circuit or mac.
func ParseIdentity(text string) (Identity, error) {
	return parseEnum("identify", text, "", DefaultIdentities())
}

// Tristate is a protection that is on, off, or decided from what is learned.
type Tristate string

const (
	Auto Tristate = "auto" // default
	Yes  Tristate = "yes"
	No   Tristate = "no"
)

// ParseTristate reads yes, no or auto; empty is auto.
func ParseTristate(field, text string) (Tristate, error) {
	return parseEnum(field, text, Auto, []Tristate{Auto, Yes, No})
}

// NAS is a RADIUS client, or all clients in one network, that share a secret.
// The source address of a packet names its NAS (RFC 2865 section 3); the most
// specific prefix wins. A prefix belongs to one NAS of one tenant.
type NAS struct {
	Tenant  string       `json:"tenant"`
	Name    string       `json:"name"`    // unique within the tenant; as Tenant.Name
	Address netip.Prefix `json:"address"` // IPv4 or IPv6, masked
	Secret  Secret       `json:"-"`       // 1 to 255 octets; RFC 2865 section 3 prefers at least 16
	Dialect string       `json:"dialect"` // how this vendor says things; default standard

	Identify []Identity `json:"identify"` // tried in order; empty means DefaultIdentities
	// LineMatch is how lines are compared where a profile does not say; zero: octets.
	LineMatch LineMatch `json:"line_match"`

	// RequireMessageAuthenticator and LimitProxyState guard against CVE-2024-3596
	// (BlastRADIUS). Auto requires what Learned says; see LearnedState.
	RequireMessageAuthenticator Tristate `json:"require_message_authenticator"`
	LimitProxyState             Tristate `json:"limit_proxy_state"`
	// Learned is what the first valid Access-Request of a single-address NAS
	// showed: Yes it carried a Message-Authenticator, No it did not, Auto not yet
	// seen. Changing the secret or the address forgets it.
	Learned Tristate `json:"learned_message_authenticator"`

	AllowMSCHAPv1 bool `json:"allow_mschapv1"` // MS-CHAPv1 is broken; off by default

	// Where and how CoA and Disconnect requests are sent (RFC 5176).
	CoAAddress netip.Addr `json:"coa_address"` // zero: the one the NAS calls its own
	CoAPort    uint16     `json:"coa_port"`    // 0: the dialect's
	CoASecret  Secret     `json:"-"`           // empty: Secret
	CoAWindow  uint16     `json:"coa_window"`  // requests under way at a time, 1 to 256; 0: DefaultCoAWindow
}

// DefaultCoAWindow is how many requests a NAS gets at a time when its entry does
// not say; MaxCoAWindow is how many identifiers one source port has.
const (
	DefaultCoAWindow = 32
	MaxCoAWindow     = 256
)

// DefaultDialect is the dialect of a NAS that names none.
const DefaultDialect = "standard"

// SingleAddress reports whether exactly one client is meant (/32 or /128).
func (n *NAS) SingleAddress() bool { return n.Address.IsSingleIP() }

// RequiresMessageAuthenticator tells whether an Access-Request without
// Message-Authenticator is to be discarded.
func (n *NAS) RequiresMessageAuthenticator() bool {
	return n.RequireMessageAuthenticator == Yes ||
		n.RequireMessageAuthenticator == Auto && n.Learned == Yes
}

// Learns tells whether the next valid Access-Request decides Learned.
func (n *NAS) Learns() bool {
	return n.RequireMessageAuthenticator == Auto && n.Learned == Auto && n.SingleAddress()
}

// Normalize fills defaults and puts values in their one stored form.
func (n *NAS) Normalize() {
	n.Address = n.Address.Masked()
	n.CoAAddress = n.CoAAddress.Unmap()
	if n.Dialect == "" {
		n.Dialect = DefaultDialect
	}
	if len(n.Identify) == 0 {
		n.Identify = DefaultIdentities()
	}
	for _, state := range []*Tristate{&n.RequireMessageAuthenticator, &n.LimitProxyState, &n.Learned} {
		if *state == "" {
			*state = Auto
		}
	}
}

// Validate returns FieldErrors when the NAS can't be stored.
func (n *NAS) Validate() error {
	var bad fieldErrors
	if !nameRule.MatchString(n.Name) {
		bad.add("name", n.Name, nameAllowed)
	}
	if !n.Address.IsValid() {
		bad.add("address", "", "an address or prefix, e.g. 192.0.2.1 or 2001:db8::/32")
	}
	if size := len(n.Secret); size < 1 || size > 255 {
		bad.add("secret", redacted, "1 to 255 octets")
	}
	if len(n.CoASecret) > 255 {
		bad.add("coa_secret", redacted, "1 to 255 octets, or empty for the secret")
	}
	if n.CoAWindow > MaxCoAWindow {
		bad.add("coa_window", strconv.Itoa(int(n.CoAWindow)), "1 to 256, or 0 for 32")
	}
	seen := map[Identity]bool{}
	for _, identity := range n.Identify {
		if !slices.Contains(DefaultIdentities(), identity) || seen[identity] {
			bad.add("identify", string(identity), "username, circuit and mac, each once")
		}
		seen[identity] = true
	}
	return bad.err()
}

// Replace puts n in the place of the stored NAS, old, which is nil when there is none,
// and returns what becomes of it. What old has learned is n's own while secret,
// address and requirement stay as they are.
func (n *NAS) Replace(old *NAS) Outcome {
	n.Learned = Auto
	if old == nil {
		return Created
	}
	if old.Secret == n.Secret && old.Address == n.Address && old.RequireMessageAuthenticator == n.RequireMessageAuthenticator {
		n.Learned = old.Learned
	}
	if len(n.Diff(old)) == 0 {
		return Unchanged
	}
	return Changed
}

// AddressTaken returns ErrConflict when the NAS that has n's address, known by tenant
// and name, is another one. Whose it is stays within the tenant.
func (n *NAS) AddressTaken(tenant, name string) error {
	switch {
	case tenant == n.Tenant && name == n.Name:
		return nil
	case tenant == n.Tenant:
		return fmt.Errorf("nas %s: address %s belongs to nas %s: %w", n.Name, n.Address, name, ErrConflict)
	}
	return fmt.Errorf("nas %s: address %s is taken: %w", n.Name, n.Address, ErrConflict)
}

// Diff lists what changes from old to n; old is nil for a NAS that did not
// exist. A secret shows only that it changed.
func (n *NAS) Diff(old *NAS) []FieldChange {
	if old == nil {
		old = &NAS{}
	}
	var changes []FieldChange
	note := func(field, before, after string) {
		if before != after {
			changes = append(changes, FieldChange{Field: field, Old: before, New: after})
		}
	}
	note("address", prefixText(old.Address), prefixText(n.Address))
	if old.Secret != n.Secret {
		note("secret", "", "(changed)")
	}
	note("dialect", old.Dialect, n.Dialect)
	note("identify", joinIdentities(old.Identify), joinIdentities(n.Identify))
	note("line_match", old.LineMatch.String(), n.LineMatch.String())
	note("require_message_authenticator", string(old.RequireMessageAuthenticator), string(n.RequireMessageAuthenticator))
	note("limit_proxy_state", string(old.LimitProxyState), string(n.LimitProxyState))
	note("learned_message_authenticator", string(old.Learned), string(n.Learned))
	note("allow_mschapv1", formatBool(old.AllowMSCHAPv1), formatBool(n.AllowMSCHAPv1))
	note("coa_address", addressText(old.CoAAddress), addressText(n.CoAAddress))
	note("coa_port", itoa(old.CoAPort), itoa(n.CoAPort))
	if old.CoASecret != n.CoASecret {
		note("coa_secret", "", "(changed)")
	}
	note("coa_window", itoa(old.CoAWindow), itoa(n.CoAWindow))
	return changes
}

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func prefixText(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

func joinIdentities(identities []Identity) string {
	text := ""
	for i, identity := range identities {
		if i > 0 {
			text += ","
		}
		text += string(identity)
	}
	return text
}
