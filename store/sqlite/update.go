package sqlite

import (
	"context"
	"errors"
	"fmt"

	"linegate"
	"linegate/store"
	"linegate/store/column"
)

// update is a store.Tx: one Update under way.
type update struct {
	store *Store
	w     *writing
	actor string
	known map[string]bool // tenants found so far

	// seen is what was read last and not written since, as whoever looks for
	// subscribers mostly puts them next; nil: nobody has the name.
	seen map[subscriberName]*linegate.Subscriber
}

// subscriberName is what is unique among the living; the username is in its
// comparable form.
type subscriberName struct{ tenant, key string }

func nameOf(tenant, username string) subscriberName {
	return subscriberName{tenant, linegate.ComparableUsername(username)}
}

var _ store.Tx = (*update)(nil)

// Update implements store.Engine. A transaction in which a write failed does not
// commit, whatever fn returns. fn must not call Update again.
func (s *Store) Update(ctx context.Context, actor string, fn func(store.Tx) error) error {
	return s.update(ctx, actor, func(u *update) error { return fn(u) })
}

func (s *Store) update(ctx context.Context, actor string, fn func(*update) error) error {
	err := s.write(ctx, func(w *writing) error {
		return fn(&update{store: s, w: w, actor: actor, known: make(map[string]bool)})
	})
	if err == nil {
		s.changed.send()
	}
	return err
}

// requireTenant returns linegate.ErrNotFound for a tenant that was never made.
func (u *update) requireTenant(name string) error {
	if u.known[name] {
		return nil
	}
	exists, err := u.tenantExists(name)
	if err == nil && !exists {
		err = linegate.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("tenant %q: %w", name, err)
	}
	u.known[name] = true
	return nil
}

func (u *update) tenantExists(name string) (bool, error) {
	_, err := u.tenant(name)
	if errors.Is(err, linegate.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (u *update) tenant(name string) (tenant linegate.Tenant, err error) {
	err = u.w.row(`SELECT name, push_changes FROM tenants WHERE name = ?`, into(&tenant.Name, &tenant.PushChanges), name)
	return tenant, err
}

// PutTenant implements store.Tx.
func (u *update) PutTenant(tenant linegate.Tenant) (linegate.Outcome, error) {
	if err := tenant.Validate(); err != nil {
		return "", err
	}
	stored, err := u.tenant(tenant.Name)
	outcome := linegate.Changed
	switch {
	case errors.Is(err, linegate.ErrNotFound):
		outcome = linegate.Created
	case err != nil:
		return "", fmt.Errorf("tenant %s: %w", tenant.Name, err)
	case stored == tenant:
		return linegate.Unchanged, nil
	}
	err = u.w.exec(`INSERT INTO tenants (name, push_changes) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET push_changes = excluded.push_changes`,
		tenant.Name, tenant.PushChanges)
	if err != nil {
		return "", fmt.Errorf("tenant %s: %w", tenant.Name, err)
	}
	_, err = u.audit(linegate.AuditEntry{Kind: linegate.AuditTenant, Tenant: tenant.Name, Name: tenant.Name,
		Outcome: outcome, Changes: tenant.Diff(&stored)})
	return outcome, err
}

// Subscriber implements store.Tx.
func (u *update) Subscriber(tenant, username string) (sub *linegate.Subscriber, err error) {
	name := nameOf(tenant, username)
	sub, seen := u.seen[name]
	if !seen {
		err = u.w.row(subscriberByName, func(row scanner) (err error) {
			sub, err = u.store.scanSubscriber(row)
			return err
		}, name.tenant, name.key)
		if err != nil && !errors.Is(err, linegate.ErrNotFound) {
			return nil, fmt.Errorf("subscriber %q of tenant %s: %w", username, tenant, err)
		}
		u.seen = map[subscriberName]*linegate.Subscriber{name: sub}
	}
	if sub == nil {
		return nil, fmt.Errorf("subscriber %q of tenant %s: %w", username, tenant, linegate.ErrNotFound)
	}
	return sub.Clone(), nil
}

// PutSubscriber implements store.Tx.
func (u *update) PutSubscriber(given *linegate.Subscriber) (linegate.Outcome, error) {
	sub := given.Clone()
	sub.Normalize()
	if err := sub.Validate(); err != nil {
		return "", fmt.Errorf("subscriber %q: %w", sub.Username, err)
	}
	if err := u.requireTenant(sub.Tenant); err != nil {
		return "", err
	}
	old, err := u.Subscriber(sub.Tenant, sub.Username)
	if err != nil && !errors.Is(err, linegate.ErrNotFound) {
		return "", err
	}
	entry := store.Replace(sub, old)
	if entry.Outcome == linegate.Unchanged {
		return linegate.Unchanged, nil
	}
	delete(u.seen, nameOf(sub.Tenant, sub.Username))
	if sub.Revision, err = u.audit(entry); err != nil {
		return "", err
	}
	if old == nil {
		err = u.w.exec(insertInto("subscribers", subscriberWritten), u.store.subscriberValues(sub)...)
	} else {
		err = u.w.exec(updateByID("subscribers", subscriberWritten), append(u.store.subscriberValues(sub), sub.ID)...)
	}
	if err == nil {
		err = u.writeLines(sub, old)
	}
	if err != nil {
		return "", fmt.Errorf("subscriber %q: %w", sub.Username, err)
	}
	return entry.Outcome, nil
}

// DeleteSubscriber implements store.Tx. The password goes at once; the rest of
// the row stays for the audit trail.
func (u *update) DeleteSubscriber(tenant, username string) error {
	old, err := u.Subscriber(tenant, username)
	if err != nil {
		return err
	}
	delete(u.seen, nameOf(tenant, username))
	revision, err := u.audit(linegate.AuditEntry{Kind: linegate.AuditSubscriber, Tenant: tenant, Name: old.Username,
		ID: old.ID, Outcome: linegate.Deleted, Keys: old.Keys()})
	if err != nil {
		return err
	}
	err = u.w.exec(`UPDATE subscribers SET deleted_at = ?, revision = ?, credential_kind = '', credential = x'' WHERE id = ?`,
		column.Micros(u.store.now()), revision, old.ID)
	if err == nil {
		err = u.w.exec(deleteLines, old.ID)
	}
	if err != nil {
		return fmt.Errorf("subscriber %q: %w", username, err)
	}
	return nil
}
