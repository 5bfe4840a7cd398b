package provisioning

import (
	"context"
	"errors"
	"fmt"
	"time"

	"linegate"
)

// keeper is who has the subscriber while its service is put back on an ONU. No
// order is called so: their names have a slash.
const keeper = "keeper of ONUs"

// RestoreONU puts a service on its ONU again after VOLTHA lost it. While an order
// works on the subscriber, or when the service is no longer what it was, it is
// linegate.ErrConflict; an order that comes meanwhile waits.
func (e *Engine) RestoreONU(ctx context.Context, service linegate.Service) (err error) {
	ctx, cancel := context.WithTimeout(ctx, e.options.Timing.limit(inONU))
	defer cancel()
	book := e.options.Book
	if err := book.Claim(ctx, service.Tenant, service.Username, keeper); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, book.Unclaim(context.WithoutCancel(ctx), service.Tenant, service.Username, keeper))
	}()
	now, err := book.Service(ctx, service.Tenant, service.Username)
	if err != nil {
		return err
	}
	if now.ID != service.ID || !OnONU(now) || *now.Metadata.ONU != *service.Metadata.ONU {
		return fmt.Errorf("service %s has changed: %w", service.ID, linegate.ErrConflict)
	}
	_, err = e.options.ONU.Provision(ctx, *now.Metadata.ONU)
	return err
}

// OnONU reports whether the service is to be in force on an ONU: one that is
// suspended is, too.
func OnONU(service linegate.Service) bool {
	return service.State != linegate.ServiceTerminated && service.Metadata.ONU != nil
}

// keeperPoll is how often a subscriber is asked for that the keeper has.
const keeperPoll = 200 * time.Millisecond

// claim takes the subscriber for an order. The keeper of ONUs is waited for, another
// order is not.
func (e *Engine) claim(ctx context.Context, tenant, username, order string) error {
	for {
		err := e.options.Book.Claim(ctx, tenant, username, order)
		if !errors.Is(err, linegate.ErrConflict) {
			return err
		}
		kept, asked := e.kept(ctx, tenant, username)
		if asked != nil || !kept {
			return errors.Join(err, asked)
		}
		select {
		case <-time.After(keeperPoll):
		case <-ctx.Done():
			return fmt.Errorf("%s is busy for %q: %w", keeper, username, linegate.ErrTryAgain)
		}
	}
}

// kept reports whether the keeper has the subscriber.
func (e *Engine) kept(ctx context.Context, tenant, username string) (kept bool, err error) {
	err = e.options.Book.Claims(ctx, func(held, name, order string) error {
		kept = kept || order == keeper && held == tenant && name == linegate.ComparableUsername(username)
		return nil
	})
	return kept, err
}

// releaseKept gives back what a keeper had whose process was killed.
func (e *Engine) releaseKept(ctx context.Context) error {
	type subscriber struct{ tenant, username string }
	var left []subscriber
	err := e.options.Book.Claims(ctx, func(tenant, username, order string) error {
		if order == keeper {
			left = append(left, subscriber{tenant, username})
		}
		return nil
	})
	for _, s := range left {
		err = errors.Join(err, e.options.Book.Unclaim(ctx, s.tenant, s.username, keeper))
	}
	return err
}
