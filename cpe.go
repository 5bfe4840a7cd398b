package linegate

import "net/netip"

// CPESettings are what the WAN side of a subscriber's CPE is to be. It is the
// whole of what is wanted; zero fields are left as they are on the device.
type CPESettings struct {
	ServiceID string `json:"service_id"` // what the work on the device is told apart by
	// Device names the CPE: its id in the management server, or its serial in
	// ASCII or hex form.
	Device string `json:"device"`

	ServiceVLAN VLAN `json:"service_vlan,omitempty"`
	InnerVLAN   VLAN `json:"inner_vlan,omitempty"` // with QinQ
	QinQ        bool `json:"qinq,omitempty"`
	// WithoutQinQ is true where a CPE that can't stack tags is a warning; else it
	// is an error.
	WithoutQinQ bool `json:"without_qinq,omitempty"`

	// IPv4 is the fixed address with the length of its network; zero: DHCP.
	IPv4        netip.Prefix `json:"ipv4,omitzero"`
	IPv4Gateway netip.Addr   `json:"ipv4_gateway,omitzero"`
	DNS         []netip.Addr `json:"dns,omitempty"`

	IPv6Mode            IPv6AssignmentMode `json:"ipv6_mode,omitempty"`
	DelegatedIPv6Prefix netip.Prefix       `json:"delegated_ipv6_prefix,omitzero"`

	PPPUsername string `json:"ppp_username,omitempty"`
	PPPPassword string `json:"ppp_password,omitempty"`
}

// CPEWrite is one parameter as it is sent to a device.
type CPEWrite struct {
	Path  string `json:"path"`
	Value string `json:"value"` // a password shows as stars
	Type  string `json:"type"`  // e.g. xsd:unsignedInt
}

// CPEPlan is what applying settings would write.
type CPEPlan struct {
	Device   string     `json:"device"` // id in the management server
	Model    string     `json:"model"`  // the rule that matched
	Writes   []CPEWrite `json:"writes"`
	Warnings []string   `json:"warnings"`
}

// CPEState is where the settings of a CPE stand.
type CPEState string

const (
	CPEApplied CPEState = "applied" // read back from the device as wanted
	CPEWaiting CPEState = "waiting" // accepted, and sent when the device next calls in
)

// CPEResult is what became of settings.
type CPEResult struct {
	State    CPEState `json:"state"`
	Device   string   `json:"device"`
	Warnings []string `json:"warnings"`
	Detail   string   `json:"detail"` // in words, for people
}
