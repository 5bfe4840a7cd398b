package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"linegate"
	"linegate/store"
)

func newProfileExportCommand(c *cli) *cobra.Command {
	var allColumns bool
	command := &cobra.Command{
		Use:   "export [FILE.csv]",
		Short: "Write subscribers as a CSV file that imports back",
		Long: "Write the subscribers of a tenant as a CSV file that imports back, to FILE or standard output.\n" +
			"Passwords are left empty: they are never shown, and an import keeps those that are stored.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withTenant(cmd.Context(), func(engine store.Engine, tenant string) error {
				total, err := engine.CountSubscribers(cmd.Context(), tenant)
				if err != nil {
					return err
				}
				exported := &csvExport{allColumns: allColumns, progress: newProgress(barBeside(cmd, args), "exporting", int64(total))}
				err = exported.toFile(cmd.Context(), engine, tenant, args, cmd.OutOrStdout())
				if err != nil {
					return err
				}
				exported.notes(cmd.ErrOrStderr())
				return nil
			})
		},
	}
	command.Flags().BoolVar(&allColumns, "all-columns", false, "also the columns beyond the seventeen of the exchange format")
	return command
}

// barBeside is where an export's progress may be shown: nowhere when the rows
// themselves go to the terminal.
func barBeside(cmd *cobra.Command, args []string) io.Writer {
	if len(args) == 0 && isTerminal(cmd.OutOrStdout()) {
		return io.Discard
	}
	return cmd.ErrOrStderr()
}

// csvExport is one run of `profile export`.
type csvExport struct {
	allColumns     bool
	progress       *progressbar.ProgressBar
	withoutProfile int // subscribers that the format can't tell from those with an empty profile
	withExtra      int // subscribers of whom a column was left out
}

// toFile writes to the file that args names, or else to out.
func (e *csvExport) toFile(ctx context.Context, engine store.Engine, tenant string, args []string, out io.Writer) error {
	if len(args) == 0 {
		return e.write(ctx, engine, tenant, out)
	}
	file, err := os.OpenFile(args[0], os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) // names people and their lines
	if err != nil {
		return err
	}
	return errors.Join(e.write(ctx, engine, tenant, file), file.Close())
}

func (e *csvExport) write(ctx context.Context, engine store.Engine, tenant string, out io.Writer) error {
	fields := linegate.Fields()
	rows := csv.NewWriter(out)
	names := fieldNames(false)
	if e.allColumns {
		names = append(names, fieldNames(true)...)
	}
	if err := rows.Write(names); err != nil {
		return err
	}
	err := engine.EachSubscriber(ctx, tenant, func(s *linegate.Subscriber) error {
		if err := rows.Write(e.row(s, fields)); err != nil {
			return err
		}
		return e.progress.Add(1)
	})
	rows.Flush()
	return errors.Join(err, rows.Error(), e.progress.Finish())
}

func (e *csvExport) row(s *linegate.Subscriber, fields []linegate.Field) []string {
	var row []string
	leftOut := false
	for _, field := range fields {
		if field.Extra && !e.allColumns {
			leftOut = leftOut || field.Get(s) != ""
			continue
		}
		row = append(row, field.Get(s))
	}
	if leftOut {
		e.withExtra++
	}
	if s.Profile == nil {
		e.withoutProfile++
	}
	return row
}

// notes tells what the file doesn't say.
func (e *csvExport) notes(out io.Writer) {
	if e.withExtra > 0 {
		fmt.Fprintf(out, "note: %d subscribers have data in columns that were left out; --all-columns takes them in\n", e.withExtra)
	}
	if e.withoutProfile > 0 {
		fmt.Fprintf(out, "note: %d subscribers have no network profile; an import would give them one\n", e.withoutProfile)
	}
}
