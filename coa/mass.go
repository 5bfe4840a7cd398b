package coa

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"linegate"
)

// Changer carries out one change. *Sender is one.
type Changer interface {
	Apply(ctx context.Context, order Order) (linegate.ChangeOutcome, error)
	// Window returns how many changes of a NAS go on at a time.
	Window(nas linegate.NASKey) int
}

// Journal keeps what became of the changes of a Mass, so that another run can go
// on where this one stopped.
type Journal interface {
	Record(ctx context.Context, done []linegate.ChangeRecord) error
}

// Mass makes changes of many sessions. The zero value of each option has the
// default named.
type Mass struct {
	Changer Changer
	Journal Journal // nil: nothing is kept
	// Rate is how many changes begin in a second, over all NAS; 0: as many as the
	// windows of the NAS let through.
	Rate float64
	// Rounds is how often a change that a NAS can't make now is asked for, with
	// Pause between; 3 and 10 s.
	Rounds int
	Pause  time.Duration
	// Grace is how long what is under way may still be answered when ctx ends; 5 s.
	Grace time.Duration
	// Progress is told of every finished change, one at a time; nil: nobody is.
	Progress func(order Order, outcome linegate.ChangeOutcome)
}

// Tally is what became of all the changes. Every one is in exactly one of the
// results, or left.
type Tally struct {
	Total        int
	Results      map[linegate.ChangeResult]int
	Causes       map[linegate.ErrorCause]int // of those that were refused
	Disconnected int                         // done by disconnecting instead; in Results, too
	// Left are those that were not asked for, or of which nothing is known: the run
	// was ended, the NAS has no entry or does not answer at all.
	Left int
	// Problems are why changes were left, each once, at most mostProblems.
	Problems []string
}

const mostProblems = 20

// silenceWindows is how many changes of a NAS in a row, in windows of that NAS, may go
// unanswered before the rest of that NAS is left for another run.
const silenceWindows = 2

// defaults of Mass, and how the journal is written.
const (
	defaultRounds = 3
	defaultPause  = 10 * time.Second
	defaultGrace  = 5 * time.Second
	journalBatch  = 256
	journalEvery  = 200 * time.Millisecond
)

// Run makes all changes and returns what became of them. Changes of different NAS
// don't wait for one another. When ctx ends, nothing new begins; what is under way
// is waited for as long as Grace. An error tells that the journal can't be kept:
// then the run ends, since a later one could not know what was done.
func (m *Mass) Run(ctx context.Context, orders []Order) (Tally, error) {
	r := newMassRun(ctx, m, len(orders))
	for round := 1; len(orders) > 0; round++ {
		r.round(orders)
		refused := r.takeRefused()
		orders = nil
		again := len(refused) > 0 && round < r.rounds && r.pause()
		for _, late := range refused {
			if again {
				orders = append(orders, late.Order)
			} else {
				r.count(late.Order, late.outcome)
			}
		}
	}
	return r.end()
}

// massRun is one run under way.
type massRun struct {
	*Mass
	starting context.Context // nothing new begins when it ends
	stop     context.CancelCauseFunc
	working  context.Context // what is under way ends with it
	release  func()
	limiter  *rate.Limiter
	rounds   int
	again    time.Duration // between the rounds

	records chan linegate.ChangeRecord
	kept    chan error // of the journal, when it has ended

	mu       sync.Mutex
	tally    Tally
	problems map[string]bool
	retry    []retried // refused for now
}

// retried is an order to be given again, and what it came to so far.
type retried struct {
	Order
	outcome linegate.ChangeOutcome
}

func newMassRun(ctx context.Context, m *Mass, total int) *massRun {
	r := &massRun{Mass: m, rounds: cmp.Or(m.Rounds, defaultRounds), again: cmp.Or(m.Pause, defaultPause), problems: map[string]bool{},
		records: make(chan linegate.ChangeRecord, journalBatch), kept: make(chan error, 1),
		tally: Tally{Total: total, Results: map[linegate.ChangeResult]int{}, Causes: map[linegate.ErrorCause]int{}}}
	limit := rate.Inf
	if m.Rate > 0 {
		limit = rate.Limit(m.Rate)
	}
	r.limiter = rate.NewLimiter(limit, 1)
	r.starting, r.stop = context.WithCancelCause(ctx)
	var end context.CancelFunc
	r.working, end = context.WithCancel(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(r.starting, func() { r.grace(cmp.Or(m.Grace, defaultGrace), end) })
	r.release = func() { unhook(); end(); r.stop(nil) }
	go func() { r.kept <- r.keep() }() // end waits for it
	return r
}

// grace ends what is under way after a time, unless it has ended by itself.
func (r *massRun) grace(after time.Duration, end context.CancelFunc) {
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case <-timer.C:
		end()
	case <-r.working.Done():
	}
}

// round gives each order once, the NAS beside one another.
func (r *massRun) round(orders []Order) {
	byNAS := map[linegate.NASKey][]Order{}
	for _, order := range orders {
		byNAS[order.Session.NAS] = append(byNAS[order.Session.NAS], order)
	}
	var all sync.WaitGroup
	for nas, orders := range byNAS {
		queue := &massQueue{run: r, nas: nas, orders: orders, window: max(1, r.Changer.Window(nas))}
		for range min(queue.window, len(orders)) {
			all.Go(queue.work)
		}
	}
	all.Wait()
}

// massQueue is what is to be done on one NAS.
type massQueue struct {
	run    *massRun
	nas    linegate.NASKey
	window int

	mu     sync.Mutex
	orders []Order
	silent int // unanswered in a row
}

// work takes one order after the other until none is left.
func (q *massQueue) work() {
	for {
		order, ok := q.take()
		if !ok {
			return
		}
		if err := q.run.limiter.Wait(q.run.starting); err != nil {
			q.run.leave(1, "the run was ended")
			continue
		}
		outcome, err := q.run.Changer.Apply(q.run.working, order)
		q.heard(outcome, err)
		q.run.finished(order, outcome, err)
	}
}

// take returns the next order. What is left of a NAS that says nothing, or when
// the run is ended, is passed over.
func (q *massQueue) take() (Order, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	why := ""
	switch {
	case len(q.orders) == 0:
		return Order{}, false
	case q.run.starting.Err() != nil:
		why = "the run was ended"
	case q.silent >= silenceWindows*q.window:
		why = fmt.Sprintf("nas %s (%s) did not answer %d times in a row", q.nas.Name, q.nas.Address, q.silent)
	}
	if why != "" {
		q.run.leave(len(q.orders), why)
		q.orders = nil
		return Order{}, false
	}
	order := q.orders[0]
	q.orders = q.orders[1:]
	return order, true
}

func (q *massQueue) heard(outcome linegate.ChangeOutcome, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err == nil && outcome.Result == linegate.ChangeTimeout {
		q.silent++
	} else {
		q.silent = 0
	}
}

// finished counts an outcome and keeps it, or puts the order by for another round.
func (r *massRun) finished(order Order, outcome linegate.ChangeOutcome, err error) {
	if err != nil {
		if r.working.Err() != nil { // cut short: it may have happened
			r.record(order, linegate.ChangeOutcome{Result: linegate.ChangeTimeout})
		}
		r.leave(1, err.Error())
		return
	}
	if outcome.Result == linegate.ChangeRefused && outcome.Cause.Temporary() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.retry = append(r.retry, retried{order, outcome})
		return
	}
	r.count(order, outcome)
}

func (r *massRun) count(order Order, outcome linegate.ChangeOutcome) {
	r.record(order, outcome)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tally.Results[outcome.Result]++
	if outcome.Result == linegate.ChangeRefused {
		r.tally.Causes[outcome.Cause]++
	}
	if outcome.Disconnected {
		r.tally.Disconnected++
	}
	if r.Progress != nil {
		r.Progress(order, outcome)
	}
}

func (r *massRun) leave(count int, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tally.Left += count
	if !r.problems[why] && len(r.problems) < mostProblems {
		r.problems[why] = true
		r.tally.Problems = append(r.tally.Problems, why)
	}
}

// takeRefused returns what was refused for now.
func (r *massRun) takeRefused() []retried {
	r.mu.Lock()
	defer r.mu.Unlock()
	refused := r.retry
	r.retry = nil
	return refused
}

// pause waits between two rounds; false when the run was ended.
func (r *massRun) pause() bool {
	timer := time.NewTimer(r.again)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.starting.Done():
		return false
	}
}

func (r *massRun) record(order Order, outcome linegate.ChangeOutcome) {
	if r.Journal == nil {
		return
	}
	r.records <- linegate.ChangeRecord{SessionID: order.Session.ID, Result: outcome.Result, Cause: outcome.Cause,
		Disconnected: outcome.Disconnected, At: time.Now()}
}

// keep writes the records to the journal in groups until there will be no more.
func (r *massRun) keep() (err error) {
	ticker := time.NewTicker(journalEvery)
	defer ticker.Stop()
	var waiting []linegate.ChangeRecord
	flush := func() {
		if len(waiting) > 0 && err == nil {
			if err = r.Journal.Record(context.WithoutCancel(r.starting), waiting); err != nil {
				r.stop(err)
			}
		}
		waiting = waiting[:0]
	}
	for {
		select {
		case record, more := <-r.records:
			if !more {
				flush()
				return err
			}
			if waiting = append(waiting, record); len(waiting) == journalBatch {
				flush()
			}
		case <-ticker.C:
			flush()
		}
	}
}

func (r *massRun) end() (Tally, error) {
	close(r.records)
	err := <-r.kept
	r.release()
	if err != nil {
		return r.tally, fmt.Errorf("journal: %w", err)
	}
	return r.tally, nil
}
