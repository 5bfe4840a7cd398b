package provisioning

import (
	"context"

	"linegate"
)

// Every call of these interfaces can be made again with the same arguments and
// then does no more than what is missing: a workflow that is taken up after a kill
// repeats the call that was under way. What the errors mean stands beside
// linegate.ErrRefused. All are safe for concurrent use.

// ONU puts services on optical lines.
type ONU interface {
	// Provision makes the service as wanted, whatever part of it is there already,
	// and returns when it is seen in force. When it can't be, nothing of it is left.
	Provision(ctx context.Context, wanted linegate.ONUService) (linegate.ONUResult, error)
	// Change turns the service was into wanted; they have one ID and may differ in
	// everything else, the ONU included. An error leaves one of the two, or parts
	// that a second call or a Remove of both cleans up.
	Change(ctx context.Context, was, wanted linegate.ONUService) (linegate.ONUResult, error)
	// Remove takes the service away. One that is not there is no error.
	Remove(ctx context.Context, service linegate.ONUService) error
	// Verify looks whether the service is in force, and changes nothing.
	Verify(ctx context.Context, service linegate.ONUService) (linegate.ONUResult, error)
}

// CPE configures the subscriber's own device through its management server.
type CPE interface {
	// Plan says what Apply would write. It is called before anything is allocated
	// for an order: a device that is not known is linegate.ErrNotFound, one that
	// can't do what is required linegate.ErrUnsupported.
	Plan(ctx context.Context, wanted linegate.CPESettings) (linegate.CPEPlan, error)
	// Apply writes the settings and reads them back. A device that can't be reached
	// gives CPEWaiting and no error: what was accepted is sent at its next inform.
	Apply(ctx context.Context, wanted linegate.CPESettings) (linegate.CPEResult, error)
	// Await looks how settings that wait stand, and changes nothing but what has to
	// be read anew. The workflow calls it again and again until they are applied.
	Await(ctx context.Context, wanted linegate.CPESettings) (linegate.CPEResult, error)
	// Remove takes back what waits and puts the WAN back to its unprovisioned
	// state, as far as the model's rule has one.
	Remove(ctx context.Context, settings linegate.CPESettings) (linegate.CPEResult, error)
}
