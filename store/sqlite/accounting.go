package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"linegate"
	"linegate/store/booking"
	"linegate/store/column"
)

// RecordAccounting implements store.Engine.
func (s *Store) RecordAccounting(ctx context.Context, events []linegate.AccountingEvent) error {
	err := s.known.Record(events, func(record func(booking.Engine) error) error {
		return s.write(ctx, func(w *writing) error { return record(books{w}) })
	})
	if err != nil {
		return fmt.Errorf("accounting: %w", err)
	}
	return nil
}

// CountAccounting implements store.Engine.
func (s *Store) CountAccounting(ctx context.Context) (count int, err error) {
	if err := s.lists.row(ctx, `SELECT count(*) FROM accounting_events`, into(&count)); err != nil {
		return 0, fmt.Errorf("count of accounting: %w", err)
	}
	return count, nil
}

// books is the booking.Engine of one transaction; SQLite has one at a time.
type books struct{ w *writing }

// sessionsByName has its limit written out: SQLite would prepare it anew with each
// value that is bound there.
var sessionsByName = `SELECT ` + sessionColumns + `, version FROM sessions WHERE tenant = ? AND nas = ? AND nas_address = ? AND acct_session_id = ? ` +
	`ORDER BY started_at DESC LIMIT ` + strconv.Itoa(booking.PageSize)

// What nearly every batch needs.
var (
	insertEvent   = insertInto("accounting_events", eventColumns)
	insertSession = insertInto("sessions", sessionColumns)
	countSession  = writeSession(sessionCounts)
	endSession    = writeSession(sessionCounts + `, ` + sessionEnd)
	updateSession = writeSession(sessionChanging)
)

const recordedAt = `SELECT at FROM accounting_events WHERE record_key = ?`

// Sessions implements booking.Engine.
func (b books) Sessions(names []booking.Name) (sessions []*booking.Stored, err error) {
	for _, name := range names {
		err := b.w.rows(sessionsByName, func(row scanner) error {
			session := new(booking.Stored)
			sessions = append(sessions, session)
			return row.Scan(append(sessionTargets(&session.Session), &session.Version)...)
		}, name.NAS.Tenant, name.NAS.Name, column.Text(name.NAS.Address), name.AcctSessionID)
		if err != nil {
			return nil, fmt.Errorf("sessions of %q: %w", name.AcctSessionID, err)
		}
	}
	return sessions, nil
}

// Recorded implements booking.Engine.
func (b books) Recorded(keys []booking.Key) (map[booking.Key]time.Time, error) {
	recorded := make(map[booking.Key]time.Time)
	for _, key := range keys {
		var at time.Time
		switch err := b.w.row(recordedAt, into(column.ReadMicros(&at)), key[:]); {
		case err == nil:
			recorded[key] = at
		case !errors.Is(err, linegate.ErrNotFound):
			return nil, err
		}
	}
	return recorded, nil
}

const (
	eventColumns = `record_key, session_id, tenant, nas, nas_address, status, at, received_at, acct_session_id, user_name, ` +
		`subscriber_id, class, session_time, input_octets, output_octets, input_packets, output_packets, terminate_cause, ` +
		`calling_station_id, nas_port_id, circuit_id, remote_id, ` +
		`framed_ipv4, framed_ipv6_address, framed_ipv6_prefix, delegated_ipv6_prefix, service_vlan, inner_vlan, interim_interval`
	closeAll = `UPDATE sessions SET stopped_at = ?, terminate_cause = ?, version = version + 1 ` +
		`WHERE tenant = ? AND nas = ? AND nas_address = ? AND stopped_at = 0 AND started_at < ?`
)

// Write implements booking.Engine. Sessions come first, since events may be recorded
// already when a session is outdated.
func (b books) Write(entries []booking.Entry, sessions []*booking.Session) error {
	for _, session := range sessions {
		if err := b.put(session); err != nil {
			return fmt.Errorf("session %s: %w", session.ID, err)
		}
	}
	for i := range entries {
		if err := b.w.exec(insertEvent, eventValues(&entries[i])...); err != nil {
			return fmt.Errorf("event of session %s: %w", entries[i].SessionID, err)
		}
	}
	return nil
}

// eventValues are those of eventColumns.
func eventValues(entry *booking.Entry) []any {
	e := entry.Event
	return []any{
		entry.Key[:], entry.SessionID, e.NAS.Tenant, e.NAS.Name, column.Text(e.NAS.Address), string(e.Status), column.Micros(e.At), column.Micros(e.ReceivedAt),
		e.AcctSessionID, e.UserName, e.SubscriberID, []byte(e.Class), int64(e.SessionTime),
		int64(e.InputOctets), int64(e.OutputOctets), int64(e.InputPackets), int64(e.OutputPackets), int64(e.TerminateCause),
		e.CallingStationID, e.NASPortID, []byte(e.Line.CircuitID), []byte(e.Line.RemoteID),
		column.Text(e.FramedIPv4), column.Text(e.FramedIPv6Address), column.Text(e.FramedIPv6Prefix), column.Text(e.DelegatedIPv6Prefix),
		int64(e.ServiceVLAN), int64(e.InnerVLAN), int64(e.InterimInterval),
	}
}

// CloseAll implements booking.Engine.
func (b books) CloseAll(nas linegate.NASKey, at time.Time) error {
	return b.w.exec(closeAll, column.Micros(at), linegate.CauseNASReboot, nas.Tenant, nas.Name, column.Text(nas.Address), column.Micros(at))
}

func (b books) put(s *booking.Session) error {
	if s.IsNew() {
		return b.insert(s)
	}
	query, values := b.update(s)
	written, err := b.w.execCounted(query, append(values, s.Stored.Version+1, s.ID, s.Stored.Version)...)
	if err == nil && written == 0 {
		err = booking.ErrOutdated
	}
	return err
}

func (b books) insert(s *booking.Session) error {
	if s.SubscriberID != "" {
		if err := b.w.exec(releasePlace, s.SubscriberID, s.Place()); err != nil {
			return err
		}
	}
	return b.w.exec(insertSession, slices.Concat(sessionCountsValues(&s.Session), sessionEndValues(&s.Session), sessionToldValues(&s.Session), sessionNamedValues(&s.Session))...)
}

// update is the narrowest statement that writes what changed, and its values.
func (b books) update(s *booking.Session) (query string, values []any) {
	counts, end := sessionCountsValues(&s.Session), sessionEndValues(&s.Session)
	switch {
	case !s.OnlyCounts():
		return updateSession, slices.Concat(counts, end, sessionToldValues(&s.Session))
	case s.StoppedAt.Equal(s.Stored.StoppedAt) && s.TerminateCause == s.Stored.TerminateCause:
		return countSession, counts
	}
	return endSession, append(counts, end...)
}
