package main

import (
	"context"
	"errors"
	"fmt"

	"linegate"
	"linegate/coa"
	"linegate/policy"
	"linegate/store"
)

// pusher carries changes of subscribers over to the sessions that are open. Each
// change is pushed once, by whichever command or server claims it first.
type pusher struct {
	engine   store.Engine
	settings linegate.Settings
}

// feedPage is how many changes are read from the feed at a time.
const feedPage = 256

// orders claims a change of a subscriber and returns what has to happen to its
// sessions: nothing, where none is open or what it may have did not change.
func (p *pusher) orders(ctx context.Context, entry *linegate.AuditEntry) ([]coa.Order, error) {
	if entry.Kind != linegate.AuditSubscriber || entry.Outcome == linegate.Created {
		return nil, nil
	}
	sessions, err := openSessions(ctx, p.engine, store.SessionFilter{Tenant: entry.Tenant, SubscriberID: entry.ID})
	if err != nil || len(sessions) == 0 {
		return nil, err
	}
	before, after, err := p.entitlements(ctx, entry)
	if err != nil {
		return nil, err
	}
	changes := coa.Difference(before, after)
	if len(changes) == 0 {
		return nil, nil
	}
	first, _, err := p.engine.BeginChanges(ctx, fmt.Sprintf("push/%d", entry.Revision), "push")
	if err != nil || !first {
		return nil, err
	}
	orders := make([]coa.Order, len(sessions))
	for i, session := range sessions {
		orders[i] = coa.Order{Session: session, Changes: changes}
	}
	return orders, nil
}

// entitlements returns what the subscriber has now, and what it had before the
// change: the entry holds the old text of every field.
func (p *pusher) entitlements(ctx context.Context, entry *linegate.AuditEntry) (before, after coa.Entitlement, err error) {
	now, err := p.engine.Subscriber(ctx, entry.Tenant, entry.Name)
	if errors.Is(err, linegate.ErrNotFound) || err == nil && now.ID != entry.ID {
		return coa.Entitlement{Admitted: true}, coa.Entitlement{}, nil // deleted
	}
	if err != nil {
		return before, after, err
	}
	old, err := undo(now, entry.Changes)
	if err != nil {
		return before, after, fmt.Errorf("revision %d of %s: %w", entry.Revision, entry.Name, err)
	}
	return entitlement(old, p.settings), entitlement(now, p.settings), nil
}

// entitlement is what a subscriber may have; nil is nobody.
func entitlement(subscriber *linegate.Subscriber, settings linegate.Settings) coa.Entitlement {
	grant, reason, admitted := policy.Entitled(subscriber, settings)
	return coa.Entitlement{Admitted: admitted, Walled: reason == linegate.ReasonWalledGarden, Grant: grant}
}

// undo returns the subscriber as it was before the changes. The password is none of
// its business.
func undo(now *linegate.Subscriber, changes []linegate.FieldChange) (*linegate.Subscriber, error) {
	old := now.Clone()
	for _, field := range linegate.Fields() {
		for _, change := range changes {
			if change.Field != field.Name || field.Name == "password" {
				continue
			}
			if err := field.Set(old, change.Old); err != nil {
				return nil, err
			}
		}
	}
	return old, nil
}

// openSessions returns the open sessions that the filter lets through.
func openSessions(ctx context.Context, engine store.Engine, filter store.SessionFilter) (found []*linegate.Session, err error) {
	filter.Active = true
	err = engine.EachSession(ctx, filter, func(session *linegate.Session) error {
		found = append(found, session)
		return nil
	})
	return found, err
}

// since returns the orders of all changes after a revision that wanted lets
// through, and the newest revision that was looked at.
func (p *pusher) since(ctx context.Context, revision int64, wanted func(*linegate.AuditEntry) bool) (orders []coa.Order, newest int64, err error) {
	entries, err := p.engine.Feed(ctx, revision, feedPage)
	if err != nil {
		return nil, revision, err
	}
	for i := range entries {
		if wanted(&entries[i]) {
			more, err := p.orders(ctx, &entries[i])
			if err != nil {
				return orders, revision, err
			}
			orders = append(orders, more...)
		}
		revision = entries[i].Revision
	}
	return orders, revision, nil
}
