package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"linegate"
	"linegate/store"
)

// RecordAccounting implements store.Engine.
func (s *Store) RecordAccounting(ctx context.Context, events []linegate.AccountingEvent) error {
	err := s.write(ctx, func(w *writing) error {
		b := book{w: w, pages: make(map[sessionName]page)}
		for i := range events {
			if err := b.record(&events[i]); err != nil {
				return err
			}
		}
		return b.putBack()
	})
	if err != nil {
		return fmt.Errorf("accounting: %w", err)
	}
	return nil
}

// CountAccounting implements store.Engine.
func (s *Store) CountAccounting(ctx context.Context) (count int, err error) {
	if err := s.lists.QueryRowContext(ctx, `SELECT count(*) FROM accounting_events`).Scan(&count); err != nil {
		return 0, fmt.Errorf("count of accounting: %w", fail(err))
	}
	return count, nil
}

// book is one batch on its way into the database: the sessions its events are
// about are read once, changed in memory, and written back at the end.
type book struct {
	w     *writing
	pages map[sessionName]page
	read  []*booking // all sessions of the pages, in order of appearance
}

// sessionName is what a NAS calls a session; after a reboot it may mean another.
type sessionName struct {
	nas           linegate.NASKey
	acctSessionID string
}

// page holds the newest sessions of one name, newest first.
type page []*booking

// pageSize bounds how far back an event finds its session when a NAS uses one id
// over and over.
const pageSize = 16

// booking is a session and how far the database knows it.
type booking struct {
	linegate.Session
	stored  linegate.Session // zero: not at all
	changed bool
}

// record makes room for the event, finds or begins its session, and counts it
// unless it was recorded before.
func (b *book) record(event *linegate.AccountingEvent) error {
	if event.EndsAll() {
		return b.endAll(event)
	}
	name := sessionName{event.NAS, event.AcctSessionID}
	sessions, err := b.page(name)
	if err != nil {
		return err
	}
	session := sessions.holder(event)
	if session != nil {
		isNew, err := b.write(event, session.ID)
		if isNew {
			session.Apply(event)
			session.changed = true
		}
		return err
	}
	if repeated, err := b.repeats(event, sessions); err != nil || repeated {
		return err
	}
	session = &booking{Session: *linegate.NewSession(store.NewID(), event), changed: true}
	b.pages[name] = sessions.begin(session)
	b.read = append(b.read, session)
	_, err = b.write(event, session.ID)
	return err
}

// page returns the sessions of one name, those of earlier events of the batch
// included.
func (b *book) page(name sessionName) (page, error) {
	if sessions, read := b.pages[name]; read {
		return sessions, nil
	}
	var sessions page
	err := b.w.rows(sessionsByName, func(row scanner) error {
		session, err := scanSession(row)
		if err == nil {
			sessions = append(sessions, &booking{Session: *session, stored: *session})
		}
		return err
	}, name.nas.Tenant, name.nas.Name, text(name.nas.Address), name.acctSessionID, pageSize)
	if err != nil {
		return nil, err
	}
	b.pages[name] = sessions
	b.read = append(b.read, sessions...)
	return sessions, nil
}

const sessionsByName = selectSession + `WHERE tenant = ? AND nas = ? AND nas_address = ? AND acct_session_id = ? ` +
	`ORDER BY started_at DESC LIMIT ?`

// holder returns the session that the event belongs to, or nil. Where several
// would take it, it is the one that began nearest to the event's own start: a
// replayed event of an ended session must not reach its successor.
func (p page) holder(event *linegate.AccountingEvent) *booking {
	var nearest *booking
	for _, session := range p {
		if session.Holds(event) && (nearest == nil || session.distance(event) < nearest.distance(event)) {
			nearest = session
		}
	}
	return nearest
}

func (s *booking) distance(event *linegate.AccountingEvent) time.Duration {
	if event.Class != "" && event.Class == s.Class {
		return 0
	}
	return event.StartedAt().Sub(s.StartedAt).Abs()
}

// begin adds a new session. A name means one open session at a time, the newest.
func (p page) begin(session *booking) page {
	for _, other := range slices.Backward(p) {
		if other.StartedAt.Before(session.StartedAt) {
			other.changed = other.changed || !other.Ended()
			other.Close(session.StartedAt, linegate.CauseLostCarrier)
		} else {
			session.Close(other.StartedAt, linegate.CauseLostCarrier)
		}
	}
	p = append(p, session)
	slices.SortStableFunc(p, func(a, b *booking) int { return b.StartedAt.Compare(a.StartedAt) })
	return p
}

const (
	eventColumns = `record_key, session_id, tenant, nas, nas_address, status, at, received_at, acct_session_id, user_name, ` +
		`subscriber_id, class, session_time, input_octets, output_octets, input_packets, output_packets, terminate_cause, ` +
		`calling_station_id, nas_port_id, circuit_id, remote_id, ` +
		`framed_ipv4, framed_ipv6_address, framed_ipv6_prefix, delegated_ipv6_prefix, service_vlan, inner_vlan, interim_interval`
	closeAll = `UPDATE sessions SET stopped_at = ?, terminate_cause = ? ` +
		`WHERE tenant = ? AND nas = ? AND nas_address = ? AND stopped_at = 0 AND started_at < ?`
)

// write keeps the event as it came; isNew is false when it is there already.
func (b *book) write(e *linegate.AccountingEvent, sessionID string) (isNew bool, err error) {
	key := e.RecordKey(sessionID)
	rows, err := b.w.execCounted(insertInto("accounting_events", eventColumns)+` ON CONFLICT (record_key) DO NOTHING`,
		key[:], sessionID, e.NAS.Tenant, e.NAS.Name, text(e.NAS.Address), string(e.Status), micros(e.At), micros(e.ReceivedAt),
		e.AcctSessionID, e.UserName, e.SubscriberID, []byte(e.Class), int64(e.SessionTime),
		int64(e.InputOctets), int64(e.OutputOctets), int64(e.InputPackets), int64(e.OutputPackets), int64(e.TerminateCause),
		e.CallingStationID, e.NASPortID, []byte(e.Line.CircuitID), []byte(e.Line.RemoteID),
		text(e.FramedIPv4), text(e.FramedIPv6Address), text(e.FramedIPv6Prefix), text(e.DelegatedIPv6Prefix),
		int64(e.ServiceVLAN), int64(e.InnerVLAN), int64(e.InterimInterval))
	return rows == 1, err
}

// startRepeats is how far apart two Starts that say the same may have happened
// and still be one: Acct-Delay-Time counts whole seconds.
const startRepeats = 2 * time.Second

// repeats reports whether an event that no session holds was nevertheless
// recorded before, for one of the sessions of its name: its time may have been
// told differently. An Interim or Stop that repeats every counter tells nothing
// new; Starts all look alike, so they must have happened at the same time too.
func (b *book) repeats(event *linegate.AccountingEvent, sessions page) (bool, error) {
	for _, session := range sessions {
		key := event.RecordKey(session.ID)
		var at time.Time
		err := b.w.row(`SELECT at FROM accounting_events WHERE record_key = ?`,
			func(row scanner) error { return row.Scan(timeColumn{&at}) }, key[:])
		if errors.Is(err, linegate.ErrNotFound) {
			continue
		}
		if err != nil || event.Status != linegate.AcctStart || event.At.Sub(at).Abs() <= startRepeats {
			return true, err
		}
	}
	return false, nil
}

// endAll closes what was open on a NAS that went down or came up.
func (b *book) endAll(event *linegate.AccountingEvent) error {
	if err := b.putBack(); err != nil {
		return err
	}
	isNew, err := b.write(event, "")
	if err != nil || !isNew {
		return err
	}
	at := micros(event.At)
	return b.w.exec(closeAll, at, linegate.CauseNASReboot, event.NAS.Tenant, event.NAS.Name, text(event.NAS.Address), at)
}

// putBack writes the sessions that changed and forgets them all.
func (b *book) putBack() error {
	for _, session := range b.read {
		if !session.changed {
			continue
		}
		if err := b.put(session); err != nil {
			return fmt.Errorf("session %s: %w", session.ID, err)
		}
	}
	clear(b.pages)
	b.read = nil
	return nil
}

func (b *book) put(s *booking) error {
	values := sessionCountedValues(&s.Session)
	switch {
	case s.stored.ID == "":
		if err := b.w.exec(releasePlace, s.SubscriberID, s.Place()); err != nil {
			return err
		}
		values = slices.Concat(values, sessionIndexedValues(&s.Session), sessionNamedValues(&s.Session))
		return b.w.exec(insertInto("sessions", sessionColumns), values...)
	case s.StartedAt.Equal(s.stored.StartedAt) && s.StoppedAt.Equal(s.stored.StoppedAt) &&
		s.UserName == s.stored.UserName && s.ServiceVLAN == s.stored.ServiceVLAN:
		return b.w.exec(updateByID("sessions", sessionCounted), append(values, s.ID)...)
	}
	values = slices.Concat(values, sessionIndexedValues(&s.Session), []any{s.ID})
	return b.w.exec(updateByID("sessions", sessionCounted+`, `+sessionIndexed), values...)
}
