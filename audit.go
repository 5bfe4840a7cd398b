package linegate

import "time"

// AuditKind is the kind of thing a write changed.
type AuditKind string

const (
	AuditTenant     AuditKind = "tenant"
	AuditNAS        AuditKind = "nas"
	AuditSubscriber AuditKind = "subscriber"
)

// Outcome is what a write did.
type Outcome string

const (
	Created   Outcome = "created"
	Changed   Outcome = "changed"
	Unchanged Outcome = "unchanged"
	Deleted   Outcome = "deleted"
)

// AuditEntry is one committed write. The entries in order of Revision are both
// the audit trail and the feed that running servers follow.
type AuditEntry struct {
	Revision int64         `json:"revision"` // grows with every write, from 1
	At       time.Time     `json:"at"`
	Actor    string        `json:"actor"` // who wrote: user@host of the CLI, or a workflow
	Kind     AuditKind     `json:"kind"`
	Tenant   string        `json:"tenant"`
	Name     string        `json:"name"` // username, NAS or tenant name
	ID       string        `json:"id"`   // subscriber ID; empty for other kinds
	Outcome  Outcome       `json:"outcome"`
	Changes  []FieldChange `json:"changes"` // secrets and passwords only say that they changed
	// Keys are the lookup keys whose answer may have changed: those of the old
	// state and of the new.
	Keys []Key `json:"-"`
}
