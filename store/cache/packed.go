package cache

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"
	"unsafe"

	"linegate"
)

// packed is a subscriber as memory holds it: one piece without pointers, a third of
// the size of the structs and nothing for the garbage collector to follow. What the
// profile does not have takes no room. Validation is left out: nothing is decided by
// it.
type packed string

// Which fields of a profile follow, besides those that nearly every one has.
const (
	hasProfile = 1 << iota
	hasMoreLines
	hasLineMatch
	hasMAC
	hasCheckVLAN
	hasServiceVLAN
	hasInnerVLAN
	isQinQEnabled
	hasStaticIPv4
	hasStaticIPv6
	hasFramedIPv6Prefix
	hasDelegatedIPv6Prefix
	hasFramedPool
	hasFramedIPv6Pool
	hasDelegatedIPv6Pool
	hasStatefulIPv6Pool
	hasRate
	hasSessionTimeout
	hasAcctInterimInterval
	hasMaxSessions
	hasDNSServers
	hasFilterID
	hasReplyAttributes
	hasWalledGarden
)

// pack returns the packed form. The order of fields is that of unpack.
func pack(s *linegate.Subscriber) packed {
	w := writer{make([]byte, 0, 256)}
	has := presence(s.Profile)
	w.number(has)
	w.texts(s.ID, s.Tenant, s.Username, s.Credential.Value.Reveal())
	w.words(string(s.Credential.Kind), string(s.Status))
	w.number(uint64(s.Revision))
	if p := s.Profile; p != nil {
		w.texts(string(p.CircuitID), string(p.RemoteID))
		w.words(string(p.Option82Policy), string(p.IPv6Mode))
		w.profile(p, has)
	}
	return packed(w.octets)
}

// presence tells which of the optional fields a profile has.
func presence(p *linegate.NetworkProfile) (has uint64) {
	if p == nil {
		return 0
	}
	for bit, present := range []bool{
		true, len(p.MoreLines) > 0, p.LineMatch != 0, !p.MAC.IsZero(), p.CheckVLAN != "",
		p.ServiceVLAN != 0, p.InnerVLAN != 0, p.QinQEnabled,
		p.StaticIPv4.IsValid(), p.StaticIPv6.IsValid(), p.FramedIPv6Prefix.IsValid(), p.DelegatedIPv6Prefix.IsValid(),
		p.FramedPool != "", p.FramedIPv6Pool != "", p.DelegatedIPv6Pool != "", p.StatefulIPv6Pool != "",
		p.Rate != linegate.Rate{}, p.SessionTimeout != 0, p.AcctInterimInterval != 0, p.MaxSessions != 0,
		len(p.DNSServers) > 0, p.FilterID != "", len(p.ReplyAttributes) > 0, p.WalledGarden.Offered(),
	} {
		if present {
			has |= 1 << bit
		}
	}
	return has
}

// unpack builds the subscriber in the room, and returns it. Its texts are those of
// the packed form, which never change.
func unpack(from packed, room *linegate.Room) *linegate.Subscriber {
	r := reader{string(from)}
	has := r.number()
	s := &room.Subscriber
	*s = linegate.Subscriber{}
	s.ID, s.Tenant, s.Username, s.Credential.Value = r.text(), r.text(), r.text(), linegate.Secret(r.text())
	s.Credential.Kind, s.Status = linegate.CredentialKind(r.word()), linegate.SubscriberStatus(r.word())
	s.Revision = int64(r.number())
	if has&hasProfile != 0 {
		p := &room.Profile
		*p, s.Profile = linegate.NetworkProfile{}, p
		p.CircuitID, p.RemoteID = linegate.Octets(r.text()), linegate.Octets(r.text())
		p.Option82Policy, p.IPv6Mode = linegate.Option82Policy(r.word()), linegate.IPv6AssignmentMode(r.word())
		r.profile(p, has, room)
	}
	return s
}

// profile writes the optional fields.
func (w *writer) profile(p *linegate.NetworkProfile, has uint64) {
	if has&hasMoreLines != 0 {
		w.number(uint64(len(p.MoreLines)))
		for _, line := range p.MoreLines {
			w.texts(string(line.CircuitID), string(line.RemoteID))
		}
	}
	w.numberIf(has&hasLineMatch, uint64(p.LineMatch))
	if has&hasMAC != 0 {
		w.octets = append(w.octets, p.MAC[:]...)
	}
	w.textIf(has&hasCheckVLAN, string(p.CheckVLAN))
	w.numberIf(has&hasServiceVLAN, uint64(p.ServiceVLAN))
	w.numberIf(has&hasInnerVLAN, uint64(p.InnerVLAN))
	w.addressIf(has&hasStaticIPv4, p.StaticIPv4)
	w.addressIf(has&hasStaticIPv6, p.StaticIPv6)
	w.prefixIf(has&hasFramedIPv6Prefix, p.FramedIPv6Prefix)
	w.prefixIf(has&hasDelegatedIPv6Prefix, p.DelegatedIPv6Prefix)
	w.textIf(has&hasFramedPool, p.FramedPool)
	w.textIf(has&hasFramedIPv6Pool, p.FramedIPv6Pool)
	w.textIf(has&hasDelegatedIPv6Pool, p.DelegatedIPv6Pool)
	w.textIf(has&hasStatefulIPv6Pool, p.StatefulIPv6Pool)
	w.numberIf(has&hasRate, uint64(p.Rate.DownloadKbps))
	w.numberIf(has&hasRate, uint64(p.Rate.UploadKbps))
	w.numberIf(has&hasSessionTimeout, uint64(p.SessionTimeout))
	w.numberIf(has&hasAcctInterimInterval, uint64(p.AcctInterimInterval))
	w.numberIf(has&hasMaxSessions, uint64(p.MaxSessions))
	w.numberIf(has&hasDNSServers, uint64(len(p.DNSServers)))
	for _, server := range p.DNSServers {
		w.addressIf(has&hasDNSServers, server)
	}
	w.textIf(has&hasFilterID, p.FilterID)
	w.numberIf(has&hasReplyAttributes, uint64(len(p.ReplyAttributes)))
	w.texts(p.ReplyAttributes...)
	w.numberIf(has&hasWalledGarden, uint64(p.WalledGarden.ServiceVLAN))
	w.textIf(has&hasWalledGarden, p.WalledGarden.FilterID)
	w.textIf(has&hasWalledGarden, p.WalledGarden.Pool)
}

// profile reads the optional fields, lists into memory of the room.
func (r *reader) profile(p *linegate.NetworkProfile, has uint64, room *linegate.Room) {
	if has&hasMoreLines != 0 {
		room.Lines = room.Lines[:0]
		for range r.number() {
			room.Lines = append(room.Lines, linegate.Line{CircuitID: linegate.Octets(r.text()), RemoteID: linegate.Octets(r.text())})
		}
		p.MoreLines = room.Lines
	}
	p.LineMatch = linegate.LineMatch(r.numberIf(has & hasLineMatch))
	if has&hasMAC != 0 {
		copy(p.MAC[:], r.take(len(p.MAC)))
	}
	p.CheckVLAN = linegate.Option82Policy(r.textIf(has & hasCheckVLAN))
	p.ServiceVLAN = linegate.VLAN(r.numberIf(has & hasServiceVLAN))
	p.InnerVLAN = linegate.VLAN(r.numberIf(has & hasInnerVLAN))
	p.QinQEnabled = has&isQinQEnabled != 0
	p.StaticIPv4 = r.addressIf(has & hasStaticIPv4)
	p.StaticIPv6 = r.addressIf(has & hasStaticIPv6)
	p.FramedIPv6Prefix = r.prefixIf(has & hasFramedIPv6Prefix)
	p.DelegatedIPv6Prefix = r.prefixIf(has & hasDelegatedIPv6Prefix)
	p.FramedPool = r.textIf(has & hasFramedPool)
	p.FramedIPv6Pool = r.textIf(has & hasFramedIPv6Pool)
	p.DelegatedIPv6Pool = r.textIf(has & hasDelegatedIPv6Pool)
	p.StatefulIPv6Pool = r.textIf(has & hasStatefulIPv6Pool)
	p.Rate.DownloadKbps = uint32(r.numberIf(has & hasRate))
	p.Rate.UploadKbps = uint32(r.numberIf(has & hasRate))
	if has < hasSessionTimeout {
		return // as most have
	}
	p.SessionTimeout = time.Duration(r.numberIf(has & hasSessionTimeout))
	p.AcctInterimInterval = time.Duration(r.numberIf(has & hasAcctInterimInterval))
	p.MaxSessions = uint16(r.numberIf(has & hasMaxSessions))
	if has&hasDNSServers != 0 {
		room.Addresses = room.Addresses[:0]
		for range r.number() {
			room.Addresses = append(room.Addresses, r.addressIf(hasDNSServers))
		}
		p.DNSServers = room.Addresses
	}
	p.FilterID = r.textIf(has & hasFilterID)
	if has&hasReplyAttributes != 0 {
		room.Attributes = room.Attributes[:0]
		for range r.number() {
			room.Attributes = append(room.Attributes, r.text())
		}
		p.ReplyAttributes = room.Attributes
	}
	p.WalledGarden = linegate.WalledGarden{ServiceVLAN: linegate.VLAN(r.numberIf(has & hasWalledGarden)),
		FilterID: r.textIf(has & hasWalledGarden), Pool: r.textIf(has & hasWalledGarden)}
}

// words are texts of closed lists, each kept as its place among them.
var words = []string{
	"", string(linegate.CredentialCleartext), string(linegate.CredentialBcrypt), string(linegate.CredentialArgon2id),
	string(linegate.StatusActive), string(linegate.StatusSuspended), string(linegate.StatusTerminated),
	string(linegate.Option82Enforce), string(linegate.Option82Log), string(linegate.Option82Ignore),
	string(linegate.IPv6None), string(linegate.IPv6SLAAC), string(linegate.IPv6Stateful), string(linegate.IPv6PD), string(linegate.IPv6DualStack),
}

// writer appends fields: numbers as varints, texts and addresses after their length.
type writer struct{ octets []byte }

// words writes texts of closed lists; one that is in none stands after their number.
func (w *writer) words(values ...string) {
	for _, value := range values {
		place := slices.Index(words, value)
		if place < 0 {
			w.number(uint64(len(words)))
			w.texts(value)
			continue
		}
		w.number(uint64(place))
	}
}

func (w *writer) number(value uint64) { w.octets = binary.AppendUvarint(w.octets, value) }

func (w *writer) texts(values ...string) {
	for _, value := range values {
		w.number(uint64(len(value)))
		w.octets = append(w.octets, value...)
	}
}

func (w *writer) numberIf(present, value uint64) {
	if present != 0 {
		w.number(value)
	}
}

func (w *writer) textIf(present uint64, value string) {
	if present != 0 {
		w.texts(value)
	}
}

// addressIf writes an address without a zone; profiles have none with one.
func (w *writer) addressIf(present uint64, value netip.Addr) {
	if present != 0 {
		w.texts(string(value.AsSlice()))
	}
}

func (w *writer) prefixIf(present uint64, value netip.Prefix) {
	w.addressIf(present, value.Addr())
	w.numberIf(present, uint64(value.Bits()))
}

// reader takes fields from the front of what writer wrote.
type reader struct{ octets string }

func (r *reader) number() uint64 {
	if value := r.octets[0]; value < 0x80 { // nearly always
		r.octets = r.octets[1:]
		return uint64(value)
	}
	return r.largeNumber()
}

func (r *reader) largeNumber() uint64 {
	value, length := binary.Uvarint(unsafe.Slice(unsafe.StringData(r.octets), len(r.octets)))
	r.octets = r.octets[length:]
	return value
}

func (r *reader) take(count int) string {
	taken := r.octets[:count]
	r.octets = r.octets[count:]
	return taken
}

func (r *reader) word() string {
	if place := r.number(); place < uint64(len(words)) {
		return words[place]
	}
	return r.text()
}

func (r *reader) text() string { return r.take(int(r.number())) }

func (r *reader) numberIf(present uint64) uint64 {
	if present == 0 {
		return 0
	}
	return r.number()
}

func (r *reader) textIf(present uint64) string {
	if present == 0 {
		return ""
	}
	return r.text()
}

func (r *reader) addressIf(present uint64) netip.Addr {
	if present == 0 {
		return netip.Addr{}
	}
	var ipv4 [4]byte
	var ipv6 [16]byte
	if octets := r.text(); copy(ipv6[:], octets) == len(ipv4) {
		copy(ipv4[:], octets)
		return netip.AddrFrom4(ipv4)
	}
	return netip.AddrFrom16(ipv6)
}

func (r *reader) prefixIf(present uint64) netip.Prefix {
	if present == 0 {
		return netip.Prefix{}
	}
	address := r.addressIf(present)
	return netip.PrefixFrom(address, int(r.number()))
}
