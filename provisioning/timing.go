package provisioning

import "time"

// Timing says how long things may take. The zero value of a field stands for its
// default.
type Timing struct {
	Attempts int                      // of a step before it waits for a decision; 4
	Pause    time.Duration            // between the first two attempts, doubled after each; 1 s
	Patience time.Duration            // until a step that waits is tried again by itself; 1 min, doubled up to 1 h
	Limits   map[system]time.Duration // of one attempt, by system
	Poll     time.Duration            // of the queue of orders; 500 ms

	CPEPoll   time.Duration // between two looks at a CPE that is waited for; 1 min
	CPEExpiry time.Duration // how long an offline CPE is waited for where the order says nothing; 7 days
	// Quarantine is how long released addresses are kept back where the order says
	// nothing; 0: they are free at once.
	Quarantine time.Duration
}

// limits are the defaults. NetBox serialises allocations and gives up after 120 s;
// an ONU is watched for 30 s and its flows take up to 40 s to be deleted; a CPE is
// asked in a session of up to 120 s.
func defaultLimits() map[system]time.Duration {
	return map[system]time.Duration{
		inStore: 30 * time.Second, inNetBox: 140 * time.Second, inONU: 3 * time.Minute,
		inCPE: 5 * time.Minute, inSessions: 2 * time.Minute,
	}
}

func (t Timing) orDefault() Timing {
	orElse(&t.Attempts, 4)
	orElse(&t.Pause, time.Second)
	orElse(&t.Patience, time.Minute)
	orElse(&t.Poll, 500*time.Millisecond)
	orElse(&t.CPEPoll, time.Minute)
	orElse(&t.CPEExpiry, 7*24*time.Hour)
	if t.Limits == nil {
		t.Limits = defaultLimits()
	}
	return t
}

func orElse[T int | time.Duration](field *T, fallback T) {
	if *field == 0 {
		*field = fallback
	}
}

func (t Timing) limit(in system) time.Duration {
	if limit, set := t.Limits[in]; set {
		return limit
	}
	return defaultLimits()[in]
}
