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

// becomeExecutor takes the lock of the store. held is false when another process
// has it.
func becomeExecutor(ctx context.Context, cfg config.Config) (release func() error, held bool, err error) {
	if path, embedded := strings.CutPrefix(cfg.Store, "sqlite:"); embedded {
		return lockFile(path + ".provisioning")
	}
	return lockDatabase(ctx, cfg.Store)
}

func lockFile(path string) (release func() error, held bool, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("lock of provisioning: %w", err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, false, file.Close()
	}
	if err != nil {
		return nil, false, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return file.Close, true, nil
}

func lockDatabase(ctx context.Context, dsn string) (release func() error, held bool, err error) {
	connection, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, false, fmt.Errorf("lock of provisioning: %w", err)
	}
	closing := func() error { return connection.Close(context.WithoutCancel(ctx)) }
	if err := connection.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, executorLock).Scan(&held); err != nil {
		return nil, false, errors.Join(fmt.Errorf("lock of provisioning: %w", err), closing())
	}
	if !held {
		return nil, false, closing()
	}
	return closing, true, nil
}

// workflowsIn is where workflows are recorded: beside everything else in the
// store, and as durable.
func workflowsIn(cfg config.Config) string {
	if strings.HasPrefix(cfg.Store, "sqlite:") {
		return cfg.Store + "?_pragma=synchronous(FULL)&_pragma=busy_timeout(30000)"
	}
	return cfg.Store
}
