package postgres

import (
	"errors"
	"fmt"
	"slices"

	"linegate"
	"linegate/store"
)

// PutSubscriber implements store.Tx.
func (u *update) PutSubscriber(given *linegate.Subscriber) (linegate.Outcome, error) {
	b := bulk{u: u, outcomes: make([]linegate.Outcome, 0, 1)}
	err := b.add(given)
	if err == nil {
		err = b.write()
	}
	if err != nil {
		return "", err
	}
	return b.outcomes[0], nil
}

// bulkPage is how many subscribers go into one round trip.
const bulkPage = 2000

// PutSubscribers implements store.Tx. It asks once for each page of those that were
// not seen, and writes each page at once.
func (u *update) PutSubscribers(given []*linegate.Subscriber) ([]linegate.Outcome, error) {
	if err := u.requireApart(given); err != nil {
		return nil, err
	}
	b := bulk{u: u, outcomes: make([]linegate.Outcome, 0, len(given))}
	for page := range slices.Chunk(given, bulkPage) {
		if err := u.lookUnseen(page); err != nil {
			return nil, err
		}
		for _, sub := range page {
			if err := b.add(sub); err != nil {
				return nil, u.spoil(len(b.outcomes), err)
			}
		}
		if err := b.write(); err != nil {
			return nil, err
		}
	}
	return b.outcomes, nil
}

// requireApart finds a name that comes twice.
func (u *update) requireApart(given []*linegate.Subscriber) error {
	met := make(map[subscriberName]bool, len(given))
	for i, sub := range given {
		name := nameOf(sub.Tenant, sub.Username)
		if met[name] {
			return u.spoil(i, fmt.Errorf("subscriber %q: comes twice in one bulk: %w", sub.Username, linegate.ErrConflict))
		}
		met[name] = true
	}
	return nil
}

// lookUnseen reads who has the names, unless all of them were just looked for.
func (u *update) lookUnseen(given []*linegate.Subscriber) error {
	names := make([]subscriberName, len(given))
	unseen := false
	for i, sub := range given {
		names[i] = nameOf(sub.Tenant, sub.Username)
		_, seen := u.seen[names[i]]
		unseen = unseen || !seen
	}
	if !unseen {
		return nil
	}
	return u.look(names)
}

// spoil keeps the transaction from committing half of a bulk.
func (u *update) spoil(index int, err error) error {
	err = &store.BulkError{Index: index, Err: err}
	u.w.failed = errors.Join(u.w.failed, err)
	return err
}

// bulk gathers rows of subscribers, with their audit entries, for one round trip.
type bulk struct {
	u        *update
	outcomes []linegate.Outcome // of all that were added, in order

	entries, created, changed, lines [][]any
	unlined                          []string // whose stored lines go, by id
}

// add compares a subscriber with the stored one and gathers what has to be written.
func (b *bulk) add(given *linegate.Subscriber) error {
	sub := given.Clone()
	sub.Normalize()
	if err := sub.Validate(); err != nil {
		return fmt.Errorf("subscriber %q: %w", sub.Username, err)
	}
	if err := b.u.requireTenant(sub.Tenant); err != nil {
		return err
	}
	old, err := b.u.Subscriber(sub.Tenant, sub.Username)
	if err != nil && !errors.Is(err, linegate.ErrNotFound) {
		return err
	}
	entry := store.Replace(sub, old)
	if entry.Outcome == linegate.Unchanged {
		b.outcomes = append(b.outcomes, linegate.Unchanged)
		return nil
	}
	if hasMoreLines(old) {
		b.unlined = append(b.unlined, old.ID)
	}
	return b.gather(sub, entry)
}

// gather adds the rows of a subscriber that is new or changes.
func (b *bulk) gather(sub *linegate.Subscriber, entry linegate.AuditEntry) error {
	row, revision, err := b.u.audit(entry)
	if err != nil {
		return err
	}
	sub.Revision = revision
	values := b.u.store.subscriberValues(sub)
	if entry.Outcome == linegate.Created {
		b.created = append(b.created, values)
	} else {
		b.changed = append(b.changed, append(values, sub.ID))
	}
	b.lines = append(b.lines, lineValues(sub)...)
	b.entries, b.outcomes = append(b.entries, row), append(b.outcomes, entry.Outcome)
	delete(b.u.seen, nameOf(sub.Tenant, sub.Username))
	return nil
}

// write writes what was gathered since the last time.
func (b *bulk) write() error {
	var statements []statement
	if len(b.entries) > 0 {
		statements = append(statements, insertRows("changes", auditColumns, b.entries))
	}
	if len(b.created) > 0 {
		statements = append(statements, insertRows("subscribers", subscriberWritten, b.created))
	}
	if len(b.changed) > 0 {
		statements = append(statements, updateRows("subscribers", subscriberWritten, b.changed))
	}
	if len(b.unlined) > 0 {
		statements = append(statements, statement{deleteLines, []any{b.unlined}})
	}
	if len(b.lines) > 0 {
		statements = append(statements, insertLines(b.lines))
	}
	b.entries, b.created, b.changed = b.entries[:0], b.created[:0], b.changed[:0]
	b.lines, b.unlined = b.lines[:0], b.unlined[:0]
	if len(statements) == 0 {
		return nil
	}
	if err := b.u.w.execAll(statements); err != nil {
		return fmt.Errorf("subscribers: %w", err)
	}
	return nil
}
