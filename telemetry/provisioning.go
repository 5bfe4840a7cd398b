package telemetry

import (
	"context"
	"log/slog"
	"net/netip"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"linegate"
)

// Names of the events of orders.
const (
	EventStaticIPUsed       = "static_ip_used"
	EventPrefixDelegated    = "ipv6_prefix_delegated"
	EventOrderStepFailed    = "order_step_failed"
	EventOrderFinished      = "order_finished"
	EventFinalConfiguration = "service_final_configuration"
)

// Orders counts and logs what orders do. It is safe for concurrent use and never
// blocks.
type Orders struct {
	ctx    context.Context // of the log alone
	logger *slog.Logger

	finished    *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	stepsFailed *prometheus.CounterVec
	staticIPs   *prometheus.CounterVec
	delegated   *prometheus.CounterVec
	available   *prometheus.GaugeVec
	total       *prometheus.GaugeVec
	vlanUse     *prometheus.GaugeVec
	onuRepairs  *prometheus.CounterVec
}

func (m *Metrics) defineOrders() *Orders {
	return &Orders{
		finished: m.counter("provisioning_orders_total", "Orders that ended, by what they asked for and how they ended.", "tenant_id", "kind", "state"),
		duration: m.histogram("provisioning_order_duration_seconds", "From taking an order up to its end, seconds; with the time that a stuck or waiting one waited.",
			inSeconds(100*time.Millisecond, time.Second, 5*time.Second, 30*time.Second, 2*time.Minute, 10*time.Minute, time.Hour, 24*time.Hour), "kind"),
		stepsFailed: m.counter("provisioning_steps_failed_total", "Times that a step of an order could not be done and the order waited.", "tenant_id", "kind"),
		staticIPs:   m.counter("provisioning_static_ip_used_total", "Fixed addresses of profiles that orders took without asking NetBox.", "tenant_id", "ip_version"),
		delegated:   m.counter("netbox_ipv6_pd_allocations_total", "Prefixes allocated for delegation, by length.", "tenant_id", "prefix_size"),
		available:   m.gauge("netbox_ipv6_pd_available_prefixes", "Free prefixes of the pool's length; a pool of all tenants has no tenant_id.", "tenant_id", "pool"),
		total:       m.gauge("netbox_ipv6_pd_total_prefixes", "Prefixes of the pool's length that fit into it.", "tenant_id", "pool"),
		vlanUse:     m.gauge("provisioning_vlan_pool_used_ratio", "Share of a VLAN pool that is assigned or reserved, 0 to 1; alert above 0.8.", "tenant_id", "olt", "pool"),
		onuRepairs:  m.counter("voltha_onu_repairs_total", "Services that were found not in force on their ONU and put there again, by whether that went well.", "tenant_id", "success"),
	}
}

// Orders returns what counts and logs orders, to that logger.
func (m *Metrics) Orders(ctx context.Context, logger *slog.Logger) *Orders {
	orders := *m.orders
	orders.ctx, orders.logger = ctx, logger
	return &orders
}

func (o *Orders) event(level slog.Level, event string, attributes ...slog.Attr) {
	log(o.ctx, o.logger, level, event, attributes...)
}

// StaticIPUsed tells that a fixed address was taken and NetBox was not asked.
func (o *Orders) StaticIPUsed(service linegate.Service, address netip.Addr) {
	ipVersion := "4"
	if address.Is6() {
		ipVersion = "6"
	}
	o.staticIPs.WithLabelValues(service.Tenant, ipVersion).Inc()
	o.event(slog.LevelInfo, EventStaticIPUsed,
		slog.String("tenant_id", service.Tenant), slog.String("username", service.Username), slog.String("subscriber_id", service.Metadata.SubscriberNumber),
		slog.String("ip_address", address.String()), slog.String("ip_version", ipVersion), slog.Bool("skipped_netbox", true),
		slog.String("detail", "static IP used, NetBox skipped"))
}

// PrefixDelegated tells that a prefix was allocated for delegation.
func (o *Orders) PrefixDelegated(tenant string, length int) {
	o.delegated.WithLabelValues(tenant, strconv.Itoa(length)).Inc()
	o.event(slog.LevelInfo, EventPrefixDelegated, slog.String("tenant_id", tenant), slog.Int("prefix_size", length))
}

// StepFailed tells that an order waits.
func (o *Orders) StepFailed(order linegate.Order, id, step string, err error) {
	o.stepsFailed.WithLabelValues(order.Tenant, string(order.Kind)).Inc()
	o.event(slog.LevelWarn, EventOrderStepFailed,
		slog.String("tenant_id", order.Tenant), slog.String("username", order.Username), slog.String("order_id", id),
		slog.String("kind", string(order.Kind)), slog.String("step", step), slog.String("error", err.Error()))
}

// Finished tells that an order ended.
func (o *Orders) Finished(order linegate.Order, result linegate.OrderResult, took time.Duration) {
	o.finished.WithLabelValues(order.Tenant, string(order.Kind), string(result.State)).Inc()
	o.duration.WithLabelValues(string(order.Kind)).Observe(took.Seconds())
	level := slog.LevelInfo
	if result.State != linegate.OrderDone {
		level = slog.LevelWarn
	}
	o.event(level, EventOrderFinished,
		slog.String("tenant_id", order.Tenant), slog.String("username", order.Username), slog.String("order_id", result.OrderID),
		slog.String("kind", string(order.Kind)), slog.String("state", string(result.State)), slog.String("error", result.Error),
		slog.String("service_id", result.ServiceID), slog.String("source", string(result.Source)),
		slog.Any("warnings", result.Warnings), slog.Any("left", result.Left))
}

// FinalConfiguration writes what a service was when it was taken down.
func (o *Orders) FinalConfiguration(service linegate.Service) {
	o.event(slog.LevelInfo, EventFinalConfiguration,
		slog.String("tenant_id", service.Tenant), slog.String("username", service.Username), slog.String("service_id", service.ID),
		slog.Any("service_metadata", service.Metadata))
}

// ONURepaired tells that a service was put on its ONU again, or could not be.
func (o *Orders) ONURepaired(tenant string, success bool) {
	o.onuRepairs.WithLabelValues(tenant, strconv.FormatBool(success)).Inc()
}

// SetPrefixPool tells how full a pool for prefix delegation is.
func (o *Orders) SetPrefixPool(tenant, pool string, available, total uint64) {
	o.available.WithLabelValues(tenant, pool).Set(float64(available))
	o.total.WithLabelValues(tenant, pool).Set(float64(total))
}

// SetVLANPools tells how full the VLAN pools are; those that are gone are forgotten.
func (o *Orders) SetVLANPools(uses []linegate.VLANPoolUse) {
	o.vlanUse.Reset()
	for _, use := range uses {
		o.vlanUse.WithLabelValues(use.Tenant, use.OLT, use.Pool).Set(float64(use.Used) / float64(max(use.Size, 1)))
	}
}
