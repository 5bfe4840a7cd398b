package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"linegate"
	"linegate/store"
)

// exitConflicts is how `profile check` ends when it found something.
const exitConflicts = 1

func newProfileCheckCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "List what the NAS can't be told of the profiles, and lines that several have",
		Long: "List every property of a profile that a NAS of the tenant can't be told in its dialect, with the\n" +
			"reason, and every line that more than one subscriber has. Exit status: 0 nothing found, 1 conflicts.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			return c.withTenant(cmd.Context(), func(engine store.Engine, tenant string) error {
				can, err := newExpressible(cmd.Context(), engine, cfg, tenant)
				if err != nil {
					return err
				}
				check := profileCheck{can: can, lines: map[string]lineHolder{},
					rows: newListing(cmd.OutOrStdout(), c.output, "username", "property", "value", "problem")}
				if err := engine.EachSubscriber(cmd.Context(), tenant, check.subscriber); err != nil {
					return err
				}
				if err := check.rows.close(); err != nil {
					return err
				}
				if check.found > 0 {
					return statusError{exitConflicts, fmt.Errorf("%d conflicts", check.found)}
				}
				return nil
			})
		},
	}
}

// profileCheck is one run over all subscribers of a tenant.
type profileCheck struct {
	can   *expressible
	rows  listing
	lines map[string]lineHolder // by the form of the circuit-id
	found int
}

// lineHolder is the first subscriber seen on a line.
type lineHolder struct {
	username string
	line     linegate.Line
	match    linegate.LineMatch
}

func (p *profileCheck) subscriber(s *linegate.Subscriber) error {
	err := p.can.check(s)
	var bad linegate.FieldErrors
	if err != nil && !errors.As(err, &bad) {
		return err
	}
	for _, field := range bad {
		if err := p.report(s.Username, field.Field, field.Value, field.Allowed); err != nil {
			return err
		}
	}
	if s.Profile == nil {
		return nil
	}
	for i := range s.Profile.LineCount() {
		if err := p.line(s, s.Profile.LineAt(i)); err != nil {
			return err
		}
	}
	return nil
}

// line reports a line that another subscriber has: the same circuit-id, in the forms
// that one of the two lets count as equal, unless their remote-ids tell them apart.
func (p *profileCheck) line(s *linegate.Subscriber, line linegate.Line) error {
	form := s.Profile.LineForm(line.CircuitID)
	if len(form) == 0 {
		return nil
	}
	first, taken := p.lines[string(form)]
	if !taken {
		p.lines[string(form)] = lineHolder{s.Username, line, s.Profile.LineMatch}
		return nil
	}
	match := (first.match | s.Profile.LineMatch) &^ linegate.MatchGlob
	apart := first.line.RemoteID != "" && line.RemoteID != "" && !match.Equal(first.line.RemoteID, []byte(line.RemoteID))
	if first.username == s.Username || apart || !match.Equal(first.line.CircuitID, []byte(line.CircuitID)) {
		return nil
	}
	return p.report(s.Username, "circuit_id", line.CircuitID.String(), "the line is "+first.username+"'s as well")
}

func (p *profileCheck) report(username, property, value, problem string) error {
	p.found++
	return p.rows.add(record{{"username", username}, {"property", property}, {"value", value}, {"problem", problem}})
}
