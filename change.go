package linegate

// ChangeKind is what is to become of a live session.
type ChangeKind string

const (
	ChangeRate           ChangeKind = "rate"           // Grant.Rate
	ChangeVLAN           ChangeKind = "vlan"           // Grant.ServiceVLAN, InnerVLAN, QinQ
	ChangePrefix         ChangeKind = "prefix"         // Grant.DelegatedIPv6Prefix
	ChangeSuspend        ChangeKind = "suspend"        // the grant of a suspended subscriber
	ChangeResume         ChangeKind = "resume"         // the whole grant of an active one
	ChangeWalledGarden   ChangeKind = "walled_garden"  // Grant.ServiceVLAN, FilterID, FramedPool
	ChangeDisconnect     ChangeKind = "disconnect"     // RFC 5176 section 2.1
	ChangeReauthenticate ChangeKind = "reauthenticate" // RFC 5176 section 3.2, Authorize Only, or the vendor's own
)

// ChangeKinds returns the closed list; it is a metric label.
func ChangeKinds() []ChangeKind {
	return []ChangeKind{
		ChangeRate, ChangeVLAN, ChangePrefix, ChangeSuspend, ChangeResume,
		ChangeWalledGarden, ChangeDisconnect, ChangeReauthenticate,
	}
}

// Change is what is to happen to one live session, in no vendor's words.
type Change struct {
	Kind ChangeKind
	// Grant is what the session has afterwards; only the fields that Kind names
	// count.
	Grant Grant
	// OrDisconnect lets a change that the session's NAS can't make be made by
	// disconnecting: the subscriber comes back with the new grant.
	OrDisconnect bool
}

// ChangeResult is how a change ended; it is a metric label.
type ChangeResult string

const (
	ChangeAcked       ChangeResult = "acked"       // the NAS says it did it
	ChangeRefused     ChangeResult = "nak"         // the NAS says no; Cause tells why
	ChangeTimeout     ChangeResult = "timeout"     // no answer: whether it happened is not known
	ChangeGone        ChangeResult = "gone"        // the session no longer exists
	ChangeUnsupported ChangeResult = "unsupported" // the NAS's dialect can't say it, nothing was sent
)

// ChangeResults returns the closed list.
func ChangeResults() []ChangeResult {
	return []ChangeResult{ChangeAcked, ChangeRefused, ChangeTimeout, ChangeGone, ChangeUnsupported}
}

// ErrorCause is the reason of a NAK (RFC 5176 section 3.5); 0: none was given.
type ErrorCause uint32

// ChangeOutcome is what became of a change.
type ChangeOutcome struct {
	Result       ChangeResult
	Cause        ErrorCause // with ChangeRefused, and ChangeGone when the NAS said so
	Disconnected bool       // it was done by disconnecting instead
	Detail       string     // in words, for people: what was not supported, or what the cause means
}
