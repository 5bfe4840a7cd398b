package provisioning

import (
	"context"
	"errors"
	"fmt"
	"time"

	"linegate"
)

// assignVLAN takes a VLAN of the pool that the order names.
func (s *story) assignVLAN(p *setup) error {
	if p.vlan == nil {
		return nil
	}
	book, wish := s.engine.options.Book, *p.vlan
	s.onUndo(inStore, "give VLAN back", func(ctx context.Context) error { return book.UnassignVLAN(ctx, wish.Key) })
	assigned, err := do(s, inStore, "assign VLAN", func(ctx context.Context) (linegate.VLANAssignment, error) {
		return book.AssignVLAN(ctx, wish)
	})
	if err != nil {
		return err
	}
	p.settle(assigned)
	return nil
}

// takeAddresses makes every claim: fixed addresses are associated, others are
// allocated and put into the profile.
func (s *story) takeAddresses(p *setup, flags Flags) error {
	for _, claim := range p.claims {
		if p.subscriber.Profile.IPv6Mode == linegate.IPv6None && claim.Slot.IPv6() {
			continue // an earlier part of IPv6 could not be had
		}
		if claim.Fixed.IsValid() && flags.StaticIPBypass {
			if err := s.takeStatic(p, claim); err != nil {
				return err
			}
			continue
		}
		if err := s.takeDynamic(p, claim); err != nil {
			return err
		}
	}
	return nil
}

// takeStatic tells that NetBox was skipped, and notes there whose the address is.
func (s *story) takeStatic(p *setup, claim linegate.AddressClaim) error {
	service := p.service
	if err := s.note("static "+string(claim.Slot)+" used, NetBox skipped", func() {
		s.engine.options.Observer.StaticIPUsed(service, claim.Fixed)
	}); err != nil {
		return err
	}
	addresses := s.engine.options.Addresses
	if addresses == nil {
		return nil
	}
	s.onUndo(inNetBox, "dissociate "+string(claim.Slot), func(ctx context.Context) error { return addresses.Dissociate(ctx, claim) })
	_, err := do(s, inNetBox, "associate "+string(claim.Slot), func(ctx context.Context) (bool, error) {
		return true, addresses.Associate(ctx, claim)
	})
	return err
}

// takeDynamic allocates. The intention is in our book before NetBox is asked, so
// that whatever happens then can be found again.
func (s *story) takeDynamic(p *setup, claim linegate.AddressClaim) error {
	s.onUndo(inNetBox, "release "+string(claim.Slot), func(ctx context.Context) error { return s.engine.release(ctx, claim) })
	held, err := do(s, inNetBox, "allocate "+string(claim.Slot), func(ctx context.Context) (linegate.Allocation, error) {
		return s.engine.allocate(ctx, claim)
	})
	if errors.Is(err, linegate.ErrExhausted) {
		if err = p.without(claim.Slot, err); err == nil {
			return nil
		}
	}
	if err != nil {
		return err
	}
	fill(p.subscriber.Profile, claim.Slot, held.Prefix)
	p.service.Metadata.Allocations = append(withoutSlot(p.service.Metadata.Allocations, claim.Slot), held)
	return nil
}

func withoutSlot(all []linegate.Allocation, slot linegate.AddressSlot) (kept []linegate.Allocation) {
	for _, allocation := range all {
		if allocation.Slot != slot {
			kept = append(kept, allocation)
		}
	}
	return kept
}

func (e *Engine) allocate(ctx context.Context, claim linegate.AddressClaim) (linegate.Allocation, error) {
	book := e.options.Book
	record := linegate.AllocationRecord{Claim: claim, State: linegate.AllocationIntended, Updated: e.options.Now()}
	if err := book.PutAllocation(ctx, record); err != nil {
		return linegate.Allocation{}, err
	}
	held, err := e.options.Addresses.Allocate(ctx, claim)
	if err != nil {
		return linegate.Allocation{}, err
	}
	record.State, record.Allocation, record.Updated = linegate.AllocationHeld, held, e.options.Now()
	if err := book.PutAllocation(ctx, record); err != nil {
		return linegate.Allocation{}, err
	}
	if claim.Slot == linegate.SlotDelegatedPrefix {
		e.options.Observer.PrefixDelegated(claim.Tenant, held.Prefix.Bits())
	}
	return held, nil
}

// release gives back at once what a claim was given.
func (e *Engine) release(ctx context.Context, claim linegate.AddressClaim) error {
	if err := e.options.Addresses.Release(ctx, claim, false); err != nil {
		return err
	}
	return e.options.Book.DeleteAllocation(ctx, claim.Key)
}

// retire gives back what a service had, after the quarantine.
func (e *Engine) retire(ctx context.Context, claim linegate.AddressClaim, allocation linegate.Allocation, quarantine time.Duration) error {
	if quarantine <= 0 {
		return e.release(ctx, claim)
	}
	if err := e.options.Addresses.Release(ctx, claim, true); err != nil {
		return err
	}
	now := e.options.Now()
	return e.options.Book.PutAllocation(ctx, linegate.AllocationRecord{
		Claim: claim, State: linegate.AllocationQuarantined, Allocation: allocation, FreeAt: now.Add(quarantine), Updated: now,
	})
}

func claimOf(service linegate.Service, allocation linegate.Allocation) linegate.AddressClaim {
	return linegate.AddressClaim{Key: allocation.Key, Tenant: service.Tenant, Username: service.Username, Service: service.ID, Slot: allocation.Slot, Length: allocation.Prefix.Bits()}
}

// confirm marks the service's allocations as in use, once all works.
func (s *story) confirm(p *setup) error {
	addresses := s.engine.options.Addresses
	for _, held := range p.service.Metadata.Allocations {
		if _, err := do(s, inNetBox, "confirm "+string(held.Slot), func(ctx context.Context) (bool, error) {
			return true, addresses.Confirm(ctx, claimOf(p.service, held), held)
		}); err != nil {
			return err
		}
	}
	return nil
}

// AllocatePrefix delegates a prefix apart from any order, and books it. The same
// key gets the same prefix.
func AllocatePrefix(ctx context.Context, options Options, claim linegate.AddressClaim) (linegate.Allocation, error) {
	if options.Addresses == nil {
		return linegate.Allocation{}, fmt.Errorf("no NetBox is configured: %w", linegate.ErrRefused)
	}
	e := &Engine{options: options.orDefault()}
	return e.allocate(ctx, claim)
}
