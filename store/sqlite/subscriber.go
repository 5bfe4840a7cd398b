package sqlite

import (
	"context"
	"fmt"

	"linegate"
	"linegate/store"
	"linegate/store/column"
)

// subscriberWritten are the columns of a subscriber's own state, as
// subscriberValues gives them; subscriberRead adds the bookkeeping.
const (
	subscriberWritten = `id, tenant, username_key, username, credential_kind, credential, has_profile, ` +
		`circuit_id, remote_id, mac, option82_policy, service_vlan, inner_vlan, qinq_enabled, ` +
		`static_ipv4, static_ipv6, framed_ipv6_prefix, delegated_ipv6_prefix, ipv6_assignment_mode, ` +
		`download_kbps, upload_kbps, status, framed_pool, framed_ipv6_pool, delegated_ipv6_pool, stateful_ipv6_pool, ` +
		`session_timeout, acct_interim_interval, walled_garden_vlan, walled_garden_filter, walled_garden_pool, max_sessions, ` +
		`line_match, more_lines, check_vlan, dns_servers, filter_id, reply_attributes, circuit_key, revision`
	subscriberRead   = subscriberWritten + `, last_validated_at, last_validation_result, option82_mismatch_count`
	selectSubscriber = `SELECT ` + subscriberRead + ` FROM subscribers `

	subscriberByName = selectSubscriber + `WHERE tenant = ? AND username_key = ? AND deleted_at = 0`
	// subscribersByName takes the names as a JSON list.
	subscribersByName = selectSubscriber + `WHERE tenant = ? AND username_key IN (SELECT value FROM json_each(?)) AND deleted_at = 0`
)

// sealedSubscriber names the row that a credential is sealed for.
func sealedSubscriber(id string) string { return "subscriber/" + id }

func (s *Store) subscriberValues(sub *linegate.Subscriber) []any {
	p := sub.Profile
	if p == nil {
		p = &linegate.NetworkProfile{}
	}
	credential := []byte{}
	if sub.Credential.Kind != linegate.CredentialNone {
		credential = s.sealer.Seal(sealedSubscriber(sub.ID), sub.Credential.Value.Reveal())
	}
	return []any{
		sub.ID, sub.Tenant, linegate.ComparableUsername(sub.Username), sub.Username,
		string(sub.Credential.Kind), credential, sub.Profile != nil,
		[]byte(p.CircuitID), []byte(p.RemoteID), column.Text(p.MAC), string(p.Option82Policy),
		int64(p.ServiceVLAN), int64(p.InnerVLAN), p.QinQEnabled,
		column.Text(p.StaticIPv4), column.Text(p.StaticIPv6), column.Text(p.FramedIPv6Prefix), column.Text(p.DelegatedIPv6Prefix), string(p.IPv6Mode),
		int64(p.Rate.DownloadKbps), int64(p.Rate.UploadKbps), string(sub.Status),
		p.FramedPool, p.FramedIPv6Pool, p.DelegatedIPv6Pool, p.StatefulIPv6Pool,
		column.Seconds(p.SessionTimeout), column.Seconds(p.AcctInterimInterval),
		int64(p.WalledGarden.ServiceVLAN), p.WalledGarden.FilterID, p.WalledGarden.Pool, int64(p.MaxSessions),
		column.Text(p.LineMatch), column.Text(p.MoreLines), string(p.CheckVLAN), column.Text(p.DNSServers), p.FilterID, column.Text(p.ReplyAttributes),
		lineForm(p, p.CircuitID), sub.Revision,
	}
}

func (s *Store) scanSubscriber(row scanner) (*linegate.Subscriber, error) {
	var (
		sub        linegate.Subscriber
		p          linegate.NetworkProfile
		key        string
		sealed     []byte
		lineKey    []byte
		hasProfile bool
	)
	err := row.Scan(&sub.ID, &sub.Tenant, &key, &sub.Username, &sub.Credential.Kind, &sealed, &hasProfile,
		column.ReadOctets(&p.CircuitID), column.ReadOctets(&p.RemoteID), column.ReadText(&p.MAC), &p.Option82Policy,
		&p.ServiceVLAN, &p.InnerVLAN, &p.QinQEnabled,
		column.ReadText(&p.StaticIPv4), column.ReadText(&p.StaticIPv6), column.ReadText(&p.FramedIPv6Prefix), column.ReadText(&p.DelegatedIPv6Prefix), &p.IPv6Mode,
		&p.Rate.DownloadKbps, &p.Rate.UploadKbps, &sub.Status,
		&p.FramedPool, &p.FramedIPv6Pool, &p.DelegatedIPv6Pool, &p.StatefulIPv6Pool,
		column.ReadSeconds(&p.SessionTimeout), column.ReadSeconds(&p.AcctInterimInterval),
		&p.WalledGarden.ServiceVLAN, &p.WalledGarden.FilterID, &p.WalledGarden.Pool, &p.MaxSessions,
		column.ReadText(&p.LineMatch), column.ReadText(&p.MoreLines), &p.CheckVLAN, column.ReadText(&p.DNSServers), &p.FilterID, column.ReadText(&p.ReplyAttributes),
		&lineKey, &sub.Revision,
		column.ReadMicros(&sub.Validation.LastAt), &sub.Validation.LastResult, &sub.Validation.MismatchCount)
	if err != nil {
		return nil, err
	}
	if hasProfile {
		sub.Profile = &p
	}
	if sub.Credential.Kind != linegate.CredentialNone {
		value, err := s.sealer.Open(sealedSubscriber(sub.ID), sealed)
		if err != nil {
			return nil, unavailable(err)
		}
		sub.Credential.Value = linegate.Secret(value)
	}
	return &sub, nil
}

// lookupQueries find at most two subscribers: a second one makes a circuit or
// MAC ambiguous.
var lookupQueries = map[linegate.Identity]string{
	linegate.ByUsername: subscriberByName,
	linegate.ByCircuit:  lineQuery("circuit_id"),
	linegate.ByLineForm: lineQuery("circuit_key"),
	linegate.ByMAC:      selectSubscriber + `WHERE tenant = ? AND mac = ? AND deleted_at = 0 AND mac <> '' LIMIT 2`,
}

// Lookup implements store.Engine.
func (s *Store) Lookup(ctx context.Context, key linegate.Key) (linegate.Lookup, error) {
	tenant, by, value := key.Split()
	query := lookupQueries[by]
	if query == "" {
		return linegate.Lookup{}, nil // not a key
	}
	var comparable any = value
	if by == linegate.ByCircuit || by == linegate.ByLineForm {
		comparable = []byte(value)
	}
	var found []*linegate.Subscriber
	err := s.lookups.each(ctx, query, func(row scanner) error {
		sub, err := s.scanSubscriber(row)
		found = append(found, sub)
		return err
	}, tenant, comparable)
	switch {
	case err != nil:
		return linegate.Lookup{}, fmt.Errorf("lookup: %w", err)
	case len(found) == 0:
		return linegate.Lookup{}, nil
	case len(found) > 1:
		return linegate.Lookup{Ambiguous: true}, nil
	}
	return linegate.Lookup{Subscriber: found[0]}, nil
}

// Subscriber implements store.Engine.
func (s *Store) Subscriber(ctx context.Context, tenant, username string) (sub *linegate.Subscriber, err error) {
	err = s.lookups.row(ctx, subscriberByName, func(row scanner) (err error) {
		sub, err = s.scanSubscriber(row)
		return err
	}, tenant, linegate.ComparableUsername(username))
	if err != nil {
		return nil, fmt.Errorf("subscriber %q of tenant %s: %w", username, tenant, err)
	}
	return sub, nil
}

// EachSubscriber implements store.Engine.
func (s *Store) EachSubscriber(ctx context.Context, tenant string, fn func(*linegate.Subscriber) error) error {
	query, args := selectSubscriber+`WHERE deleted_at = 0 ORDER BY tenant, username_key`, []any(nil)
	if tenant != "" {
		query, args = selectSubscriber+`WHERE deleted_at = 0 AND tenant = ? ORDER BY username_key`, []any{tenant}
	}
	return s.list(ctx, "list of subscribers", query, func(row scanner) error {
		sub, err := s.scanSubscriber(row)
		if err != nil {
			return err
		}
		return fn(sub)
	}, args...)
}

// CountSubscribers implements store.Engine.
func (s *Store) CountSubscribers(ctx context.Context, tenant string) (count int, err error) {
	query, args := `SELECT count(*) FROM subscribers WHERE deleted_at = 0`, []any(nil)
	if tenant != "" {
		query, args = query+` AND tenant = ?`, []any{tenant}
	}
	if err := s.lists.row(ctx, query, into(&count), args...); err != nil {
		return 0, fmt.Errorf("count of subscribers: %w", err)
	}
	return count, nil
}

const recordValidation = `UPDATE subscribers SET last_validated_at = max(last_validated_at, ?2), ` +
	`last_validation_result = iif(?2 >= last_validated_at, ?3, last_validation_result), ` +
	`option82_mismatch_count = option82_mismatch_count + ?4 WHERE id = ?1 AND deleted_at = 0`

// RecordValidations implements store.Engine. A record older than what is known
// only adds its mismatches.
func (s *Store) RecordValidations(ctx context.Context, checks []store.ValidationRecord) error {
	err := s.write(ctx, func(w *writing) error {
		for _, check := range checks {
			if err := w.exec(recordValidation, check.SubscriberID, column.Micros(check.LastAt), string(check.LastResult), check.Mismatches); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("validations: %w", err)
	}
	return nil
}
