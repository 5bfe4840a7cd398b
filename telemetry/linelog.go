package telemetry

import (
	"context"
	"hash/maphash"
	"log/slog"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"linegate"
)

// Limits on the events of line checks. A rotated log holds 60 MB: a flood of wrong
// lines that wrote them all would drive everything else out of it within seconds.
const (
	lineLogInterval = time.Minute
	lineLogBurst    = 10_000  // events at once
	lineLogRate     = 300     // events a second from then on
	lineLogSubjects = 1 << 16 // told apart; of two that share a slot the newer displaces the other
)

// LineLog writes the events of line checks that need somebody's attention:
// option82_validation, option82_mismatch, line_moved and line_shared. Of a
// subscriber who asks again from the same line with the same outcome it writes once
// a minute, with the number of requests in between, and of all subscribers together
// no more than the limits above. What gets no line is counted as
// radius_option82_events_suppressed_total. Safe for concurrent use.
type LineLog struct {
	logger   *slog.Logger
	metrics  *Metrics
	every    atomic.Bool
	budget   *rate.Limiter
	seed     maphash.Seed
	subjects []lineSubject
}

// lineSubject is when a subscriber on a line was last told of.
type lineSubject struct {
	mu       sync.Mutex
	hash     uint64
	next     time.Time // when the next line is due
	repeated int       // requests since the last line
}

// NewLineLog returns a LineLog that counts in metrics what it does not write.
func NewLineLog(logger *slog.Logger, metrics *Metrics) *LineLog {
	return &LineLog{logger: logger, metrics: metrics, budget: rate.NewLimiter(lineLogRate, lineLogBurst),
		seed: maphash.MakeSeed(), subjects: make([]lineSubject, lineLogSubjects)}
}

// Every makes all checks an event, matches too, without any limit.
func (l *LineLog) Every(on bool) { l.every.Store(on) }

// Decided writes the events of a decision, or counts them.
func (l *LineLog) Decided(ctx context.Context, request *linegate.Request, decision *linegate.Decision, now time.Time) {
	logger := l.logger
	if !l.every.Load() {
		if !noteworthy(decision) {
			return
		}
		repeated, due := l.admit(request, decision, now)
		if !due {
			l.metrics.lineEventsSuppressed.Inc()
			return
		}
		if repeated > 0 {
			logger = logger.With("repeated", repeated)
		}
	}
	switch {
	case decision.LineOwner != nil:
		lineMoved(ctx, logger, request, decision)
	case decision.OnSharedLine():
		lineShared(ctx, logger, request, decision)
	}
	option82Validation(ctx, logger, request, decision)
}

func noteworthy(decision *linegate.Decision) bool {
	switch decision.Option82.Result {
	case "", linegate.Option82Match, linegate.Option82Ignored:
		return decision.LineOwner != nil || decision.OnSharedLine()
	}
	return true
}

// admit reports whether a line is due, and how many requests it stands for beside
// its own.
func (l *LineLog) admit(request *linegate.Request, decision *linegate.Decision, now time.Time) (repeated int, due bool) {
	hash := l.hash(request, decision)
	subject := &l.subjects[hash%lineLogSubjects]
	subject.mu.Lock()
	defer subject.mu.Unlock()
	if subject.hash == hash && now.Before(subject.next) {
		subject.repeated++
		return 0, false
	}
	if !l.budget.AllowN(now, 1) {
		return 0, false
	}
	if subject.hash == hash {
		repeated = subject.repeated
	}
	subject.hash, subject.next, subject.repeated = hash, now.Add(lineLogInterval), 0
	return repeated, true
}

// hash tells apart who came from where with what outcome.
func (l *LineLog) hash(request *linegate.Request, decision *linegate.Decision) uint64 {
	hash := maphash.String(l.seed, request.NAS.Tenant)
	if decision.Subscriber != nil {
		hash = maphash.String(l.seed, decision.Subscriber.ID)
	}
	for _, part := range [...]uint64{
		maphash.Bytes(l.seed, request.Line.CircuitID), maphash.Bytes(l.seed, request.Line.RemoteID),
		maphash.String(l.seed, string(decision.Reason)), maphash.String(l.seed, string(decision.Option82.Result)),
	} {
		hash = bits.RotateLeft64(hash, 7) ^ part
	}
	return hash
}
