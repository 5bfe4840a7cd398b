package guard_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
	"linegate/store/guard"
)

// fake answers each question with answer, and counts them.
type fake struct {
	store.Engine
	asked  atomic.Int64
	answer func(ctx context.Context) error
}

func (f *fake) ask(ctx context.Context) error {
	f.asked.Add(1)
	return f.answer(ctx)
}

func (f *fake) Lookup(ctx context.Context, _ linegate.Key) (linegate.Lookup, error) {
	return linegate.Lookup{Ambiguous: true}, f.ask(ctx)
}
func (f *fake) Feed(ctx context.Context, _ int64, _ int) ([]linegate.AuditEntry, error) {
	return nil, f.ask(ctx)
}
func (f *fake) Revision(ctx context.Context) (int64, error) { return 7, f.ask(ctx) }
func (f *fake) ID(ctx context.Context) (string, error)      { return "id", f.ask(ctx) }
func (f *fake) Admit(ctx context.Context, _ linegate.Admission) (bool, error) {
	return true, f.ask(ctx)
}
func (f *fake) NASes(ctx context.Context, _ string) ([]linegate.NAS, error) { return nil, f.ask(ctx) }
func (f *fake) Tenants(ctx context.Context) ([]linegate.Tenant, error)      { return nil, f.ask(ctx) }
func (f *fake) ActiveByVLAN(ctx context.Context) ([]store.VLANCount, error) { return nil, f.ask(ctx) }
func (f *fake) RecordValidations(ctx context.Context, _ []store.ValidationRecord) error {
	return f.ask(ctx)
}
func (f *fake) LearnNAS(ctx context.Context, _, _ string, _ linegate.Tristate) error {
	return f.ask(ctx)
}
func (f *fake) EachSubscriber(ctx context.Context, _ string, fn func(*linegate.Subscriber) error) error {
	if err := fn(&linegate.Subscriber{}); err != nil {
		return err
	}
	return f.ask(ctx)
}

func away(context.Context) error { return fmt.Errorf("no route: %w", linegate.ErrUnavailable) }
func well(context.Context) error { return nil }

func hangs(ctx context.Context) error {
	<-ctx.Done()
	return fmt.Errorf("%w: %w", linegate.ErrUnavailable, ctx.Err())
}

// questions are all that the guard bounds and the breaker watches.
func questions(e store.Engine) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Lookup":            func(ctx context.Context) error { _, err := e.Lookup(ctx, ""); return err },
		"Feed":              func(ctx context.Context) error { _, err := e.Feed(ctx, 0, 1); return err },
		"Revision":          func(ctx context.Context) error { _, err := e.Revision(ctx); return err },
		"ID":                func(ctx context.Context) error { _, err := e.ID(ctx); return err },
		"Admit":             func(ctx context.Context) error { _, err := e.Admit(ctx, linegate.Admission{}); return err },
		"NASes":             func(ctx context.Context) error { _, err := e.NASes(ctx, ""); return err },
		"Tenants":           func(ctx context.Context) error { _, err := e.Tenants(ctx); return err },
		"ActiveByVLAN":      func(ctx context.Context) error { _, err := e.ActiveByVLAN(ctx); return err },
		"RecordValidations": func(ctx context.Context) error { return e.RecordValidations(ctx, nil) },
		"LearnNAS":          func(ctx context.Context) error { return e.LearnNAS(ctx, "", "", linegate.Yes) },
	}
}

func TestAnswersAndErrorsGoThrough(t *testing.T) {
	engine := &fake{answer: well}
	guarded := guard.New(engine, guard.Options{})
	for name, question := range questions(guarded) {
		engine.answer = well
		assert.NoError(t, question(t.Context()), name)
		engine.answer = func(context.Context) error { return linegate.ErrNotFound }
		assert.ErrorIs(t, question(t.Context()), linegate.ErrNotFound, name)
	}
	revision, err := guarded.Revision(t.Context())
	assert.ErrorIs(t, err, linegate.ErrNotFound)
	assert.EqualValues(t, 7, revision)
	assert.False(t, guarded.Away(), "an answer that is no is an answer")
}

func TestAStoreThatHangsIsCutOffAndThenLeftAlone(t *testing.T) {
	engine := &fake{answer: hangs}
	guarded := guard.New(engine, guard.Options{Bound: time.Millisecond, Failures: 2, Pause: time.Hour})
	for range 2 {
		_, err := guarded.Lookup(t.Context(), "")
		require.ErrorIs(t, err, linegate.ErrUnavailable)
	}
	require.True(t, guarded.Away())
	for name, question := range questions(guarded) {
		assert.ErrorIs(t, question(t.Context()), linegate.ErrUnavailable, name)
	}
	assert.EqualValues(t, 2, engine.asked.Load(), "nobody was let through")
}

func TestOneQuestionAtATimeFindsOutThatTheStoreIsBack(t *testing.T) {
	engine := &fake{answer: away}
	var told []bool
	guarded := guard.New(engine, guard.Options{Failures: 1, Pause: time.Nanosecond, OnChange: func(away bool) { told = append(told, away) }})
	_, err := guarded.Revision(t.Context())
	require.ErrorIs(t, err, linegate.ErrUnavailable)

	probing, release := make(chan struct{}), make(chan struct{})
	engine.answer = func(context.Context) error { close(probing); <-release; return nil }
	var probe sync.WaitGroup
	probe.Go(func() { _, err := guarded.Revision(t.Context()); assert.NoError(t, err) })
	<-probing
	_, err = guarded.Lookup(t.Context(), "")
	assert.ErrorIs(t, err, linegate.ErrUnavailable, "the probe is still out")
	close(release)
	probe.Wait()
	engine.answer = well
	_, err = guarded.Lookup(t.Context(), "")
	assert.NoError(t, err)
	assert.Equal(t, []bool{true, false}, told)
}

func TestWhoStopsWaitingByHimselfSaysNothingAboutTheStore(t *testing.T) {
	guarded := guard.New(&fake{answer: hangs}, guard.Options{Failures: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := guarded.Lookup(ctx, "")
	assert.ErrorIs(t, err, linegate.ErrUnavailable)
	assert.ErrorIs(t, err, context.Canceled)
	assert.False(t, guarded.Away())
}

func TestAListMayTakeLongButNotFallSilent(t *testing.T) {
	engine := &fake{answer: hangs}
	guarded := guard.New(engine, guard.Options{Silence: 5 * time.Millisecond})
	rows := 0
	count := func(*linegate.Subscriber) error { rows++; return nil }
	err := guarded.EachSubscriber(t.Context(), "", count)
	assert.ErrorIs(t, err, linegate.ErrUnavailable)
	assert.ErrorContains(t, err, "silent for 5ms")
	assert.Equal(t, 1, rows)

	engine.answer = well
	assert.NoError(t, guarded.EachSubscriber(t.Context(), "", count))
	stop := errors.New("enough")
	assert.ErrorIs(t, guarded.EachSubscriber(t.Context(), "", func(*linegate.Subscriber) error { return stop }), stop)
}
