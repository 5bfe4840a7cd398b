package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"linegate"
	"linegate/coa"
	"linegate/store"
)

// addPushFlag adds --push to a command that changes subscribers.
func addPushFlag(command *cobra.Command, push *bool) {
	command.Flags().BoolVar(push, "push", false, "carry what changes over to the sessions that are open")
}

// thenPush runs what changes subscribers, and then carries its changes over to
// their open sessions where that is wanted.
func (c *cli) thenPush(cmd *cobra.Command, engine store.Engine, push bool, change func() error) error {
	if !push {
		return change()
	}
	before, err := engine.Revision(cmd.Context())
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	return c.push(cmd, engine, before)
}

// push makes the changes of live sessions that follow from what this command wrote
// after a revision.
func (c *cli) push(cmd *cobra.Command, engine store.Engine, after int64) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	p := &pusher{engine: engine, settings: cfg.Policy}
	orders, err := p.all(cmd.Context(), after, actor())
	if err != nil {
		return fmt.Errorf("written, but not pushed: %w", err)
	}
	if len(orders) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "pushed: nothing, no open session has to change")
		return nil
	}
	began := time.Now()
	var tally coa.Tally
	var shown shownOutcomes
	err = withSender(cmd.Context(), cfg, engine, "", func(sender *coa.Sender) (err error) {
		tally, err = (&coa.Mass{Changer: sender, Progress: shown.add}).Run(cmd.Context(), orders)
		return err
	})
	if err != nil {
		return fmt.Errorf("written, but not pushed: %w", err)
	}
	summary := append(record{{"sessions", len(orders)}}, tallyRecord(tally, 0)...)
	summary = append(summary, property{"took_seconds", time.Since(began).Round(time.Millisecond).Seconds()})
	fmt.Fprintf(cmd.ErrOrStderr(), "pushed: %s\n", summaryLine(summary))
	for _, outcome := range shown.kept[:shown.failed] {
		fmt.Fprintln(cmd.ErrOrStderr(), "  "+outcomeLine(outcome))
	}
	return notAllDone(tally, 0)
}

// outcomeLine puts what became of a session on a line.
func outcomeLine(outcome record) string {
	text := ""
	for _, p := range outcome {
		if shown := cell(p.value); shown != "" && p.name != "session_id" && p.name != "disconnected" {
			text += "  " + shown
		}
	}
	return text[2:]
}

// all returns the orders of every change that an actor made after a revision.
func (p *pusher) all(ctx context.Context, after int64, actor string) (orders []coa.Order, err error) {
	for {
		page, newest, err := p.since(ctx, after, func(entry *linegate.AuditEntry) bool { return entry.Actor == actor })
		orders = append(orders, page...)
		if err != nil || newest == after {
			return orders, err
		}
		after = newest
	}
}
