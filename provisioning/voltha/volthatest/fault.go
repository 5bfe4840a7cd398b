package volthatest

import (
	"context"
	"strings"
	"sync"
	"time"
)

// Fault is something that goes wrong with a call.
type Fault struct {
	On    string // part of the method's name, or of "METHOD path" in REST; empty: every call
	Skip  int    // so many matching calls go well first
	Times int    // then so many fail; 0: one
	// Hang keeps the call waiting until its caller gives up; nothing is done.
	Hang bool
	// Lost does what was asked and loses the answer.
	Lost bool
	// Err answers with an error and does nothing; in REST its text is the body of a
	// 503. Without any of the three the connection breaks before anything is done.
	Err error
	// Delay passes before the call is looked at.
	Delay time.Duration
	// Do is done before the call, which then goes its way.
	Do func()
}

// faults are those injected and not used up.
type faults struct {
	mu   sync.Mutex
	list []*Fault
	seen []string
}

// Inject adds a fault. They are looked at in the order in which they were added.
func (f *faults) Inject(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fault.Times = max(fault.Times, 1)
	f.list = append(f.list, &fault)
}

// Calls are the calls so far, oldest first.
func (f *faults) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.seen...)
}

func (f *faults) next(call string) *Fault {
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

// breaks reports whether the connection ends before anything is done.
func (f *Fault) breaks() bool {
	return f.Err == nil && !f.Hang && !f.Lost && f.Delay == 0 && f.Do == nil
}

// wait passes the time of the fault.
func (f *Fault) wait(ctx context.Context) {
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
