package bookkeeper

import (
	"slices"
	"sync/atomic"
	"time"

	"linegate"
)

const (
	// noteFresh is how long after a check one with the same result says nothing new.
	noteFresh = 10 * time.Second
	// recentSets of recentWays marks are remembered, 2 MiB.
	recentSets = 1 << 16
	recentWays = 4
)

// recent remembers the last noted check of subscribers, as far as there is room: of
// those that meet in a set the newest. It is safe for concurrent use; one of two marks
// set at once may be lost, which costs a note.
type recent [][recentWays]atomic.Uint64

func newRecent() recent { return make(recent, recentSets) }

// mark is a check in one word: 32 bits tell the subscriber from others of its set, 3
// the result, and 29 the second.
type mark uint64

const (
	resultBits = 3
	secondBits = 29
)

var results = linegate.Option82Results()

func markOf(hash uint64, at time.Time, result linegate.Option82Result) mark {
	const most = 1<<resultBits - 1
	number := uint64(slices.Index(results, result)) & most
	return mark(hash>>32<<32 | number<<secondBits | uint64(at.Unix())&(1<<secondBits-1))
}

func (m mark) sameSubscriber(other mark) bool { return m>>32 == other>>32 }

// after is how many seconds m was made after another; much, when it was before.
func (m mark) after(other mark) uint64 { return uint64(m-other) & (1<<secondBits - 1) }

// repeats reports whether m says the same as a mark of a moment before.
func (m mark) repeats(earlier mark) bool {
	return m>>secondBits == earlier>>secondBits && m.after(earlier) < uint64(noteFresh/time.Second)
}

// holds reports whether the check repeats one that is remembered.
func (r recent) holds(hash uint64, m mark) bool {
	set := &r[hash%recentSets]
	for way := range set {
		if m.repeats(mark(set[way].Load())) {
			return true
		}
	}
	return false
}

// remember puts the mark in the place of the subscriber's last, or of the oldest.
func (r recent) remember(hash uint64, m mark) {
	set := &r[hash%recentSets]
	oldest, age := 0, uint64(0)
	for way := range set {
		held := mark(set[way].Load())
		if m.sameSubscriber(held) {
			oldest = way
			break
		}
		if after := m.after(held); after >= age {
			oldest, age = way, after
		}
	}
	set[oldest].Store(uint64(m))
}
