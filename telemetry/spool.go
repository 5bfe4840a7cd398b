package telemetry

import "time"

// SpoolStats is what the spool of accounting tells about itself. Counts grow from
// the start of the process.
type SpoolStats struct {
	Bytes, MaxBytes int64
	Events          int       // that wait
	Oldest          time.Time // when the first of them was received; zero: none waits
	Spooled         uint64
	Replayed        uint64 // those set aside included
	SetAside        uint64 // refused by the store
	Damaged         uint64 // places that could not be read
	Torn            uint64 // unfinished appends that were cut off
}

// age is how long the oldest event waits, in seconds; 0 when none does.
func (s SpoolStats) age(now time.Time) float64 {
	if s.Oldest.IsZero() {
		return 0
	}
	return max(0, now.Sub(s.Oldest).Seconds())
}

// spoolReadings are the spool's metrics; without a spool they have no series.
type spoolReadings struct {
	bytes, limit, events, oldest               readings
	spooled, replayed, setAside, damaged, torn readings
}

func (m *Metrics) defineSpool() {
	s := &m.spool
	m.sampled(KindGauge, "radius_accounting_spool_bytes",
		"What the spool of accounting takes on this machine's disk, in octets, with what was set aside.", &s.bytes)
	m.sampled(KindGauge, "radius_accounting_spool_limit_bytes",
		"What it may take at most, in octets: then no accounting is acknowledged while the store is away.", &s.limit)
	m.sampled(KindGauge, "radius_accounting_spool_events",
		"Acknowledged accounting events that wait in the spool for the store; 0 in normal times.", &s.events)
	m.sampled(KindGauge, "radius_accounting_spool_oldest_seconds",
		"How long ago the oldest of them was received, in seconds; 0 when none waits.", &s.oldest)
	m.sampled(KindCounter, "radius_accounting_spooled_total",
		"Accounting events that went to the spool since the store did not take them in time.", &s.spooled)
	m.sampled(KindCounter, "radius_accounting_replayed_total",
		"Accounting events that left the spool: recorded in the store or, when it refused them, set aside.", &s.replayed)
	m.sampled(KindCounter, "radius_accounting_spool_set_aside_total",
		"Accounting events of the spool that the store refused: they are kept in refused.jsonl.", &s.setAside)
	m.sampled(KindCounter, "radius_accounting_spool_damaged_total",
		"Places in the spool that could not be read: their segments are kept with the ending .damaged.", &s.damaged)
	m.sampled(KindCounter, "radius_accounting_spool_torn_total",
		"Unfinished appends that a crash had left in the spool and that were cut off; none was acknowledged.", &s.torn)
}

// RegisterSpool makes stats the reading of the spool's metrics; it is called at
// each scrape and must not block.
func (m *Metrics) RegisterSpool(stats func() SpoolStats) {
	s := &m.spool
	s.bytes.set(labels{}, func() float64 { return float64(stats().Bytes) })
	s.limit.set(labels{}, func() float64 { return float64(stats().MaxBytes) })
	s.events.set(labels{}, func() float64 { return float64(stats().Events) })
	s.oldest.set(labels{}, func() float64 { return stats().age(time.Now()) })
	s.spooled.set(labels{}, func() float64 { return float64(stats().Spooled) })
	s.replayed.set(labels{}, func() float64 { return float64(stats().Replayed) })
	s.setAside.set(labels{}, func() float64 { return float64(stats().SetAside) })
	s.damaged.set(labels{}, func() float64 { return float64(stats().Damaged) })
	s.torn.set(labels{}, func() float64 { return float64(stats().Torn) })
}
