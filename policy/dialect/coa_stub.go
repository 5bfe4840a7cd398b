package dialect

import (
	"encoding/binary"
	"strconv"

	"linegate"
	"linegate/radiusd/wire"
)

// CoATraits is how a NAS takes changes of live sessions.
type CoATraits struct {
	Port                 uint16
	MessageAuthenticator bool
	EventTimestamp       bool
}

// Unsupported is a change that a dialect can't say.
type Unsupported struct {
	Kind   linegate.ChangeKind
	Reason string
}

func (u *Unsupported) Error() string { return string(u.Kind) + ": " + u.Reason }

// CoA returns the traits.
func (d *Dialect) CoA() CoATraits {
	return CoATraits{Port: 3799, MessageAuthenticator: true, EventTimestamp: true}
}

// AppendIdentity writes what names the session.
func (d *Dialect) AppendIdentity(dst []byte, s *linegate.Session) []byte {
	dst = appendNamed(dst, wire.UserName, s.UserName)
	dst = appendNamed(dst, wire.AcctSessionID, s.AcctSessionID)
	if s.NAS.Address.Is4() {
		dst = wire.AppendAddress(dst, wire.NASIPAddress, s.NAS.Address)
	}
	return dst
}

// AppendChange writes a change.
func (d *Dialect) AppendChange(dst []byte, c linegate.Change, s *linegate.Session) (out []byte, disconnect bool, err error) {
	switch c.Kind {
	case linegate.ChangeDisconnect:
		return dst, true, nil
	case linegate.ChangeReauthenticate:
		return dst, false, &Unsupported{Kind: c.Kind, Reason: "RFC 5176 section 3.2 needs a State"}
	case linegate.ChangeRate:
		dst = wire.AppendVendorAttribute(dst, d.pen, 4, binary.BigEndian.AppendUint32(nil, c.Grant.Rate.DownloadKbps))
		return wire.AppendVendorAttribute(dst, d.pen, 5, binary.BigEndian.AppendUint32(nil, c.Grant.Rate.UploadKbps)), false, nil
	case linegate.ChangeVLAN:
		dst = wire.AppendText(dst, wire.TunnelPrivateGroupID, strconv.Itoa(int(c.Grant.ServiceVLAN)))
		return dst, false, nil
	}
	return d.AppendGrant(dst, &c.Grant), false, nil
}
