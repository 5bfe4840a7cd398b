package postgres

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"linegate/store"
	"linegate/store/booking"
)

// Options size the pools of connections; zero fields get the default. They are
// apart so that a slow list or a long import keeps no lookup and no accounting
// waiting. One more connection listens for changes.
type Options struct {
	Lookups    int32 // lookups, admissions, journals and the change feed; default 8
	Accounting int32 // recording of accounting; default 4
	Updates    int32 // writes of tenants, NAS and subscribers, which go one by one anyway; default 2
	Lists      int32 // lists, counts and upkeep; default 4
}

func (o Options) withDefaults() Options {
	for size, standard := range map[*int32]int32{&o.Lookups: 8, &o.Accounting: 4, &o.Updates: 2, &o.Lists: 4} {
		if *size <= 0 {
			*size = standard
		}
	}
	return o
}

const (
	// connectTimeout is how long one host of the DSN is tried, unless the DSN says.
	connectTimeout = 3 * time.Second
	// Locks are held for the length of a transaction: by what requests wait for, for
	// milliseconds; by an import for as long as it takes.
	requestLockTimeout = 5 * time.Second
	lockTimeout        = 30 * time.Second
	// idleTimeout is when the server ends a transaction of ours that says nothing: of
	// a node that hangs, whose locks others wait for.
	idleTimeout = 60 * time.Second
	// leaveTimeout is how long giving up a transaction may take.
	leaveTimeout = time.Second
)

// Store is a store.Engine over one PostgreSQL database, which other nodes may use
// at the same time.
type Store struct {
	sealer     *store.Sealer
	now        func() time.Time
	config     *pgx.ConnConfig
	lookups    *pgxpool.Pool
	accounting *pgxpool.Pool
	updates    *pgxpool.Pool
	lists      *pgxpool.Pool

	known       *booking.Known // of sessions
	followed    atomic.Int64   // the revision that Feed last handed out; -1: none yet
	partitioned atomic.Int64   // the day on which parts were last made ahead
	listener    chan *pgx.Conn // holds the one that listens, nil when there is none; empty while it is used

	closing context.Context // ends with Close, and with it all that is under way
	close   context.CancelFunc
}

var _ store.Engine = (*Store)(nil)

// Open readies a store on the database that dsn names, in the form of a URL or of
// key=value pairs, and connects only when something is asked: a server that can't
// be reached is no error here. Call CheckSchema or Prepare when it can.
func Open(ctx context.Context, dsn string, sealer *store.Sealer, options Options) (*Store, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err // tells the DSN without its password
	}
	s := &Store{sealer: sealer, now: time.Now, config: config.ConnConfig, known: booking.NewKnown(), listener: make(chan *pgx.Conn, 1)}
	s.followed.Store(-1)
	s.listener <- nil
	s.closing, s.close = context.WithCancel(context.WithoutCancel(ctx))
	settle(config)
	return s, s.openPools(config, options.withDefaults())
}

// openPools makes the pools. Statements are planned for tables as they will be: all
// that requests wait for has an index (enable_seqscan), and a batch is planned for its
// own size and that of the tables at the time (plan_cache_mode). A plan that was made
// while a table was small would read all of it for every row, until PostgreSQL
// notices a minute later.
func (s *Store) openPools(config *pgxpool.Config, options Options) (err error) {
	short, long := inMilliseconds(requestLockTimeout), inMilliseconds(lockTimeout)
	for _, p := range []struct {
		pool     **pgxpool.Pool
		size     int32
		settings map[string]string
	}{
		{&s.lookups, options.Lookups, map[string]string{"lock_timeout": short, "enable_seqscan": "off"}},
		{&s.accounting, options.Accounting, map[string]string{"lock_timeout": short, "enable_seqscan": "off", "plan_cache_mode": "force_custom_plan"}},
		{&s.updates, options.Updates, map[string]string{"lock_timeout": long, "enable_seqscan": "off", "plan_cache_mode": "force_custom_plan"}},
		{&s.lists, options.Lists, map[string]string{"lock_timeout": long}},
	} {
		config := config.Copy()
		config.MaxConns = p.size
		for setting, value := range p.settings {
			setUnlessGiven(config.ConnConfig, setting, value)
		}
		if *p.pool, err = pgxpool.NewWithConfig(s.closing, config); err != nil {
			return err
		}
	}
	return nil
}

// settle sets what holds for all connections; the DSN may say otherwise.
func settle(config *pgxpool.Config) {
	c := config.ConnConfig
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	c.DialFunc = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}}).DialContext
	setUnlessGiven(c, "application_name", "linegate")
	setUnlessGiven(c, "idle_in_transaction_session_timeout", inMilliseconds(idleTimeout))
	config.PingTimeout = c.ConnectTimeout
	config.AfterConnect = commitDurably
}

func setUnlessGiven(c *pgx.ConnConfig, setting, value string) {
	if _, given := c.RuntimeParams[setting]; !given {
		c.RuntimeParams[setting] = value
	}
}

func inMilliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// commitDurably keeps a database that is set to answer a COMMIT before it is on
// disk from doing so: a NAS forgets what was acknowledged.
func commitDurably(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`)
	return err
}

// Close ends what is under way and closes all connections; what waits in Changed
// returns.
func (s *Store) Close() error {
	if s.closing.Err() != nil {
		return nil
	}
	s.close()
	for _, pool := range []*pgxpool.Pool{s.lookups, s.accounting, s.updates, s.lists} {
		pool.Close()
	}
	if conn := <-s.listener; conn != nil {
		return conn.Close(s.closing)
	}
	return nil
}

// until returns ctx, ended also by Close.
func (s *Store) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.closing, cancel)
	return ctx, func() { stop(); cancel() }
}

// each calls scan for every row. When scan returns an error the rest is not read.
func (s *Store) each(ctx context.Context, pool *pgxpool.Pool, scan func(scanner) error, query string, args ...any) error {
	ctx, cancel := s.until(ctx)
	defer cancel()
	rows, err := pool.Query(ctx, query, args...)
	if err != nil {
		return fail(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			cancel() // before Close, which would read on to the end
			return err
		}
	}
	return fail(rows.Err())
}

// row reads one row into columns; no row is linegate.ErrNotFound.
func (s *Store) row(ctx context.Context, pool *pgxpool.Pool, columns []any, query string, args ...any) error {
	ctx, cancel := s.until(ctx)
	defer cancel()
	return fail(pool.QueryRow(ctx, query, args...).Scan(columns...))
}

// count returns the number that a query gives.
func (s *Store) count(ctx context.Context, query string, args ...any) (count int, err error) {
	err = s.row(ctx, s.lists, []any{&count}, query, args...)
	return count, err
}

// ID implements store.Engine.
func (s *Store) ID(ctx context.Context) (string, error) {
	var id []byte
	if err := s.row(ctx, s.lookups, []any{&id}, metaValue, storeID); err != nil {
		return "", fmt.Errorf("store id: %w", err)
	}
	return string(id), nil
}
