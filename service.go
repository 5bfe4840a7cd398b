package linegate

import (
	"net/netip"
	"time"
)

// ServiceState is where a provisioned service stands.
type ServiceState string

const (
	ServiceActive     ServiceState = "active"
	ServiceSuspended  ServiceState = "suspended"
	ServiceTerminated ServiceState = "terminated" // kept for those who ask later
)

// Service is the record of what was set up for a subscriber: what later orders
// need to know to change it, hold it back and take it down.
type Service struct {
	ID       string // 1 to 64 of a-z, 0-9 and dash; never reused
	Tenant   string
	Username string
	State    ServiceState
	OrderID  string // the last order that changed it
	Metadata ServiceMetadata
	Updated  time.Time
}

// ServiceMetadata is the plan's service_metadata, and what is needed to take the
// service down. It holds no password.
type ServiceMetadata struct {
	SubscriberNumber string          `json:"subscriber_number"` // the subscriber's ID
	ConnectionType   string          `json:"connection_type,omitempty"`
	NetworkProfile   ServiceProfile  `json:"network_profile"`
	AllocatedIPs     AllocatedIPs    `json:"allocated_ips"`
	Allocations      []Allocation    `json:"allocations,omitempty"`
	VLAN             *VLANAssignment `json:"vlan,omitempty"`
	ONU              *ONUService     `json:"onu,omitempty"`
	CPE              *CPESettings    `json:"cpe,omitempty"`
	Suspended        *SuspendedState `json:"suspended,omitempty"`
}

// ServiceProfile is the network profile as the plan's service_metadata lists it.
type ServiceProfile struct {
	ServiceVLAN         VLAN               `json:"service_vlan,omitempty"`
	InnerVLAN           VLAN               `json:"inner_vlan,omitempty"`
	QinQEnabled         bool               `json:"qinq_enabled"`
	StaticIPv4          netip.Addr         `json:"static_ipv4,omitzero"`
	StaticIPv6          netip.Addr         `json:"static_ipv6,omitzero"`
	DelegatedIPv6Prefix netip.Prefix       `json:"delegated_ipv6_prefix,omitzero"`
	IPv6AssignmentMode  IPv6AssignmentMode `json:"ipv6_assignment_mode,omitempty"`
	Option82Policy      Option82Policy     `json:"option82_policy,omitempty"`
	CircuitID           string             `json:"circuit_id,omitempty"`
	RemoteID            string             `json:"remote_id,omitempty"`
}

// NewServiceProfile takes from a profile what service_metadata lists.
func NewServiceProfile(p *NetworkProfile) ServiceProfile {
	if p == nil {
		return ServiceProfile{}
	}
	return ServiceProfile{
		ServiceVLAN: p.ServiceVLAN, InnerVLAN: p.InnerVLAN, QinQEnabled: p.QinQEnabled,
		StaticIPv4: p.StaticIPv4, StaticIPv6: p.StaticIPv6, DelegatedIPv6Prefix: p.DelegatedIPv6Prefix,
		IPv6AssignmentMode: p.IPv6Mode, Option82Policy: p.Option82Policy,
		CircuitID: p.CircuitID.String(), RemoteID: p.RemoteID.String(),
	}
}

// AllocatedIPs are the addresses that were allocated, as service_metadata lists
// them; fixed ones of the profile are not among them.
type AllocatedIPs struct {
	IPv4                netip.Addr   `json:"ipv4,omitzero"`
	IPv6                netip.Addr   `json:"ipv6,omitzero"`
	IPv6Prefix          netip.Prefix `json:"ipv6_prefix,omitzero"`
	DelegatedIPv6Prefix netip.Prefix `json:"ipv6_delegated_prefix,omitzero"`
}

// SuspendedState is what a resume puts back.
type SuspendedState struct {
	Strategy SuspendStrategy `json:"strategy"`
	Rate     Rate            `json:"rate"` // before, for SuspendByRate
}
