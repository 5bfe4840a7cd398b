// Package peertest is what the fakes of foreign systems have in common: faults that
// happen on demand and recorded exchanges. Nothing but tests imports it.
package peertest

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Fault is something that goes wrong with a call.
type Fault struct {
	On    string // part of the method's name, or of "METHOD path" over HTTP; empty: every call
	Skip  int    // so many matching calls go well first
	Times int    // then so many fail; 0: one
	// Hang keeps the call waiting until its caller gives up; nothing is done.
	Hang bool
	// Lost does what was asked and loses the answer.
	Lost bool
	// Err answers with an error and does nothing; over HTTP its text is the body of
	// the answer. Without any of the three the connection breaks before anything is
	// done.
	Err    error
	Status int // of Err over HTTP; 0: 503
	// Delay passes before the call is looked at.
	Delay time.Duration
	// Do is done before the call, which then goes its way.
	Do func()
}

// Faults are those injected and not used up. The zero value has none; all methods
// are safe for concurrent use.
type Faults struct {
	mu   sync.Mutex
	list []*Fault
	seen []string
}

// Inject adds a fault. They are looked at in the order in which they were added.
func (f *Faults) Inject(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fault.Times = max(fault.Times, 1)
	fault.Status = cmp.Or(fault.Status, http.StatusServiceUnavailable)
	f.list = append(f.list, &fault)
}

// Calls are the calls so far, oldest first.
func (f *Faults) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.seen...)
}

// Pending is how many faults are not used up.
func (f *Faults) Pending() (count int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range f.list {
		if fault.Times > 0 {
			count++
		}
	}
	return count
}

// Next counts a call and returns the fault that is its own, or nil.
func (f *Faults) Next(call string) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, call)
	for _, fault := range f.list {
		switch {
		case !strings.Contains(call, fault.On) || fault.Times == 0:
		case fault.Skip > 0:
			fault.Skip--
		default:
			fault.Times--
			return fault
		}
	}
	return nil
}

// Breaks reports whether the connection ends before anything is done.
func (f *Fault) Breaks() bool {
	return f.Err == nil && !f.Hang && !f.Lost && f.Delay == 0 && f.Do == nil
}

// Wait does what comes before the call, and passes the time of the fault.
func (f *Fault) Wait(ctx context.Context) {
	if f.Do != nil {
		f.Do()
	}
	if f.Hang {
		<-ctx.Done()
		return
	}
	select {
	case <-time.After(f.Delay):
	case <-ctx.Done():
	}
}

// Serve answers a request through its fault: serve is called unless nothing is to
// be done, and returns what writes the answer. The body must have been read before:
// the server does not notice earlier that its client has left.
func (f *Faults) Serve(w http.ResponseWriter, r *http.Request, serve func() func(http.ResponseWriter)) {
	fault := f.Next(r.Method + " " + r.URL.Path)
	if fault != nil {
		fault.Wait(r.Context())
		switch {
		case fault.Err != nil:
			http.Error(w, fault.Err.Error(), fault.Status)
			return
		case fault.Hang, fault.Breaks():
			panic(http.ErrAbortHandler)
		}
	}
	answer := serve()
	if fault != nil && fault.Lost {
		panic(http.ErrAbortHandler)
	}
	answer(w)
}
