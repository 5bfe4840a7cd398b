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

// Addresses is the owner of the address plan.
type Addresses interface {
	// Allocate gives what the claim asks for, by its key once and for all.
	// linegate.ErrExhausted tells that no pool has room.
	Allocate(ctx context.Context, claim linegate.AddressClaim) (linegate.Allocation, error)
	// Confirm marks an allocation as in service.
	Confirm(ctx context.Context, claim linegate.AddressClaim, allocation linegate.Allocation) error
	// Release gives back what the claim's key was given, if anything. With
	// quarantine it is kept from being given out again until Free is called.
	Release(ctx context.Context, claim linegate.AddressClaim, quarantine bool) error
	// Free gives back what was in quarantine. What is gone, or somebody else's by
	// now, is no error.
	Free(ctx context.Context, allocation linegate.Allocation) error
	// Associate notes with a fixed address, where it is known there, whose it is.
	Associate(ctx context.Context, claim linegate.AddressClaim) error
	// Dissociate takes that note back.
	Dissociate(ctx context.Context, claim linegate.AddressClaim) error
	// Managed calls fn for everything that is held under a key of ours.
	Managed(ctx context.Context, fn func(linegate.Allocation) error) error
}

// Profiles is the store of subscribers.
type Profiles interface {
	// Subscriber returns the one of that name, or linegate.ErrNotFound.
	Subscriber(ctx context.Context, tenant, username string) (*linegate.Subscriber, error)
	PutSubscriber(ctx context.Context, actor string, subscriber *linegate.Subscriber) error
	// DeleteSubscriber removes softly. One that is not there is no error.
	DeleteSubscriber(ctx context.Context, actor, tenant, username string) error
}

// Book is the store of what provisioning has to remember.
type Book interface {
	// Claim makes the order the only one that works on a subscriber. While another
	// does, it is linegate.ErrConflict and the error names it.
	Claim(ctx context.Context, tenant, username, order string) error
	// Unclaim ends that, if the order has the claim.
	Unclaim(ctx context.Context, tenant, username, order string) error
	// AskCancel asks the order to undo itself; one without a claim is
	// linegate.ErrNotFound. CancelAsked reports whether somebody did.
	AskCancel(ctx context.Context, order string) error
	CancelAsked(ctx context.Context, order string) (bool, error)
	// Claims calls fn for every order that has a subscriber; username is in its
	// comparable form.
	Claims(ctx context.Context, fn func(tenant, username, order string) error) error

	// Service returns the newest record of a subscriber, or linegate.ErrNotFound.
	Service(ctx context.Context, tenant, username string) (linegate.Service, error)
	PutService(ctx context.Context, service linegate.Service) error
	// DeleteService forgets a record. One that is not there is no error.
	DeleteService(ctx context.Context, id string) error

	// PutAllocation writes what is known of a claim, over what was known.
	PutAllocation(ctx context.Context, record linegate.AllocationRecord) error
	DeleteAllocation(ctx context.Context, key string) error
	// Allocations calls fn for every record.
	Allocations(ctx context.Context, fn func(linegate.AllocationRecord) error) error

	// AssignVLAN gives the service with that key the lowest free VLAN of the pool,
	// or what it has already. linegate.ErrExhausted tells that the pool is full,
	// linegate.ErrNotFound that there is none.
	AssignVLAN(ctx context.Context, wish linegate.VLANAssignment) (linegate.VLANAssignment, error)
	// UnassignVLAN gives it back. A key that has nothing is no error.
	UnassignVLAN(ctx context.Context, key string) error
}

// Changes tells live sessions what became of their subscriber.
type Changes interface {
	// Push makes all open sessions of the subscriber follow its stored profile.
	// linegate.ErrRefused tells that a NAS said no and the session goes on as before,
	// linegate.ErrOutcomeUnknown that one did not answer.
	Push(ctx context.Context, tenant, username string, kind linegate.ChangeKind) (sessions int, err error)
}

// Sealer keeps what is written about orders from being read without the key.
type Sealer interface {
	Seal(row, text string) []byte
	Open(row string, sealed []byte) (string, error)
}
