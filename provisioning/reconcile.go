package provisioning

import (
	"context"
	"errors"
	"fmt"
	"time"

	"linegate"
)

// Grace is how old a difference must be before it is repaired: younger ones may be
// an order that is under way.
const Grace = time.Hour

// Reconcile compares what NetBox holds under keys of ours with our own book, and
// gives back what was released when its quarantine is over. With repair it mends
// what is safe to mend: what nobody knows any more is released, what somebody has
// lost is only reported.
func Reconcile(ctx context.Context, options Options, repair bool) ([]linegate.Finding, error) {
	if options.Addresses == nil {
		return nil, fmt.Errorf("no NetBox is configured: %w", linegate.ErrRefused)
	}
	r := &reconciler{options: options.orDefault(), repair: repair, booked: map[string]linegate.AllocationRecord{}, held: map[string]linegate.Allocation{}}
	if err := r.read(ctx); err != nil {
		return nil, err
	}
	return r.found, errors.Join(r.freeQuarantined(ctx), r.releaseUnknown(ctx), r.settleIntended(ctx))
}

type reconciler struct {
	options Options
	repair  bool
	booked  map[string]linegate.AllocationRecord
	held    map[string]linegate.Allocation
	twice   []linegate.Allocation
	found   []linegate.Finding
}

// read takes NetBox first: what is allocated meanwhile is in the book before.
func (r *reconciler) read(ctx context.Context) error {
	err := r.options.Addresses.Managed(ctx, func(a linegate.Allocation) error {
		if _, known := r.held[a.Key]; known {
			r.twice = append(r.twice, a)
		}
		r.held[a.Key] = a
		return nil
	})
	if err != nil {
		return err
	}
	return r.options.Book.Allocations(ctx, func(record linegate.AllocationRecord) error {
		r.booked[record.Claim.Key] = record
		return nil
	})
}

func (r *reconciler) report(key string, held linegate.Allocation, problem string, repaired bool) {
	r.found = append(r.found, linegate.Finding{Key: key, Prefix: held.Prefix.String(), Problem: problem, Repaired: repaired})
}

func (r *reconciler) old(record linegate.AllocationRecord) bool {
	return r.options.Now().Sub(record.Updated) > Grace
}

// freeQuarantined gives back what waited long enough.
func (r *reconciler) freeQuarantined(ctx context.Context) error {
	for key, record := range r.booked {
		if record.State != linegate.AllocationQuarantined || r.options.Now().Before(record.FreeAt) {
			continue
		}
		if r.repair {
			if err := r.options.Addresses.Free(ctx, record.Allocation); err != nil {
				return err
			}
			if err := r.options.Book.DeleteAllocation(ctx, key); err != nil {
				return err
			}
		}
		r.report(key, record.Allocation, "its quarantine is over", r.repair)
	}
	return nil
}

// releaseUnknown reports what NetBox holds and no order knows: a request that was
// given up on came through after its order was undone.
func (r *reconciler) releaseUnknown(ctx context.Context) error {
	for _, held := range r.twice {
		r.report(held.Key, held, "held twice under one key; the next look-up of the key removes the later one", false)
	}
	for key, held := range r.held {
		record, known := r.booked[key]
		if known && record.State != linegate.AllocationQuarantined {
			if record.State == linegate.AllocationHeld && record.Allocation.Prefix != held.Prefix {
				r.report(key, held, "NetBox has another than the book: "+record.Allocation.Prefix.String(), false)
			}
			continue
		}
		if r.repair {
			claim := linegate.AddressClaim{Key: key, Slot: held.Slot, Length: held.Prefix.Bits()}
			if err := r.options.Addresses.Release(ctx, claim, false); err != nil {
				return err
			}
		}
		r.report(key, held, "held in NetBox, and no order knows it", r.repair)
	}
	return nil
}

// settleIntended reports what the book has and NetBox has not.
func (r *reconciler) settleIntended(ctx context.Context) error {
	for key, record := range r.booked {
		_, held := r.held[key]
		switch {
		case held || !r.old(record):
		case record.State == linegate.AllocationHeld:
			r.report(key, record.Allocation, "in use, and missing in NetBox: somebody may be given it again", false)
		case record.State == linegate.AllocationIntended:
			asked, err := r.underWay(ctx, record)
			if err != nil {
				return err
			}
			if asked {
				continue
			}
			if r.repair {
				if err := r.options.Book.DeleteAllocation(ctx, key); err != nil {
					return err
				}
			}
			r.report(key, record.Allocation, "asked for long ago, and never given", r.repair)
		}
	}
	return nil
}

// underWay reports whether an order still works on the subscriber.
func (r *reconciler) underWay(ctx context.Context, record linegate.AllocationRecord) (busy bool, err error) {
	err = r.options.Book.Claims(ctx, func(tenant, username, _ string) error {
		busy = busy || tenant == record.Claim.Tenant && username == linegate.ComparableUsername(record.Claim.Username)
		return nil
	})
	return busy, err
}
