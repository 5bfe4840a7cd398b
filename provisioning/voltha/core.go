package voltha

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"linegate"
	pb "linegate/provisioning/voltha/volthapb"
)

// maxAnswer bounds an answer of the core: it lists all devices, ports or flows of
// an OLT at once, with some kilobytes for each ONU.
const maxAnswer = 128 << 20

// Core writes flows and meters into a core that no controller is attached to. A
// meter belongs to a rate, not to a subscriber, and stays: deleting one that is in
// use takes flows out of the core's table and leaves them on the OLT.
type Core struct {
	config Config
	conn   *grpc.ClientConn
	api    pb.VolthaServiceClient
	xid    atomic.Uint32
}

func openCore(config Config) (*Core, error) {
	transport := insecure.NewCredentials()
	if config.TLS {
		transport = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
	}
	conn, err := grpc.NewClient(config.Address, grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)))
	if err != nil {
		return nil, fmt.Errorf("voltha core %s: %w", config.Address, err)
	}
	return &Core{config: config, conn: conn, api: pb.NewVolthaServiceClient(conn)}, nil
}

// Close ends the connection.
func (c *Core) Close() error { return c.conn.Close() }

// Describe lists the meters and flows of a service. The ports stand as names: only
// the core knows their numbers.
func (c *Core) Describe(wanted linegate.ONUService) ([]string, error) {
	if err := validate(&wanted); err != nil {
		return nil, err
	}
	lines := []string{
		"meter upstream " + describeBands(bands(wanted.Upstream, c.config.UnlimitedKbps)),
		"meter downstream " + describeBands(bands(wanted.Downstream, c.config.UnlimitedKbps)),
	}
	return append(lines, describeFlows(&wanted, portName(&wanted))...), nil
}

// Provision makes what is missing of the service, and what differs anew. It
// returns when the ONU says that flows were pushed to it and all of them have
// stayed in the core's list; else it deletes them again.
func (c *Core) Provision(ctx context.Context, wanted linegate.ONUService) (linegate.ONUResult, error) {
	if err := validate(&wanted); err != nil {
		return linegate.ONUResult{}, err
	}
	line, err := c.awaitLine(ctx, &wanted)
	if err != nil {
		return linegate.ONUResult{}, onuError(&wanted, err)
	}
	result, err := c.provision(ctx, &wanted, line)
	if err != nil {
		return linegate.ONUResult{}, onuError(&wanted, err)
	}
	c.config.logProvisioned(ctx, &wanted, result)
	return result, nil
}

func (c *Core) provision(ctx context.Context, wanted *linegate.ONUService, line *line) (linegate.ONUResult, error) {
	installed, err := c.installed(ctx, line.logical)
	if err != nil {
		return linegate.ONUResult{}, err
	}
	flows, err := c.wantedFlows(ctx, wanted, line)
	if err != nil {
		return linegate.ONUResult{}, err
	}
	if err := clash(wanted, flows, installed); err != nil {
		return linegate.ONUResult{}, err
	}
	mine := owned(installed, wanted.ID)
	if same(mine, flows) && line.holds() {
		return line.result(true, "all four flows were there"), nil
	}
	// A rebooted ONU has lost what the core still lists, and adding that again is
	// not passed on to it.
	if err := c.deleteAll(ctx, line.logical, mine); err != nil {
		return linegate.ONUResult{}, unknown(err)
	}
	if err := c.install(ctx, wanted, line, flows); err != nil {
		err = c.undo(ctx, wanted, line, err)
		if len(mine) > 0 {
			err = unknown(err) // what was there before is gone
		}
		return linegate.ONUResult{}, err
	}
	return line.result(true, "all four flows are pushed and listed"), nil
}

// wantedFlows makes sure of the meters and returns the flows that use them.
func (c *Core) wantedFlows(ctx context.Context, wanted *linegate.ONUService, line *line) ([]*pb.OfpFlowMod, error) {
	up, err := c.ensureMeter(ctx, line.logical, bands(wanted.Upstream, c.config.UnlimitedKbps))
	if err != nil {
		return nil, err
	}
	down, err := c.ensureMeter(ctx, line.logical, bands(wanted.Downstream, c.config.UnlimitedKbps))
	if err != nil {
		return nil, err
	}
	return flows(wanted, path{
		uni: line.uni, nni: line.nni, upMeter: up, dnMeter: down, techProfile: c.config.techProfile(wanted),
	}), nil
}

// install adds the flows and waits until they are seen in force.
func (c *Core) install(ctx context.Context, wanted *linegate.ONUService, line *line, flows []*pb.OfpFlowMod) error {
	for _, flow := range flows {
		if err := c.updateFlow(ctx, line.logical, flow); err != nil {
			return err
		}
	}
	return c.settle(ctx, wanted, line, flows)
}

// undo deletes what was made of the service, also when the caller has run out of
// time. The error says what was wrong, and whether anything is left.
func (c *Core) undo(ctx context.Context, wanted *linegate.ONUService, line *line, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.config.Call)
	defer cancel()
	installed, err := c.installed(ctx, line.logical)
	if err == nil {
		err = c.deleteAll(ctx, line.logical, owned(installed, wanted.ID))
	}
	return undone(cause, err)
}

// Change deletes the flows of the service as it was before it makes the new ones:
// a flow with another customer tag would be added beside the old one. Where the
// service moves to another ONU, the old one is cleared first.
func (c *Core) Change(ctx context.Context, was, wanted linegate.ONUService) (linegate.ONUResult, error) {
	return change(ctx, c, validate, was, wanted)
}

// Remove deletes the flows of the service wherever they are: the ONU may be gone
// or moved. When the core has forgotten them (a restart) while the ONU still has
// them, they are added once more, because only then are they deleted on the line.
func (c *Core) Remove(ctx context.Context, service linegate.ONUService) error {
	if err := validate(&service); err != nil {
		return err
	}
	if err := c.remove(ctx, &service); err != nil {
		return onuError(&service, unknown(err))
	}
	return nil
}

func (c *Core) remove(ctx context.Context, service *linegate.ONUService) error {
	if err := c.recall(ctx, service); err != nil {
		return err
	}
	logicals, err := c.logicals(ctx)
	if err != nil {
		return err
	}
	for _, logical := range logicals {
		installed, err := c.installed(ctx, logical.Id)
		if err != nil {
			return err
		}
		if err := c.deleteAll(ctx, logical.Id, owned(installed, service.ID)); err != nil {
			return err
		}
	}
	return nil
}

// recall adds the flows of a service that the core has forgotten, as far as the
// ONU still says that it has flows while the core lists none for any of its ports.
func (c *Core) recall(ctx context.Context, service *linegate.ONUService) error {
	line, err := c.findLine(ctx, service)
	switch {
	case errors.Is(err, linegate.ErrTryAgain) || errors.Is(err, linegate.ErrRefused):
		return nil // an ONU that isn't there holds nothing
	case err != nil:
		return err
	case line.onu.Reason != reasonPushed:
		return nil
	}
	installed, err := c.installed(ctx, line.logical)
	if err != nil || slices.ContainsFunc(installed, line.uses) {
		return err
	}
	flows, err := c.wantedFlows(ctx, service, line)
	if err != nil {
		return err
	}
	for _, flow := range flows {
		if err := c.updateFlow(ctx, line.logical, flow); err != nil {
			return err
		}
	}
	return nil
}

// onuError puts the subject in front.
func onuError(service *linegate.ONUService, err error) error {
	return fmt.Errorf("onu %s: %w", portName(service), err)
}
