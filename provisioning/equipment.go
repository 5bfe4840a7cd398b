package provisioning

import (
	"context"
	"errors"
	"fmt"
	"time"

	"linegate"
)

// planCPE refuses what the CPE can't do before anything is allocated.
func (s *story) planCPE(p *setup) error {
	if p.cpe == nil {
		return nil
	}
	plan, err := do(s, inCPE, "plan", func(ctx context.Context) (linegate.CPEPlan, error) {
		return s.engine.options.CPE.Plan(ctx, p.wantedCPE())
	})
	if errors.Is(err, linegate.ErrUnsupported) && p.ipv4Only && p.subscriber.Profile.IPv6Mode != linegate.IPv6None {
		p.warnings = append(p.warnings, fmt.Sprintf("set up without IPv6: %v", err))
		p.withoutIPv6Claims()
		plan, err = do(s, inCPE, "plan without IPv6", func(ctx context.Context) (linegate.CPEPlan, error) {
			return s.engine.options.CPE.Plan(ctx, p.wantedCPE())
		})
	}
	if err != nil {
		return err
	}
	p.warnings = append(p.warnings, plan.Warnings...)
	return nil
}

// withoutIPv6Claims makes the order one of IPv4 alone before it allocates.
func (p *setup) withoutIPv6Claims() {
	kept := p.claims[:0:0]
	for _, claim := range p.claims {
		if !claim.Slot.IPv6() {
			kept = append(kept, claim)
		}
	}
	p.claims = kept
	p.dropIPv6()
}

// provisionONU sets a service up where was is nil, and else turns was into it.
func (s *story) provisionONU(was *linegate.ONUService, wanted linegate.ONUService) error {
	onu := s.engine.options.ONU
	if was == nil {
		s.onUndo(inONU, "remove service", func(ctx context.Context) error { return onu.Remove(ctx, wanted) })
		_, err := do(s, inONU, "provision", func(ctx context.Context) (linegate.ONUResult, error) { return onu.Provision(ctx, wanted) })
		return err
	}
	before := *was
	if before == wanted {
		return nil
	}
	s.onUndo(inONU, "change back", func(ctx context.Context) error { _, err := onu.Change(ctx, wanted, before); return err })
	_, err := do(s, inONU, "change", func(ctx context.Context) (linegate.ONUResult, error) { return onu.Change(ctx, before, wanted) })
	return err
}

// configureCPE writes the settings and waits, for days if need be, until an
// offline CPE has them.
func (s *story) configureCPE(was *linegate.CPESettings, wanted linegate.CPESettings, expiry time.Duration) error {
	cpe := s.engine.options.CPE
	s.onUndo(inCPE, "take settings back", func(ctx context.Context) error {
		if was != nil && was.Device != wanted.Device || was == nil {
			if _, err := cpe.Remove(ctx, wanted); err != nil || was == nil {
				return err
			}
		}
		_, err := cpe.Apply(ctx, *was)
		return err
	})
	result, err := do(s, inCPE, "configure", func(ctx context.Context) (linegate.CPEResult, error) { return cpe.Apply(ctx, wanted) })
	if err != nil {
		return err
	}
	timing := s.engine.options.Timing
	if expiry <= 0 {
		expiry = timing.CPEExpiry
	}
	for waited := time.Duration(0); result.State == linegate.CPEWaiting; waited += timing.CPEPoll {
		if waited >= expiry {
			return fmt.Errorf("cpe: %s did not call in within %s: %w", wanted.Device, expiry, linegate.ErrRefused)
		}
		if err := s.sleep(timing.CPEPoll); err != nil {
			return err
		}
		result, err = do(s, inCPE, "await inform", func(ctx context.Context) (linegate.CPEResult, error) { return cpe.Await(ctx, wanted) })
		if err != nil {
			return err
		}
	}
	s.result.Warnings = append(s.result.Warnings, result.Warnings...)
	return nil
}
