package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"linegate"
	"linegate/cmd/linegate/config"
	"linegate/store"
)

// applyOptions say how a file is applied.
type applyOptions struct {
	path   string
	actor  string // for the audit trail
	tenant string // of objects that name none; empty: the only one of file or store
	cfg    config.Config
	dryRun bool // find out what would happen, and leave everything as it is
}

// appliedObject is what became of one object of the file.
type appliedObject struct {
	kind    linegate.AuditKind
	tenant  string
	name    string
	outcome linegate.Outcome
	changes []linegate.FieldChange
}

// applyReport is what became of a file's objects, in the order they were applied.
type applyReport []appliedObject

// applyFile makes the store hold what a file says: tenants, then NAS, then
// subscribers, all or nothing. Each object is as the file describes it, and what
// the file leaves out is unset, except that a password or secret left out stays
// as it is stored. Objects the file doesn't name are left alone.
func applyFile(ctx context.Context, engine store.Engine, options applyOptions) (applyReport, error) {
	stored, err := tenantNames(ctx, engine)
	if err != nil {
		return nil, err
	}
	can, err := newExpressible(ctx, engine, options.cfg, "")
	if err != nil {
		return nil, err
	}
	plan, err := readPlan(options.path, options.tenant, stored, can)
	if err != nil {
		return nil, err
	}
	var report applyReport
	err = transact(ctx, engine, options.actor, options.dryRun, func(tx store.Tx) error {
		report = nil
		for _, object := range plan.objects {
			outcome, changes, err := object.put(tx)
			switch {
			case err == nil:
				report = append(report, appliedObject{object.kind, object.tenant, object.name, outcome, changes})
			case plan.found.AddFields(object.line, string(object.kind)+" "+object.name+": ", err):
			case errors.Is(err, linegate.ErrConflict), errors.Is(err, linegate.ErrNotFound):
				plan.found.Add(object.line, "%v", err)
			default:
				return fmt.Errorf("%s:%d: %w", options.path, object.line, err)
			}
		}
		return plan.found.Err()
	})
	return report, err
}

func newApplyCommand(c *cli) *cobra.Command {
	var options applyOptions
	var push bool
	command := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Make the store hold the tenants, NAS and subscribers of a YAML file",
		Long: "Make the store hold the tenants, NAS and subscribers that a YAML file describes, all or nothing.\n\n" +
			"An object becomes what the file says: what the file leaves out is unset, except that a password or\n" +
			"secret left out stays as it is. Objects that the file doesn't name are left alone. Applying a file\n" +
			"again changes nothing.",
		Example: "  linegate apply -f testdata/demo.yaml --dry-run",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if options.path == "" {
				return errors.New("apply: name the file to apply with -f FILE")
			}
			options.actor, options.tenant = actor(), c.tenant
			cfg, err := c.config()
			if err != nil {
				return err
			}
			options.cfg = cfg
			return withMadeStore(cmd.Context(), cfg, func(engine store.Engine) error {
				return c.thenPush(cmd, engine, push, func() error {
					report, err := applyFile(cmd.Context(), engine, options)
					if err != nil {
						return fmt.Errorf("nothing was applied:\n%w", err)
					}
					return report.write(cmd.OutOrStdout(), c.output, options.dryRun)
				})
			})
		},
	}
	command.Flags().StringVarP(&options.path, "file", "f", "", "the file to apply")
	command.Flags().BoolVar(&options.dryRun, "dry-run", false, "show what would change, and change nothing")
	addPushFlag(command, &push)
	_ = command.MarkFlagFilename("file", "yaml", "yml") // fails only for a flag that does not exist
	return command
}

// count returns how many objects had an outcome.
func (r applyReport) count(outcome linegate.Outcome) (n int) {
	for _, object := range r {
		if object.outcome == outcome {
			n++
		}
	}
	return n
}

func (r applyReport) write(out io.Writer, format outputFormat, dryRun bool) error {
	if format != formatTable {
		return r.writeRecords(newListing(out, format))
	}
	for _, object := range r {
		name := object.tenant
		if object.kind != linegate.AuditTenant {
			name += "/" + object.name
		}
		line := fmt.Sprintf("%s  %-10s  %s", paintOutcome(out, object.outcome), object.kind, name)
		if object.outcome == linegate.Changed {
			line += "  " + cell(object.changes)
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	summary := []string{}
	for _, outcome := range []linegate.Outcome{linegate.Created, linegate.Changed, linegate.Unchanged} {
		summary = append(summary, fmt.Sprintf("%d %s", r.count(outcome), outcome))
	}
	ending := ""
	if dryRun {
		ending = " (dry run: nothing was written)"
	}
	_, err := fmt.Fprintln(out, strings.Join(summary, ", ")+ending)
	return err
}

func (r applyReport) writeRecords(objects listing) error {
	for _, object := range r {
		err := objects.add(record{
			{"kind", object.kind},
			{"tenant", object.tenant},
			{"name", object.name},
			{"outcome", object.outcome},
			{"changes", emptyNotNil(object.changes)},
		})
		if err != nil {
			return err
		}
	}
	return objects.close()
}

// emptyNotNil makes JSON show an empty list instead of null.
func emptyNotNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
