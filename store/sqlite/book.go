package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"linegate"
	"linegate/store"
	"linegate/store/column"
)

var _ store.Book = (*Store)(nil)

const (
	claimColumns      = `tenant, username_key, order_id, claimed_at`
	serviceColumns    = `id, tenant, username_key, username, state, order_id, metadata, updated_at`
	allocationColumns = `key, tenant, state, claim, allocation, free_at, updated_at`

	putService    = `INSERT OR REPLACE INTO services (` + serviceColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	putAllocation = `INSERT OR REPLACE INTO allocations (` + allocationColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?)`
)

// Claim implements store.Book.
func (s *Store) Claim(ctx context.Context, tenant, username, order string) error {
	key := linegate.ComparableUsername(username)
	var holder string
	err := s.write(ctx, func(w *writing) error {
		if err := w.exec(insertInto("provisioning_claims", claimColumns)+` ON CONFLICT DO NOTHING`, tenant, key, order, column.Micros(s.now())); err != nil {
			return err
		}
		return w.row(`SELECT order_id FROM provisioning_claims WHERE tenant = ? AND username_key = ?`, into(&holder), tenant, key)
	})
	if err != nil {
		return fmt.Errorf("claim of %q of tenant %s: %w", username, tenant, err)
	}
	if holder != order {
		return fmt.Errorf("order %s is under way for %q: %w", holder, username, linegate.ErrConflict)
	}
	return nil
}

// Unclaim implements store.Book.
func (s *Store) Unclaim(ctx context.Context, tenant, username, order string) error {
	return s.change(ctx, "claim of order "+order, `DELETE FROM provisioning_claims WHERE tenant = ? AND username_key = ? AND order_id = ?`,
		tenant, linegate.ComparableUsername(username), order)
}

// change makes one statement durable.
func (s *Store) change(ctx context.Context, subject, query string, args ...any) error {
	if err := s.write(ctx, func(w *writing) error { return w.exec(query, args...) }); err != nil {
		return fmt.Errorf("%s: %w", subject, err)
	}
	return nil
}

// AskCancel implements store.Book.
func (s *Store) AskCancel(ctx context.Context, order string) error {
	err := s.write(ctx, func(w *writing) error {
		asked, err := w.execCounted(`UPDATE provisioning_claims SET cancel_asked = 1 WHERE order_id = ?`, order)
		if err == nil && asked == 0 {
			err = linegate.ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("cancel order %s: %w", order, err)
	}
	return nil
}

// CancelAsked implements store.Book.
func (s *Store) CancelAsked(ctx context.Context, order string) (asked bool, err error) {
	err = s.lookups.row(ctx, `SELECT cancel_asked FROM provisioning_claims WHERE order_id = ?`, into(&asked), order)
	if err != nil && !errors.Is(err, linegate.ErrNotFound) {
		return false, fmt.Errorf("claim of order %s: %w", order, err)
	}
	return asked, nil
}

// Claims implements store.Book.
func (s *Store) Claims(ctx context.Context, fn func(tenant, username, order string) error) error {
	return s.list(ctx, "claims", `SELECT tenant, username_key, order_id FROM provisioning_claims ORDER BY tenant, username_key`, func(row scanner) error {
		var tenant, username, order string
		if err := row.Scan(&tenant, &username, &order); err != nil {
			return err
		}
		return fn(tenant, username, order)
	})
}

// list calls scan for the rows of a query.
func (s *Store) list(ctx context.Context, subject, query string, scan func(scanner) error, args ...any) error {
	if err := s.lists.each(ctx, query, scan, args...); err != nil {
		return fmt.Errorf("%s: %w", subject, err)
	}
	return nil
}

// Service implements store.Book.
func (s *Store) Service(ctx context.Context, tenant, username string) (service linegate.Service, err error) {
	query := `SELECT ` + serviceColumns + ` FROM services WHERE tenant = ? AND username_key = ? ORDER BY updated_at DESC, rowid DESC LIMIT 1`
	err = s.lookups.row(ctx, query, func(row scanner) error {
		service, err = scanService(row)
		return err
	}, tenant, linegate.ComparableUsername(username))
	if err != nil {
		return service, fmt.Errorf("service of %q of tenant %s: %w", username, tenant, err)
	}
	return service, nil
}

func scanService(row scanner) (service linegate.Service, err error) {
	var key, metadata string
	err = row.Scan(&service.ID, &service.Tenant, &key, &service.Username, &service.State, &service.OrderID, &metadata, column.ReadMicros(&service.Updated))
	if err != nil {
		return service, err
	}
	err = json.Unmarshal([]byte(metadata), &service.Metadata)
	return service, err
}

// PutService implements store.Book.
func (s *Store) PutService(ctx context.Context, service linegate.Service) error {
	metadata, err := json.Marshal(service.Metadata)
	if err != nil {
		return fmt.Errorf("service %s: %w", service.ID, err)
	}
	return s.change(ctx, "service "+service.ID, putService, service.ID, service.Tenant, linegate.ComparableUsername(service.Username),
		service.Username, string(service.State), service.OrderID, string(metadata), column.Micros(service.Updated))
}

// DeleteService implements store.Book.
func (s *Store) DeleteService(ctx context.Context, id string) error {
	return s.change(ctx, "service "+id, `DELETE FROM services WHERE id = ?`, id)
}

// Services implements store.Book.
func (s *Store) Services(ctx context.Context, tenant string, fn func(linegate.Service) error) error {
	query := `SELECT ` + serviceColumns + ` FROM services WHERE ?1 = '' OR tenant = ?1 ORDER BY tenant, username_key, updated_at`
	return s.list(ctx, "services", query, func(row scanner) error {
		service, err := scanService(row)
		if err != nil {
			return err
		}
		return fn(service)
	}, tenant)
}

// PutAllocation implements store.Book.
func (s *Store) PutAllocation(ctx context.Context, record linegate.AllocationRecord) error {
	claim, err := json.Marshal(record.Claim)
	if err != nil {
		return fmt.Errorf("allocation %s: %w", record.Claim.Key, err)
	}
	allocation, err := json.Marshal(record.Allocation)
	if err != nil {
		return fmt.Errorf("allocation %s: %w", record.Claim.Key, err)
	}
	return s.change(ctx, "allocation "+record.Claim.Key, putAllocation, record.Claim.Key, record.Claim.Tenant, string(record.State),
		string(claim), string(allocation), column.Micros(record.FreeAt), column.Micros(record.Updated))
}

// DeleteAllocation implements store.Book.
func (s *Store) DeleteAllocation(ctx context.Context, key string) error {
	return s.change(ctx, "allocation "+key, `DELETE FROM allocations WHERE key = ?`, key)
}

// Allocations implements store.Book.
func (s *Store) Allocations(ctx context.Context, fn func(linegate.AllocationRecord) error) error {
	return s.list(ctx, "allocations", `SELECT state, claim, allocation, free_at, updated_at FROM allocations ORDER BY key`, func(row scanner) error {
		var record linegate.AllocationRecord
		var claim, allocation string
		err := row.Scan(&record.State, &claim, &allocation, column.ReadMicros(&record.FreeAt), column.ReadMicros(&record.Updated))
		if err == nil {
			err = errors.Join(json.Unmarshal([]byte(claim), &record.Claim), json.Unmarshal([]byte(allocation), &record.Allocation))
		}
		if err != nil {
			return err
		}
		return fn(record)
	})
}
