package provisioning

import (
	"context"
	"errors"
	"strings"

	"linegate"
)

// The steps that several workflows share. Each registers its way back before it
// goes forward.

func (s *story) look() (sight, error) {
	return do(s, inStore, "look at subscriber", func(ctx context.Context) (sight, error) {
		return s.engine.look(ctx, s.order)
	})
}

func (e *Engine) look(ctx context.Context, order linegate.Order) (sight, error) {
	o := e.options
	seen := sight{
		Flags:   o.Flags(order.Tenant),
		Present: presence{Addresses: o.Addresses != nil, ONU: o.ONU != nil, CPE: o.CPE != nil, Changes: o.Changes != nil},
	}
	subscriber, err := o.Profiles.Subscriber(ctx, order.Tenant, order.Username)
	if err != nil && !errors.Is(err, linegate.ErrNotFound) {
		return seen, err
	}
	if err == nil {
		seen.Subscriber = subscriber
	}
	service, err := o.Book.Service(ctx, order.Tenant, order.Username)
	if err != nil && !errors.Is(err, linegate.ErrNotFound) {
		return seen, err
	}
	if err == nil {
		seen.Service = &service
	}
	return seen, nil
}

// restore registers that the subscriber becomes again what it was.
func (s *story) restore(before *linegate.Subscriber) {
	profiles := s.engine.options.Profiles
	if before == nil {
		s.onUndo(inStore, "remove subscriber", func(ctx context.Context) error {
			return profiles.DeleteSubscriber(ctx, s.actor(), s.order.Tenant, s.order.Username)
		})
		return
	}
	s.onUndo(inStore, "restore subscriber", func(ctx context.Context) error {
		return profiles.PutSubscriber(ctx, s.actor(), before)
	})
}

// put stores a subscriber. The name says what for.
func (s *story) put(name string, subscriber *linegate.Subscriber) error {
	stored := subscriber.Clone() // later steps change what is pointed to
	_, err := do(s, inStore, name, func(ctx context.Context) (bool, error) {
		return true, s.engine.options.Profiles.PutSubscriber(ctx, s.actor(), stored)
	})
	return err
}

// create stores the subscriber, not to be admitted yet, and notes the number that the
// store gave it.
func (s *story) create(p *setup) (err error) {
	profiles, stored := s.engine.options.Profiles, held(p.subscriber)
	p.service.Metadata.SubscriberNumber, err = do(s, inStore, "create subscriber", func(ctx context.Context) (string, error) {
		if err := profiles.PutSubscriber(ctx, s.actor(), stored); err != nil {
			return "", err
		}
		created, err := profiles.Subscriber(ctx, stored.Tenant, stored.Username)
		if err != nil {
			return "", err
		}
		return created.ID, nil
	})
	return err
}

func (s *story) actor() string { return s.order.Actor + byOrder + s.id + ")" }

const byOrder = " (order "

// ByOrder reports whether what the actor wrote, by the audit trail, was written for
// an order.
func ByOrder(actor string) bool { return strings.Contains(actor, byOrder) }

// push makes live sessions follow the profile. A NAS that says no does not undo
// anything: the profile rules from the next authentication on.
func (s *story) push(kind linegate.ChangeKind) error {
	changes := s.engine.options.Changes
	if changes == nil {
		s.warn("live sessions are not told: nothing here sends CoA")
		return nil
	}
	_, err := do(s, inSessions, string(kind), func(ctx context.Context) (int, error) {
		return changes.Push(ctx, s.order.Tenant, s.order.Username, kind)
	})
	if errors.Is(err, linegate.ErrRefused) || errors.Is(err, linegate.ErrUnsupported) {
		s.warn("live sessions go on as before until they authenticate again: %v", err)
		return nil
	}
	return err
}

// pushBack registers that live sessions are told again. It is registered before
// what changes the profile, since it has to run after the profile is restored.
func (s *story) pushBack(kind linegate.ChangeKind) {
	changes := s.engine.options.Changes
	if changes == nil {
		return
	}
	s.onUndo(inSessions, string(kind), func(ctx context.Context) error {
		_, err := changes.Push(ctx, s.order.Tenant, s.order.Username, kind)
		if errors.Is(err, linegate.ErrRefused) || errors.Is(err, linegate.ErrUnsupported) {
			return nil // it follows from its next authentication on
		}
		return err
	})
}

// record writes what later orders need to know.
func (s *story) record(was *linegate.Service, service linegate.Service) error {
	book := s.engine.options.Book
	if was == nil || was.ID != service.ID {
		s.onUndo(inStore, "forget service", func(ctx context.Context) error { return book.DeleteService(ctx, service.ID) })
	} else {
		before := *was
		s.onUndo(inStore, "restore service", func(ctx context.Context) error { return book.PutService(ctx, before) })
	}
	_, err := do(s, inStore, "record service", func(ctx context.Context) (bool, error) {
		return true, book.PutService(ctx, s.stamped(service))
	})
	return err
}

func (s *story) stamped(service linegate.Service) linegate.Service {
	service.Updated = s.engine.options.Now()
	return service
}

// describe puts the service into the order's result.
func (s *story) describe(p *setup) {
	profile := p.subscriber.Profile
	r := &s.result
	r.ServiceID, r.Warnings = p.service.ID, append(r.Warnings, p.warnings...)
	r.IPv4, r.IPv6 = profile.StaticIPv4, profile.StaticIPv6
	r.FramedIPv6Prefix, r.DelegatedIPv6Prefix, r.IPv6Mode = profile.FramedIPv6Prefix, profile.DelegatedIPv6Prefix, profile.IPv6Mode
	r.ServiceVLAN, r.InnerVLAN, r.QinQEnabled = profile.ServiceVLAN, profile.InnerVLAN, profile.QinQEnabled
	r.Source = linegate.SourceStatic
	if len(p.service.Metadata.Allocations) > 0 {
		r.Source = linegate.SourceDynamic
	}
	for _, held := range p.service.Metadata.Allocations {
		if held.Slot == linegate.SlotIPv4 {
			r.NetBoxIPID = held.ID
		}
	}
}

// complete fills the service's metadata in from the finished setup.
func (p *setup) complete() linegate.Service {
	service := p.service
	m := &service.Metadata
	m.NetworkProfile = linegate.NewServiceProfile(p.subscriber.Profile)
	m.AllocatedIPs = linegate.AllocatedIPs{}
	for _, held := range m.Allocations {
		switch held.Slot {
		case linegate.SlotIPv4:
			m.AllocatedIPs.IPv4 = held.Prefix.Addr()
		case linegate.SlotIPv6:
			m.AllocatedIPs.IPv6 = held.Prefix.Addr()
		case linegate.SlotFramedPrefix:
			m.AllocatedIPs.IPv6Prefix = held.Prefix
		case linegate.SlotDelegatedPrefix:
			m.AllocatedIPs.DelegatedIPv6Prefix = held.Prefix
		}
	}
	m.ONU, m.CPE = nil, nil
	if p.onu != nil {
		wanted := p.wantedONU()
		m.ONU = &wanted
	}
	if p.cpe != nil {
		wanted := p.wantedCPE()
		wanted.PPPPassword = "" // the subscriber's record has it, sealed
		m.CPE = &wanted
	}
	return service
}
