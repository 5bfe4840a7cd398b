package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"linegate"
	"linegate/policy/dialect"
)

// nasField is a property of a NAS, as linegate.Field is one of a subscriber: a
// key of the apply file, a flag of `nas add` and a column of `nas list`.
type nasField struct {
	name    string
	allowed string
	// set reads the text form; empty restores the default. It returns a
	// *linegate.FieldError when the text is not allowed.
	set func(*linegate.NAS, string) error
}

const tristateAllowed = "auto, yes, no"

// nasFields returns all properties but tenant and name, by which a NAS is found.
// dialects are those that there are; without them no dialect can be set.
func nasFields(dialects map[string]*dialect.Dialect) []nasField {
	return []nasField{
		{"address", "an address or prefix, e.g. 192.0.2.1 or 2001:db8::/32", setNASAddress},
		{"secret", "1 to 255 octets; 16 or more are advised", func(n *linegate.NAS, text string) error {
			n.Secret = linegate.Secret(text)
			return nil
		}},
		{"dialect", strings.Join(dialect.Shipped(), ", "), func(n *linegate.NAS, text string) error {
			if _, known := dialects[cmp.Or(text, linegate.DefaultDialect)]; !known {
				return &linegate.FieldError{Field: "dialect", Value: text, Allowed: strings.Join(slices.Sorted(maps.Keys(dialects)), ", ")}
			}
			n.Dialect = text
			return nil
		}},
		{"identify", "username, circuit and mac, each once, in the order they are tried", setNASIdentify},
		{"line_match", "how lines are compared where a profile does not say: exact, or some of hex, header, trim, fold, glob with commas",
			func(n *linegate.NAS, text string) (err error) {
				n.LineMatch, err = linegate.ParseLineMatch("line_match", text)
				return err
			}},
		{"require_message_authenticator", tristateAllowed, func(n *linegate.NAS, text string) (err error) {
			n.RequireMessageAuthenticator, err = linegate.ParseTristate("require_message_authenticator", text)
			return err
		}},
		{"limit_proxy_state", tristateAllowed, func(n *linegate.NAS, text string) (err error) {
			n.LimitProxyState, err = linegate.ParseTristate("limit_proxy_state", text)
			return err
		}},
		{"allow_mschapv1", "true, false", func(n *linegate.NAS, text string) (err error) {
			n.AllowMSCHAPv1 = false
			if text != "" {
				n.AllowMSCHAPv1, err = strconv.ParseBool(text)
			}
			if err != nil {
				return &linegate.FieldError{Field: "allow_mschapv1", Value: text, Allowed: "true, false"}
			}
			return nil
		}},
		{"coa_address", "an address (empty: the one that the NAS calls its own)", func(n *linegate.NAS, text string) (err error) {
			if n.CoAAddress = (netip.Addr{}); text != "" {
				n.CoAAddress, err = netip.ParseAddr(text)
			}
			if err != nil {
				return &linegate.FieldError{Field: "coa_address", Value: text, Allowed: "an address, or empty"}
			}
			return nil
		}},
		{"coa_port", "1 to 65535 (empty: the dialect's, mostly 3799)", func(n *linegate.NAS, text string) (err error) {
			n.CoAPort, err = setCount("coa_port", text, 1<<16-1)
			return err
		}},
		{"coa_secret", "1 to 255 octets (empty: the secret)", func(n *linegate.NAS, text string) error {
			n.CoASecret = linegate.Secret(text)
			return nil
		}},
		{"coa_window", "1 to 256 requests at a time (empty: 32)", func(n *linegate.NAS, text string) (err error) {
			n.CoAWindow, err = setCount("coa_window", text, linegate.MaxCoAWindow)
			return err
		}},
	}
}

// setCount reads a number from 1 to most; empty is 0, the default.
func setCount(field, text string, most uint64) (uint16, error) {
	if text == "" {
		return 0, nil
	}
	value, err := strconv.ParseUint(text, 10, 16)
	if err != nil || value == 0 || value > most {
		return 0, &linegate.FieldError{Field: field, Value: text, Allowed: fmt.Sprintf("1 to %d, or empty", most)}
	}
	return uint16(value), nil
}

func setNASAddress(n *linegate.NAS, text string) error {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		n.Address = netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen())
		return nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix != prefix.Masked() || prefix.Addr().Is4In6() {
		return &linegate.FieldError{Field: "address", Value: text,
			Allowed: "an address, or a prefix without bits beyond its length, e.g. 192.0.2.1 or 2001:db8::/32"}
	}
	n.Address = prefix
	return nil
}

func setNASIdentify(n *linegate.NAS, text string) error {
	n.Identify = nil
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		identity, err := linegate.ParseIdentity(name)
		if err != nil {
			return err
		}
		n.Identify = append(n.Identify, identity)
	}
	return nil
}

// shortSecret is the length from which RFC 2865 section 3 calls a secret good.
const shortSecret = 16

// nasRecord is everything an operator may see of a NAS: never the secret.
func nasRecord(n *linegate.NAS) record {
	identify := make([]string, len(n.Identify))
	for i, identity := range n.Identify {
		identify[i] = string(identity)
	}
	return record{
		{"tenant", n.Tenant},
		{"name", n.Name},
		{"address", n.Address},
		{"dialect", n.Dialect},
		{"identify", identify},
		{"line_match", n.LineMatch.String()},
		{"require_message_authenticator", n.RequireMessageAuthenticator},
		{"learned_message_authenticator", n.Learned},
		{"limit_proxy_state", n.LimitProxyState},
		{"allow_mschapv1", n.AllowMSCHAPv1},
		{"coa_address", n.CoAAddress},
		{"coa_port", n.CoAPort},
		{"coa_window", n.CoAWindow},
	}
}
