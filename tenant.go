package linegate

import "regexp"

// NoProfilePolicy says what happens to valid credentials of a subscriber who
// has no network profile.
type NoProfilePolicy string

const (
	NoProfileAccept NoProfilePolicy = "accept" // default
	NoProfileReject NoProfilePolicy = "reject"
)

// ParseNoProfilePolicy reads accept or reject; empty is accept.
func ParseNoProfilePolicy(text string) (NoProfilePolicy, error) {
	return parseEnum("no_profile", text, NoProfileAccept, []NoProfilePolicy{NoProfileAccept, NoProfileReject})
}

// Tenant is one ISP (or brand) on the server. Usernames are unique within a
// tenant, each NAS belongs to one, and nothing of a tenant is visible to
// requests of another.
type Tenant struct {
	Name string // 1 to 63 of a-z, 0-9 and dash; also the tenant_id of metrics and events
	// PushChanges has the server carry every change of a subscriber over to the
	// sessions that are open then.
	PushChanges bool
}

var nameRule = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

const nameAllowed = "1 to 63 of a-z, 0-9 and dash, neither first nor last a dash"

// SetPushChanges reads true or false; empty is false.
func (t *Tenant) SetPushChanges(text string) (err error) {
	t.PushChanges, err = parseBool("push_changes", text)
	return err
}

// Diff lists what changes from old to t.
func (t *Tenant) Diff(old *Tenant) []FieldChange {
	if t.PushChanges == old.PushChanges {
		return nil
	}
	return []FieldChange{{Field: "push_changes", Old: formatBool(old.PushChanges), New: formatBool(t.PushChanges)}}
}

// Validate returns FieldErrors when the tenant can't be stored.
func (t *Tenant) Validate() error {
	var bad fieldErrors
	if !nameRule.MatchString(t.Name) {
		bad.add("tenant", t.Name, nameAllowed)
	}
	return bad.err()
}
