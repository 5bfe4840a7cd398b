package peers

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// setup is a Linegate to make.
type setup struct {
	subscribers int
	sessions    int // that are in the store beforehand
	postgres    bool
}

// linegateConfig is a production configuration: metrics, events at their default
// level, reply cache.
const linegateConfig = `listen: {auth: "%s", acct: "%s", http: "%s"}
store: "%s"
key_file: %s
log: {file: %s}
cache: {max_bytes: 2GiB}
`

// linegateObjects is what is applied before the subscribers are imported.
const linegateObjects = `tenants: [{name: bench}]
nas:
  - {name: load, address: 127.0.0.1/32, secret: ` + secret + `, require_message_authenticator: yes}
`

// makeLinegate fills a store and prepares a server on it.
func (s *stage) makeLinegate(ctx context.Context, folder string, want setup) (made *server, err error) {
	path := func(name string) string { return filepath.Join(folder, name) }
	made = &server{}
	if made.subscribers, err = s.subscribersFile(ctx, want.subscribers); err != nil {
		return nil, err
	}
	store := "sqlite:" + path("store.db")
	if want.postgres {
		database, err := s.startPostgres(ctx, path("postgres"))
		if err != nil {
			return nil, err
		}
		made.database, store = database, dsn(database)
	}
	var ports [3]int
	for i := range ports {
		if ports[i], err = freePort(); err != nil {
			return nil, err
		}
	}
	made.auth, made.acct = loopback(ports[0]), loopback(ports[1])
	config := fmt.Sprintf(linegateConfig, made.auth, made.acct, loopback(ports[2]), store, path("key"), path("log.json"))
	if err := writeFiles(folder, map[string]string{"linegate.yaml": config, "objects.yaml": linegateObjects}); err != nil {
		return nil, err
	}
	steps := [][]string{{"apply", "-f", path("objects.yaml")}, {"profile", "import", made.subscribers}}
	if want.sessions > 0 {
		steps = append(steps, []string{"bench", "preload", "--subscribers", made.subscribers, "--sessions", strconv.Itoa(want.sessions)})
	}
	for _, step := range steps {
		if _, err := s.linegate(ctx, append(step, "--config", path("linegate.yaml"))...); err != nil {
			return nil, err
		}
	}
	made.program = &program{
		path: s.options.Linegate, args: []string{"serve", "--config", path("linegate.yaml")},
		folder: folder, log: path("printed"), end: syscall.SIGTERM,
	}
	made.ready, made.settled = s.answered(made), made.program.logged("all subscribers are in memory")
	return made, nil
}

// makeEcho prepares the floor.
func (s *stage) makeEcho(ctx context.Context, folder string) (made *server, err error) {
	made = &server{}
	if made.subscribers, err = s.subscribersFile(ctx, s.options.Subscribers); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	made.auth = loopback(port)
	made.program = &program{
		path: s.options.Linegate, args: []string{"bench", "echo", "--listen", made.auth},
		folder: folder, log: filepath.Join(folder, "printed"), end: syscall.SIGTERM,
	}
	made.ready = made.program.logged(made.auth)
	return made, nil
}

// answered succeeds when the server accepts the first of its subscribers.
func (s *stage) answered(server *server) func(context.Context) error {
	return func(ctx context.Context) error {
		first, err := firstSubscriber(server.subscribers)
		if err != nil {
			return err
		}
		_, err = s.linegate(ctx, "send", "auth", "--server", server.auth, "--secret", secret, "--timeout", "200ms", "--retries", "0",
			"--user", first["username"], "--password", first["password"], "--circuit", first["circuit_id"], "--remote", first["remote_id"])
		return err
	}
}

// firstSubscriber reads the first row of a CSV file, by column.
func firstSubscriber(path string) (found map[string]string, err error) {
	err = eachSubscriber(path, func(row map[string]string) error {
		found = row
		return errEnough
	})
	return found, err
}

// errEnough ends eachSubscriber early, without an error.
var errEnough = errors.New("enough")

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// eachSubscriber calls fn with each row of a CSV file, by column.
func eachSubscriber(path string, fn func(map[string]string) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	rows := csv.NewReader(file)
	columns, err := rows.Read()
	if err != nil {
		return err
	}
	for {
		cells, err := rows.Read()
		if err != nil {
			return ignoreEnd(err)
		}
		row := make(map[string]string, len(columns))
		for i, column := range columns {
			row[column] = cells[i]
		}
		if err := fn(row); err != nil {
			return ignoreEnd(err)
		}
	}
}

// writeFiles writes files into a folder, by name.
func writeFiles(folder string, files map[string]string) error {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(strings.TrimLeft(text, "\n")), 0o644); err != nil {
			return err
		}
	}
	return nil
}
