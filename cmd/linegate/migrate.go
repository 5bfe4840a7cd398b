package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"linegate/cmd/linegate/config"
	"linegate/store"
	"linegate/store/postgres"
	"linegate/store/sqlite"
)

func newMigrateCommand(c *cli) *cobra.Command {
	return newGroup("migrate", "Bring the store's schema up to date", nil, newMigrateUpCommand(c), newMigrateStatusCommand(c))
}

// schemaTools are what an engine offers for its schema.
type schemaTools struct {
	status func(ctx context.Context) (store.Schema, error)
	up     func(ctx context.Context) error
}

// schemaToolsFor returns those of the configured store, which has to be there.
func schemaToolsFor(cfg config.Config) (schemaTools, error) {
	path, embedded := strings.CutPrefix(cfg.Store, "sqlite:")
	if !embedded {
		return schemaTools{
			status: func(ctx context.Context) (store.Schema, error) { return postgres.Status(ctx, cfg.Store) },
			up: func(ctx context.Context) error {
				sealer, err := openKey(ctx, cfg)
				if err == nil {
					_, err = postgres.Migrate(ctx, cfg.Store, sealer)
				}
				return err
			},
		}, nil
	}
	return schemaTools{
		status: func(ctx context.Context) (store.Schema, error) { return sqlite.Status(ctx, path) },
		up: func(ctx context.Context) error { // opening brings it up to date
			return withMadeStore(ctx, cfg, func(store.Engine) error { return nil })
		},
	}, requireStore(cfg)
}

func newMigrateStatusCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show which migrations the store has, and change nothing",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withSchema(cmd.Context(), func(tools schemaTools) error {
				schema, err := tools.status(cmd.Context())
				if err != nil {
					return err
				}
				rows := newListing(cmd.OutOrStdout(), c.output, "number", "migration", "applied_at")
				for _, migration := range schema.Migrations {
					r := record{{"number", migration.Number}, {"migration", migration.Name}, {"applied_at", migration.AppliedAt}}
					if err := rows.add(r); err != nil {
						return err
					}
				}
				return errors.Join(rows.close(), schema.RefuseNewer())
			})
		},
	}
}

func newMigrateUpCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "up",
		Short: "Apply the migrations that the store does not have yet",
		Long: "Apply the migrations that the store does not have yet, all of them or none. There is no way back but\n" +
			"a backup: make one first, with `linegate store backup` or pg_dump.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withSchema(cmd.Context(), func(tools schemaTools) error {
				before, err := tools.status(cmd.Context())
				if err == nil {
					err = before.RefuseNewer()
				}
				if err == nil {
					err = tools.up(cmd.Context())
				}
				if err != nil {
					return err
				}
				applied := []string{}
				for _, migration := range before.Migrations[before.Version:] {
					applied = append(applied, migration.Name)
				}
				return show(cmd.OutOrStdout(), c.output, record{{"version", before.Newest}, {"applied", applied}})
			})
		},
	}
}

func (c *cli) withSchema(ctx context.Context, fn func(schemaTools) error) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	tools, err := schemaToolsFor(cfg)
	if err != nil {
		return err
	}
	return fn(tools)
}
