package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"linegate"
	"linegate/cmd/linegate/problem"
	"linegate/store"
)

// mostRowErrors is how many bad rows of a CSV are listed.
const mostRowErrors = 20

func newProfileImportCommand(c *cli) *cobra.Command {
	var dryRun bool
	command := &cobra.Command{
		Use:   "import FILE.csv",
		Short: "Create and change subscribers from a CSV file (- for standard input)",
		Long: "Create and change subscribers from a CSV file, all rows in one transaction or none.\n\n" +
			"The header names the columns: " + strings.Join(fieldNames(false), ",") + "\n" +
			"and " + strings.Join(fieldNames(true), ",") + ".\n" +
			"Only username is needed. Columns that are left out, and empty passwords, keep what is stored;\n" +
			"other empty cells clear it. Every subscriber gets a network profile.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			source, err := openSeekable(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			defer source.close()
			return c.withTenant(cmd.Context(), func(engine store.Engine, tenant string) error {
				imported := &csvImport{name: args[0], tenant: tenant, source: source.File, progress: newProgress(cmd.ErrOrStderr(), "importing", source.size())}
				if err := imported.run(cmd.Context(), engine, actor(), dryRun); err != nil {
					return fmt.Errorf("nothing was imported:\n%w", err)
				}
				return show(cmd.OutOrStdout(), c.output, imported.record(dryRun))
			})
		},
	}
	command.Flags().BoolVar(&dryRun, "dry-run", false, "check every row and count what would change, and change nothing")
	return command
}

// fieldNames returns the names of the exchange format's columns, or of the extra ones.
func fieldNames(extra bool) (names []string) {
	for _, field := range linegate.Fields() {
		if field.Extra == extra {
			names = append(names, field.Name)
		}
	}
	return names
}

// seekable is a file that can be read again from its start.
type seekable struct {
	*os.File
	temporary bool
}

// openSeekable opens a file; standard input and pipes are copied first, so that
// nothing that comes slowly keeps the store's writers waiting.
func openSeekable(stdin io.Reader, path string) (*seekable, error) {
	source := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			return &seekable{File: file}, nil
		}
		defer file.Close()
		source = file
	}
	file, err := os.CreateTemp("", "linegate-import-*.csv")
	if err != nil {
		return nil, err
	}
	spool := &seekable{File: file, temporary: true}
	if _, err := io.Copy(file, source); err != nil {
		spool.close()
		return nil, err
	}
	return spool, nil
}

// size is how long the file is in octets, -1 when nobody can tell.
func (s *seekable) size() int64 {
	info, err := s.Stat()
	if err != nil {
		return -1
	}
	return info.Size()
}

// close removes what was only a copy. The file was only read, so there is
// nothing to lose.
func (s *seekable) close() {
	_ = s.Close()
	if s.temporary {
		_ = os.Remove(s.Name())
	}
}

// csvImport is one run of `profile import`.
type csvImport struct {
	name     string // of the file, for messages
	tenant   string
	source   io.ReadSeeker
	progress *progressbar.ProgressBar

	counts map[linegate.Outcome]int
	lines  nameLines
}

// nameLines remembers on which line each name was first, by the start of its
// digest: names of any length take as little memory. Among a million names two
// meet by chance once in 30 million files.
type nameLines map[[8]byte]uint32

// note remembers a name, and returns the line where it was before.
func (n nameLines) note(name string, line int) (first int, twice bool) {
	sum := sha256.Sum256([]byte(name))
	key := [8]byte(sum[:])
	known, twice := n[key]
	if !twice {
		n[key] = uint32(line)
	}
	return int(known), twice
}

// run writes all rows in one transaction. When a row is bad, the rest are only
// checked, and nothing is written.
func (i *csvImport) run(ctx context.Context, engine store.Engine, actor string, dryRun bool) error {
	err := transact(ctx, engine, actor, dryRun, func(tx store.Tx) error {
		if _, err := i.source.Seek(0, io.SeekStart); err != nil {
			return err
		}
		i.counts, i.lines = map[linegate.Outcome]int{}, nameLines{}
		found := &problem.List{File: i.name, Most: mostRowErrors}
		table, ok := readSubscriberCSV(i.source, found)
		if !ok {
			return found.Err()
		}
		if err := i.rows(ctx, tx, table); err != nil {
			return err
		}
		return found.Err()
	})
	return errors.Join(err, i.progress.Finish())
}

// importPage is how many rows are compared and written together.
const importPage = 2000

func (i *csvImport) rows(ctx context.Context, tx store.Tx, table *subscriberCSV) error {
	for page := table.page(importPage); len(page) > 0; page = table.page(importPage) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := i.page(tx, table, page); err != nil {
			return fmt.Errorf("%s:%d to %d: %w", i.name, page[0].line(), page[len(page)-1].line(), err)
		}
		if err := i.progress.Set64(table.rows.InputOffset()); err != nil {
			return err
		}
	}
	return table.err()
}

// page merges rows with what is stored and writes the results, unless a row of
// the file was bad up to then.
func (i *csvImport) page(tx store.Tx, table *subscriberCSV, rows []csvRow) error {
	var names []string
	for _, row := range rows {
		if row.fault == "" {
			names = append(names, row.cells[table.name])
		}
	}
	stored, err := tx.Subscribers(i.tenant, names)
	if err != nil {
		return err
	}
	merged, lines := make([]*linegate.Subscriber, 0, len(rows)), make([]int, 0, len(rows))
	for _, row := range rows {
		if subscriber := i.merge(table, row, stored); subscriber != nil {
			merged, lines = append(merged, subscriber), append(lines, row.line())
		}
	}
	if table.found.Len() > 0 {
		return nil
	}
	outcomes, err := tx.PutSubscribers(merged)
	for _, outcome := range outcomes {
		i.counts[outcome]++
	}
	if at := (*store.BulkError)(nil); errors.As(err, &at) && table.found.AddFields(lines[at.Index], "", at.Err) {
		return nil
	}
	return err
}

// merge returns what a row makes of the stored subscriber, or nil when the row is
// bad.
func (i *csvImport) merge(table *subscriberCSV, row csvRow, stored map[string]*linegate.Subscriber) *linegate.Subscriber {
	bad := table.found.Len()
	if row.fault != "" {
		table.found.Add(row.line(), "%s", row.fault)
		return nil
	}
	username := row.cells[table.name]
	name := linegate.ComparableUsername(username)
	if line, twice := i.lines.note(name, row.line()); twice {
		table.found.NotAllowed(row.line(), "username", username, fmt.Sprintf("each once in a file; first on line %d", line))
		return nil
	}
	subscriber := &linegate.Subscriber{Tenant: i.tenant}
	if known := stored[name]; known != nil {
		subscriber = known
	}
	if subscriber.Profile == nil {
		subscriber.Profile = &linegate.NetworkProfile{}
	}
	if table.set(row, subscriber); table.found.Len() > bad {
		return nil
	}
	subscriber.Normalize()
	if table.found.AddFields(row.line(), "", subscriber.Validate()) {
		return nil
	}
	return subscriber
}

func (i *csvImport) record(dryRun bool) record {
	return record{
		{"created", i.counts[linegate.Created]},
		{"changed", i.counts[linegate.Changed]},
		{"unchanged", i.counts[linegate.Unchanged]},
		{"dry_run", dryRun},
	}
}
