package linegate

import "net/netip"

// Bandwidth is what one direction of an optical line guarantees and allows, in
// kbit/s. GIR <= CIR <= PIR where they are set; 0 means that none is asked for.
type Bandwidth struct {
	PIR uint32 `json:"pir,omitempty"` // peak: never more than that
	CIR uint32 `json:"cir,omitempty"` // committed: there when it is needed
	GIR uint32 `json:"gir,omitempty"` // guaranteed: reserved even when idle
}

// ONUService is one service of a subscriber on an ONU as it is to be. It is the
// whole of what is wanted: applying it twice changes nothing the second time.
type ONUService struct {
	ID     string `json:"id"`     // of the service, 1 to 64 of A-Z, a-z, 0-9, dash; never reused, and what its flows are told apart by
	Serial string `json:"serial"` // of the ONU: four letters and eight hex digits
	UNI    uint8  `json:"uni"`    // port of the ONU towards the subscriber, from 1

	CustomerVLAN VLAN `json:"customer_vlan,omitempty"` // tag that the CPE sends; 0: untagged
	ServiceVLAN  VLAN `json:"service_vlan"`
	InnerVLAN    VLAN `json:"inner_vlan,omitempty"` // with QinQ
	QinQ         bool `json:"qinq,omitempty"`
	Transparent  bool `json:"transparent,omitempty"` // any customer tag passes beneath ServiceVLAN

	TechProfile uint16    `json:"tech_profile,omitempty"` // 0: the backend's default; services of one UNI need different ones
	Upstream    Bandwidth `json:"upstream"`
	Downstream  Bandwidth `json:"downstream"`

	// These are logged with the ONU, and change nothing on it.
	StaticIPv4          netip.Addr         `json:"static_ipv4,omitzero"`
	IPv6Mode            IPv6AssignmentMode `json:"ipv6_mode,omitempty"`
	DelegatedIPv6Prefix netip.Prefix       `json:"delegated_ipv6_prefix,omitzero"`
}

// ONUResult is what is known of a service on its ONU.
type ONUResult struct {
	Installed bool   `json:"installed"` // seen in force, not only accepted
	Device    string `json:"device"`    // the backend's name of the ONU
	Detail    string `json:"detail"`    // in words, for people
}
