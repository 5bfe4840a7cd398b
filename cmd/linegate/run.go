package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"slices"
	"strings"

	"linegate"
	"linegate/cmd/linegate/config"
	"linegate/store"
	"linegate/store/postgres"
	"linegate/store/sqlite"
)

// cli is what all commands share: the persistent flags and what they open.
type cli struct {
	configPath string
	output     outputFormat
	tenant     string
}

// config loads the file that --config, LINEGATE_CONFIG or a default place names,
// or defaults and environment where there is none.
func (c *cli) config() (config.Config, error) {
	return config.Load(config.Find(c.configPath))
}

// errNoConfig is for commands that must not run on defaults alone.
func errNoConfig() error {
	return fmt.Errorf("no configuration file at %s: give one with --config FILE or LINEGATE_CONFIG",
		strings.Join(config.Places(), " or "))
}

// openStore opens the configured store, which the caller closes, and returns the
// key that its secrets are sealed with. A PostgreSQL that can't be reached is no
// error yet: see prepareStore.
func openStore(ctx context.Context, cfg config.Config) (engine store.Engine, sealer *store.Sealer, err error) {
	if sealer, err = openKey(ctx, cfg); err != nil {
		return nil, nil, err
	}
	if path, embedded := strings.CutPrefix(cfg.Store, "sqlite:"); embedded {
		engine, err = sqlite.Open(ctx, path, sealer)
	} else {
		engine, err = postgres.Open(ctx, cfg.Store, sealer, postgres.Options{})
	}
	if err != nil {
		return nil, nil, fmt.Errorf("store %s: %w", storeName(cfg.Store), err)
	}
	return engine, sealer, nil
}

// openKey opens the key file, made when there is no store yet either.
func openKey(ctx context.Context, cfg config.Config) (*store.Sealer, error) {
	var err error
	if path, embedded := strings.CutPrefix(cfg.Store, "sqlite:"); embedded {
		err = keyBelongs(path, cfg.KeyFile)
	} else {
		err = keyIsShared(ctx, cfg)
	}
	if err != nil {
		return nil, err
	}
	return store.OpenKeyFile(cfg.KeyFile)
}

// prepareStore makes an empty database whole and refuses one whose schema or key
// is not ours. It is linegate.ErrUnavailable when the database can't be asked.
// SQLite has seen to all of that when it was opened.
func prepareStore(ctx context.Context, engine store.Engine) error {
	if database, apart := engine.(*postgres.Store); apart {
		return database.Prepare(ctx)
	}
	return nil
}

// checkStore is prepareStore for commands that must not make a store.
func checkStore(ctx context.Context, engine store.Engine) error {
	if database, apart := engine.(*postgres.Store); apart {
		return database.CheckSchema(ctx)
	}
	return nil
}

// storeName is the store as it may be shown: without user, password and settings.
func storeName(configured string) string {
	address, database := strings.CutPrefix(configured, "postgres://")
	if !database {
		return configured
	}
	address, _, _ = strings.Cut(address[strings.LastIndex(address, "@")+1:], "?")
	return "postgres://" + address
}

// keyBelongs fails when there is a store and not its key: a new key would open
// nothing, and the next backup of keys would take it for the right one.
func keyBelongs(path, keyFile string) error {
	held, err := os.Stat(path)
	if err != nil || held.Size() == 0 {
		return nil // no store yet, or opening it will tell
	}
	if _, err := os.Stat(keyFile); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("key file %s: missing, though the store %s is there: put back the key file that belongs to it", keyFile, path)
	}
	return nil
}

// keyIsShared fails when the key file is missing and the database has been sealed
// with one already, by another node.
func keyIsShared(ctx context.Context, cfg config.Config) error {
	if _, err := os.Stat(cfg.KeyFile); !errors.Is(err, fs.ErrNotExist) {
		return nil // or opening it will tell
	}
	schema, err := postgres.Status(ctx, cfg.Store)
	if err != nil {
		return fmt.Errorf("key file %s: missing, and the store can't tell whether it needs one of its own: %w", cfg.KeyFile, err)
	}
	if schema.Version > 0 {
		return fmt.Errorf("key file %s: missing, though the store %s is there: put the key file there that its other nodes have", cfg.KeyFile, storeName(cfg.Store))
	}
	return nil
}

// withStore runs fn with the configured store open, which has to be there: a
// command that looks at a place by mistake must not leave a store behind.
func (c *cli) withStore(ctx context.Context, fn func(store.Engine) error) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if err := requireStore(cfg); err != nil {
		return err
	}
	return withOpenStore(ctx, cfg, checkStore, fn)
}

// requireStore fails where no store is.
func requireStore(cfg config.Config) error {
	if path, embedded := strings.CutPrefix(cfg.Store, "sqlite:"); embedded {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("store %s: there is none yet: `linegate serve` and `linegate apply -f FILE` make it; "+
				"to look at another, give its configuration with --config FILE or set LINEGATE_STORE", cfg.Store)
		}
	}
	return nil
}

// withMadeStore runs fn with the configured store open, made when it is missing.
func withMadeStore(ctx context.Context, cfg config.Config, fn func(store.Engine) error) error {
	return withOpenStore(ctx, cfg, prepareStore, fn)
}

func withOpenStore(ctx context.Context, cfg config.Config, look func(context.Context, store.Engine) error, fn func(store.Engine) error) error {
	engine, _, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	if err := look(ctx, engine); err != nil {
		return errors.Join(fmt.Errorf("store %s: %w", storeName(cfg.Store), err), engine.Close())
	}
	return errors.Join(fn(engine), engine.Close())
}

// withTenant is withStore for commands that work on one tenant.
func (c *cli) withTenant(ctx context.Context, fn func(engine store.Engine, tenant string) error) error {
	return c.withStore(ctx, func(engine store.Engine) error {
		tenant, err := c.pickTenant(ctx, engine)
		if err != nil {
			return err
		}
		return fn(engine, tenant)
	})
}

// pickTenant returns the tenant that --tenant names, or else the only one.
func (c *cli) pickTenant(ctx context.Context, engine store.Engine) (string, error) {
	names, err := tenantNames(ctx, engine)
	switch {
	case err != nil:
		return "", err
	case len(names) == 0:
		return "", errors.New("the store has no tenant yet: make one with `linegate apply -f FILE`, where FILE says e.g. tenants: [{name: my-isp}]")
	case c.tenant != "" && !slices.Contains(names, c.tenant):
		return "", fmt.Errorf("tenant %s: not found; there is %s", c.tenant, strings.Join(names, ", "))
	case c.tenant != "":
		return c.tenant, nil
	case len(names) > 1:
		return "", fmt.Errorf("the store has several tenants, name one with --tenant: %s", strings.Join(names, ", "))
	}
	return names[0], nil
}

func tenantNames(ctx context.Context, engine store.Engine) ([]string, error) {
	tenants, err := engine.Tenants(ctx)
	if err != nil {
		return nil, fmt.Errorf("tenants: %w", err)
	}
	names := make([]string, len(tenants))
	for i, tenant := range tenants {
		names[i] = tenant.Name
	}
	return names, nil
}

// errRollback ends a transaction that was only tried out.
var errRollback = errors.New("rolled back on purpose")

// transact runs fn in one transaction, and takes everything back again on a dry run.
func transact(ctx context.Context, engine store.Engine, actor string, dryRun bool, fn func(store.Tx) error) error {
	err := engine.Update(ctx, actor, func(tx store.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		if dryRun {
			return errRollback
		}
		return nil
	})
	if errors.Is(err, errRollback) {
		return nil
	}
	return err
}

// unlessMissing turns linegate.ErrNotFound into a nil result.
func unlessMissing[T any](found *T, err error) (*T, error) {
	if errors.Is(err, linegate.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return found, nil
}

func storedNAS(tx store.Tx, tenant, name string) (*linegate.NAS, error) {
	nas, err := tx.NAS(tenant, name)
	return unlessMissing(&nas, err)
}

// actor is who writes, for the audit trail: user@host.
func actor() string {
	name, host := "unknown", "localhost"
	if current, err := user.Current(); err == nil {
		name = current.Username
	}
	if known, err := os.Hostname(); err == nil {
		host = known
	}
	return name + "@" + host
}
