package dialect

import (
	"encoding/binary"
	"strconv"

	"linegate"
	"linegate/radiusd/wire"
)

// Attributes of our own vendor space; configs/dictionary.linegate tells NAS
// vendors about them. No IETF attribute exists for an inner VLAN.
const (
	xQinQInnerVLAN      = 1 // integer
	xQinQEnabled        = 2 // integer, 0 or 1
	xIPv6AssignmentMode = 3 // string
)

// AppendGrant writes what a subscriber gets, in the order of the RFCs' numbers
// by subject: name, VLAN, IPv4, IPv6, pools, limits.
func (d *Dialect) AppendGrant(dst []byte, grant *linegate.Grant) []byte {
	if grant.UserName != "" {
		dst = wire.AppendText(dst, wire.UserName, grant.UserName)
	}
	dst = d.appendVLAN(dst, grant)
	if grant.IPv4.IsValid() {
		dst = wire.AppendAddress(dst, wire.FramedIPAddress, grant.IPv4)
	}
	dst = d.appendIPv6(dst, grant)
	dst = appendNamed(dst, wire.FramedPool, grant.FramedPool)
	dst = appendNamed(dst, wire.FilterID, grant.FilterID)
	dst = appendCounted(dst, wire.SessionTimeout, grant.SessionTimeout)
	return appendCounted(dst, wire.AcctInterimInterval, grant.AcctInterimInterval)
}

// appendVLAN writes the service VLAN as RFC 3580 section 3.31 asks, untagged in
// the sense of RFC 2868 because there is one tunnel only, and the inner VLAN in
// our own space.
func (d *Dialect) appendVLAN(dst []byte, grant *linegate.Grant) []byte {
	if grant.ServiceVLAN != 0 {
		dst = wire.AppendTaggedInteger(dst, wire.TunnelType, 0, wire.TunnelTypeVLAN)
		dst = wire.AppendTaggedInteger(dst, wire.TunnelMediumType, 0, wire.TunnelMediumIEEE802)
		var digits [5]byte
		dst = wire.AppendAttribute(dst, wire.TunnelPrivateGroupID, strconv.AppendUint(digits[:0], uint64(grant.ServiceVLAN), 10))
	}
	if grant.QinQ {
		dst = d.appendOwnInteger(dst, xQinQInnerVLAN, uint32(grant.InnerVLAN))
		dst = d.appendOwnInteger(dst, xQinQEnabled, 1)
	}
	return dst
}

func (d *Dialect) appendIPv6(dst []byte, grant *linegate.Grant) []byte {
	if grant.FramedIPv6Prefix.IsValid() {
		dst = wire.AppendIPv6Prefix(dst, wire.FramedIPv6Prefix, grant.FramedIPv6Prefix)
	}
	if grant.FramedIPv6Address.IsValid() {
		dst = wire.AppendAddress(dst, wire.FramedIPv6Address, grant.FramedIPv6Address)
	}
	if grant.DelegatedIPv6Prefix.IsValid() {
		dst = wire.AppendIPv6Prefix(dst, wire.DelegatedIPv6Prefix, grant.DelegatedIPv6Prefix)
	}
	dst = appendNamed(dst, wire.FramedIPv6Pool, grant.FramedIPv6Pool)
	dst = appendNamed(dst, wire.DelegatedIPv6PrefixPool, grant.DelegatedIPv6Pool)
	dst = appendNamed(dst, wire.StatefulIPv6AddressPool, grant.StatefulIPv6Pool)
	if grant.IPv6Mode != "" {
		var text [16]byte
		dst = wire.AppendVendorAttribute(dst, d.pen, xIPv6AssignmentMode, append(text[:0], grant.IPv6Mode...))
	}
	return dst
}

func (d *Dialect) appendOwnInteger(dst []byte, attributeType uint8, value uint32) []byte {
	var octets [4]byte
	binary.BigEndian.PutUint32(octets[:], value)
	return wire.AppendVendorAttribute(dst, d.pen, attributeType, octets[:])
}

// appendNamed writes a text attribute unless it is empty.
func appendNamed(dst []byte, attributeType uint8, name string) []byte {
	if name == "" {
		return dst
	}
	return wire.AppendText(dst, attributeType, name)
}

// appendCounted writes an integer attribute unless it is zero.
func appendCounted(dst []byte, attributeType uint8, value uint32) []byte {
	if value == 0 {
		return dst
	}
	return wire.AppendInteger(dst, attributeType, value)
}
