package dialect

import (
	"fmt"

	"linegate"
)

// CoATraits is how a NAS takes CoA and Disconnect requests.
type CoATraits struct {
	Port                 uint16 // UDP, where the NAS entry names none
	MessageAuthenticator bool   // the request carries one (RFC 5176 section 3.4)
	EventTimestamp       bool   // likewise (RFC 5176 section 6.3)
}

// Unsupported says that a dialect can't make a change, and why.
type Unsupported struct {
	Kind   linegate.ChangeKind
	Reason string
}

func (u *Unsupported) Error() string { return fmt.Sprintf("%s: %s", u.Kind, u.Reason) }

// change is how a dialect makes one kind of change.
type change struct {
	disconnect  bool    // by a Disconnect-Request
	topics      []topic // what of the grant a CoA-Request can say
	statements  []statement
	says        [topicCount]bool // by topics or by fields of statements
	unsupported string           // why it can't be made; empty: it can
}

// CoA returns how the NAS takes changes. On every NAS a Disconnect that is answered
// with Error-Cause 503 after a timeout has been done: the first copy did it.
func (d *Dialect) CoA() CoATraits { return d.traits }

// AppendIdentity writes the attributes that name a session to its NAS. What the
// session is not known by is left out.
func (d *Dialect) AppendIdentity(dst []byte, s *linegate.Session) []byte {
	from := source{grant: &linegate.Grant{}, session: s}
	for i := range d.identity {
		dst = d.identity[i].append(dst, &from)
	}
	return dst
}

// AppendChange writes the attributes of a change behind those of AppendIdentity.
// disconnect tells that it is a Disconnect-Request and not a CoA-Request. err is a
// *Unsupported when the NAS can't be told; nothing is to be sent then.
func (d *Dialect) AppendChange(dst []byte, c linegate.Change, s *linegate.Session) (out []byte, disconnect bool, err error) {
	how, known := d.changes[c.Kind]
	switch {
	case !known:
		return dst, false, &Unsupported{c.Kind, "there is no such kind of change"}
	case how.unsupported != "":
		return dst, false, &Unsupported{c.Kind, how.unsupported}
	case how.disconnect:
		return dst, true, nil
	}
	from := source{grant: &c.Grant, session: s}
	if reason := d.hinders(&how, &from, c.Kind); reason != "" {
		return dst, false, &Unsupported{c.Kind, reason}
	}
	out = dst
	for _, t := range how.topics {
		if t.in(&c.Grant) {
			for i := range d.topics[t].statements {
				out = d.topics[t].statements[i].append(out, &from)
			}
		}
	}
	for i := range how.statements {
		out = how.statements[i].append(out, &from)
	}
	if len(out) == len(dst) {
		return dst, false, &Unsupported{c.Kind, "the change holds nothing that this NAS could be told"}
	}
	return out, false, nil
}

// counts returns the topics of a grant that a kind of change is about. A session
// that is suspended, or resumed, keeps what it has unless the grant says otherwise.
func counts(kind linegate.ChangeKind) []topic {
	switch kind {
	case linegate.ChangeRate:
		return []topic{topicRate}
	case linegate.ChangeVLAN:
		return []topic{topicServiceVLAN, topicInnerVLAN}
	case linegate.ChangePrefix:
		return []topic{topicDelegatedPrefix}
	case linegate.ChangeSuspend, linegate.ChangeWalledGarden:
		return []topic{topicServiceVLAN, topicFilter, topicFramedPool}
	case linegate.ChangeResume:
		return []topic{topicServiceVLAN, topicInnerVLAN, topicIPv4, topicDelegatedPrefix, topicRate, topicFilter}
	}
	return nil
}

// hinders returns why a CoA would make less of the change than was asked for;
// empty: it would make all of it.
func (d *Dialect) hinders(how *change, from *source, kind linegate.ChangeKind) string {
	for _, t := range counts(kind) {
		switch {
		case !t.in(from.grant) || !how.says[t] && t.keeps(from):
			continue
		case !how.says[t]:
			return topicTable[t].key + " can't be changed while the session lasts"
		case d.topics[t].unsupported != "":
			return d.topics[t].unsupported
		}
		if name, most := overflow(d.topics[t].statements, from); name != "" {
			return fmt.Sprintf("%s: this NAS takes at most %d", name, most)
		}
	}
	if name, most := overflow(how.statements, from); name != "" {
		return fmt.Sprintf("%s: this NAS takes at most %d", name, most)
	}
	if kind == linegate.ChangeResume && from.grant.FilterID == "" && len(how.statements) == 0 {
		return "nothing takes the walled garden's filter off a session: it has to begin anew"
	}
	return ""
}

// keeps reports whether the session has already what the grant says of a topic.
func (t topic) keeps(from *source) bool {
	switch t {
	case topicServiceVLAN:
		return from.session.ServiceVLAN == from.grant.ServiceVLAN
	case topicInnerVLAN:
		return from.session.InnerVLAN == from.grant.InnerVLAN
	case topicIPv4:
		return from.session.FramedIPv4 == from.grant.IPv4
	case topicDelegatedPrefix:
		return from.session.DelegatedIPv6Prefix == from.grant.DelegatedIPv6Prefix
	}
	return false
}

// overflow returns the field of a statement whose number is too great for its
// attribute, and the most it can be; empty: all fit.
func overflow(statements []statement, from *source) (name string, most uint64) {
	for i := range statements {
		if name, most = statements[i].overflows(from); name != "" {
			return name, most
		}
	}
	return "", 0
}
