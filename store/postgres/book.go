package postgres

import (
	"cmp"
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

	newestService = `SELECT ` + serviceColumns + ` FROM services WHERE tenant = $1 AND username_key = $2 ORDER BY updated_at DESC, id LIMIT 1`
	putService    = `INSERT INTO services (` + serviceColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ` +
		`ON CONFLICT (id) DO UPDATE SET (tenant, username_key, username, state, order_id, metadata, updated_at) = (EXCLUDED.tenant, EXCLUDED.username_key, EXCLUDED.username, EXCLUDED.state, EXCLUDED.order_id, EXCLUDED.metadata, EXCLUDED.updated_at)`
	putAllocation = `INSERT INTO allocations (` + allocationColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7) ` +
		`ON CONFLICT (key) DO UPDATE SET (tenant, state, claim, allocation, free_at, updated_at) = (EXCLUDED.tenant, EXCLUDED.state, EXCLUDED.claim, EXCLUDED.allocation, EXCLUDED.free_at, EXCLUDED.updated_at)`
	putClaim = `INSERT INTO provisioning_claims (` + claimColumns + `) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`
)

// Claim implements store.Book.
func (s *Store) Claim(ctx context.Context, tenant, username, order string) error {
	key := told(linegate.ComparableUsername(username))
	var holder string
	err := s.write(ctx, s.updates, func(w *writing) error {
		if err := w.exec(putClaim, tenant, key, order, column.Micros(s.now())); err != nil {
			return err
		}
		return w.row([]any{&holder}, `SELECT order_id FROM provisioning_claims WHERE tenant = $1 AND username_key = $2`, tenant, key)
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
	return s.change(ctx, "claim of order "+order, `DELETE FROM provisioning_claims WHERE tenant = $1 AND username_key = $2 AND order_id = $3`,
		tenant, told(linegate.ComparableUsername(username)), order)
}

// change makes one statement durable.
func (s *Store) change(ctx context.Context, subject, query string, args ...any) error {
	if err := s.write(ctx, s.updates, func(w *writing) error { return w.exec(query, args...) }); err != nil {
		return fmt.Errorf("%s: %w", subject, err)
	}
	return nil
}

// AskCancel implements store.Book.
func (s *Store) AskCancel(ctx context.Context, order string) error {
	err := s.write(ctx, s.updates, func(w *writing) error {
		asked, err := w.execCounted(`UPDATE provisioning_claims SET cancel_asked = true WHERE order_id = $1`, order)
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
	err = s.row(ctx, s.lookups, []any{&asked}, `SELECT cancel_asked FROM provisioning_claims WHERE order_id = $1`, order)
	if err != nil && !errors.Is(err, linegate.ErrNotFound) {
		return false, fmt.Errorf("claim of order %s: %w", order, err)
	}
	return asked, nil
}

// Claims implements store.Book.
func (s *Store) Claims(ctx context.Context, fn func(tenant, username, order string) error) error {
	return s.list(ctx, "claims", `SELECT tenant, username_key, order_id FROM provisioning_claims ORDER BY tenant, username_key`, func(row scanner) error {
		var tenant, username, order string
		if err := row.Scan(&tenant, toldColumn{&username}, &order); err != nil {
			return err
		}
		return fn(tenant, username, order)
	})
}

// list calls scan for the rows of a query.
func (s *Store) list(ctx context.Context, subject, query string, scan func(scanner) error, args ...any) error {
	if err := s.each(ctx, s.lists, scan, query, args...); err != nil {
		return fmt.Errorf("%s: %w", subject, err)
	}
	return nil
}

// Service implements store.Book.
func (s *Store) Service(ctx context.Context, tenant, username string) (linegate.Service, error) {
	service, err := linegate.Service{}, linegate.ErrNotFound
	failed := s.each(ctx, s.lookups, func(row scanner) error {
		service, err = scanService(row)
		return err
	}, newestService, tenant, told(linegate.ComparableUsername(username)))
	if err = cmp.Or(failed, err); err != nil {
		return service, fmt.Errorf("service of %q of tenant %s: %w", username, tenant, err)
	}
	return service, nil
}

func scanService(row scanner) (service linegate.Service, err error) {
	var key, metadata string
	err = row.Scan(&service.ID, &service.Tenant, &key, toldColumn{&service.Username}, &service.State, &service.OrderID, &metadata, timeColumn{&service.Updated})
	if err != nil {
		return service, fail(err)
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
	return s.change(ctx, "service "+service.ID, putService, service.ID, service.Tenant, told(linegate.ComparableUsername(service.Username)),
		told(service.Username), string(service.State), service.OrderID, string(metadata), column.Micros(service.Updated))
}

// DeleteService implements store.Book.
func (s *Store) DeleteService(ctx context.Context, id string) error {
	return s.change(ctx, "service "+id, `DELETE FROM services WHERE id = $1`, id)
}

// Services implements store.Book.
func (s *Store) Services(ctx context.Context, tenant string, fn func(linegate.Service) error) error {
	query := `SELECT ` + serviceColumns + ` FROM services WHERE $1::text = '' OR tenant = $1 ORDER BY tenant, username_key, updated_at`
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
	return s.change(ctx, "allocation "+key, `DELETE FROM allocations WHERE key = $1`, key)
}

// Allocations implements store.Book.
func (s *Store) Allocations(ctx context.Context, fn func(linegate.AllocationRecord) error) error {
	return s.list(ctx, "allocations", `SELECT state, claim, allocation, free_at, updated_at FROM allocations ORDER BY key`, func(row scanner) error {
		var record linegate.AllocationRecord
		var claim, allocation string
		err := row.Scan(&record.State, &claim, &allocation, timeColumn{&record.FreeAt}, timeColumn{&record.Updated})
		if err == nil {
			err = errors.Join(json.Unmarshal([]byte(claim), &record.Claim), json.Unmarshal([]byte(allocation), &record.Allocation))
		}
		if err != nil {
			return err
		}
		return fn(record)
	})
}
