package telemetry

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
)

// queueOctets is how much one output may lag behind: some ten thousand lines.
const queueOctets = 4 << 20

// output writes lines behind its callers. Its goroutine, which close waits
// for, takes all queued lines at once and hands them over in one write.
type output struct {
	to      io.Writer
	failed  func(error)   // called for the first of several failing writes; nil: nobody
	dropped atomic.Uint64 // lines lost since the start
	done    chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex
	filled  sync.Cond // queue or closing changed
	queue   []byte    // whole lines
	lost    uint64    // lines lost that no line has told of yet
	closing bool      // the goroutine is to end once the queue is empty
	ended   bool      // it has, and lines are written at once
}

func newOutput(to io.Writer, failed func(error)) *output {
	o := &output{to: to, failed: failed, done: make(chan struct{})}
	o.filled.L = &o.mu
	go o.run()
	return o
}

// Write implements io.Writer for a logger of this output alone.
func (o *output) Write(line []byte) (int, error) {
	o.enqueue(line)
	return len(line), nil
}

func (o *output) enqueue(line []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.ended:
		if _, err := o.to.Write(line); err != nil {
			o.dropped.Add(1)
		}
	case len(o.queue)+len(line) > queueOctets:
		o.dropped.Add(1)
		o.lost++
	default:
		o.queue = append(o.queue, line...)
		o.filled.Signal()
	}
}

func (o *output) run() {
	defer close(o.done)
	var spare []byte
	failing := false
	for {
		batch, lost, more := o.take(spare)
		if !more {
			return
		}
		err := o.write(batch, lost)
		if err != nil && !failing && o.failed != nil {
			o.failed(err)
		}
		failing = err != nil
		spare = batch[:0]
	}
}

// take waits for lines and returns them all, with how many were lost before
// them. It leaves the empty slice for new ones.
func (o *output) take(empty []byte) (batch []byte, lost uint64, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.queue) == 0 && !o.closing {
		o.filled.Wait()
	}
	if len(o.queue) == 0 {
		o.ended = true
		return nil, 0, false
	}
	batch, o.queue = o.queue, empty
	lost, o.lost = o.lost, 0
	return batch, lost, true
}

func (o *output) write(batch []byte, lost uint64) error {
	_, err := o.to.Write(batch)
	if err == nil && lost > 0 {
		_, err = o.to.Write(lostLine(lost))
	} else if err != nil {
		lines := uint64(bytes.Count(batch, []byte("\n")))
		o.dropped.Add(lines)
		lost += lines
	}
	if err != nil {
		o.mu.Lock()
		o.lost += lost
		o.mu.Unlock()
	}
	return err
}

// lostLine tells in the log's own form how many lines are missing from it.
func lostLine(lost uint64) []byte {
	var line bytes.Buffer
	slog.New(slog.NewJSONHandler(&line, nil)).Warn(EventLogLinesLost, "event", EventLogLinesLost, "lost", lost)
	return line.Bytes()
}

// close waits until everything queued is written.
func (o *output) close() {
	o.mu.Lock()
	o.closing = true
	o.filled.Signal()
	o.mu.Unlock()
	<-o.done
}
