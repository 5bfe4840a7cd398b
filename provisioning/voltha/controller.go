package voltha

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"linegate"
)

// Controller asks the SDN controller (VGC) that owns the core's flows. Nearly
// every mistake is answered there with 200 and an empty body, so the state of the
// port's flows is the only thing believed. A port carries one service.
type Controller struct {
	config Config
	rest   rest
}

func openController(config Config) (*Controller, error) {
	base, err := url.Parse(strings.TrimRight(config.Address, "/"))
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("voltha vgc address: %q is not allowed: an http or https URL", config.Address)
	}
	return &Controller{config: config, rest: rest{base: base, client: newHTTPClient(config.Call)}}, nil
}

// Close ends idle connections.
func (c *Controller) Close() error {
	c.rest.client.CloseIdleConnections()
	return nil
}

// How the controller's flows of a port stand.
const (
	flowsUnknown  = "NOT_IN_CONTROLLER"
	flowsDisabled = "DISABLED_IN_CONTROLLER"
	flowsAll      = "ALL_FLOWS_PROVISIONED"
)

// Tags that mean something else than a VLAN.
const (
	anyTag = 4096
	// noTag is what the controller's source calls an untagged frame. A 0 there
	// means any frame, tagged or not.
	noTag = 4097
	// asIs leaves the priority bits.
	asIs = -1
)

// uniTag is one service of a subscriber as the controller has it.
type uniTag struct {
	ServiceName       string `json:"serviceName"` // the id of ours
	UniTagMatch       int    `json:"uniTagMatch"`
	PonCTag           int    `json:"ponCTag"`
	PonSTag           int    `json:"ponSTag"`
	UsPonCTagPriority int    `json:"usPonCTagPriority"`
	UsPonSTagPriority int    `json:"usPonSTagPriority"`
	DsPonCTagPriority int    `json:"dsPonCTagPriority"`
	DsPonSTagPriority int    `json:"dsPonSTagPriority"`
	TechProfile       int    `json:"technologyProfileId"`
	UpstreamProfile   string `json:"upstreamBandwidthProfile"`
	DownstreamProfile string `json:"downstreamBandwidthProfile"`
}

// subscriber is a port with its service, as the controller takes it.
type subscriber struct {
	ID        string   `json:"id"`
	NASPortID string   `json:"nasPortId"`
	UniTags   []uniTag `json:"uniTagList"`
}

func (c *Controller) tagOf(s *linegate.ONUService) uniTag {
	tag := uniTag{
		ServiceName: s.ID, UniTagMatch: int(s.CustomerVLAN), PonCTag: int(s.InnerVLAN), PonSTag: int(s.ServiceVLAN),
		UsPonCTagPriority: asIs, UsPonSTagPriority: asIs, DsPonCTagPriority: asIs, DsPonSTagPriority: asIs,
		TechProfile:       int(c.config.techProfile(s)),
		UpstreamProfile:   profileOf(s.Upstream, c.config.UnlimitedKbps).ID,
		DownstreamProfile: profileOf(s.Downstream, c.config.UnlimitedKbps).ID,
	}
	switch {
	case s.Transparent:
		tag.UniTagMatch, tag.PonCTag = anyTag, anyTag
	case s.CustomerVLAN == 0:
		tag.UniTagMatch = noTag
	}
	return tag
}

// bandwidthProfile is a rate as the controller knows it; it makes the meters.
type bandwidthProfile struct {
	ID  string `json:"id"`
	CIR uint32 `json:"cir"`
	CBS uint32 `json:"cbs"`
	PIR uint32 `json:"pir"`
	PBS uint32 `json:"pbs"`
	GIR uint32 `json:"gir"`
	EIR uint32 `json:"eir"`
	EBS uint32 `json:"ebs"`
	AIR uint32 `json:"air"`
}

// profileOf names the profile by its rates: what is there is never changed, and
// subscribers with one rate share it.
func profileOf(b linegate.Bandwidth, unlimited uint32) bandwidthProfile {
	if b.PIR == 0 {
		b.PIR = max(unlimited, b.CIR, b.GIR)
	}
	p := bandwidthProfile{PIR: b.PIR, PBS: burst(b.PIR), CIR: max(b.CIR, b.GIR), GIR: b.GIR}
	if p.CIR > 0 {
		p.CBS = burst(p.CIR)
	}
	p.ID = fmt.Sprintf("linegate-p%d-c%d-g%d", p.PIR, p.CIR, p.GIR)
	return p
}

func validateForController(service *linegate.ONUService) error {
	if err := validate(service); err != nil {
		return err
	}
	if !service.QinQ && !service.Transparent {
		return onuError(service, fmt.Errorf("%w: the vgc backend makes double tagged and transparent services, no single VLAN", linegate.ErrUnsupported))
	}
	return nil
}

// Describe lists the requests that make the service.
func (c *Controller) Describe(wanted linegate.ONUService) ([]string, error) {
	if err := validateForController(&wanted); err != nil {
		return nil, err
	}
	tag := c.tagOf(&wanted)
	return []string{
		"POST /vgc/v1/profiles/" + tag.UpstreamProfile,
		"POST /vgc/v1/profiles/" + tag.DownstreamProfile,
		fmt.Sprintf("POST /vgc/v1/subscribers/%s uniTagMatch %d ponCTag %d ponSTag %d", portName(&wanted), tag.UniTagMatch, tag.PonCTag, tag.PonSTag),
		"POST " + servicePath(&wanted, tag),
	}, nil
}

// Provision makes the service, or makes it anew where it differs: a subscriber
// that is there already is not changed by adding it again.
func (c *Controller) Provision(ctx context.Context, wanted linegate.ONUService) (linegate.ONUResult, error) {
	if err := validateForController(&wanted); err != nil {
		return linegate.ONUResult{}, err
	}
	result, err := c.provision(ctx, &wanted)
	if err != nil {
		return linegate.ONUResult{}, onuError(&wanted, err)
	}
	c.config.logProvisioned(ctx, &wanted, result)
	return result, nil
}

func (c *Controller) provision(ctx context.Context, wanted *linegate.ONUService) (linegate.ONUResult, error) {
	now, err := c.look(ctx, wanted)
	if err != nil {
		return linegate.ONUResult{}, err
	}
	if now.inForce(c.tagOf(wanted)) {
		return now.result(wanted, "all flows were there"), nil
	}
	if err := now.refuseForeign(wanted); err != nil {
		return linegate.ONUResult{}, err
	}
	if err := c.clear(ctx, wanted, now); err != nil {
		return linegate.ONUResult{}, unknown(err)
	}
	if err := c.build(ctx, wanted); err != nil {
		err = c.undo(ctx, wanted, err)
		if now.mine != nil {
			err = unknown(err) // what was there before is gone
		}
		return linegate.ONUResult{}, err
	}
	return linegate.ONUResult{Installed: true, Device: portName(wanted), Detail: "all flows are provisioned"}, nil
}

func (c *Controller) build(ctx context.Context, wanted *linegate.ONUService) error {
	for _, b := range []linegate.Bandwidth{wanted.Upstream, wanted.Downstream} {
		if err := c.ensureProfile(ctx, profileOf(b, c.config.UnlimitedKbps)); err != nil {
			return err
		}
	}
	tag := c.tagOf(wanted)
	if err := c.rest.change(ctx, http.MethodPost, subscriberPath(wanted), c.subscriber(wanted, tag)); err != nil {
		return err
	}
	if err := c.await(ctx, wanted, c.config.Ready, func(status string) bool { return status != flowsUnknown }); err != nil {
		return fmt.Errorf("subscriber was accepted and is not there: is the port known, are the OLT and its port to the network configured? %w", err)
	}
	if err := c.rest.change(ctx, http.MethodPost, servicePath(wanted, tag), nil); err != nil {
		return err
	}
	return c.settle(ctx, wanted)
}

// settle waits until all flows are there, and looks once more after a while.
func (c *Controller) settle(ctx context.Context, wanted *linegate.ONUService) error {
	complete := func(status string) bool { return status == flowsAll }
	if err := c.await(ctx, wanted, c.config.Verify, complete); err != nil {
		return err
	}
	if err := c.config.pause(ctx, c.config.Settle); err != nil {
		return err
	}
	return c.await(ctx, wanted, 0, complete)
}

// await looks at the port's flows until they are good, but no longer than patience.
func (c *Controller) await(ctx context.Context, service *linegate.ONUService, patience time.Duration, good func(string) bool) error {
	deadline := c.config.Now().Add(patience)
	for {
		status, err := c.flowStatus(ctx, service)
		if err != nil {
			return err
		}
		if good(status) {
			return nil
		}
		if !c.config.Now().Before(deadline) {
			return fmt.Errorf("%w: its flows are %s", linegate.ErrTryAgain, status)
		}
		if err := c.config.pause(ctx, c.config.Poll); err != nil {
			return err
		}
	}
}

// ensureProfile adds the profile and reads it back.
func (c *Controller) ensureProfile(ctx context.Context, wanted bandwidthProfile) error {
	path := "/vgc/v1/profiles/" + wanted.ID
	if err := c.rest.change(ctx, http.MethodPost, path, wanted); err != nil {
		return err
	}
	var there bandwidthProfile
	if err := c.rest.get(ctx, path, &there); err != nil {
		return err
	}
	if there.PIR != wanted.PIR || there.CIR != wanted.CIR || there.GIR != wanted.GIR {
		return fmt.Errorf("%w: profile %s has other rates", linegate.ErrRefused, wanted.ID)
	}
	return nil
}

func (c *Controller) undo(ctx context.Context, wanted *linegate.ONUService, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.config.Call)
	defer cancel()
	now, err := c.look(ctx, wanted)
	if err == nil {
		err = c.clear(ctx, wanted, now)
	}
	return undone(cause, err)
}

// Change takes the service as it was away and makes it as wanted.
func (c *Controller) Change(ctx context.Context, was, wanted linegate.ONUService) (linegate.ONUResult, error) {
	return change(ctx, c, validateForController, was, wanted)
}

// Remove deactivates the service and deletes its subscriber.
func (c *Controller) Remove(ctx context.Context, service linegate.ONUService) error {
	if err := validate(&service); err != nil {
		return err
	}
	now, err := c.look(ctx, &service)
	if err == nil && now.refuseForeign(&service) == nil {
		err = unknown(c.clear(ctx, &service, now))
	}
	if err != nil {
		return onuError(&service, err)
	}
	return nil
}

// Verify asks how the port's flows stand. It can't see an ONU that lost its flows
// by a restart: that is the ONU adapter's to repair where a controller is.
func (c *Controller) Verify(ctx context.Context, service linegate.ONUService) (linegate.ONUResult, error) {
	if err := validate(&service); err != nil {
		return linegate.ONUResult{}, err
	}
	now, err := c.look(ctx, &service)
	if err != nil {
		return linegate.ONUResult{}, onuError(&service, err)
	}
	return now.result(&service, now.detail(c.tagOf(&service))), nil
}

// Check is Verify for many services.
func (c *Controller) Check(ctx context.Context, services []linegate.ONUService) ([]Finding, error) {
	results := make([]Finding, len(services))
	for i := range services {
		var err error
		if results[i].ONUResult, err = c.Verify(ctx, services[i]); err != nil {
			return nil, err
		}
	}
	return results, nil
}
