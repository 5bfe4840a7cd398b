package main

import (
	"fmt"
	"io"
	"time"

	"linegate/radiusd/client"
)

// sampleEvery is how often the server's memory is noted.
const sampleEvery = 5 * time.Second

// benchMeter watches a flood and the server it is for. Its methods are called by
// one goroutine at a time.
type benchMeter struct {
	progress io.Writer // a line that is written over again, if it is a terminal
	process  *process  // nil: not watched

	start   usage
	samples []int64 // resident memory in KiB, every sampleEvery
	last    client.Counts
	seen    time.Duration
	record  record // what was measured, after end
}

func (m *benchMeter) begin() (err error) {
	if m.process != nil {
		m.start, err = m.process.usage()
	}
	return err
}

// observe is a client.Flood's observer.
func (m *benchMeter) observe(elapsed time.Duration, counts client.Counts) {
	if m.process != nil && elapsed >= time.Duration(len(m.samples)+1)*sampleEvery {
		if now, err := m.process.usage(); err == nil {
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

// end measures what the server has used for the flood.
func (m *benchMeter) end(counts client.Counts) error {
	if isTerminal(m.progress) {
		fmt.Fprintln(m.progress)
	}
	if m.process == nil {
		return nil
	}
	now, err := m.process.usage()
	if err != nil {
		return err
	}
	perRequest := 0.0
	if counts.Answered() > 0 {
		perRequest = float64((now.cpu - m.start.cpu).Microseconds()) / float64(counts.Answered())
	}
	m.record = record{
		{"server_cpu_us_per_request", rounded(perRequest)},
		{"server_rss_kib_start", m.start.residentKiB},
		{"server_rss_kib_every_5s", emptyNotNil(m.samples)},
		{"server_rss_kib_end", now.residentKiB},
		{"server_rss_kib_peak", now.peakKiB},
	}
	return nil
}
