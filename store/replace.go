package store

import (
	"slices"

	"linegate"
)

// Replace puts sub in the place of the stored subscriber, old, which is nil when there
// is none: sub gets its id, or a new one. The audit entry says what becomes of it; its
// outcome is linegate.Unchanged when there is nothing to write.
func Replace(sub, old *linegate.Subscriber) linegate.AuditEntry {
	entry := linegate.AuditEntry{Kind: linegate.AuditSubscriber, Tenant: sub.Tenant, Name: sub.Username,
		Changes: sub.Diff(old), Keys: sub.Keys()}
	if old == nil {
		sub.ID, entry.Outcome = NewID(), linegate.Created
	} else {
		sub.ID, entry.Outcome = old.ID, linegate.Changed
		entry.Keys = unite(old.Keys(), entry.Keys)
	}
	if len(entry.Changes) == 0 {
		entry.Outcome = linegate.Unchanged
	}
	entry.ID = sub.ID
	return entry
}

// unite returns the keys of both lists, each once.
func unite(before, after []linegate.Key) []linegate.Key {
	keys := slices.Concat(before, after)
	slices.Sort(keys)
	return slices.Compact(keys)
}
