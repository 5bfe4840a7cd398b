package provisioning

import "linegate"

// Flags switch features on and off, for the whole server or for one tenant. The
// names in comments are those of the configuration.
type Flags struct {
	NetworkProfileConsumption bool                    // enable_network_profile_consumption: a stored profile's addresses and VLANs are used
	StaticIPBypass            bool                    // enable_static_ip_bypass: a fixed address is not asked for at NetBox
	QinQProvisioning          bool                    // enable_qinq_provisioning
	IPv6PD                    bool                    // enable_ipv6_pd
	Option82Enforcement       bool                    // enable_option82_enforcement: else enforce is stored as log
	Option82Default           linegate.Option82Policy // option82_default_policy, of profiles that name none
	VLANCoAUpdates            bool                    // enable_vlan_coa_updates: live sessions follow a change of VLAN
	AllowIPv4Only             bool                    // allow_ipv4_only: an order goes on without IPv6 that can't be had
}

// DefaultFlags are all features on, Option 82 mismatches logged, and no order done
// without the IPv6 it asks for.
func DefaultFlags() Flags {
	return Flags{
		NetworkProfileConsumption: true, StaticIPBypass: true, QinQProvisioning: true, IPv6PD: true,
		Option82Enforcement: true, Option82Default: linegate.Option82Log, VLANCoAUpdates: true,
	}
}
