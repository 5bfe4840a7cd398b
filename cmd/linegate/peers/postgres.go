package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// startPostgres makes a private cluster in the folder, with PostgreSQL's own
// settings but for the number of connections, and starts it; close ends it.
func (s *stage) startPostgres(ctx context.Context, folder string) (*program, error) {
	binaries, err := postgresBinaries()
	if err != nil {
		return nil, err
	}
	owner, err := postgresOwner()
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, err
	}
	if owner != nil {
		if err := os.Chown(folder, int(owner.Uid), int(owner.Gid)); err != nil {
			return nil, err
		}
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

// postgresBinaries is the folder of the newest PostgreSQL that Debian has installed,
// or of the initdb that is found first.
func postgresBinaries() (string, error) {
	debian, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	slices.SortFunc(debian, func(a, b string) int { return postgresVersion(a) - postgresVersion(b) })
	if len(debian) > 0 {
		return filepath.Dir(debian[len(debian)-1]), nil
	}
	found, err := exec.LookPath("initdb")
	if err != nil {
		return "", errors.New("PostgreSQL is not installed: there is no initdb in /usr/lib/postgresql/*/bin nor in PATH")
	}
	return filepath.Dir(found), nil
}

func postgresVersion(path string) int {
	version, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return version
}

// postgresOwner is who runs PostgreSQL, which refuses root; nil: who runs this.
func postgresOwner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, errUID := strconv.ParseUint(account.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(account.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(errUID, errGID)
}
