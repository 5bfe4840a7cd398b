package booking

import (
	"slices"
	"time"

	"linegate"
)

// page holds the newest sessions of one name, newest first, those that the batch
// began included.
type page []*Session

// holder returns the session that the event belongs to, or nil. Where several
// would take it, it is the one that began nearest to the event's own start: a
// replayed event of an ended session must not reach its successor.
func (p page) holder(event *linegate.AccountingEvent) *Session {
	var nearest *Session
	for _, session := range p {
		if session.Holds(event) && (nearest == nil || session.distance(event) < nearest.distance(event)) {
			nearest = session
		}
	}
	return nearest
}

func (s *Session) distance(event *linegate.AccountingEvent) time.Duration {
	if event.Class != "" && event.Class == s.Class {
		return 0
	}
	return event.StartedAt().Sub(s.StartedAt).Abs()
}

// begin adds a new session. A name means one open session at a time, the newest.
func (p page) begin(session *Session) page {
	for _, other := range slices.Backward(p) {
		if other.StartedAt.Before(session.StartedAt) {
			other.changed = other.changed || !other.Ended()
			other.Close(session.StartedAt, linegate.CauseLostCarrier)
		} else {
			session.Close(other.StartedAt, linegate.CauseLostCarrier)
		}
	}
	p = append(p, session)
	slices.SortStableFunc(p, func(a, b *Session) int { return b.StartedAt.Compare(a.StartedAt) })
	return p
}
