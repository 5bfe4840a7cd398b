package linegate

import (
	"net/netip"
	"time"
)

// IPv6AssignmentMode says which IPv6 attributes a grant carries.
type IPv6AssignmentMode string

const (
	IPv6None      IPv6AssignmentMode = "none"
	IPv6SLAAC     IPv6AssignmentMode = "slaac"      // Framed-IPv6-Prefix
	IPv6Stateful  IPv6AssignmentMode = "stateful"   // Framed-IPv6-Address
	IPv6PD        IPv6AssignmentMode = "pd"         // Delegated-IPv6-Prefix
	IPv6DualStack IPv6AssignmentMode = "dual_stack" // all of them that the profile holds
)

var ipv6Modes = []IPv6AssignmentMode{IPv6None, IPv6SLAAC, IPv6Stateful, IPv6PD, IPv6DualStack}

// VLAN is an IEEE 802.1Q VLAN identifier, 1 to 4094; 0 means none.
type VLAN uint16

// MaxVLAN is the highest VLAN identifier a subscriber can have; 4095 is reserved.
const MaxVLAN VLAN = 4094

// Rate is a subscriber's bandwidth in kbit/s (1 kbit = 1000 bit), seen from the
// subscriber; 0 means not limited by us.
type Rate struct {
	DownloadKbps uint32
	UploadKbps   uint32
}

// WalledGarden is what a suspended subscriber gets instead of a reject. The zero
// value offers none.
type WalledGarden struct {
	ServiceVLAN VLAN
	FilterID    string // Filter-Id (RFC 2865 section 5.11), a filter that the NAS knows
	Pool        string // Framed-Pool (RFC 2869 section 5.18)
}

// Offered reports whether there is a walled garden at all.
func (w WalledGarden) Offered() bool { return w != WalledGarden{} }

// NetworkProfile is what a subscriber's line looks like and what it may have.
// The zero value checks nothing and grants nothing but access.
type NetworkProfile struct {
	// CircuitID and RemoteID name the line; an empty one is not checked.
	CircuitID      Octets
	RemoteID       Octets
	MoreLines      Lines     // that the subscriber may come from as well
	LineMatch      LineMatch // how lines are compared; zero: as the NAS says
	MAC            MAC       // finds the subscriber where a NAS identifies by mac
	Option82Policy Option82Policy
	// CheckVLAN says what a request leads to whose VLANs, as the NAS tells them, are
	// not ServiceVLAN and, unless it is 0, InnerVLAN: enforce, log, or nothing (empty).
	CheckVLAN Option82Policy

	ServiceVLAN VLAN
	InnerVLAN   VLAN // needs ServiceVLAN; granted when QinQEnabled
	QinQEnabled bool

	StaticIPv4          netip.Addr // zero value: none, here and below
	StaticIPv6          netip.Addr
	FramedIPv6Prefix    netip.Prefix
	DelegatedIPv6Prefix netip.Prefix
	IPv6Mode            IPv6AssignmentMode

	// Pools that the NAS holds, by name, for what has no fixed address.
	FramedPool          string // RFC 2869 section 5.18
	FramedIPv6Pool      string // RFC 3162 section 2.6
	DelegatedIPv6Pool   string // RFC 6911 section 3.4
	StatefulIPv6Pool    string // RFC 6911 section 3.5
	Rate                Rate
	SessionTimeout      time.Duration // whole seconds; 0: the server's default
	AcctInterimInterval time.Duration // whole seconds, 60 or more; 0: the server's default
	MaxSessions         uint16        // open at the same time, see Admission; 0: no limit

	DNSServers      Addresses
	FilterID        string     // Filter-Id, or what the dialect has for it
	ReplyAttributes Attributes // added to every accept, also of a walled garden

	WalledGarden WalledGarden
}

// normalize fills what was left open: the policy is log, and the IPv6 mode is
// the one that grants all that the profile holds.
func (p *NetworkProfile) normalize() {
	if p.Option82Policy == "" {
		p.Option82Policy = Option82Log
	}
	if p.CheckVLAN == Option82Ignore {
		p.CheckVLAN = ""
	}
	if p.IPv6Mode == "" {
		p.IPv6Mode = p.impliedIPv6Mode()
	}
}

func (p *NetworkProfile) impliedIPv6Mode() IPv6AssignmentMode {
	slaac := p.FramedIPv6Prefix.IsValid() || p.FramedIPv6Pool != ""
	stateful := p.StaticIPv6.IsValid() || p.StatefulIPv6Pool != ""
	pd := p.DelegatedIPv6Prefix.IsValid() || p.DelegatedIPv6Pool != ""
	switch {
	case slaac && !stateful && !pd:
		return IPv6SLAAC
	case stateful && !slaac && !pd:
		return IPv6Stateful
	case pd && !slaac && !stateful:
		return IPv6PD
	case slaac || stateful || pd:
		return IPv6DualStack
	}
	return IPv6None
}

// NamesLine reports whether the profile says which line is the subscriber's, by a
// name and not by a pattern alone.
func (p *NetworkProfile) NamesLine() bool {
	for i := range p.LineCount() {
		line := p.LineAt(i)
		if line.Named() && !p.LineMatch.pattern(line.CircuitID) && !p.LineMatch.pattern(line.RemoteID) {
			return true
		}
	}
	return false
}

// LineCount is how many lines the profile holds: the first, which may name nothing,
// and MoreLines.
func (p *NetworkProfile) LineCount() int { return 1 + len(p.MoreLines) }

// LineAt returns the line with an index below LineCount.
func (p *NetworkProfile) LineAt(i int) Line {
	if i == 0 {
		return Line{p.CircuitID, p.RemoteID}
	}
	return p.MoreLines[i-1]
}

// GrantsSLAAC, GrantsStateful and GrantsPD say which IPv6 attributes the mode
// lets through.
func (m IPv6AssignmentMode) GrantsSLAAC() bool    { return m == IPv6SLAAC || m == IPv6DualStack }
func (m IPv6AssignmentMode) GrantsStateful() bool { return m == IPv6Stateful || m == IPv6DualStack }
func (m IPv6AssignmentMode) GrantsPD() bool       { return m == IPv6PD || m == IPv6DualStack }

// Withheld names the fields that hold a value which the IPv6 mode or
// QinQEnabled keeps from being granted.
func (p *NetworkProfile) Withheld() []string {
	var fields []string
	withhold := func(field string, held, granted bool) {
		if held && !granted {
			fields = append(fields, field)
		}
	}
	withhold("framed_ipv6_prefix", p.FramedIPv6Prefix.IsValid(), p.IPv6Mode.GrantsSLAAC())
	withhold("framed_ipv6_pool", p.FramedIPv6Pool != "", p.IPv6Mode.GrantsSLAAC())
	withhold("static_ipv6", p.StaticIPv6.IsValid(), p.IPv6Mode.GrantsStateful())
	withhold("stateful_ipv6_pool", p.StatefulIPv6Pool != "", p.IPv6Mode.GrantsStateful())
	withhold("delegated_ipv6_prefix", p.DelegatedIPv6Prefix.IsValid(), p.IPv6Mode.GrantsPD())
	withhold("delegated_ipv6_pool", p.DelegatedIPv6Pool != "", p.IPv6Mode.GrantsPD())
	withhold("inner_vlan", p.InnerVLAN != 0, p.QinQEnabled)
	return fields
}
