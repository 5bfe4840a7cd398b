package telemetry

import "linegate"

// Drop says why a packet got no answer. The list is closed: it is a metric
// label and part of the packet_dropped event.
type Drop string

const (
	DropUnknownClient               Drop = "unknown_client"                // no NAS has the source address (RFC 2865 section 3)
	DropMalformed                   Drop = "malformed"                     // lengths that contradict one another (RFC 2865 section 3)
	DropBadAuthenticator            Drop = "bad_authenticator"             // wrong Request Authenticator (RFC 2866 section 3)
	DropBadMessageAuthenticator     Drop = "bad_message_authenticator"     // wrong, mis-sized or repeated (RFC 3579 section 3.2)
	DropMissingMessageAuthenticator Drop = "missing_message_authenticator" // the NAS is required to send one
	// DropProxyStateUnprotected: Proxy-State without Message-Authenticator, as
	// CVE-2024-3596 needs it.
	DropProxyStateUnprotected Drop = "proxy_state_without_message_authenticator"
	DropUnknownCode           Drop = "unknown_code"
	DropWrongPort             Drop = "wrong_port"          // a known code on the other service's port
	DropDuplicateInFlight     Drop = "duplicate_in_flight" // the first copy is still being worked on (RFC 5080 section 2.2.2)
	DropOverloaded            Drop = "overloaded"          // a bounded queue is full
	DropStoreUnavailable      Drop = "store_unavailable"   // nothing is known about whom it is about
	DropSpoolFull             Drop = "spool_full"          // accounting: the store is away, and the disk space for what waits is used up
	DropNoAcctFields          Drop = "no_acct_fields"      // an Accounting-Request that lacks what RFC 2866 section 4.1 demands
	DropSendFailed            Drop = "send_failed"         // the reply could not be handed to the network
	DropSocketFull            Drop = "socket_full"         // the kernel dropped it: packets came faster than they were read
	DropReceiveFailed         Drop = "receive_failed"      // the network reported an error in place of a packet
)

// Drops returns the closed list.
func Drops() []Drop {
	return []Drop{
		DropUnknownClient, DropMalformed, DropBadAuthenticator, DropBadMessageAuthenticator,
		DropMissingMessageAuthenticator, DropProxyStateUnprotected, DropUnknownCode, DropWrongPort,
		DropDuplicateInFlight, DropOverloaded, DropStoreUnavailable, DropSpoolFull, DropNoAcctFields,
		DropSendFailed, DropSocketFull, DropReceiveFailed,
	}
}

// Standing is what the server answers from.
type Standing string

const (
	StandingStore    Standing = "store"    // the store, and what memory has of it
	StandingMemory   Standing = "memory"   // the store is away
	StandingSnapshot Standing = "snapshot" // the store was away at the start and has not been heard of since
	StandingNothing  Standing = "nothing"  // the store is away and nothing is known
)

// Standings returns the closed list.
func Standings() []Standing {
	return []Standing{StandingStore, StandingMemory, StandingSnapshot, StandingNothing}
}

// RequestType is what a request from a known NAS asks for.
type RequestType string

const (
	RequestAuth   RequestType = "auth"   // Access-Request
	RequestAcct   RequestType = "acct"   // Accounting-Request
	RequestStatus RequestType = "status" // Status-Server (RFC 5997)
)

// RequestTypes returns the closed list.
func RequestTypes() []RequestType {
	return []RequestType{RequestAuth, RequestAcct, RequestStatus}
}

// ReplyCode is the code of a reply, in words.
type ReplyCode string

const (
	ReplyAccessAccept       ReplyCode = "access_accept"
	ReplyAccessReject       ReplyCode = "access_reject"
	ReplyAccountingResponse ReplyCode = "accounting_response"
)

// ReplyCodes returns the closed list.
func ReplyCodes() []ReplyCode {
	return []ReplyCode{ReplyAccessAccept, ReplyAccessReject, ReplyAccountingResponse}
}

// Duplicate is what happened to a request that came again (RFC 5080 section
// 2.2.2).
type Duplicate string

const (
	DuplicateResent   Duplicate = "resent"    // answered before: the same octets were sent again
	DuplicateInFlight Duplicate = "in_flight" // not answered yet: this copy was dropped
)

// Duplicates returns the closed list.
func Duplicates() []Duplicate { return []Duplicate{DuplicateResent, DuplicateInFlight} }

// acctStatuses are the values of the status label of accounting events.
func acctStatuses() []linegate.AcctStatus {
	return []linegate.AcctStatus{
		linegate.AcctStart, linegate.AcctInterim, linegate.AcctStop, linegate.AcctOn, linegate.AcctOff,
	}
}

// What became of a request, as the labels result and action say it.
const (
	answerAccept = "accept"
	answerReject = "reject"
)

func answer(accept bool) string {
	if accept {
		return answerAccept
	}
	return answerReject
}

// policyLabel names the policy of a check; a subscriber without a profile has
// none.
func policyLabel(policy linegate.Option82Policy) string {
	if policy == "" {
		return "none"
	}
	return string(policy)
}

// The fields of an access line, as the label field and the event's
// mismatch_fields name them.
const (
	fieldCircuitID = "circuit_id"
	fieldRemoteID  = "remote_id"
)
