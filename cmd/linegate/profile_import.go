package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"linegate"
	"linegate/cmd/linegate/problem"
	"linegate/store"
)

// mostRowErrors is how many bad rows of a CSV are listed.
const mostRowErrors = 20

func newProfileImportCommand(c *cli) *cobra.Command {
	var dryRun, push bool
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
				cfg, err := c.config()
				if err != nil {
					return err
				}
				can, err := newExpressible(cmd.Context(), engine, cfg, tenant)
				if err != nil {
					return err
				}
				imported := &csvImport{can: can, name: args[0], tenant: tenant, source: source.File, progress: newProgress(cmd.ErrOrStderr(), source.File)}
				return c.thenPush(cmd, engine, push, func() error {
					if err := imported.run(cmd.Context(), engine, actor(), dryRun); err != nil {
						return fmt.Errorf("nothing was imported:\n%w", err)
					}
					return show(cmd.OutOrStdout(), c.output, imported.record(dryRun))
				})
			})
		},
	}
	command.Flags().BoolVar(&dryRun, "dry-run", false, "check every row and count what would change, and change nothing")
	addPushFlag(command, &push)
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

// close removes what was only a copy. The file was only read, so there is
// nothing to lose.
func (s *seekable) close() {
	_ = s.Close()
	if s.temporary {
		_ = os.Remove(s.Name())
	}
}

// newProgress returns a bar over the octets of a file, silent unless a person
// watches.
func newProgress(out io.Writer, file *os.File) *progressbar.ProgressBar {
	size := int64(-1)
	if info, err := file.Stat(); err == nil {
		size = info.Size()
	}
	return progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetVisibility(isTerminal(out)),
		progressbar.OptionSetDescription("importing"),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
}

// csvImport is one run of `profile import`.
type csvImport struct {
	name     string // of the file, for messages
	tenant   string
	source   io.ReadSeeker
	can      *expressible
	progress *progressbar.ProgressBar

	counts map[linegate.Outcome]int
}

// run writes all rows in one transaction. When a row is bad, the rest are only
// checked, and nothing is written.
func (i *csvImport) run(ctx context.Context, engine store.Engine, actor string, dryRun bool) error {
	err := transact(ctx, engine, actor, dryRun, func(tx store.Tx) error {
		if _, err := i.source.Seek(0, io.SeekStart); err != nil {
			return err
		}
		i.counts = map[linegate.Outcome]int{}
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

func (i *csvImport) rows(ctx context.Context, tx store.Tx, table *subscriberCSV) error {
	first := map[[16]byte]int{} // line of each username, by its hash: half the memory
	for table.next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := i.row(tx, table, first); err != nil {
			return fmt.Errorf("%s:%d: %w", i.name, table.line(), err)
		}
		if err := i.progress.Set64(table.rows.InputOffset()); err != nil {
			return err
		}
	}
	return table.err()
}

// row merges a row with what is stored and writes the result, unless a row before
// it was bad.
func (i *csvImport) row(tx store.Tx, table *subscriberCSV, first map[[16]byte]int) error {
	sum := sha256.Sum256([]byte(linegate.ComparableUsername(table.username())))
	key := [16]byte(sum[:])
	if line, twice := first[key]; twice {
		table.found.NotAllowed(table.line(), "username", table.username(), fmt.Sprintf("each once in a file; first on line %d", line))
		return nil
	}
	first[key] = table.line()

	stored, err := unlessMissing(tx.Subscriber(i.tenant, table.username()))
	if err != nil {
		return err
	}
	subscriber := &linegate.Subscriber{Tenant: i.tenant}
	if stored != nil {
		subscriber = stored.Clone()
	}
	if subscriber.Profile == nil {
		subscriber.Profile = &linegate.NetworkProfile{}
	}
	bad := table.found.Len()
	if table.into(subscriber); table.found.Len() > bad {
		return nil
	}
	subscriber.Normalize()
	if table.found.AddFields(table.line(), "", subscriber.Validate()) || table.found.AddFields(table.line(), "", i.can.check(subscriber)) || table.found.Len() > 0 {
		return nil
	}
	outcome, err := tx.PutSubscriber(subscriber)
	if err == nil {
		i.counts[outcome]++
		return nil
	}
	if table.found.AddFields(table.line(), "", err) {
		return nil
	}
	return err
}

func (i *csvImport) record(dryRun bool) record {
	return record{
		{"created", i.counts[linegate.Created]},
		{"changed", i.counts[linegate.Changed]},
		{"unchanged", i.counts[linegate.Unchanged]},
		{"dry_run", dryRun},
	}
}
