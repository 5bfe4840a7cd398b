package postgres

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"linegate"
	"linegate/store/booking"
	"linegate/store/column"
)

// RecordAccounting implements store.Engine. Whatever the size of the batch, it
// takes a handful of round trips.
func (s *Store) RecordAccounting(ctx context.Context, events []linegate.AccountingEvent) error {
	if len(events) == 0 {
		return nil
	}
	s.makePartsToday(ctx)
	err := s.known.Record(events, func(record func(booking.Engine) error) error {
		return s.repeatedly(ctx, s.accounting, func(w *writing) error {
			b := newBooks(w, events)
			if err := b.lock(events); err != nil {
				return err
			}
			return record(b)
		})
	})
	if err != nil {
		return fmt.Errorf("accounting: %w", err)
	}
	return nil
}

// CountAccounting implements store.Engine.
func (s *Store) CountAccounting(ctx context.Context) (count int, err error) {
	if count, err = s.count(ctx, `SELECT count(*) FROM accounting_events`); err != nil {
		return 0, fmt.Errorf("count of accounting: %w", err)
	}
	return count, nil
}

// books is the booking.Engine of one transaction.
type books struct {
	w *writing
	// Events that repeat one of the batch are looked for between these times.
	from, to int64
}

// repeatWindow is how far apart the times may lie that an event and its repetition
// tell. The time of an event that is replayed from a spool, or was sent with its
// Acct-Delay-Time, is the same each time; without one it is off by as long as the
// NAS retransmits, which is minutes, or with a long buffer hours. To look in all
// days ever kept would cost an index search for each of them.
const repeatWindow = 7 * 24 * time.Hour

func newBooks(w *writing, events []linegate.AccountingEvent) books {
	byTime := func(a, b linegate.AccountingEvent) int { return a.At.Compare(b.At) }
	first, last := slices.MinFunc(events, byTime).At, slices.MaxFunc(events, byTime).At
	return books{w: w, from: column.Micros(first.Add(-repeatWindow)), to: column.Micros(last.Add(repeatWindow))}
}

// buckets bounds how many locks of a kind there are, since PostgreSQL holds them in
// shared memory of a fixed size.
const buckets = 4096

// bucketOf is the same on every node.
func bucketOf(parts ...string) int32 {
	h := fnv.New32a()
	h.Write([]byte(strings.Join(parts, "\x00"))) // never fails
	return int32(h.Sum32() % buckets)
}

// lock waits until no other transaction, on any node, records for the NAS of the
// batch. It locks each NAS and not each session: of two batches with hundreds of
// sessions each some would always meet in a bucket, while a NAS has one server that
// it asks first. So it is only retransmissions to another that wait, and an On or
// Off meets no session half written. Locks are taken in order, so that two batches
// never wait for each other.
func (b books) lock(events []linegate.AccountingEvent) error {
	var nas []int32
	for i := range events {
		n := &events[i].NAS
		nas = append(nas, bucketOf(n.Tenant, n.Name, text(n.Address)))
	}
	slices.Sort(nas)
	return b.w.exec(`SELECT pg_advisory_xact_lock($1, bucket) FROM unnest($2::int4[]) AS bucket`, lockNAS, slices.Compact(nas))
}

const sessionsByName = `SELECT s.* FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS name (tenant, nas, nas_address, id), ` +
	`LATERAL (SELECT ` + sessionColumns + `, version FROM sessions WHERE sessions.tenant = name.tenant AND sessions.nas = name.nas ` +
	`AND sessions.nas_address = name.nas_address AND acct_session_id = name.id ORDER BY started_at DESC LIMIT $5) AS s ` +
	`ORDER BY started_at DESC, id DESC`

// Sessions implements booking.Engine.
func (b books) Sessions(names []booking.Name) (sessions []*booking.Stored, err error) {
	rows := make([][]any, len(names))
	for i, name := range names {
		rows[i] = []any{told(name.NAS.Tenant), told(name.NAS.Name), text(name.NAS.Address), told(name.AcctSessionID)}
	}
	_, arrays := unnest(rows)
	err = b.w.each(func(row scanner) error {
		session := new(booking.Stored)
		sessions = append(sessions, session)
		return row.Scan(append(sessionTargets(&session.Session), &session.Version)...)
	}, sessionsByName, append(arrays, booking.PageSize)...)
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	return sessions, nil
}

// recordedKeys looks each key up by itself, as subscribersByName does.
const recordedKeys = `SELECT e.record_key, e.at FROM unnest($1::bytea[]) AS asked (key), ` +
	`LATERAL (SELECT record_key, at FROM accounting_events WHERE record_key = asked.key AND at >= $2 AND at <= $3 OFFSET 0) AS e`

// Recorded implements booking.Engine. An event that is recorded with several times
// counts with any of them.
func (b books) Recorded(keys []booking.Key) (map[booking.Key]time.Time, error) {
	octets := make([][]byte, len(keys))
	for i := range keys {
		octets[i] = keys[i][:]
	}
	recorded := make(map[booking.Key]time.Time)
	err := b.w.each(func(row scanner) error {
		var key []byte
		var at time.Time
		err := row.Scan(&key, timeColumn{&at})
		if err == nil && len(key) == len(booking.Key{}) {
			recorded[booking.Key(key)] = at
		}
		return err
	}, recordedKeys, octets, b.from, b.to)
	return recorded, err
}

const (
	eventColumns = `record_key, session_id, tenant, nas, nas_address, status, at, received_at, acct_session_id, user_name, ` +
		`subscriber_id, class, session_time, input_octets, output_octets, input_packets, output_packets, terminate_cause, ` +
		`calling_station_id, nas_port_id, circuit_id, remote_id, ` +
		`framed_ipv4, framed_ipv6_address, framed_ipv6_prefix, delegated_ipv6_prefix, service_vlan, inner_vlan, interim_interval`
	closeAll = `UPDATE sessions SET stopped_at = $1, terminate_cause = $2, version = version + 1 ` +
		`WHERE tenant = $3 AND nas = $4 AND nas_address = $5 AND stopped_at = 0 AND started_at < $1`
	// releasePlaces drops the admissions of places that got a session. Rows are locked
	// in order, so that two batches never wait for each other.
	releasePlaces = `WITH taken AS (SELECT a.subscriber_id, a.place FROM admissions a ` +
		`JOIN unnest($1::text[], $2::text[]) AS t (subscriber_id, place) USING (subscriber_id, place) ` +
		`ORDER BY 1, 2 FOR UPDATE OF a) ` +
		`DELETE FROM admissions a USING taken WHERE a.subscriber_id = taken.subscriber_id AND a.place = taken.place`
)

// Write implements booking.Engine. Sessions come first, since events may be recorded
// already when a session is outdated. New rows are copied, which costs both sides a
// third less than an INSERT.
func (b books) Write(entries []booking.Entry, sessions []*booking.Session) error {
	var created, counted, changed, places [][]any
	for _, s := range sessions {
		switch {
		case !s.IsNew() && s.OnlyCounts():
			counted = append(counted, append(sessionCountsValues(&s.Session), s.Stored.Version+1, s.ID))
		case !s.IsNew():
			changed = append(changed, append(sessionChangingValues(&s.Session), s.Stored.Version+1, s.ID))
		default:
			created = append(created, sessionValues(&s.Session))
			if s.SubscriberID != "" {
				places = append(places, []any{told(s.SubscriberID), told(s.Place())})
			}
		}
	}
	if err := b.update(counted, changed, places); err != nil {
		return err
	}
	if err := b.w.copyIn("sessions", sessionColumns, len(created), func(i int) []any { return created[i] }); err != nil {
		return err
	}
	return b.w.copyIn("accounting_events", eventColumns, len(entries), func(i int) []any { return eventValues(&entries[i]) })
}

// update writes to the rows that are there: the counts of sessions, all that can change
// of others, and the admissions.
func (b books) update(counted, changed, places [][]any) error {
	var statements []statement
	if len(counted) > 0 {
		statements = append(statements, writeSessions(sessionCounts, counted))
	}
	if len(changed) > 0 {
		statements = append(statements, writeSessions(sessionChanging, changed))
	}
	sessions := len(statements)
	if len(places) > 0 {
		_, arrays := unnest(places)
		statements = append(statements, statement{releasePlaces, arrays})
	}
	rows, err := b.w.execAllCounted(statements)
	if err != nil {
		return err
	}
	outdated := int64(len(counted) + len(changed))
	for _, written := range rows[:sessions] {
		outdated -= written
	}
	if outdated > 0 {
		return booking.ErrOutdated
	}
	return nil
}

// eventValues are those of eventColumns.
func eventValues(entry *booking.Entry) []any {
	e := entry.Event
	return []any{
		entry.Key[:], entry.SessionID, told(e.NAS.Tenant), told(e.NAS.Name), text(e.NAS.Address), string(e.Status), column.Micros(e.At), column.Micros(e.ReceivedAt),
		told(e.AcctSessionID), told(e.UserName), told(e.SubscriberID), []byte(e.Class), int64(e.SessionTime),
		int64(e.InputOctets), int64(e.OutputOctets), int64(e.InputPackets), int64(e.OutputPackets), int64(e.TerminateCause),
		told(e.CallingStationID), told(e.NASPortID), []byte(e.Line.CircuitID), []byte(e.Line.RemoteID),
		text(e.FramedIPv4), text(e.FramedIPv6Address), text(e.FramedIPv6Prefix), text(e.DelegatedIPv6Prefix),
		int64(e.ServiceVLAN), int64(e.InnerVLAN), int64(e.InterimInterval),
	}
}

// CloseAll implements booking.Engine.
func (b books) CloseAll(nas linegate.NASKey, at time.Time) error {
	return b.w.exec(closeAll, column.Micros(at), int64(linegate.CauseNASReboot), told(nas.Tenant), told(nas.Name), text(nas.Address))
}
