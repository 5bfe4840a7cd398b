package sqlite

import (
	"context"
	"fmt"

	"linegate"
	"linegate/store"
	"linegate/store/column"
)

const (
	rangeColumns      = `tenant, olt, pool, position, first, last, inner_first, inner_last, capacity`
	assignmentColumns = `key, tenant, olt, pool, service_vlan, inner_vlan, reserved, assigned_at`

	selectRanges      = `SELECT tenant, olt, pool, first, last, inner_first, inner_last, capacity FROM vlan_ranges `
	selectAssignments = `SELECT key, tenant, olt, pool, service_vlan, inner_vlan, reserved FROM vlan_assignments `
	rangesInOrder     = ` ORDER BY tenant, olt, pool, position`

	overlappingPool = `SELECT tenant, pool FROM vlan_ranges WHERE olt = ? AND NOT (tenant = ? AND pool = ?) AND first <= ? AND last >= ?`
	poolUse         = `SELECT count(*) FROM vlan_assignments WHERE tenant = ? AND olt = ? AND pool = ?`
)

// PutVLANPool implements store.Book.
func (s *Store) PutVLANPool(ctx context.Context, pool linegate.VLANPool) error {
	if err := pool.Validate(); err != nil {
		return err
	}
	err := s.write(ctx, func(w *writing) error {
		if err := w.exec(`DELETE FROM vlan_ranges WHERE tenant = ? AND olt = ? AND pool = ?`, pool.Tenant, pool.OLT, pool.Name); err != nil {
			return err
		}
		for position, r := range pool.Ranges {
			if err := freeOfOthers(w, pool, r); err != nil {
				return err
			}
			if err := w.exec(insertInto("vlan_ranges", rangeColumns), pool.Tenant, pool.OLT, pool.Name, position,
				int64(r.First), int64(r.Last), int64(r.InnerFirst), int64(r.InnerLast), r.Capacity); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("VLAN pool %s of %s: %w", pool.Name, pool.OLT, err)
	}
	return nil
}

// freeOfOthers fails when another pool behind the OLT has a service VLAN of the range.
func freeOfOthers(w *writing, pool linegate.VLANPool, r linegate.VLANRange) error {
	return w.rows(overlappingPool, func(row scanner) error {
		var tenant, other string
		if err := row.Scan(&tenant, &other); err != nil {
			return err
		}
		return fmt.Errorf("pool %s of tenant %s has some of %d to %d: %w", other, tenant, r.First, r.Last, linegate.ErrConflict)
	}, pool.OLT, pool.Tenant, pool.Name, int64(r.Last), int64(r.First))
}

// DeleteVLANPool implements store.Book.
func (s *Store) DeleteVLANPool(ctx context.Context, tenant, olt, pool string) error {
	err := s.write(ctx, func(w *writing) error {
		var used int
		if err := w.row(poolUse, into(&used), tenant, olt, pool); err != nil {
			return err
		}
		if used > 0 {
			return fmt.Errorf("%d are assigned or reserved: %w", used, linegate.ErrConflict)
		}
		deleted, err := w.execCounted(`DELETE FROM vlan_ranges WHERE tenant = ? AND olt = ? AND pool = ?`, tenant, olt, pool)
		if err == nil && deleted == 0 {
			err = linegate.ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("VLAN pool %s of %s: %w", pool, olt, err)
	}
	return nil
}

// VLANPools implements store.Book.
func (s *Store) VLANPools(ctx context.Context, tenant string) (pools []linegate.VLANPool, err error) {
	err = s.list(ctx, "VLAN pools", selectRanges+`WHERE ?1 = '' OR tenant = ?1`+rangesInOrder, addRange(&pools), tenant)
	return pools, err
}

// addRange reads a row of selectRanges into the pool that it belongs to, which is
// the last one or a new one.
func addRange(pools *[]linegate.VLANPool) func(scanner) error {
	return func(row scanner) error {
		var pool linegate.VLANPool
		var r linegate.VLANRange
		if err := row.Scan(&pool.Tenant, &pool.OLT, &pool.Name, &r.First, &r.Last, &r.InnerFirst, &r.InnerLast, &r.Capacity); err != nil {
			return err
		}
		last := len(*pools) - 1
		if last < 0 || (*pools)[last].Tenant != pool.Tenant || (*pools)[last].OLT != pool.OLT || (*pools)[last].Name != pool.Name {
			*pools = append(*pools, pool)
			last++
		}
		(*pools)[last].Ranges = append((*pools)[last].Ranges, r)
		return nil
	}
}

func scanAssignment(row scanner) (a linegate.VLANAssignment, err error) {
	err = row.Scan(&a.Key, &a.Tenant, &a.OLT, &a.Pool, &a.Outer, &a.Inner, &a.Reserved)
	return a, err
}

// AssignVLAN implements store.Book.
func (s *Store) AssignVLAN(ctx context.Context, wish linegate.VLANAssignment) (given linegate.VLANAssignment, err error) {
	err = s.write(ctx, func(w *writing) error {
		had, known, err := assigned(w, wish.Key)
		switch {
		case err != nil:
			return err
		case known && (had.Tenant != wish.Tenant || had.OLT != wish.OLT || had.Pool != wish.Pool):
			return fmt.Errorf("%s has a VLAN of pool %s of %s: %w", wish.Key, had.Pool, had.OLT, linegate.ErrConflict)
		case known:
			given = had
			return nil
		}
		given = wish
		if given.VLANPair, err = nextVLAN(w, wish); err != nil {
			return err
		}
		return s.insertAssignment(w, given)
	})
	if err != nil {
		return linegate.VLANAssignment{}, fmt.Errorf("VLAN pool %s of %s: %w", wish.Pool, wish.OLT, err)
	}
	return given, nil
}

func (s *Store) insertAssignment(w *writing, a linegate.VLANAssignment) error {
	return w.exec(insertInto("vlan_assignments", assignmentColumns), a.Key, a.Tenant, a.OLT, a.Pool,
		int64(a.Outer), int64(a.Inner), a.Reserved, column.Micros(s.now()))
}

// assigned returns what a key has.
func assigned(w *writing, key string) (had linegate.VLANAssignment, known bool, err error) {
	err = w.rows(selectAssignments+`WHERE key = ?`, func(row scanner) (err error) {
		known = true
		had, err = scanAssignment(row)
		return err
	}, key)
	return had, known, err
}

func nextVLAN(w *writing, wish linegate.VLANAssignment) (linegate.VLANPair, error) {
	pool, used, err := poolState(w, wish)
	if err != nil {
		return linegate.VLANPair{}, err
	}
	return pool.Give(used)
}

// poolState returns the pool and how many services hold each of its VLANs.
func poolState(w *writing, wish linegate.VLANAssignment) (*linegate.VLANPool, linegate.VLANUsers, error) {
	var pools []linegate.VLANPool
	if err := w.rows(selectRanges+`WHERE tenant = ? AND olt = ? AND pool = ?`+rangesInOrder, addRange(&pools), wish.Tenant, wish.OLT, wish.Pool); err != nil {
		return nil, nil, err
	}
	if len(pools) == 0 {
		return nil, nil, linegate.ErrNotFound
	}
	used := linegate.VLANUsers{}
	err := w.rows(selectAssignments+`WHERE tenant = ? AND olt = ? AND pool = ?`, func(row scanner) error {
		a, err := scanAssignment(row)
		used.Add(a)
		return err
	}, wish.Tenant, wish.OLT, wish.Pool)
	return &pools[0], used, err
}

// UnassignVLAN implements store.Book.
func (s *Store) UnassignVLAN(ctx context.Context, key string) error {
	return s.change(ctx, "VLAN of "+key, `DELETE FROM vlan_assignments WHERE key = ?`, key)
}

// ReserveVLAN implements store.Book.
func (s *Store) ReserveVLAN(ctx context.Context, reservation linegate.VLANAssignment) error {
	reservation.Reserved = true
	err := s.write(ctx, func(w *writing) error {
		had, known, err := assigned(w, reservation.Key)
		if err != nil || known && had == reservation {
			return err
		}
		pool, used, err := poolState(w, reservation)
		switch {
		case err != nil:
			return err
		case known:
			return fmt.Errorf("%s is the name of another one: %w", reservation.Key, linegate.ErrConflict)
		}
		if err := pool.Reserve(reservation.VLANPair, used); err != nil {
			return err
		}
		return s.insertAssignment(w, reservation)
	})
	if err != nil {
		return fmt.Errorf("VLAN pool %s of %s: %w", reservation.Pool, reservation.OLT, err)
	}
	return nil
}

// VLANAssignments implements store.Book.
func (s *Store) VLANAssignments(ctx context.Context, tenant string, fn func(linegate.VLANAssignment) error) error {
	query := selectAssignments + `WHERE ?1 = '' OR tenant = ?1 ORDER BY tenant, olt, pool, service_vlan, inner_vlan, key`
	return s.list(ctx, "VLAN assignments", query, func(row scanner) error {
		a, err := scanAssignment(row)
		if err != nil {
			return err
		}
		return fn(a)
	}, tenant)
}

// VLANUse implements store.Book.
func (s *Store) VLANUse(ctx context.Context) ([]linegate.VLANPoolUse, error) {
	return store.VLANUse(ctx, s)
}
