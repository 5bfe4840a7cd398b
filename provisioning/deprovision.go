package provisioning

import (
	"context"
	"fmt"

	"github.com/dbos-inc/dbos-transact-golang/dbos"

	"linegate"
)

// deprovision takes a service down: nobody is admitted any more, sessions end, CPE
// and ONU are cleared, and only when that is done the subscriber is removed and
// addresses and VLAN are given back. The record of the service stays.
func (e *Engine) deprovision(ctx dbos.Context, order string) (string, error) {
	return e.tell(ctx, order, func(s *story) error {
		seen, err := s.look()
		if err != nil {
			return err
		}
		if !seen.live() || seen.Subscriber == nil {
			return fmt.Errorf("%s has no service to take down: %w", s.order.Username, linegate.ErrNotFound)
		}
		service := *seen.Service
		if err := s.note("log final configuration", func() { e.options.Observer.FinalConfiguration(service) }); err != nil {
			return err
		}

		s.restore(seen.Subscriber)
		if err := s.put("close account", held(seen.Subscriber)); err != nil {
			return err
		}
		if err := s.push(linegate.ChangeDisconnect); err != nil {
			return err
		}
		if err := s.clearCPE(seen); err != nil {
			return err
		}
		if err := s.clearONU(seen); err != nil {
			return err
		}

		s.commit()
		former := leftBehind{allocations: service.Metadata.Allocations, vlan: service.Metadata.VLAN}
		if err := s.giveBack(service, former); err != nil {
			return err
		}
		if err := s.insist(inStore, "remove subscriber", func(ctx context.Context) error {
			return e.options.Profiles.DeleteSubscriber(ctx, s.actor(), s.order.Tenant, s.order.Username)
		}); err != nil {
			return err
		}
		service.State, service.OrderID = linegate.ServiceTerminated, s.id
		s.result.ServiceID = service.ID
		return s.insist(inStore, "record service", func(ctx context.Context) error {
			return e.options.Book.PutService(ctx, s.stamped(service))
		})
	})
}

// clearCPE takes the settings from the CPE. One that is offline gets rid of them at
// its next inform.
func (s *story) clearCPE(seen sight) error {
	settings := seen.Service.Metadata.CPE
	switch {
	case settings == nil:
		return nil
	case !seen.Present.CPE:
		s.warn("CPE %s is left as it is: no GenieACS is configured", settings.Device)
		return nil
	}
	cpe, former := s.engine.options.CPE, *settings
	if former.PPPUsername != "" {
		former.PPPPassword = seen.Subscriber.Credential.Value.Reveal()
	}
	s.onUndo(inCPE, "configure again", func(ctx context.Context) error { _, err := cpe.Apply(ctx, former); return err })
	_, err := do(s, inCPE, "clear", func(ctx context.Context) (linegate.CPEResult, error) { return cpe.Remove(ctx, former) })
	return err
}

func (s *story) clearONU(seen sight) error {
	service := seen.Service.Metadata.ONU
	switch {
	case service == nil:
		return nil
	case !seen.Present.ONU:
		s.warn("ONU %s is left as it is: no VOLTHA is configured", service.Serial)
		return nil
	}
	onu, former := s.engine.options.ONU, *service
	s.onUndo(inONU, "provision again", func(ctx context.Context) error { _, err := onu.Provision(ctx, former); return err })
	_, err := do(s, inONU, "remove service", func(ctx context.Context) (bool, error) { return true, onu.Remove(ctx, former) })
	return err
}
