package store

import (
	"context"

	"linegate"
)

// Book is what provisioning has to remember. Every write can be made again with
// the same arguments and then changes nothing. Errors are as those of Engine.
type Book interface {
	// Claim makes the order the only one that works on a subscriber. While another
	// does, it is linegate.ErrConflict and the error names it.
	Claim(ctx context.Context, tenant, username, order string) error
	Unclaim(ctx context.Context, tenant, username, order string) error
	AskCancel(ctx context.Context, order string) error
	CancelAsked(ctx context.Context, order string) (bool, error)
	// Claims calls fn for every order that has a subscriber.
	Claims(ctx context.Context, fn func(tenant, username, order string) error) error

	// Service returns the newest record of a subscriber.
	Service(ctx context.Context, tenant, username string) (linegate.Service, error)
	PutService(ctx context.Context, service linegate.Service) error
	DeleteService(ctx context.Context, id string) error
	// Services calls fn for every record of a tenant, or of all when it is empty, by
	// tenant and username, oldest first.
	Services(ctx context.Context, tenant string, fn func(linegate.Service) error) error

	PutAllocation(ctx context.Context, record linegate.AllocationRecord) error
	DeleteAllocation(ctx context.Context, key string) error
	// Allocations calls fn for every record, by key.
	Allocations(ctx context.Context, fn func(linegate.AllocationRecord) error) error

	// PutVLANPool makes the pool or changes its ranges. Service VLANs that another
	// pool behind the same OLT has, of whatever tenant, are linegate.ErrConflict.
	PutVLANPool(ctx context.Context, pool linegate.VLANPool) error
	// DeleteVLANPool removes a pool that nobody has anything of, else it is
	// linegate.ErrConflict.
	DeleteVLANPool(ctx context.Context, tenant, olt, pool string) error
	// VLANPools returns those of a tenant, or of all when it is empty.
	VLANPools(ctx context.Context, tenant string) ([]linegate.VLANPool, error)
	// AssignVLAN gives the key the lowest free VLAN of the pool, or what it has there
	// already. A full pool is linegate.ErrExhausted, a missing one linegate.ErrNotFound.
	AssignVLAN(ctx context.Context, wish linegate.VLANAssignment) (linegate.VLANAssignment, error)
	UnassignVLAN(ctx context.Context, key string) error
	// ReserveVLAN keeps a VLAN or pair of a pool from being assigned. One that is
	// assigned is linegate.ErrConflict.
	ReserveVLAN(ctx context.Context, reservation linegate.VLANAssignment) error
	// VLANAssignments calls fn for what is assigned and reserved, by pool and VLAN.
	VLANAssignments(ctx context.Context, tenant string, fn func(linegate.VLANAssignment) error) error
	// VLANUse tells how full every pool is.
	VLANUse(ctx context.Context) ([]linegate.VLANPoolUse, error)
}

// VLANUse is how full the pools of a book are, for its VLANUse. A reserved VLAN counts
// as all that it could serve.
func VLANUse(ctx context.Context, book Book) ([]linegate.VLANPoolUse, error) {
	pools, err := book.VLANPools(ctx, "")
	if err != nil {
		return nil, err
	}
	type name struct{ tenant, olt, pool string }
	uses := make([]linegate.VLANPoolUse, len(pools))
	index := map[name]int{}
	for i, pool := range pools {
		uses[i] = linegate.VLANPoolUse{Tenant: pool.Tenant, OLT: pool.OLT, Pool: pool.Name, Size: pool.Size()}
		index[name{pool.Tenant, pool.OLT, pool.Name}] = i
	}
	err = book.VLANAssignments(ctx, "", func(a linegate.VLANAssignment) error {
		if i, known := index[name{a.Tenant, a.OLT, a.Pool}]; known {
			uses[i].Used += pools[i].Weight(a)
		}
		return nil
	})
	return uses, err
}
