package linegate

import "time"

// Admission asks for one more session of a subscriber whose profile limits them.
//
// What counts are places: an open session or a held admission counts once for
// each CPE, named by Place. The asker's own place never counts, since a CPE that
// comes back replaces its session, also one whose Stop was lost. When two ask at
// the same time, on whatever nodes, the one whose transaction commits first is
// admitted, and the other sees it.
type Admission struct {
	SubscriberID string
	Place        string    // see PlaceOf
	Limit        uint16    // places at a time, 1 or more
	At           time.Time // now
	// Hold is how long the place counts without a session; a Start of the place ends
	// that earlier. 0 only asks: nothing is held.
	Hold time.Duration
}

// PlaceOf names the CPE that a session is at: its Calling-Station-Id (a MAC in
// one notation), else its circuit-id, else the port of the NAS. Empty: unknown,
// which is a place like any other.
func PlaceOf(callingStationID string, circuitID Octets, nasPortID string) string {
	switch {
	case callingStationID != "":
		return "station " + ComparableUsername(callingStationID)
	case circuitID != "":
		return "circuit " + circuitID.String()
	case nasPortID != "":
		return "port " + nasPortID
	}
	return ""
}

// Place names the CPE that the session is at.
func (s *Session) Place() string { return PlaceOf(s.CallingStationID, s.CircuitID, s.NASPortID) }
