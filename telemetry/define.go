package telemetry

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Kind is a metric's type, as Prometheus names it.
type Kind string

const (
	KindCounter   Kind = "counter"
	KindGauge     Kind = "gauge"
	KindHistogram Kind = "histogram"
)

// Definition describes one metric of ours.
type Definition struct {
	Name   string
	Kind   Kind
	Help   string // meaning and unit
	Labels []string
}

// Definitions lists every metric that Metrics adds to those of the Go runtime
// and the process, in order of name.
func (m *Metrics) Definitions() []Definition {
	sorted := slices.Clone(m.definitions)
	slices.SortFunc(sorted, func(a, b Definition) int { return strings.Compare(a.Name, b.Name) })
	return sorted
}

func (m *Metrics) define(kind Kind, name, help string, labels []string) {
	m.definitions = append(m.definitions, Definition{Name: name, Kind: kind, Help: help, Labels: labels})
}

func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	m.define(KindCounter, name, help, labels)
	vector := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(vector)
	return vector
}

func (m *Metrics) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	m.define(KindGauge, name, help, labels)
	vector := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(vector)
	return vector
}

func (m *Metrics) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	m.define(KindHistogram, name, help, labels)
	vector := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(vector)
	return vector
}

// sampled registers a metric whose values are asked for at each scrape.
func (m *Metrics) sampled(kind Kind, name, help string, source source, labels ...string) {
	m.define(kind, name, help, labels)
	valueType := prometheus.GaugeValue
	if kind == KindCounter {
		valueType = prometheus.CounterValue
	}
	m.registry.MustRegister(&collector{
		desc:   prometheus.NewDesc(name, help, labels, nil),
		kind:   valueType,
		labels: len(labels),
		source: source,
	})
}

// validationBuckets spread from a cache hit to a client that has given up.
func validationBuckets() []float64 {
	return inSeconds(
		5*time.Microsecond, 10*time.Microsecond, 25*time.Microsecond, 50*time.Microsecond,
		100*time.Microsecond, 250*time.Microsecond, 500*time.Microsecond,
		time.Millisecond, 2500*time.Microsecond, 5*time.Millisecond, 10*time.Millisecond, 25*time.Millisecond,
		50*time.Millisecond, 100*time.Millisecond, 250*time.Millisecond, 500*time.Millisecond, time.Second,
	)
}

// commitBuckets spread from a fast disk to a database that is nearly away.
func commitBuckets() []float64 {
	return inSeconds(
		500*time.Microsecond, time.Millisecond, 2500*time.Microsecond, 5*time.Millisecond, 10*time.Millisecond,
		25*time.Millisecond, 50*time.Millisecond, 100*time.Millisecond, 250*time.Millisecond, 500*time.Millisecond,
		time.Second, 5*time.Second,
	)
}

func inSeconds(durations ...time.Duration) []float64 {
	seconds := make([]float64, len(durations))
	for i, duration := range durations {
		seconds[i] = duration.Seconds()
	}
	return seconds
}
