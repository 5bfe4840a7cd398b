package coa

import (
	"math/rand/v2"
	"time"
)

// Retry is when a request is sent again, in the terms of RFC 5080 section 2.2.1.
// A zero field takes the value of DefaultRetry.
type Retry struct {
	Initial time.Duration // IRT: from the first transmission to the second
	Longest time.Duration // MRT: the longest time between two
	Count   int           // MRC: transmissions in all
	Overall time.Duration // MRD: from the first transmission to giving up
}

// DefaultRetry returns the values of RFC 5080 section 2.2.1.
func DefaultRetry() Retry {
	return Retry{Initial: 2 * time.Second, Longest: 16 * time.Second, Count: 5, Overall: 30 * time.Second}
}

// orDefault fills the zero fields.
func (r Retry) orDefault() Retry {
	standard := DefaultRetry()
	if r.Initial <= 0 {
		r.Initial = standard.Initial
	}
	if r.Longest <= 0 {
		r.Longest = standard.Longest
	}
	if r.Count <= 0 {
		r.Count = standard.Count
	}
	if r.Overall <= 0 {
		r.Overall = standard.Overall
	}
	return r
}

// first returns how long to wait after the first transmission: IRT + RAND*IRT.
func (r Retry) first() time.Duration { return jittered(r.Initial) }

// after returns how long to wait after having waited before: 2*RT + RAND*RT, and
// about MRT when that is longer.
func (r Retry) after(before time.Duration) time.Duration {
	if next := before + jittered(before); next <= r.Longest {
		return next
	}
	return jittered(r.Longest)
}

// jittered adds RAND, which is between -0.1 and 0.1, of a time to it.
func jittered(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()*0.2-0.1)*float64(d))
}
