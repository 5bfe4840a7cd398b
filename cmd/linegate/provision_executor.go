package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"linegate/cmd/linegate/config"
)

// Only one process at a time carries orders out on a store. Which one, a lock
// decides that ends with the process, however that ends; the next holder takes up
// what the last one left.

// executorLock is the key of PostgreSQL's advisory lock.
const executorLock int64 = 0x4c47_5052_4f56 // "LGPROV"

// becomeExecutor takes the lock of the store. The context it returns ends with ctx,
// and when the lock is lost, as it is when the database ends the connection: another
// process may carry orders out from then on. It is nil when another process has the
// lock already.
func becomeExecutor(ctx context.Context, cfg config.Config) (held context.Context, release func() error, err error) {
	if path, embedded := strings.CutPrefix(cfg.Store, "sqlite:"); embedded {
		return lockFile(ctx, path+".provisioning")
	}
	return lockDatabase(ctx, cfg.Store)
}

func lockFile(ctx context.Context, path string) (held context.Context, release func() error, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("lock of provisioning: %w", err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil, file.Close()
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return ctx, file.Close, nil
}

func lockDatabase(ctx context.Context, dsn string) (held context.Context, release func() error, err error) {
	connection, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, nil, fmt.Errorf("lock of provisioning: %w", err)
	}
	closing := func() error { return connection.Close(context.WithoutCancel(ctx)) }
	var locked bool
	if err := connection.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, executorLock).Scan(&locked); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("lock of provisioning: %w", err), closing())
	}
	if !locked {
		return nil, nil, closing()
	}
	held, lose := context.WithCancelCause(ctx)
	watching := make(chan struct{})
	go func() { // ends with the connection, or with release
		defer close(watching)
		_, err := connection.WaitForNotification(held) // nobody notifies
		lose(fmt.Errorf("the lock of provisioning is lost: %w", err))
	}()
	return held, func() error { lose(nil); <-watching; return closing() }, nil
}

// workflowsIn is where workflows are recorded: beside everything else in the
// store, and as durable.
func workflowsIn(cfg config.Config) string {
	if strings.HasPrefix(cfg.Store, "sqlite:") {
		return cfg.Store + "?_pragma=synchronous(FULL)&_pragma=busy_timeout(30000)"
	}
	return cfg.Store
}
