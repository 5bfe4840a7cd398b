package bookkeeper

import (
	"sync"
	"time"

	"linegate"
	"linegate/store"
)

// note is what is known of one subscriber since the last record.
type note struct {
	lastAt     time.Time
	lastResult linegate.Option82Result
	mismatches int64
}

// merge adds up two notes; the later check gives time and result, and of two at
// the same time other's.
func (n note) merge(other note) note {
	mismatches := n.mismatches + other.mismatches
	if !other.lastAt.Before(n.lastAt) {
		n = other
	}
	n.mismatches = mismatches
	return n
}

// shard holds the notes of a part of the subscribers.
type shard struct {
	mu    sync.Mutex
	notes map[string]note // keeps its memory from flush to flush
	_     [64]byte        // keeps neighbours off the cache line
}

// take moves all notes to the end of batch.
func (s *shard) take(batch []store.ValidationRecord) []store.ValidationRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, n := range s.notes {
		batch = append(batch, store.ValidationRecord{SubscriberID: id, LastAt: n.lastAt, LastResult: n.lastResult, Mismatches: n.mismatches})
	}
	clear(s.notes)
	return batch
}

// putBack takes up a record that could not be written. merged reports that the
// subscriber had a new note meanwhile.
func (s *shard) putBack(record store.ValidationRecord) (merged bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	older := note{lastAt: record.LastAt, lastResult: record.LastResult, mismatches: record.Mismatches}
	newer, merged := s.notes[record.SubscriberID]
	if merged {
		older = older.merge(newer)
	}
	s.notes[record.SubscriberID] = older
	return merged
}
