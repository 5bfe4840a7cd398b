package linegate

import (
	"strconv"
	"time"
)

// ChangeKind is what is to become of a live session.
type ChangeKind string

const (
	ChangeRate           ChangeKind = "rate"           // Grant.Rate
	ChangeVLAN           ChangeKind = "vlan"           // Grant.ServiceVLAN, InnerVLAN, QinQ
	ChangePrefix         ChangeKind = "prefix"         // Grant.DelegatedIPv6Prefix
	ChangeSuspend        ChangeKind = "suspend"        // the grant of a suspended subscriber
	ChangeResume         ChangeKind = "resume"         // the whole grant of an active one
	ChangeWalledGarden   ChangeKind = "walled_garden"  // Grant.ServiceVLAN, FilterID, FramedPool
	ChangeLimits         ChangeKind = "limits"         // Grant.SessionTimeout, AcctInterimInterval
	ChangeDisconnect     ChangeKind = "disconnect"     // RFC 5176 section 2.1
	ChangeReauthenticate ChangeKind = "reauthenticate" // RFC 5176 section 3.2, Authorize Only, or the vendor's own
)

// ChangeKinds returns the closed list; it is a metric label.
func ChangeKinds() []ChangeKind {
	return []ChangeKind{
		ChangeRate, ChangeVLAN, ChangePrefix, ChangeSuspend, ChangeResume,
		ChangeWalledGarden, ChangeLimits, ChangeDisconnect, ChangeReauthenticate,
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

// Final reports whether the session is as it should be, so that there is nothing
// left to try.
func (r ChangeResult) Final() bool { return r == ChangeAcked || r == ChangeGone }

// ErrorCause is the reason of a NAK (RFC 5176 section 3.5); 0: none was given.
type ErrorCause uint32

// The registered causes that something here depends on.
const (
	CauseContextRemoved       ErrorCause = 201 // the session was gone already; only in a Disconnect-ACK
	CauseUnsupportedAttribute ErrorCause = 401
	CauseMissingAttribute     ErrorCause = 402
	CauseNASMismatch          ErrorCause = 403
	CauseInvalidRequest       ErrorCause = 404
	CauseUnsupportedService   ErrorCause = 405
	CauseUnsupportedExtension ErrorCause = 406
	CauseInvalidValue         ErrorCause = 407
	CauseNotRoutable          ErrorCause = 502
	CauseContextNotFound      ErrorCause = 503
	CauseProxyError           ErrorCause = 505
	CauseResources            ErrorCause = 506
	CauseSeveralSessions      ErrorCause = 508
)

var errorCauses = map[ErrorCause]string{
	201: "Residual-Context-Removed", 202: "Invalid-EAP-Packet",
	401: "Unsupported-Attribute", 402: "Missing-Attribute", 403: "NAS-Identification-Mismatch",
	404: "Invalid-Request", 405: "Unsupported-Service", 406: "Unsupported-Extension", 407: "Invalid-Attribute-Value",
	501: "Administratively-Prohibited", 502: "Request-Not-Routable", 503: "Session-Context-Not-Found",
	504: "Session-Context-Not-Removable", 505: "Other-Proxy-Processing-Error", 506: "Resources-Unavailable",
	507: "Request-Initiated", 508: "Multiple-Session-Selection-Unsupported", 509: "Location-Info-Required",
	601: "Response-Too-Big",
}

// ErrorCauses returns the registered ones in no order.
func ErrorCauses() []ErrorCause {
	causes := make([]ErrorCause, 0, len(errorCauses))
	for cause := range errorCauses {
		causes = append(causes, cause)
	}
	return causes
}

// String returns number and name, "none" for 0.
func (c ErrorCause) String() string {
	if c == 0 {
		return "none"
	}
	text := strconv.FormatUint(uint64(c), 10)
	if name := errorCauses[c]; name != "" {
		text += " " + name
	}
	return text
}

// Temporary reports whether the same request may succeed later.
func (c ErrorCause) Temporary() bool {
	return c == CauseNotRoutable || c == CauseProxyError || c == CauseResources
}

// BlamesDialect reports whether the NAS could not make sense of what was said, so
// that its dialect is the wrong one.
func (c ErrorCause) BlamesDialect() bool {
	return c == CauseUnsupportedAttribute || c == CauseMissingAttribute || c == CauseInvalidRequest || c == CauseInvalidValue
}

// Unsupported reports whether the NAS can't do what was asked, said this way.
func (c ErrorCause) Unsupported() bool {
	return c.BlamesDialect() || c == CauseUnsupportedService || c == CauseUnsupportedExtension
}

// ChangeOutcome is what became of a change.
type ChangeOutcome struct {
	Result       ChangeResult
	Cause        ErrorCause // with ChangeRefused, and ChangeGone when the NAS said so
	Disconnected bool       // it was done by disconnecting instead
	Detail       string     // in words, for people: what was not supported, or what the cause means
}

// ChangeRecord is what became of one session in a change of many, as the journal
// keeps it.
type ChangeRecord struct {
	SessionID    string
	Result       ChangeResult
	Cause        ErrorCause
	Disconnected bool
	At           time.Time
}

// RelayDrop says why a CoA or Disconnect request of another system got no answer.
// The list is closed: it is a metric label.
type RelayDrop string

const (
	RelayUnknownClient           RelayDrop = "unknown_client"            // no client of the relay has the source address
	RelayMalformed               RelayDrop = "malformed"                 // lengths that contradict one another
	RelayUnknownCode             RelayDrop = "unknown_code"              // neither CoA- nor Disconnect-Request
	RelayBadAuthenticator        RelayDrop = "bad_authenticator"         // wrong Request Authenticator (RFC 5176 section 2.3)
	RelayBadMessageAuthenticator RelayDrop = "bad_message_authenticator" // wrong, mis-sized or repeated
	RelayReplayed                RelayDrop = "replayed"                  // Event-Timestamp outside the window (RFC 5176 section 6.3)
	RelayDuplicateInFlight       RelayDrop = "duplicate_in_flight"       // the first copy is still being worked on
	RelayOverloaded              RelayDrop = "overloaded"                // too many requests under way
	RelayStoreUnavailable        RelayDrop = "store_unavailable"         // the session table can't be asked
	RelaySendFailed              RelayDrop = "send_failed"               // the answer could not be handed to the network
	RelayReceiveFailed           RelayDrop = "receive_failed"            // the network reported an error in place of a packet
	RelaySocketFull              RelayDrop = "socket_full"               // the kernel dropped it: requests came faster than they were read
)

// RelayDrops returns the closed list.
func RelayDrops() []RelayDrop {
	return []RelayDrop{
		RelayUnknownClient, RelayMalformed, RelayUnknownCode, RelayBadAuthenticator, RelayBadMessageAuthenticator,
		RelayReplayed, RelayDuplicateInFlight, RelayOverloaded, RelayStoreUnavailable, RelaySendFailed, RelayReceiveFailed, RelaySocketFull,
	}
}

// StrayAnswer says why a packet that came to a source port of ours was not taken
// for a NAS's answer. The list is closed: it is a metric label.
type StrayAnswer string

const (
	StrayMalformed        StrayAnswer = "malformed"
	StrayNotAwaited       StrayAnswer = "not_awaited"       // late, a copy, or from another address than was asked
	StrayWrongCode        StrayAnswer = "wrong_code"        // not the ACK or NAK of what was asked
	StrayBadAuthenticator StrayAnswer = "bad_authenticator" // or a wrong Message-Authenticator
)

// StrayAnswers returns the closed list.
func StrayAnswers() []StrayAnswer {
	return []StrayAnswer{StrayMalformed, StrayNotAwaited, StrayWrongCode, StrayBadAuthenticator}
}
