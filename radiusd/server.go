// Package radiusd is the daemon: it reads packets from UDP sockets, finds out
// whose they are, has policy decide, and answers. It never keeps anything that
// would be missed after a crash: subscribers come from a Directory, accounting
// goes to a Ledger.
package radiusd

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"linegate"
	"linegate/policy/dialect"
	"linegate/telemetry"
)

// Directory knows the subscribers. Find is called on the sockets' loops: it must
// answer from memory, without waiting.
type Directory interface {
	Finder
	// Load answers whatever it takes within ctx. Nobody is the zero Lookup; an
	// error means that nothing is known.
	Load(ctx context.Context, key linegate.Key) (linegate.Lookup, error)
}

// Ledger records accounting.
type Ledger interface {
	// Record takes the event and returns at once; done is called exactly once, with
	// nil when the event is durable. With an error, done is never called.
	Record(event linegate.AccountingEvent, done func(error)) error
}

// Bookkeeper keeps count of Option 82 checks, written behind.
type Bookkeeper interface {
	Validated(subscriberID string, at time.Time, result linegate.Option82Result)
}

// Admissions knows how many sessions a subscriber has. It is asked only about
// those whose profile limits them, and never on a socket's loop.
type Admissions interface {
	Admit(ctx context.Context, admission linegate.Admission) (admitted bool, err error)
}

// Learner persists what the first packet of a NAS showed.
type Learner interface {
	LearnNAS(ctx context.Context, tenant, name string, learned linegate.Tristate) error
}

// Options are what a server is made of. Zero values get the default that is
// named; collaborators have none.
type Options struct {
	Auth, Acct []string // host:port to listen on; port 0 takes a free one

	Sockets           int           // per address; default one per CPU
	ReadBuffer        int           // of each socket in octets, as asked of the kernel; default 4 MiB
	ReplyCacheEntries int           // per socket; default 65,536
	ReplyCacheTTL     time.Duration // 5 to 30 s (RFC 5080 section 2.2.2); default 5 s
	Lookups           int           // requests that may wait for facts at a time; default 4,096
	HashWorkers       int           // slow password checks at a time; default half of the CPUs
	DrainLimit        time.Duration // how long shutdown waits for answers; default 10 s

	Dialects map[string]*dialect.Dialect

	Directory  Directory
	Ledger     Ledger
	Bookkeeper Bookkeeper
	Admissions Admissions
	Learner    Learner
	Metrics    *telemetry.Metrics
	Logger     *slog.Logger
	Now        func() time.Time // default time.Now
}

func (o *Options) setDefaults() {
	def(&o.Sockets, runtime.NumCPU())
	def(&o.ReadBuffer, 4<<20)
	def(&o.ReplyCacheEntries, 65_536)
	def(&o.ReplyCacheTTL, 5*time.Second)
	def(&o.Lookups, 4096)
	def(&o.HashWorkers, max(1, runtime.NumCPU()/2))
	def(&o.DrainLimit, 10*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
}

func def[T comparable](value *T, fallback T) {
	var unset T
	if *value == unset {
		*value = fallback
	}
}

// Server is the daemon. Make it with New, Listen, and Run it once.
type Server struct {
	options    Options
	directory  Directory
	ledger     Ledger
	bookkeeper Bookkeeper
	metrics    *telemetry.Metrics
	drops      *telemetry.DropLog
	lines      *telemetry.LineLog
	hashes     *hashes

	clients  atomic.Pointer[clientTable]
	settings atomic.Pointer[linegate.Settings]

	sockets []*socket
	lookups chan struct{}   // one for each request that waits for facts
	pending sync.WaitGroup  // requests that outlive their turn on the loop
	working context.Context // ends when shutdown no longer waits
	stop    context.CancelFunc
}

// New makes a server that knows no NAS yet. ctx bounds the work of requests.
func New(ctx context.Context, options Options) (*Server, error) {
	options.setDefaults()
	hashes, err := newHashes(options.HashWorkers)
	if err != nil {
		return nil, err
	}
	s := &Server{
		options: options, directory: options.Directory, ledger: options.Ledger,
		bookkeeper: options.Bookkeeper, metrics: options.Metrics,
		drops: telemetry.NewDropLog(options.Logger, options.Now), lines: telemetry.NewLineLog(options.Logger, options.Metrics), hashes: hashes,
		lookups: make(chan struct{}, options.Lookups),
	}
	s.working, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.clients.Store(&clientTable{})
	s.settings.Store(&linegate.Settings{})
	return s, nil
}

// SetNASes replaces all NAS. Those whose dialect is unknown are left out, with
// an error each.
func (s *Server) SetNASes(nases []linegate.NAS) []error {
	table, problems := newClientTable(nases, s.options.Dialects, s.metrics)
	s.clients.Store(table)
	return problems
}

// SetSettings changes what decisions depend on, from the next packet on.
func (s *Server) SetSettings(settings linegate.Settings) { s.settings.Store(&settings) }

// LogEveryValidation makes every Option 82 check an event: those that match too, and
// those that were told of a moment ago.
func (s *Server) LogEveryValidation(on bool) { s.lines.Every(on) }

// Listen opens all sockets, or none.
func (s *Server) Listen(ctx context.Context) error {
	// All are tried before any is opened: our own sockets may overlap, as a
	// wildcard does with everything.
	for _, open := range []func(context.Context, Port, string) error{vacant, s.listenAll} {
		for port, addresses := range map[Port][]string{AuthPort: s.options.Auth, AcctPort: s.options.Acct} {
			for _, address := range addresses {
				if err := open(ctx, port, address); err != nil {
					s.Close()
					return err
				}
			}
		}
	}
	return nil
}

// listenAll opens the sockets that share an address; a free port that the first
// one takes goes for all.
func (s *Server) listenAll(ctx context.Context, port Port, address string) error {
	count := s.options.Sockets
	if !sharesAddress {
		count = 1
	}
	for range count {
		opened, err := s.listen(ctx, port, address)
		if err != nil {
			return err
		}
		s.sockets = append(s.sockets, opened)
		host, _, _ := net.SplitHostPort(address)
		address = net.JoinHostPort(host, fmt.Sprint(opened.conn.LocalAddr().(*net.UDPAddr).Port))
	}
	return nil
}

// vacant fails when somebody listens on the address already. Sockets that share
// one would let a second server in beside us, and lose it half of the packets.
func vacant(ctx context.Context, port Port, address string) error {
	probe, err := new(net.ListenConfig).ListenPacket(ctx, network(address), address)
	if err != nil {
		return fmt.Errorf("listen for %s: %w", port, err)
	}
	return probe.Close()
}

// network is that of an address: an IPv4 wildcard means IPv4 only, where the
// system would take it for both families.
func network(address string) string {
	if listenIP(address).Is4() {
		return "udp4"
	}
	return "udp"
}

// listenIP is what an address names; none for a name and for all addresses of both families.
func listenIP(address string) netip.Addr {
	host, _, _ := net.SplitHostPort(address)
	ip, _ := netip.ParseAddr(host)
	return ip
}

// Addresses returns what a port's sockets listen on, each address once.
func (s *Server) Addresses(port Port) []netip.AddrPort {
	var addresses []netip.AddrPort
	seen := map[netip.AddrPort]bool{}
	for _, socket := range s.sockets {
		address := socket.conn.LocalAddr().(*net.UDPAddr).AddrPort()
		if socket.port == port && !seen[address] {
			seen[address] = true
			addresses = append(addresses, address)
		}
	}
	return addresses
}

// Waiting is how many requests wait for facts from a store or a password hash.
func (s *Server) Waiting() int { return len(s.lookups) }

// EvictedEarly is how many packets left the reply caches before their time.
func (s *Server) EvictedEarly() (count uint64) {
	for _, socket := range s.sockets {
		count += socket.replies.evictedEarly()
	}
	return count
}

// Run serves until ctx ends; then it stops reading, waits for the answers that
// are under way, at most DrainLimit, and closes. The Directory and the Ledger
// have to work until it returns.
func (s *Server) Run(ctx context.Context) error {
	defer s.Close()
	var loops errgroup.Group
	for _, socket := range s.sockets {
		loops.Go(socket.loop)
	}
	unblock := context.AfterFunc(ctx, func() {
		for _, socket := range s.sockets {
			_ = socket.conn.SetReadDeadline(time.Unix(1, 0))
		}
	})
	defer unblock()
	err := loops.Wait()
	s.drain()
	return err
}

// drain waits for the requests that are under way.
func (s *Server) drain() {
	answered := make(chan struct{})
	go func() { // ends with the last request, which stop ends
		s.pending.Wait()
		close(answered)
	}()
	limit := time.NewTimer(s.options.DrainLimit)
	defer limit.Stop()
	select {
	case <-answered:
	case <-limit.C:
		s.options.Logger.Warn("shutdown: gave up waiting for requests under way", "limit", s.options.DrainLimit.String())
	}
}

// Close closes the sockets and gives up on all work. Run does it at its end.
func (s *Server) Close() {
	s.stop()
	for _, socket := range s.sockets {
		_ = socket.conn.Close()
	}
	s.hashes.close()
}

// drop counts a packet that gets no answer, and now and then logs one. client is
// nil when nobody's NAS sent it.
func (s *Server) drop(reason telemetry.Drop, from peer, client *Client, cause error) {
	s.metrics.Drop(reason)
	var nas *linegate.NAS
	if client != nil {
		nas = &client.NAS
	}
	s.drops.Dropped(s.working, reason, from.address, nas, cause)
}

// persistLearned keeps what a NAS's first packet showed, without holding up that
// packet.
func (s *Server) persistLearned(nas linegate.NAS, state linegate.Tristate) {
	nas.Learned = state
	telemetry.NASLearned(s.working, s.options.Logger, &nas)
	s.pending.Add(1)
	go func() {
		defer s.pending.Done()
		ctx, cancel := context.WithTimeout(s.working, 10*time.Second)
		defer cancel()
		if err := s.options.Learner.LearnNAS(ctx, nas.Tenant, nas.Name, state); err != nil {
			s.options.Logger.Warn("what a NAS showed is not kept: it will be learned again after a restart",
				"tenant_id", nas.Tenant, "nas", nas.Name, "error", err.Error())
		}
	}()
}
