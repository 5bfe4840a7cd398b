package linegate

import (
	"strings"
	"time"
	"unicode/utf8"
)

// SubscriberStatus is where a subscriber stands in its life.
type SubscriberStatus string

const (
	StatusActive     SubscriberStatus = "active"     // default
	StatusSuspended  SubscriberStatus = "suspended"  // walled garden if the profile names one, else reject
	StatusTerminated SubscriberStatus = "terminated" // reject
)

var statuses = []SubscriberStatus{StatusActive, StatusSuspended, StatusTerminated}

// Subscriber is one access service of one household. Values handed out by a
// store or cache are shared: treat them as read-only.
type Subscriber struct {
	ID         string // a UUID given by the store; never reused
	Tenant     string
	Username   string // unique within the tenant among those not deleted
	Credential Credential
	Status     SubscriberStatus
	Profile    *NetworkProfile // nil: no network profile

	Revision   int64      // of the write that made this state; grows with every write
	Validation Validation // bookkeeping, exact to ten seconds; lags behind by a second, under a flood by minutes
}

// Validation is what became of a subscriber's Option 82 checks.
type Validation struct {
	LastAt        time.Time // zero: never checked
	LastResult    Option82Result
	MismatchCount int64
}

// Normalize fills defaults and puts values in their one stored form.
func (s *Subscriber) Normalize() {
	if s.Status == "" {
		s.Status = StatusActive
	}
	if s.Profile != nil {
		s.Profile.normalize()
	}
}

// Clone returns a copy that can be changed without touching s.
func (s *Subscriber) Clone() *Subscriber {
	clone := *s
	if s.Profile != nil {
		profile := *s.Profile
		clone.Profile = &profile
	}
	return &clone
}

// Validate returns FieldErrors for everything that can't be stored: values out
// of range are refused when they are read (Field.Set), contradictions here.
func (s *Subscriber) Validate() error {
	var bad fieldErrors
	if !validUsername(s.Username) {
		bad.add("username", s.Username, "1 to 253 octets of UTF-8 without control characters")
	}
	if p := s.Profile; p != nil {
		if p.InnerVLAN != 0 && p.ServiceVLAN == 0 {
			bad.add("inner_vlan", itoa(p.InnerVLAN), "only together with service_vlan")
		}
		if p.CheckVLAN != "" && p.CheckVLAN != Option82Ignore && p.ServiceVLAN == 0 {
			bad.add("check_vlan", string(p.CheckVLAN), "only together with service_vlan")
		}
		if p.QinQEnabled && p.InnerVLAN == 0 {
			bad.add("qinq_enabled", "true", "only together with inner_vlan")
		}
	}
	if s.Credential.Kind == CredentialNone && (s.Profile == nil || !s.Profile.NamesLine()) {
		bad.add("password", "", "required unless circuit_id or remote_id is set: without either the subscriber could never be admitted")
	}
	return bad.err()
}

func validUsername(name string) bool {
	return len(name) >= 1 && len(name) <= 253 && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f })
}
