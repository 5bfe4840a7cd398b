package linegate

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Field is one named, textual property of a subscriber: a column of the CSV, a
// flag of `profile set`, a key of the apply file and a line of the audit trail.
// This table is the only place where a property gets its name and its range.
type Field struct {
	Name    string
	Allowed string // what Set takes, in words
	// Extra marks a column beyond the exchange format's own seventeen.
	Extra bool
	// Get returns the text form; empty when unset. It never reveals a password.
	Get func(*Subscriber) string
	// Set reads the text form; empty restores the default. It returns a
	// *FieldError and leaves the subscriber as it was when the text is not allowed.
	Set func(*Subscriber, string) error
}

// Fields returns all properties in the column order of the CSV.
func Fields() []Field { return slices.Clone(fields) }

// fields is never changed.
var fields = allFields()

func allFields() []Field {
	return []Field{
		{Name: "username", Allowed: "1 to 253 octets",
			Get: func(s *Subscriber) string { return s.Username },
			Set: func(s *Subscriber, text string) error { s.Username = text; return nil }},
		{Name: "password", Allowed: "1 to 128 octets, or a bcrypt or argon2id hash",
			Get: func(*Subscriber) string { return "" },
			Set: func(s *Subscriber, text string) (err error) {
				credential, err := ParseCredential(text)
				if err == nil {
					s.Credential = credential
				}
				return err
			}},
		octetsField("circuit_id", func(p *NetworkProfile) *Octets { return &p.CircuitID }),
		octetsField("remote_id", func(p *NetworkProfile) *Octets { return &p.RemoteID }),
		profileField("mac", "12 hex digits, e.g. 02:00:00:00:01:01",
			func(p *NetworkProfile) string { return p.MAC.String() },
			func(p *NetworkProfile, text string) error {
				return p.MAC.UnmarshalText([]byte(strings.TrimSpace(text)))
			}),
		profileField("option82_policy", "enforce, log, ignore",
			func(p *NetworkProfile) string { return string(p.Option82Policy) },
			func(p *NetworkProfile, text string) (err error) {
				p.Option82Policy, err = keep(p.Option82Policy)(ParseOption82Policy(text))
				return err
			}),
		vlanField("service_vlan", false, func(p *NetworkProfile) *VLAN { return &p.ServiceVLAN }),
		vlanField("inner_vlan", false, func(p *NetworkProfile) *VLAN { return &p.InnerVLAN }),
		profileField("qinq_enabled", allowedBool,
			func(p *NetworkProfile) string { return formatBool(p.QinQEnabled) },
			func(p *NetworkProfile, text string) (err error) {
				p.QinQEnabled, err = keep(p.QinQEnabled)(parseBool("qinq_enabled", text))
				return err
			}),
		addressField("static_ipv4", "an IPv4 unicast address", netip.Addr.Is4, func(p *NetworkProfile) *netip.Addr { return &p.StaticIPv4 }),
		addressField("static_ipv6", "an IPv6 unicast address", is6, func(p *NetworkProfile) *netip.Addr { return &p.StaticIPv6 }),
		prefixField("framed_ipv6_prefix", func(p *NetworkProfile) *netip.Prefix { return &p.FramedIPv6Prefix }),
		prefixField("delegated_ipv6_prefix", func(p *NetworkProfile) *netip.Prefix { return &p.DelegatedIPv6Prefix }),
		profileField("ipv6_assignment_mode", "none, slaac, stateful, pd, dual_stack",
			func(p *NetworkProfile) string { return string(p.IPv6Mode) },
			func(p *NetworkProfile, text string) (err error) {
				p.IPv6Mode, err = keep(p.IPv6Mode)(parseEnum("ipv6_assignment_mode", text, "", ipv6Modes))
				return err
			}),
		rateField("download_kbps", func(p *NetworkProfile) *uint32 { return &p.Rate.DownloadKbps }),
		rateField("upload_kbps", func(p *NetworkProfile) *uint32 { return &p.Rate.UploadKbps }),
		{Name: "status", Allowed: "active, suspended, terminated",
			Get: func(s *Subscriber) string { return string(s.Status) },
			Set: func(s *Subscriber, text string) (err error) {
				s.Status, err = keep(s.Status)(parseEnum("status", text, StatusActive, statuses))
				return err
			}},
		nameField("framed_pool", func(p *NetworkProfile) *string { return &p.FramedPool }),
		nameField("framed_ipv6_pool", func(p *NetworkProfile) *string { return &p.FramedIPv6Pool }),
		nameField("delegated_ipv6_pool", func(p *NetworkProfile) *string { return &p.DelegatedIPv6Pool }),
		nameField("stateful_ipv6_pool", func(p *NetworkProfile) *string { return &p.StatefulIPv6Pool }),
		secondsField("session_timeout", 1, func(p *NetworkProfile) *time.Duration { return &p.SessionTimeout }),
		secondsField("acct_interim_interval", 60, func(p *NetworkProfile) *time.Duration { return &p.AcctInterimInterval }),
		sessionsField("max_sessions", func(p *NetworkProfile) *uint16 { return &p.MaxSessions }),
		vlanField("walled_garden_vlan", true, func(p *NetworkProfile) *VLAN { return &p.WalledGarden.ServiceVLAN }),
		nameField("walled_garden_filter", func(p *NetworkProfile) *string { return &p.WalledGarden.FilterID }),
		nameField("walled_garden_pool", func(p *NetworkProfile) *string { return &p.WalledGarden.Pool }),
		extraField("line_match", lineMatchAllowed, func(p *NetworkProfile) *LineMatch { return &p.LineMatch }, ParseLineMatch),
		extraField("more_lines", linesAllowed, func(p *NetworkProfile) *Lines { return &p.MoreLines }, ParseLines),
		checkVLANField(),
		extraField("dns_servers", dnsAllowed, func(p *NetworkProfile) *Addresses { return &p.DNSServers }, ParseAddresses),
		nameField("filter_id", func(p *NetworkProfile) *string { return &p.FilterID }),
		extraField("reply_attributes", attributesAllowed, func(p *NetworkProfile) *Attributes { return &p.ReplyAttributes }, ParseAttributes),
	}
}

// FieldChange is one property that a write changed.
type FieldChange struct {
	Field string `json:"field"`
	Old   string `json:"old"`
	New   string `json:"new"`
}

// Diff lists what changes from old to s, in field order. old is nil for a
// subscriber that did not exist. A password shows only that it changed.
func (s *Subscriber) Diff(old *Subscriber) []FieldChange {
	if old == nil {
		old = &Subscriber{}
	}
	var changes []FieldChange
	for _, field := range fields {
		before, after := field.Get(old), field.Get(s)
		if field.Name == "password" && old.Credential != s.Credential {
			before, after = describe(old.Credential), describe(s.Credential)+" (changed)"
		}
		if before != after {
			changes = append(changes, FieldChange{Field: field.Name, Old: before, New: after})
		}
	}
	if hadProfile, has := old.Profile != nil, s.Profile != nil; hadProfile != has {
		changes = append(changes, FieldChange{Field: "profile", Old: formatBool(hadProfile), New: formatBool(has)})
	}
	return changes
}

func describe(c Credential) string {
	if c.Kind == CredentialNone {
		return "none"
	}
	return string(c.Kind)
}

// profileField is a property of the network profile; setting one on a
// subscriber without a profile gives it one.
func profileField(name, allowed string, get func(*NetworkProfile) string, set func(*NetworkProfile, string) error) Field {
	return Field{Name: name, Allowed: allowed,
		Get: func(s *Subscriber) string {
			if s.Profile == nil {
				return ""
			}
			return get(s.Profile)
		},
		Set: func(s *Subscriber, text string) error {
			profile := s.Profile
			if profile == nil {
				profile = &NetworkProfile{}
			}
			if err := set(profile, text); err != nil {
				if bad, ok := err.(*FieldError); ok {
					bad.Field = name
				}
				return err
			}
			s.Profile = profile
			return nil
		}}
}

// keep returns a function that passes a parsed value on, or the old value when
// there is an error.
func keep[T any](old T) func(T, error) (T, error) {
	return func(parsed T, err error) (T, error) {
		if err != nil {
			return old, err
		}
		return parsed, nil
	}
}

// extraField is a property beyond the exchange format that has a text form of its
// own.
func extraField[T interface{ String() string }](name, allowed string, at func(*NetworkProfile) *T, parse func(field, text string) (T, error)) Field {
	field := profileField(name, allowed,
		func(p *NetworkProfile) string { return (*at(p)).String() },
		func(p *NetworkProfile, text string) (err error) {
			*at(p), err = keep(*at(p))(parse(name, text))
			return err
		})
	field.Extra = true
	return field
}

func checkVLANField() Field {
	field := profileField("check_vlan", "enforce, log, ignore",
		func(p *NetworkProfile) string { return string(p.CheckVLAN) },
		func(p *NetworkProfile, text string) (err error) {
			p.CheckVLAN, err = keep(p.CheckVLAN)(parseEnum("check_vlan", text, "", option82Policies))
			return err
		})
	field.Extra = true
	return field
}

// maxOctets is what fits a vendor attribute.
const (
	maxOctets     = 247
	octetsAllowed = "text, or 0x and hex digits, up to 247 octets"
)

func octetsField(name string, at func(*NetworkProfile) *Octets) Field {
	return profileField(name, octetsAllowed,
		func(p *NetworkProfile) string { return at(p).String() },
		func(p *NetworkProfile, text string) error {
			value, err := ParseOctets(name, text)
			if err != nil {
				return err
			}
			if len(value) > maxOctets {
				return &FieldError{Field: name, Value: text, Allowed: octetsAllowed}
			}
			*at(p) = value
			return nil
		})
}

func vlanField(name string, extra bool, at func(*NetworkProfile) *VLAN) Field {
	field := profileField(name, "1 to 4094",
		func(p *NetworkProfile) string { return itoa(*at(p)) },
		func(p *NetworkProfile, text string) error {
			if strings.TrimSpace(text) == "0" {
				return &FieldError{Field: name, Value: text, Allowed: "1 to 4094, or empty for none"}
			}
			value, err := parseNumber(name, text, 1, uint64(MaxVLAN))
			if err == nil {
				*at(p) = VLAN(value)
			}
			return err
		})
	field.Extra = extra
	return field
}

func rateField(name string, at func(*NetworkProfile) *uint32) Field {
	return profileField(name, "1 to 1000000000 kbit/s",
		func(p *NetworkProfile) string { return itoa(*at(p)) },
		func(p *NetworkProfile, text string) error {
			value, err := parseNumber(name, text, 1, 1_000_000_000)
			if err == nil {
				*at(p) = uint32(value)
			}
			return err
		})
}

// secondsField is a duration in whole seconds that a 32-bit attribute carries.
func secondsField(name string, least uint64, at func(*NetworkProfile) *time.Duration) Field {
	const day = 24 * 60 * 60
	field := profileField(name, strconv.FormatUint(least, 10)+" to 31536000 seconds",
		func(p *NetworkProfile) string { return itoa(*at(p) / time.Second) },
		func(p *NetworkProfile, text string) error {
			value, err := parseNumber(name, text, least, 365*day)
			if err == nil {
				*at(p) = time.Duration(value) * time.Second
			}
			return err
		})
	field.Extra = true
	return field
}

// sessionsField is a number of sessions.
func sessionsField(name string, at func(*NetworkProfile) *uint16) Field {
	const most = 10_000
	field := profileField(name, "1 to 10000 sessions at a time",
		func(p *NetworkProfile) string { return itoa(*at(p)) },
		func(p *NetworkProfile, text string) error {
			value, err := parseNumber(name, text, 1, most)
			if err == nil {
				*at(p) = uint16(value)
			}
			return err
		})
	field.Extra = true
	return field
}

// nameField is a name that the NAS knows: a pool or a filter.
func nameField(name string, at func(*NetworkProfile) *string) Field {
	const allowed = "up to 64 octets of UTF-8 without control characters"
	field := profileField(name, allowed,
		func(p *NetworkProfile) string { return *at(p) },
		func(p *NetworkProfile, text string) error {
			if text != "" && (len(text) > 64 || !validUsername(text)) {
				return &FieldError{Field: name, Value: text, Allowed: allowed}
			}
			*at(p) = text
			return nil
		})
	field.Extra = true
	return field
}

func is6(a netip.Addr) bool { return a.Is6() && !a.Is4In6() && a.Zone() == "" }

func addressField(name, allowed string, family func(netip.Addr) bool, at func(*NetworkProfile) *netip.Addr) Field {
	return profileField(name, allowed,
		func(p *NetworkProfile) string {
			if !at(p).IsValid() {
				return ""
			}
			return at(p).String()
		},
		func(p *NetworkProfile, text string) error {
			if text = strings.TrimSpace(text); text == "" {
				*at(p) = netip.Addr{}
				return nil
			}
			address, err := netip.ParseAddr(text)
			if err != nil || !family(address) || address.IsUnspecified() || address.IsMulticast() {
				return &FieldError{Field: name, Value: text, Allowed: allowed}
			}
			*at(p) = address
			return nil
		})
}

func prefixField(name string, at func(*NetworkProfile) *netip.Prefix) Field {
	const allowed = "an IPv6 prefix of length 1 to 128 without bits beyond its length, e.g. 2001:db8:100::/56"
	return profileField(name, allowed,
		func(p *NetworkProfile) string {
			if !at(p).IsValid() {
				return ""
			}
			return at(p).String()
		},
		func(p *NetworkProfile, text string) error {
			if text = strings.TrimSpace(text); text == "" {
				*at(p) = netip.Prefix{}
				return nil
			}
			prefix, err := netip.ParsePrefix(text)
			if err != nil || !is6(prefix.Addr()) || prefix.Bits() < 1 || prefix != prefix.Masked() {
				return &FieldError{Field: name, Value: text, Allowed: allowed}
			}
			*at(p) = prefix
			return nil
		})
}

// parseNumber reads a decimal in [least, most]; empty and 0 mean "none" or "no
// limit".
func parseNumber(field, text string, least, most uint64) (uint64, error) {
	text = strings.TrimSpace(text)
	if text == "" || text == "0" {
		return 0, nil
	}
	value, err := strconv.ParseUint(text, 10, 64)
	if err != nil || value < least || value > most {
		return 0, &FieldError{Field: field, Value: text,
			Allowed: strconv.FormatUint(least, 10) + " to " + strconv.FormatUint(most, 10)}
	}
	return value, nil
}

const allowedBool = "true or false (also yes, no, 1, 0)"

func parseBool(field, text string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "yes", "1", "on", "t", "y":
		return true, nil
	case "", "false", "no", "0", "off", "f", "n":
		return false, nil
	}
	return false, &FieldError{Field: field, Value: text, Allowed: allowedBool}
}

func formatBool(b bool) string {
	if b {
		return "true"
	}
	return ""
}

// itoa writes a number in decimal, and nothing for 0.
func itoa[T ~uint16 | ~uint32 | ~int64](n T) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(int64(n), 10)
}
