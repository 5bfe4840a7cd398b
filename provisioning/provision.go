package provisioning

import (
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"

	"linegate"
)

// provision sets a service up: addresses, VLAN, account, ONU and CPE, or nothing
// of it. Until everything that could be refused was asked for, the subscriber is
// not admitted.
func (e *Engine) provision(ctx dbos.Context, order string) (string, error) {
	return e.tell(ctx, order, func(s *story) error {
		seen, err := s.look()
		if err != nil {
			return err
		}
		p, err := planProvision(s.order, s.id, seen)
		if err != nil {
			return err
		}
		if err := s.planCPE(p); err != nil {
			return err
		}

		s.restore(seen.Subscriber)
		if err := s.create(p); err != nil {
			return err
		}
		if err := s.assignVLAN(p); err != nil {
			return err
		}
		if err := s.takeAddresses(p, seen.Flags); err != nil {
			return err
		}
		if err := s.put("write network profile", held(p.subscriber)); err != nil {
			return err
		}
		p.subscriber.Status = linegate.StatusActive
		if err := s.put("activate RADIUS account", p.subscriber); err != nil {
			return err
		}
		if p.onu != nil {
			if err := s.provisionONU(nil, p.wantedONU()); err != nil {
				return err
			}
		}
		if p.cpe != nil {
			if err := s.configureCPE(nil, p.wantedCPE(), cpeExpiry(s.order)); err != nil {
				return err
			}
		}
		if err := s.confirm(p); err != nil {
			return err
		}
		if err := s.record(nil, p.complete()); err != nil {
			return err
		}
		s.describe(p)
		s.commit()
		return nil
	})
}

// held is the subscriber as long as it is not to be admitted.
func held(subscriber *linegate.Subscriber) *linegate.Subscriber {
	kept := subscriber.Clone()
	kept.Status = linegate.StatusTerminated
	return kept
}

func cpeExpiry(order linegate.Order) time.Duration {
	if order.CPE == nil {
		return 0
	}
	return order.CPE.Expiry
}
