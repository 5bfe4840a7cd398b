package dialect

import "linegate"

// topic is one thing that a grant can hold, and that a dialect says or can't say.
type topic uint8

const (
	topicUserName topic = iota
	topicServiceVLAN
	topicInnerVLAN
	topicIPv4
	topicFramedPrefix
	topicFramedIPv6
	topicDelegatedPrefix
	topicFramedIPv6Pool
	topicDelegatedPool
	topicStatefulPool
	topicIPv6Mode
	topicFramedPool
	topicDNS4
	topicDNS6
	topicRate
	topicFilter
	topicSessionTimeout
	topicInterim
	topicCount
)

// topicInfo is a topic's key in a dialect file and the property of a profile that
// it comes from.
type topicInfo struct {
	key      string
	property string
	garden   string // the property that it comes from in a walled garden
}

// topicTable lists the topics in the order they are written in: name, VLAN, IPv4,
// IPv6, pools, limits. It is never changed.
var topicTable = [topicCount]topicInfo{
	topicUserName:        {key: "user_name", property: "username"},
	topicServiceVLAN:     {key: "service_vlan", property: "service_vlan", garden: "walled_garden_vlan"},
	topicInnerVLAN:       {key: "inner_vlan", property: "inner_vlan"},
	topicIPv4:            {key: "ipv4", property: "static_ipv4"},
	topicFramedPrefix:    {key: "framed_ipv6_prefix", property: "framed_ipv6_prefix"},
	topicFramedIPv6:      {key: "framed_ipv6_address", property: "static_ipv6"},
	topicDelegatedPrefix: {key: "delegated_ipv6_prefix", property: "delegated_ipv6_prefix"},
	topicFramedIPv6Pool:  {key: "framed_ipv6_pool", property: "framed_ipv6_pool"},
	topicDelegatedPool:   {key: "delegated_ipv6_pool", property: "delegated_ipv6_pool"},
	topicStatefulPool:    {key: "stateful_ipv6_pool", property: "stateful_ipv6_pool"},
	topicIPv6Mode:        {key: "ipv6_mode", property: "ipv6_assignment_mode"},
	topicFramedPool:      {key: "framed_pool", property: "framed_pool", garden: "walled_garden_pool"},
	topicDNS4:            {key: "dns_ipv4", property: "dns_servers"},
	topicDNS6:            {key: "dns_ipv6", property: "dns_servers"},
	topicRate:            {key: "rate", property: "download_kbps"},
	topicFilter:          {key: "filter", property: "filter_id", garden: "walled_garden_filter"},
	topicSessionTimeout:  {key: "session_timeout", property: "session_timeout"},
	topicInterim:         {key: "acct_interim_interval", property: "acct_interim_interval"},
}

// topicNamed finds a topic by its key.
func topicNamed(key string) (topic, bool) {
	for t, info := range topicTable {
		if info.key == key {
			return topic(t), true
		}
	}
	return 0, false
}

// in reports whether a grant holds anything of a topic.
func (t topic) in(grant *linegate.Grant) bool {
	switch t {
	case topicUserName:
		return grant.UserName != ""
	case topicServiceVLAN:
		return grant.ServiceVLAN != 0
	case topicInnerVLAN:
		return grant.QinQ
	case topicIPv4:
		return grant.IPv4.IsValid()
	case topicFramedPrefix:
		return grant.FramedIPv6Prefix.IsValid()
	case topicFramedIPv6:
		return grant.FramedIPv6Address.IsValid()
	case topicDelegatedPrefix:
		return grant.DelegatedIPv6Prefix.IsValid()
	case topicRate:
		return grant.Rate != linegate.Rate{}
	case topicSessionTimeout:
		return grant.SessionTimeout != 0
	case topicInterim:
		return grant.AcctInterimInterval != 0
	}
	return t.named(grant)
}

// named is the part of in about names and lists.
func (t topic) named(grant *linegate.Grant) bool {
	switch t {
	case topicFramedIPv6Pool:
		return grant.FramedIPv6Pool != ""
	case topicDelegatedPool:
		return grant.DelegatedIPv6Pool != ""
	case topicStatefulPool:
		return grant.StatefulIPv6Pool != ""
	case topicIPv6Mode:
		return grant.IPv6Mode != ""
	case topicFramedPool:
		return grant.FramedPool != ""
	case topicFilter:
		return grant.FilterID != ""
	case topicDNS4, topicDNS6:
		for _, address := range grant.DNS {
			if address.Is4() == (t == topicDNS4) {
				return true
			}
		}
	}
	return false
}
