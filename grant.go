package linegate

import "net/netip"

// Grant is what an accepted subscriber gets, in no vendor's words. Zero values
// grant nothing.
type Grant struct {
	UserName    string // the name for accounting, where it is not what the NAS sent
	ServiceVLAN VLAN   // RFC 3580 section 3.31
	InnerVLAN   VLAN   // zero unless QinQ
	QinQ        bool
	IPv4        netip.Addr // Framed-IP-Address

	IPv6Mode            IPv6AssignmentMode // empty: the subscriber has no profile
	FramedIPv6Prefix    netip.Prefix
	FramedIPv6Address   netip.Addr
	DelegatedIPv6Prefix netip.Prefix

	FramedPool        string
	FramedIPv6Pool    string
	DelegatedIPv6Pool string
	StatefulIPv6Pool  string

	DNS                 []netip.Addr // shared with the profile: read-only
	Rate                Rate
	FilterID            string
	ReplyAttributes     []string // "Name = value", by the dictionary; shared with the profile
	SessionTimeout      uint32   // seconds
	AcctInterimInterval uint32   // seconds
}
