package main

import (
	"fmt"
	"io"
	"math"
	"time"

	"linegate/radiusd/client"
)

// sampleEvery is how often the server's memory is noted.
const sampleEvery = 5 * time.Second

// benchMeter watches a load and the server it is for. Its methods are called by
// one goroutine at a time.
type benchMeter struct {
	progress  io.Writer  // a line that is written over again, if it is a terminal
	processes *processes // nil: not watched
	unit      string     // what the server's CPU time is told for: a request, a call
	done      func(client.Counts) uint64

	start   usage
	samples []int64 // resident memory in KiB, every sampleEvery
	last    client.Counts
	seen    time.Duration
	record  record // what was measured, after end
}

func (m *benchMeter) begin() (err error) {
	if m.processes != nil {
		m.start, err = m.processes.usage()
	}
	return err
}

// observe is a client.Load's observer.
func (m *benchMeter) observe(elapsed time.Duration, counts client.Counts) {
	if m.processes != nil && elapsed >= time.Duration(len(m.samples)+1)*sampleEvery {
		if now, err := m.processes.usage(); err == nil {
			m.samples = append(m.samples, now.residentKiB)
		}
	}
	if isTerminal(m.progress) && elapsed > m.seen {
		rate := float64(counts.Answered()-m.last.Answered()) / (elapsed - m.seen).Seconds()
		fmt.Fprintf(m.progress, "\r%4.0f s  %8.0f answers/s  %d wrong  %d timeouts  %d bad ",
			elapsed.Seconds(), rate, counts.Wrong(), counts.Timeouts, counts.BadReplies)
	}
	m.last, m.seen = counts, elapsed
}

// end measures what the server has used for the load.
func (m *benchMeter) end(counts client.Counts) error {
	if isTerminal(m.progress) {
		fmt.Fprintln(m.progress)
	}
	if m.processes == nil {
		return nil
	}
	now, err := m.processes.usage()
	if err != nil {
		return err
	}
	each := 0.0
	if done := m.done(counts); done > 0 {
		each = float64((now.cpu - m.start.cpu).Microseconds()) / float64(done)
	}
	m.record = record{
		{"server_cpu_us_per_" + m.unit, rounded(each)},
		{"server_cpu_seconds", math.Round((now.cpu-m.start.cpu).Seconds()*100) / 100},
		{"server_rss_kib_start", m.start.residentKiB},
		{"server_rss_kib_every_5s", emptyNotNil(m.samples)},
		{"server_rss_kib_end", now.residentKiB},
		{"server_rss_kib_peak", now.peakKiB},
	}
	return nil
}
