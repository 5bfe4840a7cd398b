// Package guard keeps a store that is slow or away from slowing down those who
// ask it: every wait is bounded, and after a few failures in a row the store is
// left alone, but for one question at a time that finds out whether it is back.
// The package never retries, never caches and never decides what a failure means
// for a subscriber.
package guard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sony/gobreaker/v2"

	"linegate"
	"linegate/store"
)

// Options tune an Engine; zero fields get the default.
type Options struct {
	Bound    time.Duration // how long a short question may take; default 1 s
	Failures uint32        // in a row, until the store counts as away; default 3
	Silence  time.Duration // how long a list that is passed on row by row may say nothing; default 10 s
	Pause    time.Duration // between two questions to a store that is away; default 500 ms
	// OnChange is told when the store goes away and when it is back. It must not
	// block or ask the store.
	OnChange func(away bool)
}

// listBound is how long a question may take that reads or writes many rows.
const listBound = 10 * time.Second

// Engine is the store.Engine behind it, with bounded waits on what a running
// server asks while packets are waiting. All else goes through as it is. It is
// safe for concurrent use.
type Engine struct {
	store.Engine
	bound   time.Duration
	silence time.Duration
	breaker *gobreaker.CircuitBreaker[struct{}]
}

var _ store.Engine = (*Engine)(nil)

// New guards an engine.
func New(engine store.Engine, options Options) *Engine {
	if options.Bound <= 0 {
		options.Bound = time.Second
	}
	if options.Failures == 0 {
		options.Failures = 3
	}
	if options.Silence <= 0 {
		options.Silence = 10 * time.Second
	}
	if options.Pause <= 0 {
		options.Pause = 500 * time.Millisecond
	}
	return &Engine{Engine: engine, bound: options.Bound, silence: options.Silence, breaker: gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Timeout:      options.Pause,
		ReadyToTrip:  func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= options.Failures },
		IsSuccessful: func(err error) bool { return !errors.Is(err, linegate.ErrUnavailable) },
		IsExcluded:   func(err error) bool { return errors.As(err, new(gaveUp)) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			wasAway, away := from != gobreaker.StateClosed, to != gobreaker.StateClosed
			if options.OnChange != nil && wasAway != away {
				options.OnChange(away)
			}
		},
	})}
}

// Away reports whether the store is left alone at present.
func (e *Engine) Away() bool { return e.breaker.State() != gobreaker.StateClosed }

// gaveUp is the error of somebody who stopped waiting by himself, which says
// nothing about the store.
type gaveUp struct{ error }

func (g gaveUp) Unwrap() error { return g.error }

// ask puts one question within the bound, or refuses to.
func ask[T any](ctx context.Context, e *Engine, bound time.Duration, question func(context.Context) (T, error)) (answer T, err error) {
	_, err = e.breaker.Execute(func() (nothing struct{}, err error) {
		bounded, cancel := context.WithTimeout(ctx, bound)
		defer cancel()
		if answer, err = question(bounded); err != nil && ctx.Err() != nil {
			err = gaveUp{err}
		}
		return nothing, err
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		err = fmt.Errorf("store is left alone until it is back: %w", linegate.ErrUnavailable)
	}
	return answer, err
}

// tell is ask for what has no answer.
func tell(ctx context.Context, e *Engine, bound time.Duration, question func(context.Context) error) error {
	_, err := ask(ctx, e, bound, func(ctx context.Context) (struct{}, error) { return struct{}{}, question(ctx) })
	return err
}
