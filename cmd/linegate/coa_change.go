package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"linegate"
	"linegate/cmd/linegate/config"
	"linegate/coa"
	"linegate/store"
)

// changeSessions makes one change of all sessions that are meant.
func (c *cli) changeSessions(cmd *cobra.Command, request coaRequest) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	return c.withTenant(cmd.Context(), func(engine store.Engine, tenant string) error {
		ctx := cmd.Context()
		sessions, err := request.selection.sessions(ctx, engine, tenant)
		if err != nil {
			return err
		}
		if len(sessions) == 0 && request.key == "" { // with one, a run before may have ended them all
			return fmt.Errorf("%s of tenant %s: no session is open", request.selection.String(), tenant)
		}
		plan := &coaPlan{request: request, engine: engine, settings: cfg.Policy, tenant: tenant}
		if err := plan.make(ctx, sessions); err != nil {
			return err
		}
		if request.dryRun {
			return show(cmd.OutOrStdout(), c.output, plan.record())
		}
		question := fmt.Sprintf("%s %d sessions", request.kind, len(plan.orders))
		if request.selection.all && !request.yes && !confirmed(cmd, question) {
			return fmt.Errorf("%s: not done", question)
		}
		return c.carryOut(cmd, cfg, plan)
	})
}

// coaPlan is what is to be done, session by session.
type coaPlan struct {
	request  coaRequest
	engine   store.Engine
	settings linegate.Settings
	tenant   string

	selected int
	orders   []coa.Order
	done     int      // by an earlier run with the same key
	passed   int      // sessions whose subscriber has nothing to change to
	problems []string // why they were passed over
	journal  coa.Journal
}

// make finds what each session is to be changed to, and leaves out what a run with
// the same key has done.
func (p *coaPlan) make(ctx context.Context, sessions []*linegate.Session) error {
	p.selected = len(sessions)
	earlier, err := p.openJournal(ctx)
	if err != nil {
		return err
	}
	var left []*linegate.Session
	for _, session := range sessions {
		if earlier[session.ID].Final() {
			p.done++
		} else {
			left = append(left, session)
		}
	}
	subscribers, err := p.subscribers(ctx, left)
	if err != nil {
		return err
	}
	missing := map[string]bool{}
	for _, session := range left {
		change, why := p.change(subscribers[session.SubscriberID])
		if why != "" {
			p.passed++
			missing[why] = true
			continue
		}
		p.orders = append(p.orders, coa.Order{Session: session, Changes: []linegate.Change{change}, Uncertain: earlier[session.ID] == linegate.ChangeTimeout})
	}
	p.problems = slices.Sorted(maps.Keys(missing))
	return nil
}

// openJournal returns what an earlier run with the same key did.
func (p *coaPlan) openJournal(ctx context.Context) (map[string]linegate.ChangeResult, error) {
	earlier := map[string]linegate.ChangeResult{}
	if p.request.key == "" {
		return earlier, nil
	}
	key := "coa/" + p.tenant + "/" + p.request.key
	if !p.request.dryRun {
		_, known, err := p.engine.BeginChanges(ctx, key, p.request.what())
		if err != nil {
			return nil, err
		}
		if known != p.request.what() {
			return nil, fmt.Errorf("--key: %s was used for another change: %s", p.request.key, known)
		}
	}
	p.journal = storeJournal{p.engine, key}
	return earlier, p.engine.EachChangeRecord(ctx, key, func(record linegate.ChangeRecord) error {
		earlier[record.SessionID] = record.Result
		return nil
	})
}

// mostNamed is up to how many sessions their subscribers are looked up by name one
// by one; of more, all subscribers are passed through once.
const mostNamed = 100

// subscribers returns those of the sessions by id, where the change needs them.
func (p *coaPlan) subscribers(ctx context.Context, sessions []*linegate.Session) (map[string]*linegate.Subscriber, error) {
	found := map[string]*linegate.Subscriber{}
	if !p.request.profile || p.request.given {
		return found, nil
	}
	missing := map[string]bool{}
	for _, session := range sessions {
		if len(sessions) <= mostNamed {
			subscriber, err := unlessMissing(p.engine.Subscriber(ctx, p.tenant, session.UserName))
			if err != nil {
				return nil, err
			}
			if subscriber != nil && subscriber.ID == session.SubscriberID {
				found[subscriber.ID] = subscriber
				continue
			}
		}
		missing[session.SubscriberID] = true
	}
	if len(missing) == 0 {
		return found, nil
	}
	return found, p.engine.EachSubscriber(ctx, p.tenant, func(subscriber *linegate.Subscriber) error {
		if missing[subscriber.ID] {
			found[subscriber.ID] = subscriber
		}
		return nil
	})
}

// change is what the session of a subscriber is to be changed to; why tells that
// there is nothing.
func (p *coaPlan) change(subscriber *linegate.Subscriber) (change linegate.Change, why string) {
	change = linegate.Change{Kind: p.request.kind, Grant: p.request.grant, OrDisconnect: p.request.orDisconnect}
	if !p.request.profile || p.request.given {
		return change, ""
	}
	if subscriber == nil {
		return change, "no subscriber is known for the session: name what to change to by flags"
	}
	as := subscriber.Clone()
	as.Status = linegate.StatusActive
	if change.Kind == linegate.ChangeSuspend || change.Kind == linegate.ChangeWalledGarden {
		as.Status = linegate.StatusSuspended
	}
	may := entitlement(as, p.settings)
	switch {
	case !may.Admitted && change.Kind == linegate.ChangeWalledGarden:
		return change, "the subscriber's profile names no walled garden"
	case !may.Admitted && change.Kind != linegate.ChangeSuspend: // without a garden, suspended means rejected
		return change, "the subscriber would be rejected"
	}
	change = coa.Follow(change.Kind, may)
	change.OrDisconnect = p.request.orDisconnect && change.Kind != linegate.ChangeDisconnect
	return change, ""
}

// record shows what would be done.
func (p *coaPlan) record() record {
	byNAS := map[string]int{}
	for _, order := range p.orders {
		byNAS[order.Session.NAS.Name]++
	}
	return record{{"selected", p.selected}, {"done_before", p.done}, {"to_change", len(p.orders)}, {"passed_over", p.passed},
		{"by_nas", byNAS}, {"problems", emptyNotNil(p.problems)}, {"dry_run", true}}
}

// carryOut makes the changes, shows how they go on, and what they came to.
func (c *cli) carryOut(cmd *cobra.Command, cfg config.Config, plan *coaPlan) error {
	bar := progressbar.NewOptions(len(plan.orders),
		progressbar.OptionSetWriter(cmd.ErrOrStderr()), progressbar.OptionSetVisibility(isTerminal(cmd.ErrOrStderr())),
		progressbar.OptionSetDescription(string(plan.request.kind)), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
	var shown shownOutcomes
	rate, err := plan.request.perSecond()
	if err != nil {
		return err
	}
	began := time.Now()
	var tally coa.Tally
	err = withSender(cmd.Context(), cfg, plan.engine, plan.tenant, func(sender *coa.Sender) (err error) {
		mass := &coa.Mass{Changer: sender, Journal: plan.journal, Rate: rate, Progress: func(order coa.Order, outcome linegate.ChangeOutcome) {
			_ = bar.Add(1)
			shown.add(order, outcome)
		}}
		tally, err = mass.Run(cmd.Context(), plan.orders)
		return errors.Join(err, bar.Finish())
	})
	if err != nil {
		return err
	}
	tally.Problems = append(tally.Problems, plan.problems...)
	summary := append(record{{"selected", plan.selected}, {"done_before", plan.done}}, tallyRecord(tally, plan.passed)...)
	summary = append(summary, property{"took_seconds", time.Since(began).Round(time.Millisecond).Seconds()})
	if err := c.showOutcomes(cmd, summary, shown.kept); err != nil {
		return err
	}
	return notAllDone(tally, plan.passed)
}
