package peers

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"linegate/store/postgres/installed"
)

// startPostgres makes a private cluster in the folder, with PostgreSQL's own
// settings but for the number of connections, and starts it; close ends it.
func (s *stage) startPostgres(ctx context.Context, folder string) (*program, error) {
	binaries, err := installed.Programs()
	if err != nil {
		return nil, err
	}
	owner, err := installed.Owner()
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, err
	}
	if err := installed.GiveAway(folder, owner); err != nil {
		return nil, err
	}
	initdb := exec.CommandContext(ctx, filepath.Join(binaries, "initdb"), "-D", filepath.Join(folder, "data"),
		"-U", databaseUser, "-A", "trust", "-E", "UTF8", "--no-locale")
	initdb.Dir, initdb.SysProcAttr = folder, &syscall.SysProcAttr{Credential: owner}
	if said, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(said))
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	database := &program{
		path: filepath.Join(binaries, "postgres"),
		args: []string{"-D", filepath.Join(folder, "data"), "-p", strconv.Itoa(port), "-k", folder,
			"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"},
		folder: folder, log: folder + ".log", owner: owner, end: syscall.SIGINT, // a fast shutdown
	}
	s.started = append(s.started, database)
	if err := database.start(ctx); err != nil {
		return nil, err
	}
	return database, database.await(ctx, func(ctx context.Context) error { return psql(ctx, database, "SELECT 1") })
}

// databaseUser is the superuser of a private cluster, and the database that it has.
const databaseUser = "postgres"

// postgresPort is where a cluster that startPostgres made listens.
func postgresPort(database *program) string {
	return database.args[slices.Index(database.args, "-p")+1]
}

func dsn(database *program) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%s/postgres?sslmode=disable", databaseUser, postgresPort(database))
}

// psql runs commands, of SQL or of psql itself.
func psql(ctx context.Context, database *program, commands ...string) error {
	args := []string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn(database)}
	for _, command := range commands {
		args = append(args, "-c", command)
	}
	if said, err := exec.CommandContext(ctx, filepath.Join(filepath.Dir(database.path), "psql"), args...).CombinedOutput(); err != nil {
		return fmt.Errorf("psql: %w: %s", err, bytes.TrimSpace(said))
	}
	return nil
}
