package config

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"linegate"
)

// Provisioning says what orders work with. Without the URL of a system that
// system is left out.
type Provisioning struct {
	NetBox     NetBox
	Quarantine time.Duration // how long released addresses are kept back
	Parallel   int           // steps at a time
	Features   Features
	Tenants    []TenantFeature // over Features
}

// NetBox says where addresses come from.
type NetBox struct {
	URL       string // empty: none
	TokenFile string
	Pools     []AddressPool
	// MirrorVLANs: NetBox shows the VLAN pools as VLAN groups.
	MirrorVLANs bool
}

// AddressPool is a prefix in NetBox that addresses or prefixes are taken from.
type AddressPool struct {
	Tenant string // empty: of all tenants
	Slot   linegate.AddressSlot
	Prefix netip.Prefix
	VRF    string // empty: the global table
	Length int    // of the prefixes that are taken; 0: as orders say
}

// Features are switches of provisioning, for all tenants.
type Features struct {
	NetworkProfileConsumption bool
	StaticIPBypass            bool
	QinQProvisioning          bool
	IPv6PD                    bool
	Option82Enforcement       bool
	Option82Default           linegate.Option82Policy
	VLANCoAUpdates            bool
	AllowIPv4Only             bool
}

// TenantFeature is a switch for one tenant.
type TenantFeature struct{ Tenant, Name, Value string }

// FeaturesOf returns the switches of a tenant.
func (p Provisioning) FeaturesOf(tenant string) Features {
	features := p.Features
	for _, own := range p.Tenants {
		if own.Tenant == tenant {
			features.set(own.Name, own.Value)
		}
	}
	return features
}

// switches are the names of the features with what they do, in the order of the
// reference; option82_default_policy is apart.
func switches() []struct {
	name, fallback, about string
	at                    func(*Features) *bool
} {
	return []struct {
		name, fallback, about string
		at                    func(*Features) *bool
	}{
		{"enable_network_profile_consumption", "true", "orders build on the network profile that a subscriber has already", func(f *Features) *bool { return &f.NetworkProfileConsumption }},
		{"enable_static_ip_bypass", "true", "fixed addresses of a profile are not asked for at NetBox", func(f *Features) *bool { return &f.StaticIPBypass }},
		{"enable_qinq_provisioning", "true", "orders may have two VLAN tags", func(f *Features) *bool { return &f.QinQProvisioning }},
		{"enable_ipv6_pd", "true", "orders may have prefixes delegated", func(f *Features) *bool { return &f.IPv6PD }},
		{"enable_option82_enforcement", "true", "orders may set option82_policy enforce; else it is stored as log", func(f *Features) *bool { return &f.Option82Enforcement }},
		{"enable_vlan_coa_updates", "true", "live sessions follow a change of their VLAN", func(f *Features) *bool { return &f.VLANCoAUpdates }},
		{"allow_ipv4_only", "false", "orders go on without IPv6 that can't be had, and say so", func(f *Features) *bool { return &f.AllowIPv4Only }},
	}
}

// set changes a feature by its name, and reports whether name and value are allowed.
func (f *Features) set(name, value string) bool {
	if name == "option82_default_policy" {
		policy, err := linegate.ParseOption82Policy(value)
		if err == nil {
			f.Option82Default = policy
		}
		return err == nil && value != ""
	}
	for _, feature := range switches() {
		if feature.name == name && (value == "true" || value == "false") {
			*feature.at(f) = value == "true"
			return true
		}
	}
	return false
}

func provisioningKeys() []Key {
	keys := []Key{
		key("provisioning.netbox.url", "", "http://HOST or https://HOST, without /api (default: none)", "the NetBox that addresses come from",
			func(c *Config, text string) bool {
				c.Provisioning.NetBox.URL = text
				at, err := url.Parse(text)
				return text == "" || err == nil && at.Host != "" && (at.Scheme == "http" || at.Scheme == "https")
			}),
		key("provisioning.netbox.token_file", "", "a path", "a file with NetBox's API token, of version 1 or 2",
			func(c *Config, text string) bool { c.Provisioning.NetBox.TokenFile = text; return true }),
		listKey("provisioning.netbox.pools", "[TENANT] SLOT PREFIX [vrf=NAME] [length=N], with SLOT ipv4, ipv6, framed_prefix or delegated_prefix",
			"prefixes in NetBox that are allocated from; a tenant's own are tried first, in their order",
			func(c *Config, text string) bool {
				pool, ok := parsePool(text)
				c.Provisioning.NetBox.Pools = append(c.Provisioning.NetBox.Pools, pool)
				return ok
			}),
		key("provisioning.netbox.mirror_vlans", "false", "true, false", "whether NetBox shows the VLAN pools, as VLAN groups with a VLAN for each service VLAN in use; nothing is read from them",
			func(c *Config, text string) bool {
				c.Provisioning.NetBox.MirrorVLANs = text == "true"
				return text == "true" || text == "false"
			}),
		key("provisioning.quarantine", "0", "0, or 1h to 8760h, also as 1d", "how long released addresses are kept from being given out again; 0: not at all",
			func(c *Config, text string) (ok bool) {
				c.Provisioning.Quarantine, ok = days(text)
				return ok && (c.Provisioning.Quarantine == 0 || c.Provisioning.Quarantine >= time.Hour && c.Provisioning.Quarantine <= 365*day)
			}),
		countKey("provisioning.parallel", "8", 1, 256, "steps of orders that are under way at a time",
			func(c *Config) *int { return &c.Provisioning.Parallel }),
	}
	for _, feature := range switches() {
		keys = append(keys, key("provisioning."+feature.name, feature.fallback, "true, false", feature.about,
			func(c *Config, text string) bool { return c.Provisioning.Features.set(feature.name, text) }))
	}
	return append(keys,
		key("provisioning.option82_default_policy", "log", "enforce, log, ignore", "the policy of profiles that name none",
			func(c *Config, text string) bool { return c.Provisioning.Features.set("option82_default_policy", text) }),
		listKey("provisioning.tenants", "TENANT NAME=VALUE", "one of these switches for one tenant, e.g. acme enable_ipv6_pd=false",
			func(c *Config, text string) bool {
				tenant, setting, _ := strings.Cut(text, " ")
				name, value, _ := strings.Cut(setting, "=")
				c.Provisioning.Tenants = append(c.Provisioning.Tenants, TenantFeature{tenant, name, value})
				var probe Features
				return tenant != "" && probe.set(name, value)
			}),
	)
}

// listKey takes several values, none by default; add takes one and reports whether
// it is allowed.
func listKey(name, allowed, about string, add func(*Config, string) bool) Key {
	return Key{name, "", allowed, about, true, nil, func(c *Config, texts []string) (string, bool) {
		for _, text := range texts {
			if text != "" && !add(c, text) {
				return text, false
			}
		}
		return "", true
	}}
}

// parsePool reads e.g. "acme delegated_prefix 2001:db8::/40 length=56".
func parsePool(text string) (pool AddressPool, ok bool) {
	words := strings.Fields(text)
	if len(words) > 0 && !slices.Contains(linegate.AddressSlots(), linegate.AddressSlot(words[0])) {
		pool.Tenant, words = words[0], words[1:]
	}
	if len(words) < 2 || !slices.Contains(linegate.AddressSlots(), linegate.AddressSlot(words[0])) {
		return pool, false
	}
	pool.Slot = linegate.AddressSlot(words[0])
	prefix, err := netip.ParsePrefix(words[1])
	if pool.Prefix = prefix; err != nil || prefix != prefix.Masked() || prefix.Addr().Is6() != pool.Slot.IPv6() {
		return pool, false
	}
	for _, word := range words[2:] {
		name, value, _ := strings.Cut(word, "=")
		length, err := strconv.Atoi(value)
		switch {
		case name == "vrf" && value != "":
			pool.VRF = value
		case name == "length" && err == nil && pool.Slot.Prefix() && length > prefix.Bits() && length <= 128:
			pool.Length = length
		default:
			return pool, false
		}
	}
	return pool, true
}
