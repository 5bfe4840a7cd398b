package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"linegate"
	"linegate/store"
	"linegate/store/column"
)

// update is a store.Tx: one Update under way.
type update struct {
	store    *Store
	w        *writing
	actor    string
	revision int64           // the newest, ours included
	known    map[string]bool // tenants found so far

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

// update holds the lock from the newest revision to the commit of those that follow
// it: revisions become visible in their order, and whoever reads the changes by
// revision skips none.
func (s *Store) update(ctx context.Context, actor string, fn func(*update) error) error {
	return s.write(ctx, s.updates, func(w *writing) error {
		u := &update{store: s, w: w, actor: actor, known: make(map[string]bool)}
		if err := w.exec(takeLock, lockUpdate, 0); err != nil {
			return err
		}
		if err := w.row([]any{&u.revision}, revisionQuery); err != nil {
			return err
		}
		before := u.revision
		if err := fn(u); err != nil || u.revision == before {
			return err
		}
		return w.exec(notify, strconv.FormatInt(u.revision, 10))
	})
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
	err = u.w.row([]any{&tenant.Name, &tenant.PushChanges}, `SELECT name, push_changes FROM tenants WHERE name = $1`, told(name))
	return tenant, err
}

const putTenant = `INSERT INTO tenants (name, push_changes) VALUES ($1, $2) ` +
	`ON CONFLICT (name) DO UPDATE SET push_changes = excluded.push_changes`

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
	entry, _, err := u.auditOne(linegate.AuditEntry{Kind: linegate.AuditTenant, Tenant: tenant.Name, Name: tenant.Name,
		Outcome: outcome, Changes: tenant.Diff(&stored)})
	if err == nil {
		err = u.w.execAll([]statement{entry, {putTenant, []any{tenant.Name, tenant.PushChanges}}})
	}
	if err != nil {
		return "", fmt.Errorf("tenant %s: %w", tenant.Name, err)
	}
	return outcome, nil
}

// Subscriber implements store.Tx.
func (u *update) Subscriber(tenant, username string) (*linegate.Subscriber, error) {
	name := nameOf(tenant, username)
	if _, seen := u.seen[name]; !seen {
		if err := u.look([]subscriberName{name}); err != nil {
			return nil, err
		}
	}
	if u.seen[name] == nil {
		return nil, fmt.Errorf("subscriber %q of tenant %s: %w", username, tenant, linegate.ErrNotFound)
	}
	return u.seen[name].Clone(), nil
}

// Subscribers implements store.Tx.
func (u *update) Subscribers(tenant string, usernames []string) (map[string]*linegate.Subscriber, error) {
	names := make([]subscriberName, len(usernames))
	for i, username := range usernames {
		names[i] = nameOf(tenant, username)
	}
	if err := u.look(names); err != nil {
		return nil, err
	}
	found := make(map[string]*linegate.Subscriber, len(names))
	for _, name := range names {
		if sub := u.seen[name]; sub != nil {
			found[name.key] = sub.Clone()
		}
	}
	return found, nil
}

// look reads all who have one of the names, with a query for each tenant, and
// forgets what was seen before.
func (u *update) look(names []subscriberName) error {
	u.seen = make(map[subscriberName]*linegate.Subscriber, len(names))
	keys := make(map[string][]string)
	for _, name := range names {
		u.seen[name], keys[name.tenant] = nil, append(keys[name.tenant], told(name.key))
	}
	for tenant, keys := range keys {
		err := u.w.each(func(row scanner) error {
			sub, err := u.store.scanSubscriber(row)
			if err == nil {
				u.seen[nameOf(tenant, sub.Username)] = sub
			}
			return err
		}, subscribersByName, told(tenant), keys)
		if err != nil {
			return fmt.Errorf("subscribers of tenant %s: %w", tenant, err)
		}
	}
	return nil
}

// DeleteSubscriber implements store.Tx. The password goes at once; the rest of
// the row stays for the audit trail.
func (u *update) DeleteSubscriber(tenant, username string) error {
	old, err := u.Subscriber(tenant, username)
	if err != nil {
		return err
	}
	delete(u.seen, nameOf(tenant, username))
	entry, revision, err := u.auditOne(linegate.AuditEntry{Kind: linegate.AuditSubscriber, Tenant: tenant, Name: old.Username,
		ID: old.ID, Outcome: linegate.Deleted, Keys: old.Keys()})
	if err == nil {
		err = u.w.execAll([]statement{entry,
			{`UPDATE subscribers SET deleted_at = $1, revision = $2, credential_kind = '', credential = '' WHERE id = $3`,
				[]any{column.Micros(u.store.now()), revision, old.ID}},
			{deleteLines, []any{[]string{old.ID}}}})
	}
	if err != nil {
		return fmt.Errorf("subscriber %q: %w", username, err)
	}
	return nil
}
