package linegate

// Option82Policy says what a wrong line leads to.
type Option82Policy string

const (
	Option82Enforce Option82Policy = "enforce" // mismatch and missing are rejected
	Option82Log     Option82Policy = "log"     // accepted and reported; default
	Option82Ignore  Option82Policy = "ignore"  // not looked at
)

// ParseOption82Policy reads enforce, log or ignore; empty is log.
func ParseOption82Policy(text string) (Option82Policy, error) {
	return parseEnum("option82_policy", text, Option82Log, option82Policies)
}

var option82Policies = []Option82Policy{Option82Enforce, Option82Log, Option82Ignore}

// Option82Result is the outcome of comparing a request's line with a profile's.
type Option82Result string

const (
	Option82Match     Option82Result = "match"      // every configured field equals the request's
	Option82Mismatch  Option82Result = "mismatch"   // at least one configured field differs
	Option82Missing   Option82Result = "missing"    // the request carries no Option 82 at all
	Option82NoProfile Option82Result = "no_profile" // the subscriber has no network profile
	Option82Ignored   Option82Result = "ignored"    // the policy is ignore
)

// Option82Results returns all of them.
func Option82Results() []Option82Result {
	return []Option82Result{Option82Match, Option82Mismatch, Option82Missing, Option82NoProfile, Option82Ignored}
}

// Option82Check is the outcome with all that led to it.
type Option82Check struct {
	Result Option82Result
	Policy Option82Policy // empty with Option82NoProfile
	// CircuitIDDiffers and RemoteIDDiffers name the fields of a mismatch.
	CircuitIDDiffers bool
	RemoteIDDiffers  bool
}

// VLANResult is the outcome of comparing the VLANs that a NAS tells with a
// profile's.
type VLANResult string

const (
	VLANMatch    VLANResult = "match"
	VLANMismatch VLANResult = "mismatch" // at least one differs
	VLANUnknown  VLANResult = "unknown"  // the request tells no VLAN
)

// VLANResults returns the closed list; it is a metric label.
func VLANResults() []VLANResult { return []VLANResult{VLANMatch, VLANMismatch, VLANUnknown} }

// VLANCheck is the outcome of a check of VLANs; the zero value: there was none.
type VLANCheck struct {
	Result VLANResult
	Policy Option82Policy // enforce or log
}

// AccessLine is the line a request came in on, as the relay agent named it (RFC
// 3046 sub-options 1 and 2, RFC 4679) and as the NAS numbered it. A nil circuit-id
// or remote-id means the request has no such field; empty but not nil means it is
// there with no octets.
type AccessLine struct {
	CircuitID []byte
	RemoteID  []byte
	// CircuitCarrier and RemoteCarrier name the attributes that the values came in;
	// Conflict names one that says something else of either, empty: none does.
	CircuitCarrier string
	RemoteCarrier  string
	Conflict       string
	// ServiceVLAN and InnerVLAN are what the NAS received the line's frames with; 0:
	// it does not tell, or there is no such tag.
	ServiceVLAN VLAN
	InnerVLAN   VLAN
	MAC         MAC // of the CPE, where an attribute that the dialect trusts names it
}

// Present reports whether the request carries any Option 82 data. Fields without
// octets name no line.
func (l AccessLine) Present() bool { return len(l.CircuitID) > 0 || len(l.RemoteID) > 0 }
