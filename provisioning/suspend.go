package provisioning

import (
	"fmt"

	"github.com/dbos-inc/dbos-transact-golang/dbos"

	"linegate"
)

// suspend holds a service back: the profile first, so that whoever comes anew is
// held back too, then the sessions that are online. Addresses, VLAN, ONU and CPE
// stay as they are.
func (e *Engine) suspend(ctx dbos.Context, order string) (string, error) {
	return e.tell(ctx, order, func(s *story) error {
		seen, err := s.look()
		if err != nil {
			return err
		}
		if !seen.live() || seen.Subscriber == nil {
			return fmt.Errorf("%s has no service to suspend: %w", s.order.Username, linegate.ErrNotFound)
		}
		if seen.Service.State != linegate.ServiceActive {
			return fmt.Errorf("service %s is %s already: %w", seen.Service.ID, seen.Service.State, linegate.ErrConflict)
		}
		strategy, err := strategyOf(s.order, seen.Subscriber.Profile)
		if err != nil {
			return err
		}
		service, subscriber := *seen.Service, seen.Subscriber.Clone()
		service.State, service.OrderID = linegate.ServiceSuspended, s.id
		service.Metadata.Suspended = &linegate.SuspendedState{Strategy: strategy}
		if strategy == linegate.SuspendByRate {
			service.Metadata.Suspended.Rate = subscriber.Profile.Rate
			subscriber.Profile.Rate = s.order.SuspendRate
		} else {
			subscriber.Status = linegate.StatusSuspended
		}

		kind, back := toldBy(strategy)
		s.pushBack(back)
		s.restore(seen.Subscriber)
		if err := s.put("hold profile back", subscriber); err != nil {
			return err
		}
		if err := s.record(seen.Service, service); err != nil {
			return err
		}
		if err := s.push(kind); err != nil {
			return err
		}
		s.result.ServiceID = service.ID
		s.commit()
		return nil
	})
}

// strategyOf is the order's strategy, or the one that the profile offers.
func strategyOf(order linegate.Order, profile *linegate.NetworkProfile) (linegate.SuspendStrategy, error) {
	garden := profile != nil && profile.WalledGarden.Offered()
	switch {
	case order.Strategy == linegate.SuspendByWalledGarden && !garden:
		return "", &linegate.FieldError{Field: "strategy", Value: string(order.Strategy), Allowed: "only where the profile names a walled garden"}
	case order.Strategy == linegate.SuspendByRate && profile == nil:
		return "", &linegate.FieldError{Field: "strategy", Value: string(order.Strategy), Allowed: "only where there is a network profile"}
	case order.Strategy != "":
		return order.Strategy, nil
	case garden:
		return linegate.SuspendByWalledGarden, nil
	}
	return linegate.SuspendByDisconnect, nil
}

// toldBy is how live sessions are told that their subscriber is held back, and that
// it is no longer.
func toldBy(strategy linegate.SuspendStrategy) (held, back linegate.ChangeKind) {
	switch strategy {
	case linegate.SuspendByRate:
		return linegate.ChangeRate, linegate.ChangeRate
	case linegate.SuspendByWalledGarden:
		return linegate.ChangeWalledGarden, linegate.ChangeResume
	}
	return linegate.ChangeDisconnect, linegate.ChangeResume
}
