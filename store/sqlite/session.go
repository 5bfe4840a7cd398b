package sqlite

import (
	"context"
	"strconv"
	"strings"

	"linegate"
	"linegate/store"
	"linegate/store/column"
)

// sessionCounts are the columns that every event changes and sessionEnd those that the
// last one does, so that the usual write leaves the indexes alone, or but for those of
// open sessions; sessionTold change seldom, and sessionNamed never.
const (
	sessionCounts = `updated_at, session_time, input_octets, output_octets, input_packets, output_packets`
	sessionEnd    = `stopped_at, terminate_cause`
	sessionTold   = `subscriber_id, class, calling_station_id, nas_port_id, circuit_id, remote_id, ` +
		`framed_ipv4, framed_ipv6_address, framed_ipv6_prefix, delegated_ipv6_prefix, inner_vlan, interim_interval, place, ` +
		`started_at, user_name, service_vlan`
	sessionNamed    = `id, tenant, nas, nas_address, acct_session_id`
	sessionChanging = sessionCounts + `, ` + sessionEnd + `, ` + sessionTold
	sessionColumns  = sessionChanging + `, ` + sessionNamed
	selectSession   = `SELECT ` + sessionColumns + ` FROM sessions `
)

func sessionCountsValues(s *linegate.Session) []any {
	return []any{column.Micros(s.UpdatedAt), int64(s.SessionTime),
		int64(s.InputOctets), int64(s.OutputOctets), int64(s.InputPackets), int64(s.OutputPackets)}
}

func sessionEndValues(s *linegate.Session) []any {
	return []any{column.Micros(s.StoppedAt), int64(s.TerminateCause)}
}

func sessionToldValues(s *linegate.Session) []any {
	return []any{s.SubscriberID, []byte(s.Class), s.CallingStationID, s.NASPortID, []byte(s.CircuitID), []byte(s.RemoteID),
		column.Text(s.FramedIPv4), column.Text(s.FramedIPv6Address), column.Text(s.FramedIPv6Prefix), column.Text(s.DelegatedIPv6Prefix),
		int64(s.InnerVLAN), int64(s.InterimInterval), s.Place(),
		column.Micros(s.StartedAt), s.UserName, int64(s.ServiceVLAN)}
}

func sessionNamedValues(s *linegate.Session) []any {
	return []any{s.ID, s.NAS.Tenant, s.NAS.Name, column.Text(s.NAS.Address), s.AcctSessionID}
}

func scanSession(row scanner) (*linegate.Session, error) {
	var s linegate.Session
	if err := row.Scan(sessionTargets(&s)...); err != nil {
		return nil, err
	}
	return &s, nil
}

// sessionTargets take the values of sessionColumns.
func sessionTargets(s *linegate.Session) []any {
	place := new(string) // follows from the others
	return []any{column.ReadMicros(&s.UpdatedAt), &s.SessionTime,
		column.ReadCounter(&s.InputOctets), column.ReadCounter(&s.OutputOctets), column.ReadCounter(&s.InputPackets), column.ReadCounter(&s.OutputPackets),
		column.ReadMicros(&s.StoppedAt), &s.TerminateCause,
		&s.SubscriberID, column.ReadOctets(&s.Class), &s.CallingStationID, &s.NASPortID, column.ReadOctets(&s.CircuitID), column.ReadOctets(&s.RemoteID),
		column.ReadText(&s.FramedIPv4), column.ReadText(&s.FramedIPv6Address), column.ReadText(&s.FramedIPv6Prefix), column.ReadText(&s.DelegatedIPv6Prefix),
		&s.InnerVLAN, &s.InterimInterval, place,
		column.ReadMicros(&s.StartedAt), &s.UserName, &s.ServiceVLAN,
		&s.ID, &s.NAS.Tenant, &s.NAS.Name, column.ReadText(&s.NAS.Address), &s.AcctSessionID}
}

// EachSession implements store.Engine.
func (s *Store) EachSession(ctx context.Context, filter store.SessionFilter, fn func(*linegate.Session) error) error {
	where, args := sessionConditions(filter)
	query := selectSession + where + ` ORDER BY started_at DESC, rowid DESC`
	if filter.Limit > 0 {
		query += ` LIMIT ` + strconv.Itoa(filter.Limit) // bound, it would have SQLite prepare the query twice
	}
	return s.list(ctx, "list of sessions", query, func(row scanner) error {
		session, err := scanSession(row)
		if err != nil {
			return err
		}
		return fn(session)
	}, args...)
}

// sessionConditions is the filter as a WHERE clause.
func sessionConditions(filter store.SessionFilter) (where string, args []any) {
	var conditions []string
	require := func(asked bool, condition string, values ...any) {
		if asked {
			conditions, args = append(conditions, condition), append(args, values...)
		}
	}
	shared := "" // with +, SQLite does not search by what many sessions share
	if filter.AcctSessionID != "" {
		shared = "+"
	}
	require(filter.Tenant != "", shared+"tenant = ?", filter.Tenant)
	require(filter.Active, "stopped_at = 0")
	require(filter.UserName != "", "user_name = ?", filter.UserName)
	require(filter.NAS != "", shared+"nas = ?", filter.NAS)
	require(filter.ID != "", "id = ?", filter.ID)
	require(filter.AcctSessionID != "", "acct_session_id = ?", filter.AcctSessionID)
	require(filter.SubscriberID != "", "subscriber_id = ?", filter.SubscriberID)
	require(filter.FramedIPv4.IsValid(), "framed_ipv4 = ?", column.Text(filter.FramedIPv4))
	require(filter.VLAN != 0, "service_vlan = ?", int64(filter.VLAN))
	if len(conditions) == 0 {
		return "", nil
	}
	return "WHERE " + strings.Join(conditions, " AND "), args
}

// ActiveByVLAN implements store.Engine, by tenant and VLAN.
func (s *Store) ActiveByVLAN(ctx context.Context) (counts []store.VLANCount, err error) {
	query := `SELECT tenant, service_vlan, count(*) FROM sessions ` +
		`WHERE stopped_at = 0 GROUP BY tenant, service_vlan ORDER BY tenant, service_vlan`
	err = s.list(ctx, "sessions by vlan", query, func(row scanner) error {
		var count store.VLANCount
		err := row.Scan(&count.Tenant, &count.VLAN, &count.Count)
		counts = append(counts, count)
		return err
	})
	return counts, err
}
