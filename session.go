package linegate

import (
	"net/netip"
	"time"
)

// Session is one subscriber's stay on one NAS. Acct-Session-Id alone does not
// name it: NAS reuse ids after a reboot, so NAS, id and start do together.
type Session struct {
	ID            string    `json:"id"` // a UUID given by the store
	NAS           NASKey    `json:"-"`
	AcctSessionID string    `json:"acct_session_id"`
	SubscriberID  string    `json:"subscriber_id"`
	UserName      string    `json:"username"`
	Class         Octets    `json:"class"`
	StartedAt     time.Time `json:"started_at"`
	UpdatedAt     time.Time `json:"updated_at"` // of the newest event that counted
	StoppedAt     time.Time `json:"stopped_at"` // zero: open

	SessionTime    uint32 `json:"session_time"` // seconds; like the counters, never falls
	InputOctets    uint64 `json:"input_octets"`
	OutputOctets   uint64 `json:"output_octets"`
	InputPackets   uint64 `json:"input_packets"`
	OutputPackets  uint64 `json:"output_packets"`
	TerminateCause uint32 `json:"terminate_cause"`

	CallingStationID    string       `json:"calling_station_id"`
	NASPortID           string       `json:"nas_port_id"`
	CircuitID           Octets       `json:"circuit_id"`
	RemoteID            Octets       `json:"remote_id"`
	FramedIPv4          netip.Addr   `json:"framed_ipv4"`
	FramedIPv6Address   netip.Addr   `json:"framed_ipv6_address"`
	FramedIPv6Prefix    netip.Prefix `json:"framed_ipv6_prefix"`
	DelegatedIPv6Prefix netip.Prefix `json:"delegated_ipv6_prefix"`
	ServiceVLAN         VLAN         `json:"service_vlan"`
	InnerVLAN           VLAN         `json:"inner_vlan"`
	InterimInterval     uint32       `json:"interim_interval"` // seconds between Interims; 0: none are expected
}

// Open reports whether nothing has ended the session: no Stop, On or Off, and no
// silence.
func (s *Session) Open() bool { return s.StoppedAt.IsZero() }

// Ended reports whether the session is over for good. A stale one is neither open
// nor ended: it counts as over when it was last heard of, until an event says more.
func (s *Session) Ended() bool { return !s.Open() && s.TerminateCause != CauseStale }

// Terminate causes that the server gives by itself (RFC 2866 section 5.10).
const (
	CauseLostCarrier uint32 = 2  // an id came back with a new start: the old session is gone
	CauseNASReboot   uint32 = 11 // Accounting-On or -Off
	// CauseStale: nothing was heard for several interim intervals. It lies outside
	// the range that a NAS can give by the registry, so that nobody takes it for
	// the NAS's word.
	CauseStale uint32 = 0x4c470001
)

// startSlack is how far the starts told by two events of one session may lie
// apart: clocks in whole seconds, and retransmissions of NAS that send no
// Acct-Delay-Time.
const startSlack = 5 * time.Minute

// Holds reports whether the event belongs to the session, given that NAS and
// Acct-Session-Id are equal. The same Class means the same Access-Accept; else
// an event belongs when it tells a start near the session's, or (in a session
// that has ended) one that lies before its end. What happened before the session
// began is not its; an Interim or Stop without a session time tells no start, so
// it belongs to what has not ended.
func (s *Session) Holds(event *AccountingEvent) bool {
	if s.SharesAccept(event) {
		return true
	}
	if event.At.Before(s.StartedAt.Add(-startSlack)) {
		return false
	}
	start := event.StartedAt()
	if s.Ended() {
		return !start.After(s.StoppedAt)
	}
	if event.Status == AcctStart {
		return start.Sub(s.StartedAt).Abs() <= startSlack
	}
	return event.SessionTime == 0 || !start.After(s.StartedAt.Add(startSlack)) || !start.After(s.UpdatedAt)
}

// SharesAccept reports whether the event and the session tell the same Class of ours,
// that is the same Access-Accept.
func (s *Session) SharesAccept(event *AccountingEvent) bool {
	return event.Class == s.Class && isClass(string(event.Class))
}

// NewSession returns the session that event begins, or shows to exist when its
// Start was lost.
func NewSession(id string, event *AccountingEvent) *Session {
	session := &Session{
		ID: id, NAS: event.NAS, AcctSessionID: event.AcctSessionID,
		StartedAt: event.StartedAt(), UpdatedAt: event.At,
	}
	session.Apply(event)
	return session
}

// Apply takes over what the event tells. Counters and session time never fall,
// whatever order events come in; what a later event leaves out stays known; the
// first Stop counts and later events do not reopen the session. A stale session
// goes on with what happened after it was last heard of, and gets its true end
// from a Stop.
func (s *Session) Apply(event *AccountingEvent) {
	if event.StartedAt().Before(s.StartedAt) {
		s.StartedAt = event.StartedAt()
	}
	s.SessionTime = max(s.SessionTime, event.SessionTime)
	s.InputOctets = max(s.InputOctets, event.InputOctets)
	s.OutputOctets = max(s.OutputOctets, event.OutputOctets)
	s.InputPackets = max(s.InputPackets, event.InputPackets)
	s.OutputPackets = max(s.OutputPackets, event.OutputPackets)

	late := event.At.Before(s.UpdatedAt)
	take(&s.UserName, event.UserName, late)
	take(&s.SubscriberID, event.SubscriberID, late)
	take(&s.Class, event.Class, late)
	take(&s.CallingStationID, event.CallingStationID, late)
	take(&s.NASPortID, event.NASPortID, late)
	take(&s.CircuitID, event.Line.CircuitID, late)
	take(&s.RemoteID, event.Line.RemoteID, late)
	take(&s.FramedIPv4, event.FramedIPv4, late)
	take(&s.FramedIPv6Address, event.FramedIPv6Address, late)
	take(&s.FramedIPv6Prefix, event.FramedIPv6Prefix, late)
	take(&s.DelegatedIPv6Prefix, event.DelegatedIPv6Prefix, late)
	if s.ServiceVLAN == 0 { // a later change of the profile does not move who is online
		s.ServiceVLAN, s.InnerVLAN = event.ServiceVLAN, event.InnerVLAN
	}
	if event.InterimInterval != 0 {
		s.InterimInterval = event.InterimInterval
	}
	if !late {
		s.UpdatedAt = event.At
	}
	switch {
	case s.Ended():
	case event.Status == AcctStop:
		s.StoppedAt, s.TerminateCause = event.At, event.TerminateCause
	case event.At.After(s.StoppedAt):
		s.StoppedAt, s.TerminateCause = time.Time{}, 0
	}
}

// take sets what is known to what an event says: a late event only fills gaps.
func take[T comparable](known *T, said T, late bool) {
	var nothing T
	if said != nothing && (!late || *known == nothing) {
		*known = said
	}
}

// Close ends the session at the given time without a Stop of its own. A stale one
// keeps the end it has, and is now over for good.
func (s *Session) Close(at time.Time, cause uint32) {
	if s.Ended() {
		return
	}
	if s.Open() {
		s.StoppedAt = at
	}
	s.TerminateCause = cause
}

// MarkStale ends the session when it was last heard of; it may yet go on.
func (s *Session) MarkStale() {
	if s.Open() {
		s.StoppedAt, s.TerminateCause = s.UpdatedAt, CauseStale
	}
}
