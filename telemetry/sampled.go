package telemetry

import (
	"maps"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"linegate"
)

// CacheStats is what a cache tells about itself. Counts grow from the start of
// the process.
type CacheStats struct {
	Hits     uint64 // answered from the cache, negative answers included
	Misses   uint64 // asked of the store
	Negative uint64 // hits that said that nobody is known
	Keys     int    // lookup keys known to exist, whether or not they are held
}

// VLANCount is how many subscribers of a tenant are online on a service VLAN.
type VLANCount struct {
	Tenant string
	VLAN   linegate.VLAN
	Count  int
}

func (m *Metrics) defineSampled() {
	m.queueDepth, m.ledgerDepth, m.logDropped, m.replyEvictions = &readings{}, &readings{}, &readings{}, &readings{}
	m.cacheHits, m.cacheMisses, m.cacheNegative, m.cacheKeys = &readings{}, &readings{}, &readings{}, &readings{}
	m.standing, m.storeUp = &readings{}, &readings{}
	m.activeByVLAN, m.nasProtection = &snapshot{}, &snapshot{}

	m.sampled(KindGauge, "radius_queue_depth",
		"Requests of the listener that were read and wait: auth for facts from the store or a password hash, acct for their commit.", m.queueDepth, "listener")
	m.sampled(KindGauge, "radius_ledger_queue_depth",
		"Accounting events that wait for their commit.", m.ledgerDepth)
	m.sampled(KindCounter, "radius_reply_cache_evictions_total",
		"Replies that made room before their time: retransmissions of their requests are worked on again.", m.replyEvictions)
	m.sampled(KindCounter, "radius_log_events_dropped_total",
		"Log lines lost because an output was too slow or failed, summed over the outputs.", m.logDropped)
	m.sampled(KindCounter, "radius_cache_hits_total",
		"Lookups of a subscriber answered from the cache, negative answers included.", m.cacheHits)
	m.sampled(KindCounter, "radius_cache_misses_total",
		"Lookups of a subscriber that had to ask the store.", m.cacheMisses)
	m.sampled(KindCounter, "radius_cache_negative_hits_total",
		"Lookups answered from the cache that nobody is known by that key.", m.cacheNegative)
	m.sampled(KindGauge, "radius_cache_keys",
		"Lookup keys of subscribers that are known to exist: names, circuits and MACs; those of the deleted until a restart.", m.cacheKeys)
	m.sampled(KindGauge, "radius_store_up",
		"1 while the store answers and has taken the last accounting, else 0.", m.storeUp)
	m.sampled(KindGauge, "radius_standing",
		"1 for what the server answers from, 0 for the rest: store (and what memory has of it), memory alone, the snapshot of an earlier run, or nothing.", m.standing, "state")
	m.sampled(KindGauge, "radius_active_subscribers_by_vlan",
		"Open sessions on the service VLAN, as last counted in the store.", m.activeByVLAN, "tenant_id", "vlan_id")
	m.sampled(KindGauge, "radius_nas_message_authenticator",
		"1 when Access-Requests of the NAS must carry Message-Authenticator, as configured or learned; else 0.", m.nasProtection, "tenant_id", "nas")
}

// RegisterQueue makes depth the reading of a listener's queue; it is called at
// each scrape, replaces an earlier one of the same listener, and must not block.
func (m *Metrics) RegisterQueue(listener string, depth func() int) {
	m.queueDepth.set(labels{listener}, func() float64 { return float64(depth()) })
}

// RegisterLedger does the same for the accounting events that wait.
func (m *Metrics) RegisterLedger(depth func() int) {
	m.ledgerDepth.set(labels{}, func() float64 { return float64(depth()) })
}

// RegisterReplyCaches does the same for replies that made room too early.
func (m *Metrics) RegisterReplyCaches(evicted func() uint64) {
	m.replyEvictions.set(labels{}, func() float64 { return float64(evicted()) })
}

// RegisterLog does the same for the log lines that were lost.
func (m *Metrics) RegisterLog(dropped func() uint64) {
	m.logDropped.set(labels{}, func() float64 { return float64(dropped()) })
}

// RegisterCache does the same for a cache's figures.
func (m *Metrics) RegisterCache(stats func() CacheStats) {
	m.cacheHits.set(labels{}, func() float64 { return float64(stats().Hits) })
	m.cacheMisses.set(labels{}, func() float64 { return float64(stats().Misses) })
	m.cacheNegative.set(labels{}, func() float64 { return float64(stats().Negative) })
	m.cacheKeys.set(labels{}, func() float64 { return float64(stats().Keys) })
}

// RegisterStore does the same for whether the store is up.
func (m *Metrics) RegisterStore(up func() bool) {
	m.storeUp.set(labels{}, func() float64 { return oneIf(up()) })
}

// RegisterStanding does the same for what the server answers from.
func (m *Metrics) RegisterStanding(standing func() Standing) {
	for _, state := range Standings() {
		m.standing.set(labels{string(state)}, func() float64 { return oneIf(standing() == state) })
	}
}

// SetActiveByVLAN replaces the whole set of counts: a VLAN that is not in it is
// no longer shown.
func (m *Metrics) SetActiveByVLAN(counts []VLANCount) {
	values := make(values, len(counts))
	for _, count := range counts {
		values[labels{count.Tenant, strconv.Itoa(int(count.VLAN))}] = float64(count.Count)
	}
	m.activeByVLAN.replace(values)
}

// SetNASes replaces the set of NAS whose protection by Message-Authenticator is
// shown, and makes the series of their tenants.
func (m *Metrics) SetNASes(nases []linegate.NAS) {
	values := make(values, len(nases))
	for i := range nases {
		nas := &nases[i]
		m.Tenant(nas.Tenant)
		values[labels{nas.Tenant, nas.Name}] = oneIf(nas.RequiresMessageAuthenticator())
	}
	m.nasProtection.replace(values)
}

// labels are the label values of one sample; what a metric has no label for is
// empty.
type labels [2]string

// values are samples by their labels: two samples with the same labels would
// make the whole scrape fail.
type values map[labels]float64

// source gives the present values of a metric.
type source interface{ read() values }

// snapshot is a set of values that is replaced as a whole. The zero value is
// empty.
type snapshot struct{ current atomic.Pointer[values] }

func (s *snapshot) replace(with values) { s.current.Store(&with) }

func (s *snapshot) read() values {
	if current := s.current.Load(); current != nil {
		return *current
	}
	return nil
}

// readings are values that are asked for when they are wanted. The zero value
// is empty.
type readings struct {
	mu  sync.Mutex
	ask map[labels]func() float64
}

func (r *readings) set(key labels, ask func() float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ask == nil {
		r.ask = map[labels]func() float64{}
	}
	r.ask[key] = ask
}

// read asks outside the lock, so that what is asked may register in turn.
func (r *readings) read() values {
	r.mu.Lock()
	ask := maps.Clone(r.ask)
	r.mu.Unlock()
	read := make(values, len(ask))
	for key, value := range ask {
		read[key] = value()
	}
	return read
}

// collector turns a source's values into metrics at each scrape.
type collector struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	labels int // how many labels the metric has
	source source
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) { to <- c.desc }

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	for key, value := range c.source.read() {
		to <- prometheus.MustNewConstMetric(c.desc, c.kind, value, key[:c.labels]...)
	}
}
