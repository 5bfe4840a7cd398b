package provisioning

import (
	"context"
	"slices"

	"github.com/dbos-inc/dbos-transact-golang/dbos"

	"linegate"
)

// change turns a service into another: what is new is taken first, then network,
// profile and sessions follow, and what is no longer needed is given back last.
func (e *Engine) change(ctx dbos.Context, order string) (string, error) {
	return e.tell(ctx, order, func(s *story) error {
		seen, err := s.look()
		if err != nil {
			return err
		}
		p, err := planChange(s.order, s.id, seen)
		if err != nil {
			return err
		}
		if err := s.planCPE(p); err != nil {
			return err
		}

		if err := s.assignVLAN(p); err != nil {
			return err
		}
		if err := s.takeAddresses(p, seen.Flags); err != nil {
			return err
		}
		old := p.outgrow(*seen.Service)
		if p.onu != nil {
			if err := s.provisionONU(seen.Service.Metadata.ONU, p.wantedONU()); err != nil {
				return err
			}
		}
		if p.cpe != nil && p.cpeChanges(seen) {
			if err := s.configureCPE(p.formerCPE(seen), p.wantedCPE(), cpeExpiry(s.order)); err != nil {
				return err
			}
		}
		kinds := changeKinds(seen.Subscriber.Profile, p.subscriber.Profile)
		if at := slices.Index(kinds, linegate.ChangeVLAN); at >= 0 && !seen.Flags.VLANCoAUpdates {
			kinds = slices.Delete(kinds, at, at+1)
			p.warnings = append(p.warnings, "live sessions keep their VLAN until they authenticate again: enable_vlan_coa_updates is off")
		}
		for _, kind := range kinds {
			s.pushBack(kind)
		}
		s.restore(seen.Subscriber)
		if err := s.put("write network profile", p.subscriber); err != nil {
			return err
		}
		for _, kind := range kinds {
			if err := s.push(kind); err != nil {
				return err
			}
		}
		if err := s.confirm(p); err != nil {
			return err
		}
		if err := s.record(seen.Service, p.complete()); err != nil {
			return err
		}
		s.describe(p)
		s.commit()
		return s.giveBack(*seen.Service, old)
	})
}

// leftBehind is what a service no longer needs.
type leftBehind struct {
	allocations []linegate.Allocation
	vlan        *linegate.VLANAssignment
}

// outgrow takes from the record what the profile has no use for any more.
func (p *setup) outgrow(was linegate.Service) (old leftBehind) {
	for _, held := range was.Metadata.Allocations {
		if now, has := slotOf(p.subscriber.Profile, held.Slot); has && now == held.Prefix {
			continue
		}
		old.allocations = append(old.allocations, held)
	}
	kept := p.service.Metadata.Allocations[:0:0]
	for _, held := range p.service.Metadata.Allocations {
		if now, has := slotOf(p.subscriber.Profile, held.Slot); has && now == held.Prefix {
			kept = append(kept, held)
		}
	}
	p.service.Metadata.Allocations = kept
	profile, vlan := p.subscriber.Profile, was.Metadata.VLAN
	if vlan != nil && (vlan.Outer != profile.ServiceVLAN || vlan.Inner != profile.InnerVLAN || p.vlan != nil) {
		old.vlan = vlan
		if p.vlan == nil {
			p.service.Metadata.VLAN = nil
		}
	}
	return old
}

// giveBack releases what is no longer needed. There is no way back from here.
func (s *story) giveBack(service linegate.Service, old leftBehind) error {
	quarantine := s.order.Quarantine
	if quarantine == 0 {
		quarantine = s.engine.options.Timing.Quarantine
	}
	for _, held := range old.allocations {
		if s.engine.options.Addresses == nil {
			s.warn("%s %s is not released: no NetBox is configured", held.Slot, held.Prefix)
			continue
		}
		if err := s.insist(inNetBox, "release former "+string(held.Slot), func(ctx context.Context) error {
			return s.engine.retire(ctx, claimOf(service, held), held, quarantine)
		}); err != nil {
			return err
		}
	}
	if old.vlan == nil {
		return nil
	}
	return s.insist(inStore, "give former VLAN back", func(ctx context.Context) error {
		return s.engine.options.Book.UnassignVLAN(ctx, old.vlan.Key)
	})
}

// cpeChanges reports whether the CPE has to be told something.
func (p *setup) cpeChanges(seen sight) bool {
	was := p.formerCPE(seen)
	return was == nil || !sameCPE(*was, p.wantedCPE())
}

// formerCPE is what the CPE was told, with the password that it was told then.
func (p *setup) formerCPE(seen sight) *linegate.CPESettings {
	if seen.Service.Metadata.CPE == nil {
		return nil
	}
	former := *seen.Service.Metadata.CPE
	if former.PPPUsername != "" {
		former.PPPPassword = seen.Subscriber.Credential.Value.Reveal()
	}
	return &former
}

// changeKinds says what live sessions have to be told, if anything. A session that
// can't be told a new address has to come back for it, and then has all that is new.
func changeKinds(was, now *linegate.NetworkProfile) (kinds []linegate.ChangeKind) {
	if was == nil {
		was = &linegate.NetworkProfile{}
	}
	if was.StaticIPv4 != now.StaticIPv4 || was.StaticIPv6 != now.StaticIPv6 || was.FramedIPv6Prefix != now.FramedIPv6Prefix ||
		was.CircuitID != now.CircuitID || was.RemoteID != now.RemoteID || was.IPv6Mode != now.IPv6Mode {
		return []linegate.ChangeKind{linegate.ChangeDisconnect}
	}
	if was.ServiceVLAN != now.ServiceVLAN || was.InnerVLAN != now.InnerVLAN || was.QinQEnabled != now.QinQEnabled {
		kinds = append(kinds, linegate.ChangeVLAN)
	}
	if was.DelegatedIPv6Prefix != now.DelegatedIPv6Prefix {
		kinds = append(kinds, linegate.ChangePrefix)
	}
	if was.Rate != now.Rate {
		kinds = append(kinds, linegate.ChangeRate)
	}
	return kinds
}
