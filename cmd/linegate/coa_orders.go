package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"linegate"
	"linegate/coa"
	"linegate/store"
)

// orderChanges is how orders reach the sessions that are open.
//
// The feed's pushes leave what orders write alone (liveChanges.pushPage): an order
// puts a profile through states that no session is to follow, knows when it is
// through, and waits for the answers. So a session is told once.
type orderChanges struct {
	engine   store.Engine
	settings func() linegate.Settings
	changer  coa.Changer
}

// Push implements provisioning.Changes. All sessions are asked at once.
func (o *orderChanges) Push(ctx context.Context, tenant, username string, kind linegate.ChangeKind) (int, error) {
	selection := coaSelection{user: username}
	sessions, err := selection.sessions(ctx, o.engine, tenant)
	if err != nil || len(sessions) == 0 {
		return 0, err
	}
	subscriber, err := unlessMissing(o.engine.Subscriber(ctx, tenant, username))
	if err != nil {
		return 0, err
	}
	changes := []linegate.Change{coa.Follow(kind, entitlement(subscriber, o.settings()))}
	failures := make([]error, len(sessions))
	var all sync.WaitGroup
	for i, session := range sessions {
		all.Go(func() {
			outcome, err := o.changer.Apply(ctx, coa.Order{Session: session, Changes: changes})
			failures[i] = failureOf(session, outcome, err)
		})
	}
	all.Wait()
	return len(sessions), verdict(failures)
}

// failureOf puts what became of a session into the words of provisioning, nil when
// it is as it should be.
func failureOf(session *linegate.Session, outcome linegate.ChangeOutcome, err error) error {
	var kind error
	text := string(outcome.Result)
	switch {
	case errors.Is(err, linegate.ErrNotFound): // until somebody enters the NAS again
		kind, text = linegate.ErrRefused, err.Error()
	case err != nil:
		kind, text = linegate.ErrOutcomeUnknown, err.Error()
	case outcome.Result.Final():
		return nil
	case outcome.Result == linegate.ChangeTimeout:
		kind = linegate.ErrOutcomeUnknown
	case outcome.Result == linegate.ChangeUnsupported:
		kind = linegate.ErrUnsupported
	case outcome.Cause.Temporary():
		kind = linegate.ErrTryAgain
	default:
		kind = linegate.ErrRefused
	}
	if outcome.Cause != 0 {
		text += " " + outcome.Cause.String()
	}
	if outcome.Detail != "" {
		text += ": " + outcome.Detail
	}
	return fmt.Errorf("%w: nas %s, session %s: %s", kind, session.NAS.Name, session.AcctSessionID, text)
}

// verdict is what an order goes by: while one session may still follow, it is asked
// again, and only when none may is a refusal the answer. All are told.
func verdict(failures []error) error {
	for _, kind := range []error{linegate.ErrOutcomeUnknown, linegate.ErrTryAgain, linegate.ErrRefused, linegate.ErrUnsupported} {
		var others []string
		var found error
		for _, err := range failures {
			switch {
			case err == nil:
			case found == nil && errors.Is(err, kind):
				found = err
			default:
				others = append(others, err.Error())
			}
		}
		if found != nil {
			return fmt.Errorf("%w%s", found, strings.Join(append([]string{""}, others...), "; "))
		}
	}
	return nil
}
