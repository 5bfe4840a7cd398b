package linegate

// Reason says why a request was decided as it was. The list is closed: it is a
// metric label and what operators search their logs for.
type Reason string

const (
	ReasonAuthorized        Reason = "authorized"
	ReasonWalledGarden      Reason = "walled_garden"       // suspended, and let into the walled garden
	ReasonUnknownSubscriber Reason = "unknown_subscriber"  // no identity of the request finds anybody
	ReasonAmbiguousIdentity Reason = "ambiguous_identity"  // the circuit or MAC belongs to several
	ReasonWrongPassword     Reason = "wrong_password"      // or CHAP, MS-CHAP response
	ReasonMissingPassword   Reason = "missing_password"    // the subscriber has one, the request none
	ReasonMethodNeedsClear  Reason = "method_needs_clear"  // CHAP or MS-CHAP against a hashed password, MS-CHAPv2 against none
	ReasonMethodNotAllowed  Reason = "method_not_allowed"  // MS-CHAPv1 without allow_mschapv1, or EAP
	ReasonLineNotIdentified Reason = "line_not_identified" // no password is stored and the line doesn't match
	ReasonSuspended         Reason = "suspended"           // and no walled garden
	ReasonTerminated        Reason = "terminated"          //
	ReasonOption82Mismatch  Reason = "option82_mismatch"   // under enforce
	ReasonOption82Missing   Reason = "option82_missing"    // under enforce
	ReasonNoProfile         Reason = "no_profile"          // with no_profile: reject
	ReasonVLANMismatch      Reason = "vlan_mismatch"       // with check_vlan: enforce
	ReasonVLANUnknown       Reason = "vlan_unknown"        // with check_vlan: enforce; the NAS tells no VLAN
	ReasonSessionLimit      Reason = "session_limit"       // as many CPE as max_sessions are online already
)

// Reasons returns the closed list.
func Reasons() []Reason {
	return []Reason{
		ReasonAuthorized, ReasonWalledGarden, ReasonUnknownSubscriber, ReasonAmbiguousIdentity,
		ReasonWrongPassword, ReasonMissingPassword, ReasonMethodNeedsClear, ReasonMethodNotAllowed,
		ReasonLineNotIdentified, ReasonSuspended, ReasonTerminated,
		ReasonOption82Mismatch, ReasonOption82Missing, ReasonNoProfile, ReasonVLANMismatch, ReasonVLANUnknown, ReasonSessionLimit,
	}
}

// Facts is all that is known about whom a request is about.
type Facts struct {
	Subscriber *Subscriber // nil: nobody was found
	Ambiguous  bool        // several were found, so none is meant
	FoundBy    Identity    // which identity found the subscriber
	// Hash is the outcome of checking a PAP password against a hashed
	// credential; that takes too long to be done while deciding.
	Hash HashVerdict
	// Admission is what the store says of the subscriber's other sessions; it has to
	// be asked when everything else is decided (policy.NeedsAdmission).
	Admission AdmissionVerdict
}

// HashVerdict is whether a slow password hash was checked, and with what result.
type HashVerdict uint8

const (
	HashUnchecked HashVerdict = iota
	HashRight
	HashWrong
)

// AdmissionVerdict is whether the store was asked for room for one more session,
// and what it said.
type AdmissionVerdict uint8

const (
	AdmissionUnasked AdmissionVerdict = iota // no limit, or the store could not be asked: admitted
	AdmissionGranted
	AdmissionFull
)

// VerdictOf is what Admit's answer means.
func VerdictOf(admitted bool) AdmissionVerdict {
	if admitted {
		return AdmissionGranted
	}
	return AdmissionFull
}

// Settings are the server's choices that decisions depend on.
type Settings struct {
	NoProfile           NoProfilePolicy // empty: accept
	SessionTimeout      uint32          // seconds, granted where the profile names none; 0: not sent
	AcctInterimInterval uint32          // seconds, likewise
}

// Decision is the answer to an Access-Request, before it is written in a NAS's
// dialect.
type Decision struct {
	Accept     bool
	Reason     Reason
	Subscriber *Subscriber // nil when nobody was found
	FoundBy    Identity
	Option82   Option82Check // zero Result: the line was not reached, an earlier step rejected
	VLAN       VLANCheck     // zero Result: not asked for, or not reached
	// LineOwner is the other subscriber whose line a mismatch came from, nil where
	// there is none; LineShared tells that it is the line of several.
	LineOwner  *Subscriber
	LineShared bool
	Grant      Grant        // zero unless Accept
	MSCHAP2    MSCHAP2Reply // zero unless Accept and the method is MS-CHAPv2
}

// OnSharedLine reports whether the request came from a line that several
// subscribers have, where that is what was looked for.
func (d *Decision) OnSharedLine() bool {
	return d.LineShared || d.Reason == ReasonAmbiguousIdentity && d.FoundBy == ByCircuit
}

// MSCHAP2Reply is what a client needs to trust the server and to derive the
// keys of MPPE (RFC 2759 section 5, RFC 3079 section 3).
type MSCHAP2Reply struct {
	Success string   // "S=" and 40 hex digits; empty: not MS-CHAPv2
	SendKey [16]byte // MS-MPPE-Send-Key, seen from the NAS
	RecvKey [16]byte // MS-MPPE-Recv-Key
}
