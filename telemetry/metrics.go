package telemetry

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics holds every metric of one server on a registry of its own. All
// methods are safe for concurrent use; those that count one packet do not
// allocate. Values outside a label's closed list are not counted, so that no
// packet can make a new series.
type Metrics struct {
	registry    *prometheus.Registry
	definitions []Definition

	drops      tally[Drop]
	duplicates tally[Duplicate]
	unchecked  prometheus.Counter
	stale      prometheus.Counter

	lineEventsSuppressed prometheus.Counter

	retained  *prometheus.CounterVec
	commit    prometheus.Observer
	buildInfo *prometheus.GaugeVec

	queueDepth     *readings
	ledgerDepth    *readings
	logDropped     *readings
	replyEvictions *readings
	cacheHits      *readings
	cacheMisses    *readings
	cacheNegative  *readings
	cacheKeys      *readings
	standing       *readings
	storeUp        *readings
	activeByVLAN   *snapshot
	nasProtection  *snapshot
	spool          spoolReadings
	orders         *Orders

	coa     coaMetrics
	vectors tenantVectors
	mu      sync.Mutex
	tenants map[string]*TenantMetrics
}

// NewMetrics returns the metrics of a server that has not seen a packet yet,
// together with those of the Go runtime and of the process.
func NewMetrics() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), tenants: map[string]*TenantMetrics{}}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.vectors = newTenantVectors(m)
	m.coa = newCoAMetrics(m)
	m.defineServer()
	m.defineSampled()
	m.defineSpool()
	m.orders = m.defineOrders()
	return m
}

func (m *Metrics) defineServer() {
	m.drops = newTally(m.counter("radius_drops_total",
		"Packets that got no answer, by the reason why.", "reason"), Drops())
	m.duplicates = newTally(m.counter("radius_duplicates_total",
		"Requests that came again: resent the same reply, or dropped because the first copy was in flight.", "kind"), Duplicates())
	m.unchecked = m.counter("radius_session_limit_unchecked_total",
		"Accepts of subscribers with max_sessions for which the store could not be asked in time.").WithLabelValues()
	m.stale = m.counter("radius_sessions_stale_total",
		"Sessions that this server closed because nothing was heard of them for several interim intervals.").WithLabelValues()
	m.lineEventsSuppressed = m.counter("radius_option82_events_suppressed_total",
		"Requests from a wrong, missing or shared line that got no log line: repeated within a minute, or too many at once.").WithLabelValues()
	m.retained = m.counter("radius_retention_dropped_total",
		"Records that this server dropped because of their age, by kind: events or sessions.", "kind")
	m.Retained(0, 0)
	m.commit = m.histogram("radius_accounting_commit_seconds",
		"Time to make one group of accounting events durable, in seconds.", commitBuckets()).WithLabelValues()
	m.buildInfo = m.gauge("linegate_build_info",
		"Always 1; the label names the version that runs.", "version")
}

// Registry returns what an HTTP endpoint serves.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// Drop counts a packet that gets no answer.
func (m *Metrics) Drop(reason Drop) { m.drops.add(reason) }

// DropMany counts packets that were dropped before they could be seen one by one.
func (m *Metrics) DropMany(reason Drop, count uint64) {
	if counter := m.drops.of(reason); counter != nil {
		counter.Add(float64(count))
	}
}

// Duplicate counts a request that came again.
func (m *Metrics) Duplicate(kind Duplicate) { m.duplicates.add(kind) }

// AdmissionUnchecked counts an accept whose session limit could not be checked.
func (m *Metrics) AdmissionUnchecked() { m.unchecked.Inc() }

// SessionsStale counts sessions that were closed because they fell silent.
func (m *Metrics) SessionsStale(count int) { m.stale.Add(float64(count)) }

// Retained counts records that were dropped because of their age.
func (m *Metrics) Retained(events, sessions int64) {
	m.retained.WithLabelValues("events").Add(float64(events))
	m.retained.WithLabelValues("sessions").Add(float64(sessions))
}

// AccountingCommit counts one group commit of the ledger and how long it took.
func (m *Metrics) AccountingCommit(took time.Duration) { m.commit.Observe(took.Seconds()) }

// SetVersion names the running version.
func (m *Metrics) SetVersion(version string) {
	m.buildInfo.Reset()
	m.buildInfo.WithLabelValues(version).Set(1)
}

// Tenant returns the handles of one tenant, always the same for the same name.
// The name comes from the configuration, never from a packet. Keep the result:
// the call takes a lock, and makes all of a tenant's series the first time.
func (m *Metrics) Tenant(name string) *TenantMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	tenant, known := m.tenants[name]
	if !known {
		tenant = m.vectors.tenant(name)
		m.coa.resolveChanges(tenant, name)
		m.tenants[name] = tenant
	}
	return tenant
}

// tally is one counter for each value of a closed list, resolved beforehand. The
// lists are short and begin with what comes most, so that looking through one costs
// less than hashing.
type tally[K comparable] []tallied[K]

type tallied[K comparable] struct {
	value   K
	counter prometheus.Counter
}

// newTally resolves the counters of all values; labels are those that stand
// before the value's own.
func newTally[K ~string](vector *prometheus.CounterVec, values []K, labels ...string) (t tally[K]) {
	for _, value := range values {
		t = append(t, tallied[K]{value, vector.WithLabelValues(append(labels[:len(labels):len(labels)], string(value))...)})
	}
	return t
}

// of returns nil for a value that is not in the list.
func (t tally[K]) of(value K) prometheus.Counter {
	for i := range t {
		if t[i].value == value {
			return t[i].counter
		}
	}
	return nil
}

// add counts nothing for a value that is not in the list.
func (t tally[K]) add(value K) {
	if counter := t.of(value); counter != nil {
		counter.Inc()
	}
}

func oneIf(condition bool) float64 {
	if condition {
		return 1
	}
	return 0
}
