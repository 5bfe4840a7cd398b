package coa

import (
	"net/netip"
	"strconv"

	"linegate"
	"linegate/radiusd/wire"
)

// Attributes of our own vendor space, and of WISPr, that a request may change a
// session by; configs/dictionary.linegate tells other systems about ours.
const (
	xQinQInnerVLAN = 1  // integer, 1 to 4094; 0: none
	xDownloadKbps  = 10 // integer, 1000 bit/s
	xUploadKbps    = 11 // integer, 1000 bit/s

	vendorWISPr   = 14122
	wisprMaxUp    = 7 // integer, bit/s
	wisprMaxDown  = 8 // integer, bit/s
	bitsInKbit    = 1000
	authorizeOnly = 17 // of Service-Type (RFC 5176 section 3.2)
)

// request is a CoA or Disconnect request of another system, read.
type request struct {
	disconnect bool
	session    identity
	changes    []linegate.Change
}

// aspects are the parts of a grant that a request names.
type aspects struct {
	rate, vlan, prefix, garden, limits, reauthenticate bool
}

// readRequest reads a request that has proven itself. A cause other than 0 is what
// it has to be refused with: every attribute of a request counts, so one that
// means nothing here refuses the whole (RFC 5176 section 2.3).
func readRequest(packet wire.Packet, pen uint32) (request, linegate.ErrorCause) {
	r := request{disconnect: packet.Code() == wire.DisconnectRequest}
	var said aspects
	var grant linegate.Grant
	for attribute := range packet.Attributes() {
		if refusal := r.read(attribute, pen, &grant, &said); refusal != 0 {
			return r, refusal
		}
	}
	refusal := linegate.ErrorCause(0)
	switch {
	case r.session.empty():
		refusal = linegate.CauseMissingAttribute
	case r.disconnect:
		r.changes = []linegate.Change{{Kind: linegate.ChangeDisconnect}}
	default:
		r.changes, refusal = said.changes(grant)
	}
	return r, refusal
}

// read takes one attribute in.
func (r *request) read(attribute wire.Attribute, pen uint32, grant *linegate.Grant, said *aspects) linegate.ErrorCause {
	switch attribute.Type {
	case wire.ProxyState, wire.MessageAuthenticator, wire.EventTimestamp:
		return 0 // of the packet, not of what it asks for
	}
	if known, cause := r.session.read(attribute); known {
		return cause
	}
	if r.disconnect {
		if attribute.Type == wire.DelegatedIPv6Prefix {
			return prefixInto(&r.session.delegatedIPv6Prefix, attribute.Value)
		}
		if attribute.Type == wire.ReplyMessage || attribute.Type == wire.AcctTerminateCause {
			return 0 // for people, and for the NAS's accounting
		}
		return linegate.CauseUnsupportedAttribute
	}
	return readChange(grant, attribute, pen, said)
}

// readChange takes in what a CoA-Request wants to be so.
func readChange(grant *linegate.Grant, attribute wire.Attribute, pen uint32, said *aspects) linegate.ErrorCause {
	value := attribute.Value
	switch attribute.Type {
	case wire.TunnelType:
		return requireTagged(value, wire.TunnelTypeVLAN)
	case wire.TunnelMediumType:
		return requireTagged(value, wire.TunnelMediumIEEE802)
	case wire.TunnelPrivateGroupID:
		said.vlan = true
		return vlanInto(&grant.ServiceVLAN, value)
	case wire.FilterID:
		said.garden = true
		return textInto(&grant.FilterID, value)
	case wire.FramedPool:
		said.garden = true
		return textInto(&grant.FramedPool, value)
	case wire.SessionTimeout:
		said.limits = true
		return countInto(&grant.SessionTimeout, value)
	case wire.AcctInterimInterval:
		said.limits = true
		return countInto(&grant.AcctInterimInterval, value)
	case wire.DelegatedIPv6Prefix:
		said.prefix = true
		return prefixInto(&grant.DelegatedIPv6Prefix, value)
	case wire.ServiceType:
		said.reauthenticate = true
		if number, ok := wire.Uint32(value); !ok || number != authorizeOnly {
			return linegate.CauseUnsupportedService
		}
		return 0
	case wire.State:
		return 0 // has to come with Authorize-Only; the session is known without
	}
	return readVendor(grant, attribute, pen, said)
}

// readVendor takes in the vendors' attributes that are not of one kind of NAS.
func readVendor(grant *linegate.Grant, attribute wire.Attribute, pen uint32, said *aspects) linegate.ErrorCause {
	vendor, data, ok := attribute.Vendor()
	if !ok || vendor != pen && vendor != vendorWISPr {
		return linegate.CauseUnsupportedAttribute
	}
	size := 0
	for sub := range wire.VendorAttributes(data) {
		size += 2 + len(sub.Value)
		number, ok := wire.Uint32(sub.Value)
		if !ok {
			return linegate.CauseInvalidValue
		}
		switch {
		case vendor == pen && sub.Type == xQinQInnerVLAN && number <= uint32(linegate.MaxVLAN):
			grant.InnerVLAN, grant.QinQ, said.vlan = linegate.VLAN(number), number != 0, true
		case vendor == pen && sub.Type == xDownloadKbps:
			grant.Rate.DownloadKbps, said.rate = number, true
		case vendor == pen && sub.Type == xUploadKbps:
			grant.Rate.UploadKbps, said.rate = number, true
		case vendor == vendorWISPr && sub.Type == wisprMaxDown:
			grant.Rate.DownloadKbps, said.rate = number/bitsInKbit, true
		case vendor == vendorWISPr && sub.Type == wisprMaxUp:
			grant.Rate.UploadKbps, said.rate = number/bitsInKbit, true
		default:
			return linegate.CauseUnsupportedAttribute
		}
	}
	if size == 0 || size != len(data) {
		return linegate.CauseInvalidValue
	}
	return 0
}

// changes are the aspects as the changes of one request.
func (a aspects) changes(grant linegate.Grant) (changes []linegate.Change, refusal linegate.ErrorCause) {
	for _, one := range []struct {
		said bool
		kind linegate.ChangeKind
	}{
		{a.rate, linegate.ChangeRate}, {a.vlan, linegate.ChangeVLAN}, {a.prefix, linegate.ChangePrefix},
		{a.garden, linegate.ChangeWalledGarden}, {a.limits, linegate.ChangeLimits}, {a.reauthenticate, linegate.ChangeReauthenticate},
	} {
		if one.said {
			changes = append(changes, linegate.Change{Kind: one.kind, Grant: grant})
		}
	}
	switch {
	case len(changes) == 0:
		return nil, linegate.CauseMissingAttribute
	case len(changes) > 1 && a.reauthenticate:
		return nil, linegate.CauseInvalidRequest // RFC 5176 section 3.2
	}
	return changes, 0
}

func countInto(into *uint32, value []byte) linegate.ErrorCause {
	number, ok := wire.Uint32(value)
	if !ok || number == 0 {
		return linegate.CauseInvalidValue
	}
	*into = number
	return 0
}

// requireTagged checks an integer behind a tag (RFC 2868 section 3.1).
func requireTagged(value []byte, want uint32) linegate.ErrorCause {
	number, ok := wire.Uint32(value)
	if !ok || number&0xffffff != want {
		return linegate.CauseInvalidValue
	}
	return 0
}

// vlanInto reads a VLAN in decimal, behind a tag or not (RFC 2868 section 3.6).
func vlanInto(into *linegate.VLAN, value []byte) linegate.ErrorCause {
	if len(value) > 0 && value[0] <= 0x1f {
		value = value[1:]
	}
	number, err := strconv.ParseUint(string(value), 10, 16)
	if err != nil || number == 0 || number > uint64(linegate.MaxVLAN) {
		return linegate.CauseInvalidValue
	}
	*into = linegate.VLAN(number)
	return 0
}

func textInto(into *string, value []byte) linegate.ErrorCause {
	if len(value) == 0 || *into != "" { // of two, no dialect could say both
		return linegate.CauseInvalidValue
	}
	*into = string(value)
	return 0
}

func prefixInto(into *netip.Prefix, value []byte) linegate.ErrorCause {
	prefix, ok := wire.IPv6Prefix(value)
	if !ok {
		return linegate.CauseInvalidValue
	}
	*into = prefix
	return 0
}

func addressInto(into *netip.Addr, value []byte, size int) linegate.ErrorCause {
	address, ok := netip.AddrFromSlice(value)
	if !ok || len(value) != size {
		return linegate.CauseInvalidValue
	}
	*into = address
	return 0
}
