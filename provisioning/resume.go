package provisioning

import (
	"fmt"

	"github.com/dbos-inc/dbos-transact-golang/dbos"

	"linegate"
)

// resume lets a suspended service go on as it was.
func (e *Engine) resume(ctx dbos.Context, order string) (string, error) {
	return e.tell(ctx, order, func(s *story) error {
		seen, err := s.look()
		if err != nil {
			return err
		}
		if !seen.live() || seen.Subscriber == nil {
			return fmt.Errorf("%s has no service to resume: %w", s.order.Username, linegate.ErrNotFound)
		}
		if seen.Service.State != linegate.ServiceSuspended {
			return fmt.Errorf("service %s is not suspended: %w", seen.Service.ID, linegate.ErrConflict)
		}
		service, subscriber := *seen.Service, seen.Subscriber.Clone()
		suspended := service.Metadata.Suspended
		service.State, service.OrderID, service.Metadata.Suspended = linegate.ServiceActive, s.id, nil
		subscriber.Status = linegate.StatusActive
		var strategy linegate.SuspendStrategy // none is known: as by disconnecting
		if suspended != nil {
			strategy = suspended.Strategy
		}
		if strategy == linegate.SuspendByRate && subscriber.Profile != nil {
			subscriber.Profile.Rate = suspended.Rate
		}

		again, kind := toldBy(strategy)
		s.pushBack(again)
		s.restore(seen.Subscriber)
		if err := s.put("restore profile", subscriber); err != nil {
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
