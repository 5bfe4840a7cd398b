package dialect

import (
	"net/netip"

	"linegate"
)

// source is what statements take their values from: what is granted, and in a
// change or an identity also the session. Either may be nil.
type source struct {
	grant   *linegate.Grant
	session *linegate.Session
}

// field is one value that a statement can name in braces.
type field uint8

const (
	fieldUserName field = iota + 1
	fieldServiceVLAN
	fieldInnerVLAN
	fieldIPv4
	fieldFramedPrefix
	fieldFramedIPv6
	fieldDelegatedPrefix
	fieldIPv6Mode
	fieldFramedPool
	fieldFramedIPv6Pool
	fieldDelegatedPool
	fieldStatefulPool
	fieldDownloadKbps
	fieldUploadKbps
	fieldDownloadBps
	fieldUploadBps
	fieldDNS4First
	fieldDNS4Second
	fieldDNS6First
	fieldDNS6Second
	fieldDNS6Third
	fieldFilter
	fieldSessionTimeout
	fieldInterim

	fieldSessionID
	fieldSessionUser
	fieldSessionIPv4
	fieldSessionIPv6
	fieldSessionPrefix
	fieldSessionDelegated
	fieldSessionPort
	fieldSessionStation
	fieldSessionClass
	fieldSessionNAS
)

// shape is what kind of value a field holds, and so which attributes can carry it.
type shape uint8

const (
	shapeText shape = iota + 1
	shapeNumber
	shapeAddress
	shapePrefix
)

// fieldInfo is a field's name in a dialect and its shape.
type fieldInfo struct {
	name  string
	shape shape
	topic topic // of a grant's field
	// ofSession says that the value comes from a session and not from a grant.
	ofSession bool
}

// fieldTable is never changed. kbps is 1000 bit/s, bps one.
var fieldTable = map[field]fieldInfo{
	fieldUserName:        {name: "user_name", shape: shapeText, topic: topicUserName},
	fieldServiceVLAN:     {name: "service_vlan", shape: shapeNumber, topic: topicServiceVLAN},
	fieldInnerVLAN:       {name: "inner_vlan", shape: shapeNumber, topic: topicInnerVLAN},
	fieldIPv4:            {name: "ipv4", shape: shapeAddress, topic: topicIPv4},
	fieldFramedPrefix:    {name: "framed_ipv6_prefix", shape: shapePrefix, topic: topicFramedPrefix},
	fieldFramedIPv6:      {name: "framed_ipv6_address", shape: shapeAddress, topic: topicFramedIPv6},
	fieldDelegatedPrefix: {name: "delegated_ipv6_prefix", shape: shapePrefix, topic: topicDelegatedPrefix},
	fieldIPv6Mode:        {name: "ipv6_mode", shape: shapeText, topic: topicIPv6Mode},
	fieldFramedPool:      {name: "framed_pool", shape: shapeText, topic: topicFramedPool},
	fieldFramedIPv6Pool:  {name: "framed_ipv6_pool", shape: shapeText, topic: topicFramedIPv6Pool},
	fieldDelegatedPool:   {name: "delegated_ipv6_pool", shape: shapeText, topic: topicDelegatedPool},
	fieldStatefulPool:    {name: "stateful_ipv6_pool", shape: shapeText, topic: topicStatefulPool},
	fieldDownloadKbps:    {name: "download_kbps", shape: shapeNumber, topic: topicRate},
	fieldUploadKbps:      {name: "upload_kbps", shape: shapeNumber, topic: topicRate},
	fieldDownloadBps:     {name: "download_bps", shape: shapeNumber, topic: topicRate},
	fieldUploadBps:       {name: "upload_bps", shape: shapeNumber, topic: topicRate},
	fieldDNS4First:       {name: "dns_ipv4", shape: shapeAddress, topic: topicDNS4},
	fieldDNS4Second:      {name: "dns_ipv4_2", shape: shapeAddress, topic: topicDNS4},
	fieldDNS6First:       {name: "dns_ipv6", shape: shapeAddress, topic: topicDNS6},
	fieldDNS6Second:      {name: "dns_ipv6_2", shape: shapeAddress, topic: topicDNS6},
	fieldDNS6Third:       {name: "dns_ipv6_3", shape: shapeAddress, topic: topicDNS6},
	fieldFilter:          {name: "filter_id", shape: shapeText, topic: topicFilter},
	fieldSessionTimeout:  {name: "session_timeout", shape: shapeNumber, topic: topicSessionTimeout},
	fieldInterim:         {name: "acct_interim_interval", shape: shapeNumber, topic: topicInterim},

	fieldSessionID:        {name: "session.id", shape: shapeText, ofSession: true},
	fieldSessionUser:      {name: "session.user_name", shape: shapeText, ofSession: true},
	fieldSessionIPv4:      {name: "session.ipv4", shape: shapeAddress, ofSession: true},
	fieldSessionIPv6:      {name: "session.framed_ipv6_address", shape: shapeAddress, ofSession: true},
	fieldSessionPrefix:    {name: "session.framed_ipv6_prefix", shape: shapePrefix, ofSession: true},
	fieldSessionDelegated: {name: "session.delegated_ipv6_prefix", shape: shapePrefix, ofSession: true},
	fieldSessionPort:      {name: "session.nas_port_id", shape: shapeText, ofSession: true},
	fieldSessionStation:   {name: "session.calling_station_id", shape: shapeText, ofSession: true},
	fieldSessionClass:     {name: "session.class", shape: shapeText, ofSession: true},
	fieldSessionNAS:       {name: "session.nas_address", shape: shapeAddress, ofSession: true},
}

// fieldNamed finds a field by its name.
func fieldNamed(name string) (field, bool) {
	for f, info := range fieldTable {
		if info.name == name {
			return f, true
		}
	}
	return 0, false
}

// text returns a text field; ok is false when it is empty.
func (s *source) text(f field) (text string, ok bool) {
	switch f {
	case fieldUserName:
		text = s.grant.UserName
	case fieldIPv6Mode:
		text = string(s.grant.IPv6Mode)
	case fieldFramedPool:
		text = s.grant.FramedPool
	case fieldFramedIPv6Pool:
		text = s.grant.FramedIPv6Pool
	case fieldDelegatedPool:
		text = s.grant.DelegatedIPv6Pool
	case fieldStatefulPool:
		text = s.grant.StatefulIPv6Pool
	case fieldFilter:
		text = s.grant.FilterID
	case fieldSessionID:
		text = s.session.AcctSessionID
	case fieldSessionUser:
		text = s.session.UserName
	case fieldSessionPort:
		text = s.session.NASPortID
	case fieldSessionStation:
		text = s.session.CallingStationID
	case fieldSessionClass:
		text = string(s.session.Class)
	}
	return text, text != ""
}

// number returns a number field; ok is false when it is zero.
func (s *source) number(f field) (n uint64, ok bool) {
	switch f {
	case fieldServiceVLAN:
		n = uint64(s.grant.ServiceVLAN)
	case fieldInnerVLAN:
		n = uint64(s.grant.InnerVLAN)
	case fieldDownloadKbps:
		n = uint64(s.grant.Rate.DownloadKbps)
	case fieldUploadKbps:
		n = uint64(s.grant.Rate.UploadKbps)
	case fieldDownloadBps:
		n = bitsPerKbit * uint64(s.grant.Rate.DownloadKbps)
	case fieldUploadBps:
		n = bitsPerKbit * uint64(s.grant.Rate.UploadKbps)
	case fieldSessionTimeout:
		n = uint64(s.grant.SessionTimeout)
	case fieldInterim:
		n = uint64(s.grant.AcctInterimInterval)
	}
	return n, n != 0
}

// bitsPerKbit is what every NAS whose documents we know means by kbit.
const bitsPerKbit = 1000

// address returns an address field; ok is false when there is none.
func (s *source) address(f field) (address netip.Addr, ok bool) {
	switch f {
	case fieldIPv4:
		address = s.grant.IPv4
	case fieldFramedIPv6:
		address = s.grant.FramedIPv6Address
	case fieldDNS4First:
		address = s.nameserver(true, 0)
	case fieldDNS4Second:
		address = s.nameserver(true, 1)
	case fieldDNS6First:
		address = s.nameserver(false, 0)
	case fieldDNS6Second:
		address = s.nameserver(false, 1)
	case fieldDNS6Third:
		address = s.nameserver(false, 2)
	case fieldSessionIPv4:
		address = s.session.FramedIPv4
	case fieldSessionIPv6:
		address = s.session.FramedIPv6Address
	case fieldSessionNAS:
		address = s.session.NAS.Address
	}
	return address, address.IsValid()
}

// nameserver returns the n-th name server of a family, counted from 0.
func (s *source) nameserver(four bool, n int) netip.Addr {
	for _, address := range s.grant.DNS {
		if address.Is4() != four {
			continue
		}
		if n == 0 {
			return address
		}
		n--
	}
	return netip.Addr{}
}

// prefix returns a prefix field; ok is false when there is none.
func (s *source) prefix(f field) (prefix netip.Prefix, ok bool) {
	switch f {
	case fieldFramedPrefix:
		prefix = s.grant.FramedIPv6Prefix
	case fieldDelegatedPrefix:
		prefix = s.grant.DelegatedIPv6Prefix
	case fieldSessionPrefix:
		prefix = s.session.FramedIPv6Prefix
	case fieldSessionDelegated:
		prefix = s.session.DelegatedIPv6Prefix
	}
	return prefix, prefix.IsValid()
}

// has reports whether a field holds a value.
func (s *source) has(f field, shape shape) (ok bool) {
	switch shape {
	case shapeText:
		_, ok = s.text(f)
	case shapeNumber:
		_, ok = s.number(f)
	case shapeAddress:
		_, ok = s.address(f)
	case shapePrefix:
		_, ok = s.prefix(f)
	}
	return ok
}
