package provisioning

import (
	"net/netip"
	"time"

	"linegate"
)

// Observer is told what orders do, for metrics and events. Its methods are called
// on many goroutines, must not block, and may be called again for the same thing
// when a process was killed.
type Observer interface {
	// StaticIPUsed: a fixed address was taken and NetBox was not asked.
	StaticIPUsed(service linegate.Service, address netip.Addr)
	// PrefixDelegated: a prefix was allocated for delegation.
	PrefixDelegated(tenant string, length int)
	// StepFailed: a step can't be done for now; the order waits.
	StepFailed(order linegate.Order, id, step string, err error)
	// Finished: an order ended.
	Finished(order linegate.Order, result linegate.OrderResult, took time.Duration)
	// FinalConfiguration is what a service was when it was taken down, for those who
	// have to keep it.
	FinalConfiguration(service linegate.Service)
}

// unobserved is told by nobody.
type unobserved struct{}

func (unobserved) StaticIPUsed(linegate.Service, netip.Addr)                    {}
func (unobserved) PrefixDelegated(string, int)                                  {}
func (unobserved) StepFailed(linegate.Order, string, string, error)             {}
func (unobserved) Finished(linegate.Order, linegate.OrderResult, time.Duration) {}
func (unobserved) FinalConfiguration(linegate.Service)                          {}
