package voltha

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"linegate"
)

// portState is what the controller says of a port.
type portState struct {
	status string
	mine   *uniTag // of our service where it is programmed; nil: nowhere
}

func (p portState) inForce(wanted uniTag) bool {
	return p.status == flowsAll && p.mine != nil && *p.mine == wanted
}

func (p portState) detail(wanted uniTag) string {
	if p.mine != nil && *p.mine != wanted {
		return "its tags or rates are not those that are wanted; flows are " + p.status
	}
	return "flows are " + p.status
}

func (p portState) result(service *linegate.ONUService, detail string) linegate.ONUResult {
	installed := p.status == flowsAll && p.mine != nil
	return linegate.ONUResult{Installed: installed, Device: portName(service), Detail: detail}
}

// refuseForeign keeps what others made on the port: it would be deleted.
func (p portState) refuseForeign(service *linegate.ONUService) error {
	if p.mine == nil && p.status != flowsUnknown && p.status != flowsDisabled {
		return fmt.Errorf("%w: the port %s carries another service (%s)", linegate.ErrRefused, portName(service), p.status)
	}
	return nil
}

func (c *Controller) look(ctx context.Context, service *linegate.ONUService) (portState, error) {
	status, err := c.flowStatus(ctx, service)
	if err != nil {
		return portState{}, err
	}
	var programmed struct {
		Subscribers []struct {
			TagInfo uniTag `json:"tagInfo"`
		} `json:"subscribers"`
	}
	if err := c.rest.get(ctx, "/vgc/v1/programmed-subscribers", &programmed); err != nil {
		return portState{}, err
	}
	state := portState{status: status}
	for i := range programmed.Subscribers {
		if tag := &programmed.Subscribers[i].TagInfo; tag.ServiceName == service.ID {
			state.mine = tag
		}
	}
	return state, nil
}

func (c *Controller) flowStatus(ctx context.Context, service *linegate.ONUService) (string, error) {
	var answer struct {
		FlowProvisionStatus string
	}
	err := c.rest.get(ctx, "/vgc/v1/flow-status/"+portName(service), &answer)
	return answer.FlowProvisionStatus, err
}

// clear deletes what is on the port, in the order in which the controller takes
// it, and looks whether it is gone.
func (c *Controller) clear(ctx context.Context, service *linegate.ONUService, now portState) error {
	if now.status == flowsUnknown && now.mine == nil {
		return nil
	}
	tag := c.tagOf(service)
	if now.mine != nil {
		tag = *now.mine
	}
	if err := c.rest.change(ctx, http.MethodDelete, "/vgc/v1/services/"+portName(service), nil); err != nil {
		return err
	}
	if err := c.rest.change(ctx, http.MethodDelete, subscriberPath(service), c.subscriber(service, tag), http.StatusBadRequest); err != nil {
		return err
	}
	return c.await(ctx, service, c.config.Call, func(status string) bool { return slices.Contains([]string{flowsUnknown, ""}, status) })
}

func (c *Controller) subscriber(service *linegate.ONUService, tag uniTag) subscriber {
	return subscriber{ID: portName(service), NASPortID: portName(service), UniTags: []uniTag{tag}}
}

func subscriberPath(service *linegate.ONUService) string {
	return "/vgc/v1/subscribers/" + portName(service)
}

func servicePath(service *linegate.ONUService, tag uniTag) string {
	return fmt.Sprintf("/vgc/v1/services/%s/%d/%d/%d", portName(service), tag.PonSTag, tag.PonCTag, tag.TechProfile)
}
