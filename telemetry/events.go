package telemetry

import (
	"context"
	"fmt"
	"log/slog"

	"linegate"
)

// Names of events, as the key event of a log line says them.
const (
	EventOption82Validation    = "option82_validation"
	EventOption82Mismatch      = "option82_mismatch"
	EventLineMoved             = "line_moved"
	EventLineShared            = "line_shared"
	EventCarrierConflict       = "carrier_conflict"
	EventNetworkProfileCreated = "network_profile_created"
	EventNetworkProfileUpdated = "network_profile_updated"
	EventNetworkProfileDeleted = "network_profile_deleted"
	EventNASCreated            = "nas_created"
	EventNASUpdated            = "nas_updated"
	EventNASDeleted            = "nas_deleted"
	EventNASLearned            = "nas_learned"
	EventTenantCreated         = "tenant_created"
	EventTenantUpdated         = "tenant_updated"
	EventCoAChange             = "coa_change"
	EventPacketDropped         = "packet_dropped"
	EventLogLinesLost          = "log_lines_lost"
	EventLogOutputFailed       = "log_output_failed"
)

// option82Validation writes what a line check came to, and in case of a
// mismatch a second event that alerts can watch for. It writes nothing when
// the decision was made before the line was looked at.
func option82Validation(ctx context.Context, logger *slog.Logger, request *linegate.Request, decision *linegate.Decision) {
	check := &decision.Option82
	if check.Result == "" || decision.Subscriber == nil {
		return
	}
	if logger.Enabled(ctx, slog.LevelInfo) {
		logValidation(ctx, logger, request, decision)
	}
	if check.Result == linegate.Option82Mismatch {
		logMismatch(ctx, logger, request, decision)
	}
}

func logValidation(ctx context.Context, logger *slog.Logger, request *linegate.Request, decision *linegate.Decision) {
	expected, actual := expectedLine(decision.Subscriber), actualLine(request)
	circuitMatch, remoteMatch := lineMatches(&decision.Option82, expected)
	attrs := []slog.Attr{
		slog.String("tenant_id", request.NAS.Tenant),
		slog.String("nas", request.NAS.Name),
		slog.String("username", decision.Subscriber.Username),
		slog.String("result", string(decision.Option82.Result)),
		slog.String("policy", policyLabel(decision.Option82.Policy)),
		slog.String("action", answer(decision.Accept)),
		slog.Any("circuit_id_match", circuitMatch),
		slog.Any("remote_id_match", remoteMatch),
		slog.String("expected_circuit_id", expected.circuitID.String()),
		slog.String("actual_circuit_id", actual.circuitID.String()),
		slog.String("expected_remote_id", expected.remoteID.String()),
		slog.String("actual_remote_id", actual.remoteID.String()),
	}
	if decision.VLAN.Result != "" {
		attrs = append(attrs,
			slog.String("vlan_result", string(decision.VLAN.Result)),
			slog.Int("actual_service_vlan", int(request.Line.ServiceVLAN)),
			slog.Int("actual_inner_vlan", int(request.Line.InnerVLAN)))
	}
	log(ctx, logger, slog.LevelInfo, EventOption82Validation, append(attrs, carrierAttrs(request)...)...)
}

// carrierAttrs says which attributes a line came in, as far as it came.
func carrierAttrs(request *linegate.Request) (attrs []slog.Attr) {
	for _, carrier := range []slog.Attr{
		slog.String("circuit_id_carrier", request.Line.CircuitCarrier),
		slog.String("remote_id_carrier", request.Line.RemoteCarrier),
		slog.String("conflicting_carrier", request.Line.Conflict),
	} {
		if carrier.Value.String() != "" {
			attrs = append(attrs, carrier)
		}
	}
	return attrs
}

// lineMoved writes that a subscriber came in on another's line.
func lineMoved(ctx context.Context, logger *slog.Logger, request *linegate.Request, decision *linegate.Decision) {
	log(ctx, logger, slog.LevelWarn, EventLineMoved, append(whereabouts(request),
		slog.String("username", decision.Subscriber.Username),
		slog.String("subscriber_id", decision.Subscriber.ID),
		slog.String("line_owner", decision.LineOwner.Username),
		slog.String("line_owner_id", decision.LineOwner.ID),
		slog.String("action", answer(decision.Accept)))...)
}

// lineShared writes that a request came in on a line that several subscribers have,
// so that it says nothing about who it is.
func lineShared(ctx context.Context, logger *slog.Logger, request *linegate.Request, decision *linegate.Decision) {
	attrs := append(whereabouts(request), slog.String("action", answer(decision.Accept)))
	if decision.Subscriber != nil {
		attrs = append(attrs, slog.String("username", decision.Subscriber.Username), slog.String("subscriber_id", decision.Subscriber.ID))
	}
	log(ctx, logger, slog.LevelError, EventLineShared, attrs...)
}

// CarrierConflict writes that a request names two lines.
func CarrierConflict(ctx context.Context, logger *slog.Logger, request *linegate.Request) {
	log(ctx, logger, slog.LevelWarn, EventCarrierConflict, append(whereabouts(request), carrierAttrs(request)...)...)
}

// whereabouts says where a request came from.
func whereabouts(request *linegate.Request) []slog.Attr {
	actual := actualLine(request)
	return []slog.Attr{
		slog.String("tenant_id", request.NAS.Tenant),
		slog.String("nas", request.NAS.Name),
		slog.String("circuit_id", actual.circuitID.String()),
		slog.String("remote_id", actual.remoteID.String()),
	}
}

func logMismatch(ctx context.Context, logger *slog.Logger, request *linegate.Request, decision *linegate.Decision) {
	expected, actual := expectedLine(decision.Subscriber), actualLine(request)
	message := fmt.Sprintf("Option 82 mismatch for %s: circuit_id=%s (expected: %s), remote_id=%s (expected: %s)",
		decision.Subscriber.Username, actual.circuitID, expected.circuitID, actual.remoteID, expected.remoteID)
	logger.LogAttrs(ctx, slog.LevelWarn, message,
		slog.String("event", EventOption82Mismatch),
		slog.String("severity", severity(decision.Option82.Policy)),
		slog.String("tenant_id", request.NAS.Tenant),
		slog.String("username", decision.Subscriber.Username),
		slog.String("subscriber_id", decision.Subscriber.ID),
		slog.Any("mismatch_fields", mismatchFields(&decision.Option82)),
	)
}

func severity(policy linegate.Option82Policy) string {
	if policy == linegate.Option82Enforce {
		return "high"
	}
	return "medium"
}

func mismatchFields(check *linegate.Option82Check) []string {
	var fields []string
	if check.CircuitIDDiffers {
		fields = append(fields, fieldCircuitID)
	}
	if check.RemoteIDDiffers {
		fields = append(fields, fieldRemoteID)
	}
	return fields
}

// line is an access line in memory of its own, absent fields empty.
type line struct{ circuitID, remoteID linegate.Octets }

func expectedLine(subscriber *linegate.Subscriber) line {
	if subscriber.Profile == nil {
		return line{}
	}
	return line{subscriber.Profile.CircuitID, subscriber.Profile.RemoteID}
}

func actualLine(request *linegate.Request) line {
	return line{linegate.Octets(request.Line.CircuitID), linegate.Octets(request.Line.RemoteID)}
}

// lineMatches says for each field whether it is as the profile wants it, which
// one that the profile leaves open always is; nil when nothing was compared.
func lineMatches(check *linegate.Option82Check, expected line) (circuitID, remoteID any) {
	switch check.Result {
	case linegate.Option82Match, linegate.Option82Mismatch:
		return !check.CircuitIDDiffers, !check.RemoteIDDiffers
	case linegate.Option82Missing:
		return expected.circuitID == "", expected.remoteID == ""
	}
	return nil, nil
}

// NASLearned writes that a NAS showed whether it sends Message-Authenticator.
func NASLearned(ctx context.Context, logger *slog.Logger, nas *linegate.NAS) {
	log(ctx, logger, slog.LevelInfo, EventNASLearned,
		slog.String("tenant_id", nas.Tenant),
		slog.String("nas", nas.Name),
		slog.String("learned_message_authenticator", string(nas.Learned)),
		slog.Bool("requires_message_authenticator", nas.RequiresMessageAuthenticator()),
	)
}

// Audit writes a committed change with its actor and what it changed. Passwords
// and secrets are not in an entry: it only says that they changed. A write that
// changed nothing writes nothing.
func Audit(ctx context.Context, logger *slog.Logger, entry *linegate.AuditEntry) {
	event := auditEvent(entry)
	if event == "" {
		return
	}
	attrs := []slog.Attr{
		slog.String("tenant_id", entry.Tenant),
		slog.String("actor", entry.Actor),
		slog.Int64("revision", entry.Revision),
		slog.Any("changes", entry.Changes),
	}
	switch entry.Kind {
	case linegate.AuditSubscriber:
		attrs = append(attrs, slog.String("username", entry.Name), slog.String("subscriber_id", entry.ID))
	case linegate.AuditNAS:
		attrs = append(attrs, slog.String("nas", entry.Name))
	}
	log(ctx, logger, slog.LevelInfo, event, attrs...)
}

func auditEvent(entry *linegate.AuditEntry) string {
	return map[linegate.AuditKind]map[linegate.Outcome]string{
		linegate.AuditSubscriber: {
			linegate.Created: EventNetworkProfileCreated,
			linegate.Changed: EventNetworkProfileUpdated,
			linegate.Deleted: EventNetworkProfileDeleted,
		},
		linegate.AuditNAS: {
			linegate.Created: EventNASCreated,
			linegate.Changed: EventNASUpdated,
			linegate.Deleted: EventNASDeleted,
		},
		linegate.AuditTenant: {
			linegate.Created: EventTenantCreated,
			linegate.Changed: EventTenantUpdated,
		},
	}[entry.Kind][entry.Outcome]
}

// log writes an event whose message is its name.
func log(ctx context.Context, logger *slog.Logger, level slog.Level, event string, attrs ...slog.Attr) {
	logger.LogAttrs(ctx, level, event, append([]slog.Attr{slog.String("event", event)}, attrs...)...)
}
