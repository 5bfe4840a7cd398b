package voltha

import (
	"context"
	"fmt"

	"linegate"
	pb "linegate/provisioning/voltha/volthapb"
)

// Verify looks whether all flows of the service are listed and the ONU has them.
func (c *Core) Verify(ctx context.Context, service linegate.ONUService) (linegate.ONUResult, error) {
	results, err := c.Check(ctx, []linegate.ONUService{service})
	if err != nil {
		return linegate.ONUResult{}, onuError(&service, err)
	}
	return results[0].ONUResult, nil
}

// Check is Verify for many services, which reads every table once.
func (c *Core) Check(ctx context.Context, services []linegate.ONUService) ([]Finding, error) {
	for i := range services {
		if err := validate(&services[i]); err != nil {
			return nil, err
		}
	}
	tables, err := c.survey(ctx)
	if err != nil {
		return nil, err
	}
	results := make([]Finding, len(services))
	for i := range services {
		if results[i], err = c.checkOne(ctx, tables, &services[i]); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// table is an OLT with what is installed on it.
type table struct {
	*olt
	flows  map[uint64][]*pb.OfpFlowStats // by the prefix of their cookies
	meters []*pb.OfpMeterConfig
}

func (c *Core) survey(ctx context.Context) ([]table, error) {
	logicals, err := c.logicals(ctx)
	if err != nil {
		return nil, err
	}
	var tables []table
	for _, logical := range logicals {
		t := table{flows: map[uint64][]*pb.OfpFlowStats{}}
		if t.olt, err = c.readOLT(ctx, logical); err != nil {
			return nil, err
		}
		if t.meters, err = c.meters(ctx, logical.Id); err != nil {
			return nil, err
		}
		flows, err := c.installed(ctx, logical.Id)
		if err != nil {
			return nil, err
		}
		for _, flow := range flows {
			prefix := flow.Cookie & cookieMask
			t.flows[prefix] = append(t.flows[prefix], flow)
		}
		tables = append(tables, t)
	}
	return tables, nil
}

func (c *Core) checkOne(ctx context.Context, tables []table, service *linegate.ONUService) (Finding, error) {
	for i := range tables {
		line, err := c.lineOn(ctx, tables[i].olt, portName(service))
		if err != nil {
			return Finding{}, err
		}
		if line != nil {
			result := c.judge(service, line, &tables[i])
			return Finding{ONUResult: result, Absent: !active(line.onu)}, nil
		}
	}
	detail := "no OLT has the port " + portName(service)
	return Finding{ONUResult: linegate.ONUResult{Detail: detail}, Absent: true}, nil
}

func (c *Core) judge(service *linegate.ONUService, line *line, t *table) linegate.ONUResult {
	mine := t.flows[cookiePrefix(service.ID)]
	up, upThere := findMeter(t.meters, bands(service.Upstream, c.config.UnlimitedKbps))
	down, downThere := findMeter(t.meters, bands(service.Downstream, c.config.UnlimitedKbps))
	wanted := flows(service, path{uni: line.uni, nni: line.nni, upMeter: up, dnMeter: down, techProfile: c.config.techProfile(service)})
	switch {
	case !active(line.onu):
		return line.result(false, describeDevice("the ONU", line.onu))
	case len(mine) == 0 && !upThere && !downThere:
		return line.result(false, "neither flows nor meters are there: never made, or a controller took them away")
	case len(mine) < len(wanted):
		return line.result(false, fmt.Sprintf("%d of %d flows are listed", len(mine), len(wanted)))
	case !upThere || !downThere:
		return line.result(false, "a meter is missing")
	case !same(mine, wanted):
		return line.result(false, "the flows are not those that are wanted")
	case line.rebooted():
		return line.result(false, "the ONU started anew and lost its flows: "+line.onu.Reason)
	case !line.holds():
		return line.result(false, "the flows are on their way: "+line.onu.Reason)
	}
	return line.result(true, "all flows are listed; the ONU says "+line.onu.Reason)
}
