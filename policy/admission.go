package policy

import (
	"time"

	"linegate"
)

// NeedsAdmission reports whether an accept depends on how many sessions the
// subscriber has already, so that the store has to be asked. A request that is
// rejected anyway must not be asked for: it would hold a place.
func NeedsAdmission(decision *linegate.Decision) bool {
	return decision.Accept && maxSessions(decision.Subscriber) > 0
}

// Admission is what to ask the store for a request of a subscriber with a limit.
func Admission(request *linegate.Request, subscriber *linegate.Subscriber, at time.Time, hold time.Duration) linegate.Admission {
	return linegate.Admission{
		SubscriberID: subscriber.ID,
		Place:        linegate.PlaceOf(string(request.CallingStationID), linegate.Octets(request.Line.CircuitID), string(request.NASPortID)),
		Limit:        maxSessions(subscriber),
		At:           at,
		Hold:         hold,
	}
}

// overLimit rejects whom the store has no room for. Where it was not asked,
// because it could not be, a known subscriber gets online.
func overLimit(facts linegate.Facts) linegate.Reason {
	if facts.Admission == linegate.AdmissionFull {
		return linegate.ReasonSessionLimit
	}
	return ""
}

func maxSessions(subscriber *linegate.Subscriber) uint16 {
	if subscriber.Profile == nil {
		return 0
	}
	return subscriber.Profile.MaxSessions
}
