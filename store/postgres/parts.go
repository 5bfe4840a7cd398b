package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"linegate/store/column"
)

// Accounting events are kept in parts of a day (UTC) each, which are dropped as a
// whole. They are made ahead; what no part was made for is kept with the rest.
const (
	partPrefix = "accounting_events_"
	partLayout = "20060102"
	// partsAhead is how many days have their part before they begin.
	partsAhead = 7
	// partLockTimeout is how long others may wait behind us for the table, which a
	// long list of its rows can keep us from: then there is another time.
	partLockTimeout = "1s"

	aDay = 24 * time.Hour
)

// makePartsToday is makeParts once a day, for a node that does no other upkeep. An
// error may wait: parts are made a week ahead, and without one nothing is lost.
func (s *Store) makePartsToday(ctx context.Context) {
	if today := s.now().Unix() / int64(aDay/time.Second); s.partitioned.Load() != today {
		s.partitioned.Store(today)
		_ = s.makeParts(ctx)
	}
}

// makeParts makes the parts of today and the days ahead, as far as they are missing.
func (s *Store) makeParts(ctx context.Context) error {
	existing, err := s.parts(ctx)
	if err != nil {
		return fmt.Errorf("parts of accounting: %w", err)
	}
	today := s.now().UTC().Truncate(aDay)
	for ahead := range partsAhead + 1 {
		day := today.Add(time.Duration(ahead) * aDay)
		if _, made := existing[day]; made {
			continue
		}
		if err := s.makePart(ctx, day); err != nil && code(err) != checkViolated { // the rest has rows of that day: it goes on
			return fmt.Errorf("part of accounting for %s: %w", day.Format(time.DateOnly), err)
		}
	}
	return nil
}

// makePart makes the part beside the table and then attaches it, which keeps
// recording waiting for no longer than a look at the rest takes.
func (s *Store) makePart(ctx context.Context, day time.Time) error {
	name := partPrefix + day.Format(partLayout)
	return s.write(ctx, s.accounting, func(w *writing) error {
		if free, err := w.lockParts(); err != nil || !free {
			return err
		}
		var exists bool
		if err := w.row([]any{&exists}, `SELECT to_regclass($1) IS NOT NULL`, name); err != nil || exists {
			return err
		}
		if err := w.exec(`CREATE TABLE ` + name + ` (LIKE accounting_events INCLUDING DEFAULTS INCLUDING INDEXES)`); err != nil {
			return err
		}
		return w.exec(fmt.Sprintf(`ALTER TABLE accounting_events ATTACH PARTITION %s FOR VALUES FROM (%d) TO (%d)`,
			name, column.Micros(day), column.Micros(day.Add(aDay))))
	})
}

// lockParts sets how long the table is waited for. It is not free when another node
// makes or drops parts, which then need not be done twice.
func (w *writing) lockParts() (free bool, err error) {
	var timeout string
	err = w.row([]any{&free, &timeout}, `SELECT pg_try_advisory_xact_lock($1, 0), set_config('lock_timeout', $2, true)`, lockParts, partLockTimeout)
	return free, err
}

// parts returns the names of the parts by their day.
func (s *Store) parts(ctx context.Context) (map[time.Time]string, error) {
	parts := make(map[time.Time]string)
	err := s.each(ctx, s.accounting, func(row scanner) error {
		var name string
		if err := row.Scan(&name); err != nil {
			return fail(err)
		}
		if day, err := time.Parse(partLayout, strings.TrimPrefix(name, partPrefix)); err == nil {
			parts[day] = name // else it is the rest
		}
		return nil
	}, `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'accounting_events'::regclass`)
	return parts, err
}

// dropParts drops the parts of days that ended before, and returns how many events
// were in them.
func (s *Store) dropParts(ctx context.Context, before time.Time) (events int64, err error) {
	parts, err := s.parts(ctx)
	if err != nil {
		return 0, err
	}
	for day, name := range parts {
		if day.Add(aDay).After(before) {
			continue
		}
		count, err := s.count(ctx, `SELECT count(*) FROM `+name)
		if err != nil {
			return events, err
		}
		err = s.write(ctx, s.lists, func(w *writing) error {
			free, err := w.lockParts()
			if err != nil || !free {
				count = 0
				return err
			}
			return w.exec(`DROP TABLE IF EXISTS ` + name)
		})
		if err != nil {
			return events, fmt.Errorf("%s: %w", name, err)
		}
		events += int64(count)
	}
	return events, nil
}
