package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"linegate/cmd/linegate/config"
	"linegate/store"
	"linegate/store/sqlite"
)

func newStoreCommand(c *cli) *cobra.Command {
	return newGroup("store", "Back up and restore the store", nil, newStoreBackupCommand(c), newStoreRestoreCommand(c))
}

func newStoreBackupCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write the whole store to a file, also while the server runs",
		Long: "Write the whole SQLite store, as it is at one moment, to a new file. The server may run and write\n" +
			"meanwhile. Passwords and secrets in it are sealed by the key file, which is not in it: keep a copy\n" +
			"of that elsewhere.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, path, err := c.embedded("store backup: the store is in PostgreSQL: back it up with pg_dump, or by continuous archiving")
			if err != nil {
				return err
			}
			if err := requireStore(cfg); err != nil {
				return err
			}
			r, err := backUp(cmd.Context(), path, args[0])
			if err != nil {
				return err
			}
			return show(cmd.OutOrStdout(), c.output, r)
		},
	}
}

// embedded returns the configuration and the path of its SQLite store; with another
// store, otherwise says what to do instead.
func (c *cli) embedded(otherwise string) (cfg config.Config, path string, err error) {
	cfg, err = c.config()
	if err != nil {
		return cfg, "", err
	}
	path, embedded := strings.CutPrefix(cfg.Store, "sqlite:")
	if !embedded {
		return cfg, "", errors.New(otherwise)
	}
	return cfg, path, nil
}

// backUp writes the backup and tells what it is.
func backUp(ctx context.Context, path, file string) (record, error) {
	if err := sqlite.Backup(ctx, path, file); err != nil {
		return nil, err
	}
	written, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	schema, err := sqlite.Status(ctx, file)
	return record{{"backup", file}, {"octets", written.Size()}, {"schema_version", schema.Version}}, err
}

func newStoreRestoreCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of the store; the server must be stopped",
		Long: "Put a backup in the place of the SQLite store. It is proven first: that it is sound and that the key\n" +
			"file opens it. The store that was there is kept beside it. While a server or a command has the\n" +
			"store open, nothing is done.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, path, err := c.embedded("store restore: the store is in PostgreSQL: restore it with pg_restore, or from the archive")
			if err != nil {
				return err
			}
			if _, err := os.Stat(cfg.KeyFile); err != nil {
				return fmt.Errorf("key file of the backup: %w: put it back first", err)
			}
			sealer, err := store.OpenKeyFile(cfg.KeyFile)
			if err != nil {
				return err
			}
			aside, err := sqlite.Restore(cmd.Context(), path, args[0], sealer, time.Now())
			if err != nil {
				return err
			}
			return show(cmd.OutOrStdout(), c.output, record{{"store", cfg.Store}, {"restored_from", args[0]}, {"old_store", aside}})
		},
	}
}
