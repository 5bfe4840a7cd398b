package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"linegate"
	"linegate/store"
	"linegate/store/column"
)

// sessionCounts are the columns that events change, the last one the end among them;
// sessionTold change seldom, and the rest of sessionColumns never.
const (
	sessionCounts = `updated_at, session_time, input_octets, output_octets, input_packets, output_packets, stopped_at, terminate_cause`
	sessionTold   = `subscriber_id, class, calling_station_id, nas_port_id, circuit_id, remote_id, ` +
		`framed_ipv4, framed_ipv6_address, framed_ipv6_prefix, delegated_ipv6_prefix, inner_vlan, interim_interval, place, ` +
		`started_at, user_name, service_vlan`
	sessionChanging = sessionCounts + `, ` + sessionTold
	sessionColumns  = sessionChanging + `, id, tenant, nas, nas_address, acct_session_id`
	selectSession   = `SELECT ` + sessionColumns + ` FROM sessions `
)

func sessionCountsValues(s *linegate.Session) []any {
	return []any{column.Micros(s.UpdatedAt), int64(s.SessionTime),
		int64(s.InputOctets), int64(s.OutputOctets), int64(s.InputPackets), int64(s.OutputPackets),
		column.Micros(s.StoppedAt), int64(s.TerminateCause)}
}

func sessionChangingValues(s *linegate.Session) []any {
	return append(sessionCountsValues(s),
		told(s.SubscriberID), []byte(s.Class), told(s.CallingStationID), told(s.NASPortID), []byte(s.CircuitID), []byte(s.RemoteID),
		text(s.FramedIPv4), text(s.FramedIPv6Address), text(s.FramedIPv6Prefix), text(s.DelegatedIPv6Prefix),
		int64(s.InnerVLAN), int64(s.InterimInterval), told(s.Place()),
		column.Micros(s.StartedAt), told(s.UserName), int64(s.ServiceVLAN))
}

func sessionValues(s *linegate.Session) []any {
	return append(sessionChangingValues(s), s.ID, told(s.NAS.Tenant), told(s.NAS.Name), text(s.NAS.Address), told(s.AcctSessionID))
}

func scanSession(row scanner) (*linegate.Session, error) {
	var s linegate.Session
	if err := row.Scan(sessionTargets(&s)...); err != nil {
		return nil, fail(err)
	}
	return &s, nil
}

// sessionTargets take the values of sessionColumns.
func sessionTargets(s *linegate.Session) []any {
	place := new(string) // follows from the others
	return []any{timeColumn{&s.UpdatedAt}, &s.SessionTime,
		counterColumn{&s.InputOctets}, counterColumn{&s.OutputOctets}, counterColumn{&s.InputPackets}, counterColumn{&s.OutputPackets},
		timeColumn{&s.StoppedAt}, &s.TerminateCause,
		toldColumn{&s.SubscriberID}, column.ReadOctets(&s.Class), toldColumn{&s.CallingStationID}, toldColumn{&s.NASPortID}, column.ReadOctets(&s.CircuitID), column.ReadOctets(&s.RemoteID),
		textColumn{&s.FramedIPv4}, textColumn{&s.FramedIPv6Address}, textColumn{&s.FramedIPv6Prefix}, textColumn{&s.DelegatedIPv6Prefix},
		&s.InnerVLAN, &s.InterimInterval, place,
		timeColumn{&s.StartedAt}, toldColumn{&s.UserName}, &s.ServiceVLAN,
		&s.ID, toldColumn{&s.NAS.Tenant}, toldColumn{&s.NAS.Name}, textColumn{&s.NAS.Address}, toldColumn{&s.AcctSessionID}}
}

// EachSession implements store.Engine.
func (s *Store) EachSession(ctx context.Context, filter store.SessionFilter, fn func(*linegate.Session) error) error {
	query, args := sessionsQuery(filter)
	return s.each(ctx, s.lists, func(row scanner) error {
		session, err := scanSession(row)
		if err != nil {
			return fmt.Errorf("list of sessions: %w", err)
		}
		return fn(session)
	}, query, args...)
}

// sessionsQuery lists what the filter lets through. IDs grow with time: of two that
// started together the one that was told last comes first.
func sessionsQuery(filter store.SessionFilter) (query string, args []any) {
	conditions := []string{"true"}
	require := func(asked bool, column string, value any) {
		if asked {
			args = append(args, value)
			conditions = append(conditions, column+" = $"+strconv.Itoa(len(args)))
		}
	}
	require(filter.Tenant != "", "tenant", told(filter.Tenant))
	require(filter.UserName != "", "user_name", told(filter.UserName))
	require(filter.NAS != "", "nas", told(filter.NAS))
	require(filter.ID != "", "id", told(filter.ID))
	require(filter.AcctSessionID != "", "acct_session_id", told(filter.AcctSessionID))
	require(filter.SubscriberID != "", "subscriber_id", told(filter.SubscriberID))
	require(filter.FramedIPv4.IsValid(), "framed_ipv4", text(filter.FramedIPv4))
	require(filter.VLAN != 0, "service_vlan", int64(filter.VLAN))
	if filter.Active {
		conditions = append(conditions, "stopped_at = 0") // written out, as the indexes have it
	}
	query = selectSession + "WHERE " + strings.Join(conditions, " AND ") + " ORDER BY started_at DESC, id DESC"
	if filter.Limit > 0 {
		query += " LIMIT " + strconv.Itoa(filter.Limit)
	}
	return query, args
}

// ActiveByVLAN implements store.Engine, by tenant and VLAN.
func (s *Store) ActiveByVLAN(ctx context.Context) (counts []store.VLANCount, err error) {
	err = s.each(ctx, s.lists, func(row scanner) error {
		var count store.VLANCount
		err := row.Scan(toldColumn{&count.Tenant}, &count.VLAN, &count.Count)
		counts = append(counts, count)
		return fail(err)
	}, `SELECT tenant, service_vlan, count(*) FROM sessions WHERE stopped_at = 0 GROUP BY tenant, service_vlan ORDER BY tenant, service_vlan`)
	if err != nil {
		return nil, fmt.Errorf("sessions by vlan: %w", err)
	}
	return counts, nil
}
