package sqlite

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"linegate"
	"linegate/store"
)

// Subscribers implements store.Tx.
func (u *update) Subscribers(tenant string, usernames []string) (map[string]*linegate.Subscriber, error) {
	u.seen = make(map[subscriberName]*linegate.Subscriber, len(usernames))
	names := make([]subscriberName, len(usernames))
	for i, username := range usernames {
		names[i] = nameOf(tenant, username)
	}
	if err := u.look(tenant, names); err != nil {
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

// look reads all who have one of the names, which are of one tenant, into u.seen.
func (u *update) look(tenant string, names []subscriberName) error {
	keys := make([]string, 0, len(names))
	for _, name := range names {
		u.seen[name] = nil
		if utf8.ValidString(name.key) { // else it is nobody's, and no JSON
			keys = append(keys, name.key)
		}
	}
	list, err := json.Marshal(keys)
	if err == nil {
		err = u.w.rows(subscribersByName, func(row scanner) error {
			sub, err := u.store.scanSubscriber(row)
			if err == nil {
				u.seen[nameOf(tenant, sub.Username)] = sub
			}
			return err
		}, tenant, string(list))
	}
	if err != nil {
		return fmt.Errorf("subscribers of tenant %s: %w", tenant, err)
	}
	return nil
}

// PutSubscribers implements store.Tx. It asks once for all that were not seen.
func (u *update) PutSubscribers(given []*linegate.Subscriber) ([]linegate.Outcome, error) {
	unseen, err := u.unseen(given)
	if err != nil {
		return nil, err
	}
	for tenant, names := range unseen {
		if err := u.look(tenant, names); err != nil {
			return nil, err
		}
	}
	outcomes := make([]linegate.Outcome, len(given))
	for i, sub := range given {
		if outcomes[i], err = u.PutSubscriber(sub); err != nil {
			return nil, u.spoil(i, err)
		}
	}
	return outcomes, nil
}

// unseen lists by tenant the names that nobody asked for yet, and finds a name
// that comes twice.
func (u *update) unseen(given []*linegate.Subscriber) (map[string][]subscriberName, error) {
	if u.seen == nil {
		u.seen = make(map[subscriberName]*linegate.Subscriber, len(given))
	}
	unseen := make(map[string][]subscriberName)
	met := make(map[subscriberName]bool, len(given))
	for i, sub := range given {
		name := nameOf(sub.Tenant, sub.Username)
		if met[name] {
			return nil, u.spoil(i, fmt.Errorf("subscriber %q: comes twice in one bulk: %w", sub.Username, linegate.ErrConflict))
		}
		met[name] = true
		if _, seen := u.seen[name]; !seen {
			unseen[sub.Tenant] = append(unseen[sub.Tenant], name)
		}
	}
	return unseen, nil
}

// spoil keeps the transaction from committing half of a bulk.
func (u *update) spoil(index int, err error) error {
	err = &store.BulkError{Index: index, Err: err}
	u.w.failed = errors.Join(u.w.failed, err)
	return err
}
