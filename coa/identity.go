package coa

import (
	"net/netip"

	"linegate"
	"linegate/radiusd/wire"
)

// identity is what a request names a session by; all that is given has to match
// (RFC 5176 section 3). Empty and zero: not given.
type identity struct {
	userName         string
	acctSessionID    string
	callingStationID string
	nasPortID        string

	framedIPv4          netip.Addr
	framedIPv6Address   netip.Addr
	framedIPv6Prefix    netip.Prefix
	delegatedIPv6Prefix netip.Prefix // with a Disconnect only: a CoA changes it

	// The NAS, which alone names no session.
	nasIdentifier string
	nasAddress    netip.Addr
}

// read takes an attribute that names a session or a NAS; known is false for others.
func (i *identity) read(attribute wire.Attribute) (known bool, cause linegate.ErrorCause) {
	value := attribute.Value
	switch attribute.Type {
	case wire.UserName:
		return true, textInto(&i.userName, value)
	case wire.AcctSessionID:
		return true, textInto(&i.acctSessionID, value)
	case wire.CallingStationID:
		return true, textInto(&i.callingStationID, value)
	case wire.NASPortID:
		return true, textInto(&i.nasPortID, value)
	case wire.NASIdentifier:
		return true, textInto(&i.nasIdentifier, value)
	case wire.FramedIPAddress:
		return true, addressInto(&i.framedIPv4, value, 4)
	case wire.NASIPAddress:
		return true, addressInto(&i.nasAddress, value, 4)
	case wire.NASIPv6Address:
		return true, addressInto(&i.nasAddress, value, 16)
	case wire.FramedIPv6Address:
		return true, addressInto(&i.framedIPv6Address, value, 16)
	case wire.FramedIPv6Prefix:
		return true, prefixInto(&i.framedIPv6Prefix, value)
	}
	return false, 0
}

// empty reports whether no session is named.
func (i *identity) empty() bool {
	session := *i
	session.nasIdentifier, session.nasAddress = "", netip.Addr{}
	return session == identity{}
}

// names reports whether all that is given of the session itself is the session's.
func (i *identity) names(s *linegate.Session) bool {
	return fits(i.userName, s.UserName) && fits(i.acctSessionID, s.AcctSessionID) &&
		fits(linegate.ComparableUsername(i.callingStationID), linegate.ComparableUsername(s.CallingStationID)) &&
		fits(i.nasPortID, s.NASPortID) &&
		fits(i.framedIPv4, s.FramedIPv4) && fits(i.framedIPv6Address, s.FramedIPv6Address) &&
		fits(i.framedIPv6Prefix, s.FramedIPv6Prefix) && fits(i.delegatedIPv6Prefix, s.DelegatedIPv6Prefix)
}

// namesNAS reports whether the NAS that is given is the session's.
func (i *identity) namesNAS(s *linegate.Session) bool {
	return fits(i.nasIdentifier, s.NAS.Name) && fits(i.nasAddress, s.NAS.Address)
}

// fits reports whether a value is not given or the same.
func fits[T comparable](given, held T) bool {
	var nothing T
	return given == nothing || given == held
}
