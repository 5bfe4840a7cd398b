package provisioning

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"

	"linegate"
)

// system is who a step talks to; it says how long one attempt may take.
type system string

const (
	inStore    system = "store"
	inNetBox   system = "netbox"
	inONU      system = "onu"
	inCPE      system = "cpe"
	inSessions system = "sessions"
)

// story is one order as it is carried out. Its methods make durable steps: what
// was recorded is not done again when the workflow is taken up after a kill, and
// what was under way is.
type story struct {
	ctx     dbos.Context
	engine  *Engine
	id      string
	order   linegate.Order
	result  linegate.OrderResult
	undo    []action
	stalled int // how often the story waited for a decision
}

// action is one step of the way back.
type action struct {
	in   system
	name string
	act  func(context.Context) error
}

// outcome is what is recorded of a step.
type outcome struct {
	Value   []byte // encoded by gob
	Failure *failure
}

// tell carries an order out: body forward, and when it fails everything back.
func (e *Engine) tell(ctx dbos.Context, input string, body func(*story) error) (string, error) {
	s := &story{ctx: ctx, engine: e}
	var err error
	if s.id, err = ctx.GetWorkflowID(); err != nil {
		return "", err
	}
	if err := decode([]byte(input), &s.order); err != nil {
		return "", fmt.Errorf("order %s: %w", s.id, err)
	}
	began := e.options.Now()
	s.result = linegate.OrderResult{OrderID: s.id, State: linegate.OrderDone}
	if err = s.claim(); err == nil {
		err = body(s)
	}
	if err != nil && !isInterrupted(err) {
		s.result = linegate.OrderResult{OrderID: s.id, State: linegate.OrderUndone, Error: err.Error(), ServiceID: s.result.ServiceID, Warnings: s.result.Warnings}
		err = s.takeBack()
	}
	if err == nil {
		err = s.unclaim()
	}
	if err != nil {
		return "", err
	}
	e.options.Observer.Finished(s.order, s.result, e.options.Now().Sub(began))
	return encode(s.result)
}

func (s *story) claim() error {
	_, err := do(s, inStore, "claim subscriber", func(ctx context.Context) (bool, error) {
		return true, s.engine.claim(ctx, s.order.Tenant, s.order.Username, s.id)
	})
	return err
}

func (s *story) unclaim() error {
	return s.insist(inStore, "release subscriber", func(ctx context.Context) error {
		return s.engine.options.Book.Unclaim(ctx, s.order.Tenant, s.order.Username, s.id)
	})
}

// onUndo registers how to take back the step that follows. It comes before the
// step, since a step that failed may have done its work all the same.
func (s *story) onUndo(in system, name string, act func(context.Context) error) {
	s.undo = append(s.undo, action{in, name, act})
}

// commit is the point of no return: what was done stays, and what follows is
// insisted on.
func (s *story) commit() { s.undo = nil }

// takeBack undoes everything, last things first.
func (s *story) takeBack() error {
	for _, step := range slices.Backward(s.undo) {
		if err := s.insist(step.in, "undo: "+step.name, step.act); err != nil {
			return err
		}
	}
	return nil
}

// warn keeps something that went other than ordered, for the result.
func (s *story) warn(format string, args ...any) {
	s.result.Warnings = append(s.result.Warnings, fmt.Sprintf(format, args...))
}

// do makes one step of the way forward. A failure that may pass is tried again
// within the step, then the story waits for a decision; any other is returned.
func do[T any](s *story, in system, name string, act func(context.Context) (T, error)) (value T, err error) {
	for {
		value, err = record(s, in, name, true, act)
		var failed *failure
		if !errors.As(err, &failed) || !failed.passing() {
			return value, named(in, name, err)
		}
		choice, waited := s.wait(in, name, err)
		if waited != nil {
			return value, waited
		}
		if choice == decideCancel || choice == decideGiveUp {
			return value, fmt.Errorf("%w: %w", errCancelled, named(in, name, err))
		}
	}
}

// insist makes a step that has no way back. Whatever fails is waited for, until
// somebody gives up on it.
func (s *story) insist(in system, name string, act func(context.Context) error) error {
	for {
		_, err := record(s, in, name, false, func(ctx context.Context) (bool, error) { return true, act(ctx) })
		var failed *failure
		if !errors.As(err, &failed) {
			return err // nil or interrupted
		}
		choice, waited := s.wait(in, name, err)
		if waited != nil {
			return waited
		}
		if choice == decideGiveUp {
			s.result.Left = append(s.result.Left, named(in, name, err).Error())
			s.result.State = linegate.OrderLeftovers
			return nil
		}
	}
}

// note makes a step that only tells somebody.
func (s *story) note(name string, act func()) error {
	_, err := record(s, inStore, name, false, func(context.Context) (bool, error) { act(); return true, nil })
	return err
}

func named(in system, name string, err error) error {
	if err == nil || isInterrupted(err) {
		return err
	}
	return fmt.Errorf("%s: %s: %w", in, name, err)
}

// record runs act as a durable step and returns its value, a *failure, or
// *interrupted.
func record[T any](s *story, in system, name string, forward bool, act func(context.Context) (T, error)) (value T, err error) {
	written, err := dbos.RunAsStep(s.ctx, func(ctx context.Context) (string, error) {
		release, err := s.engine.enter(ctx)
		if err != nil {
			return "", err
		}
		defer release()
		made, failed := s.try(ctx, in, forward, func(ctx context.Context) ([]byte, error) {
			made, err := act(ctx)
			if err != nil {
				return nil, err
			}
			text, err := encode(made)
			return []byte(text), err
		})
		if ended(ctx) {
			return "", context.Cause(ctx)
		}
		return encode(outcome{made, failed})
	}, dbos.WithStepName(string(in)+": "+name))
	if err != nil {
		return value, &interrupted{err}
	}
	var made outcome
	if err := decode([]byte(written), &made); err != nil {
		return value, &interrupted{err}
	}
	if made.Failure != nil {
		return value, made.Failure
	}
	if err := decode(made.Value, &value); err != nil {
		return value, &interrupted{err}
	}
	return value, nil
}

// try makes the attempts of one step.
func (s *story) try(ctx context.Context, in system, forward bool, act func(context.Context) ([]byte, error)) ([]byte, *failure) {
	timing := s.engine.options.Timing
	pause := timing.Pause
	for attempt := 1; ; attempt++ {
		made, err := s.attempt(ctx, timing.limit(in), forward, act)
		if err == nil {
			return made, nil
		}
		failed := classify(err)
		if !failed.passing() || attempt >= timing.Attempts || ended(ctx) {
			return nil, failed
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		pause *= 2
	}
}

// attempt makes one attempt within the limit. An attempt that outlasts it may have
// done its work.
func (s *story) attempt(ctx context.Context, limit time.Duration, forward bool, act func(context.Context) ([]byte, error)) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s: %w", limit, linegate.ErrOutcomeUnknown))
	defer cancel()
	if forward {
		asked, err := s.engine.options.Book.CancelAsked(ctx, s.id)
		if err != nil {
			return nil, err
		}
		if asked {
			return nil, errCancelled
		}
	}
	made, err := act(ctx)
	if err != nil && ended(ctx) {
		return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return made, err
}

// decision is what an operator says about a step that can't be done.
type decision string

const (
	decideRetry  decision = "retry"   // try again now
	decideCancel decision = "cancel"  // undo the order
	decideGiveUp decision = "give up" // go on without the step, where there is no way back
)

const (
	topicDecision = "decision"
	eventStuck    = "stuck"
)

// wait keeps the story until somebody decides or it is time to try again: after a
// minute at first, and longer every time, up to an hour.
func (s *story) wait(in system, name string, failed error) (decision, error) {
	s.engine.options.Observer.StepFailed(s.order, s.id, string(in)+": "+name, failed)
	patience := min(s.engine.options.Timing.Patience<<min(s.stalled, 6), max(time.Hour, s.engine.options.Timing.Patience))
	s.stalled++
	if err := dbos.SetEvent(s.ctx, eventStuck, named(in, name, failed).Error()); err != nil {
		return "", &interrupted{err}
	}
	choice, err := dbos.Recv[string](s.ctx, topicDecision, patience)
	if ended(s.ctx) {
		return "", &interrupted{context.Cause(s.ctx)}
	}
	if err != nil && !errors.Is(err, dbos.ErrTimeout) {
		return "", &interrupted{err}
	}
	if err := dbos.SetEvent(s.ctx, eventStuck, ""); err != nil {
		return "", &interrupted{err}
	}
	if choice == "" {
		return decideRetry, nil
	}
	return decision(choice), nil
}

// sleep waits durably.
func (s *story) sleep(d time.Duration) error {
	if _, err := dbos.Sleep(s.ctx, d); err != nil {
		return &interrupted{err}
	}
	return nil
}

// encode and decode keep what JSON would drop or hide: a password stays one.
func encode(value any) (string, error) {
	var buffer bytes.Buffer
	if err := gob.NewEncoder(&buffer).Encode(value); err != nil {
		return "", err
	}
	return buffer.String(), nil
}

func decode(text []byte, into any) error {
	return gob.NewDecoder(bytes.NewReader(text)).Decode(into)
}
