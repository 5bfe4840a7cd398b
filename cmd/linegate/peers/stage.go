package peers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// secret is the one that all servers here share with the load.
const secret = "testing123"

// The servers, by name.
const (
	echoServer       = "echo"
	onSQLite         = "linegate-sqlite"
	onPostgres       = "linegate-postgres"
	preloaded        = "linegate-preloaded"
	withFew          = "linegate-few"
	withMany         = "linegate-many"
	withManyPostgres = "linegate-many-postgres"
	freeRADIUSUsers  = "freeradius-users"
	freeRADIUSSQL    = "freeradius-sql"
)

// stage is a folder with all that runs in it.
type stage struct {
	options Options
	folder  string
	running map[string]*server
	failed  map[string]error // servers that could not be started
	started []*program       // in that order
	half    int              // requests a second: half of the maximum of FreeRADIUS with a users file
	full    int              // requests a second: the maximum of Linegate
	paced   map[string]*figures
}

func newStage(options Options, folder string) *stage {
	return &stage{
		options: options, folder: folder,
		running: map[string]*server{}, failed: map[string]error{}, paced: map[string]*figures{},
	}
}

// server is one that is measured: it serves the load when start returns.
type server struct {
	auth, acct  string
	subscribers string   // path of the CSV file of its subscribers
	pids        []int    // whose CPU time is its
	database    *program // beside it; nil: none
	program     *program
	ready       func(ctx context.Context) error // returns when the first request was answered; nil: at once
	settled     func(ctx context.Context) error // returns when it has loaded all it wants to; nil: at once
}

// server returns the one with that name, made and started when it is not running.
func (s *stage) server(ctx context.Context, name string) (*server, error) {
	if found := s.running[name]; found != nil {
		return found, nil
	}
	if err := s.failed[name]; err != nil {
		return nil, err
	}
	s.say("prepare  %s", name)
	made, err := s.make(ctx, name)
	if err == nil {
		s.started = append(s.started, made.program)
		if err = made.start(ctx); err == nil {
			err = made.settle(ctx)
		}
	}
	if err != nil {
		s.failed[name] = fmt.Errorf("%s: %w", name, err)
		s.say("prepare  %s", s.failed[name])
		return nil, s.failed[name]
	}
	s.running[name] = made
	return made, nil
}

// make prepares a server up to its start.
func (s *stage) make(ctx context.Context, name string) (*server, error) {
	folder := filepath.Join(s.folder, name)
	if err := os.Mkdir(folder, 0o755); err != nil {
		return nil, err
	}
	all, few, many := s.options.Subscribers, s.options.fewer(), s.options.Many
	switch name {
	case echoServer:
		return s.makeEcho(ctx, folder)
	case freeRADIUSUsers:
		return s.makeFreeRADIUS(ctx, folder, false)
	case freeRADIUSSQL:
		return s.makeFreeRADIUS(ctx, folder, true)
	case onPostgres, withManyPostgres:
		return s.makeLinegate(ctx, folder, setup{subscribers: pick(name == onPostgres, all, many), postgres: true})
	case preloaded:
		return s.makeLinegate(ctx, folder, setup{subscribers: all, sessions: many})
	case withFew:
		return s.makeLinegate(ctx, folder, setup{subscribers: few})
	case withMany:
		return s.makeLinegate(ctx, folder, setup{subscribers: many})
	}
	return s.makeLinegate(ctx, folder, setup{subscribers: all})
}

func pick[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

// start runs the server's processes and waits for the first answer. The database
// stays up over a restart.
func (s *server) start(ctx context.Context) error {
	if err := s.program.start(ctx); err != nil {
		return err
	}
	s.pids = []int{s.program.pid()}
	if s.database != nil {
		s.pids = append(s.pids, s.database.pid())
	}
	if s.ready == nil {
		return nil
	}
	return s.program.await(ctx, s.ready)
}

func (s *server) settle(ctx context.Context) error {
	if s.settled == nil {
		return nil
	}
	return s.program.await(ctx, s.settled)
}

func (s *server) stop() error { return s.program.stop() }

// close ends all that was started, the last first.
func (s *stage) close() error {
	var errs []error
	for _, program := range slices.Backward(s.started) {
		errs = append(errs, program.stop())
	}
	return errors.Join(errs...)
}

// subscribersFile returns a CSV file of so many invented subscribers.
func (s *stage) subscribersFile(ctx context.Context, count int) (string, error) {
	path := filepath.Join(s.folder, fmt.Sprintf("subscribers-%d.csv", count))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	rows, err := s.linegate(ctx, "bench", "subscribers", "--count", strconv.Itoa(count))
	if err != nil {
		return "", err
	}
	return path, os.WriteFile(path, rows, 0o644)
}

// freePort finds a port of 127.0.0.1 that nobody listens on, for UDP and TCP.
func freePort() (int, error) {
	for {
		packets, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := packets.LocalAddr().(*net.UDPAddr).Port
		stream, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		packets.Close()
		if err == nil {
			stream.Close()
			return port, nil
		}
	}
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// residentKiB is how much memory of a process is resident.
func residentKiB(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			return strconv.Atoi(fields[1])
		}
	}
	return 0, fmt.Errorf("process %d: no VmRSS", pid)
}
