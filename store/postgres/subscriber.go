package postgres

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

	subscriberByName = selectSubscriber + `WHERE tenant = $1 AND username_key = $2 AND deleted_at = 0`
	// Each name is looked up by itself (OFFSET 0 keeps it so): for many at once in a
	// table without statistics PostgreSQL would rather read the whole tenant.
	subscribersByName = `SELECT s.* FROM unnest($2::text[]) AS name (key), ` +
		`LATERAL (` + selectSubscriber + `WHERE tenant = $1 AND username_key = name.key AND deleted_at = 0 OFFSET 0) AS s`
	// At most two are found: a second one makes a MAC ambiguous, as it does a line.
	subscriberByMAC = selectSubscriber + `WHERE tenant = $1 AND mac = $2 AND deleted_at = 0 AND mac <> '' LIMIT 2`
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
		sub.ID, sub.Tenant, told(linegate.ComparableUsername(sub.Username)), told(sub.Username),
		string(sub.Credential.Kind), credential, sub.Profile != nil,
		[]byte(p.CircuitID), []byte(p.RemoteID), text(p.MAC), string(p.Option82Policy),
		int64(p.ServiceVLAN), int64(p.InnerVLAN), p.QinQEnabled,
		text(p.StaticIPv4), text(p.StaticIPv6), text(p.FramedIPv6Prefix), text(p.DelegatedIPv6Prefix), string(p.IPv6Mode),
		int64(p.Rate.DownloadKbps), int64(p.Rate.UploadKbps), string(sub.Status),
		told(p.FramedPool), told(p.FramedIPv6Pool), told(p.DelegatedIPv6Pool), told(p.StatefulIPv6Pool),
		column.Seconds(p.SessionTimeout), column.Seconds(p.AcctInterimInterval),
		int64(p.WalledGarden.ServiceVLAN), told(p.WalledGarden.FilterID), told(p.WalledGarden.Pool), int64(p.MaxSessions),
		text(p.LineMatch), text(p.MoreLines), string(p.CheckVLAN), text(p.DNSServers), told(p.FilterID), text(p.ReplyAttributes),
		lineForm(p, p.CircuitID), sub.Revision,
	}
}

func (s *Store) scanSubscriber(row scanner) (*linegate.Subscriber, error) {
	var (
		sub        linegate.Subscriber
		p          linegate.NetworkProfile
		key        string
		sealed     []byte
		lineKey    []byte // follows from the circuit-id
		hasProfile bool
	)
	err := row.Scan(&sub.ID, &sub.Tenant, &key, toldColumn{&sub.Username}, &sub.Credential.Kind, &sealed, &hasProfile,
		column.ReadOctets(&p.CircuitID), column.ReadOctets(&p.RemoteID), textColumn{&p.MAC}, &p.Option82Policy,
		&p.ServiceVLAN, &p.InnerVLAN, &p.QinQEnabled,
		textColumn{&p.StaticIPv4}, textColumn{&p.StaticIPv6}, textColumn{&p.FramedIPv6Prefix}, textColumn{&p.DelegatedIPv6Prefix}, &p.IPv6Mode,
		&p.Rate.DownloadKbps, &p.Rate.UploadKbps, &sub.Status,
		toldColumn{&p.FramedPool}, toldColumn{&p.FramedIPv6Pool}, toldColumn{&p.DelegatedIPv6Pool}, toldColumn{&p.StatefulIPv6Pool},
		column.ReadSeconds(&p.SessionTimeout), column.ReadSeconds(&p.AcctInterimInterval),
		&p.WalledGarden.ServiceVLAN, toldColumn{&p.WalledGarden.FilterID}, toldColumn{&p.WalledGarden.Pool}, &p.MaxSessions,
		textColumn{&p.LineMatch}, textColumn{&p.MoreLines}, &p.CheckVLAN, textColumn{&p.DNSServers}, toldColumn{&p.FilterID}, textColumn{&p.ReplyAttributes},
		&lineKey, &sub.Revision,
		timeColumn{&sub.Validation.LastAt}, &sub.Validation.LastResult, &sub.Validation.MismatchCount)
	if err != nil {
		return nil, fail(err)
	}
	if hasProfile {
		sub.Profile = &p
	}
	if sub.Credential.Kind != linegate.CredentialNone {
		value, err := s.sealer.Open(sealedSubscriber(sub.ID), sealed)
		if err != nil {
			return nil, fail(err)
		}
		sub.Credential.Value = linegate.Secret(value)
	}
	return &sub, nil
}

// lookupQuery finds whom a key is about; ok is false for what is no key.
func lookupQuery(key linegate.Key) (query string, args []any, ok bool) {
	tenant, by, value := key.Split()
	switch by {
	case linegate.ByUsername:
		return subscriberByName, []any{told(tenant), told(value)}, true
	case linegate.ByCircuit:
		return lineQuery("circuit_id"), []any{told(tenant), []byte(value)}, true
	case linegate.ByLineForm:
		return lineQuery("circuit_key"), []any{told(tenant), []byte(value)}, true
	case linegate.ByMAC:
		return subscriberByMAC, []any{told(tenant), told(value)}, true
	}
	return "", nil, false
}

// Lookup implements store.Engine.
func (s *Store) Lookup(ctx context.Context, key linegate.Key) (linegate.Lookup, error) {
	query, args, ok := lookupQuery(key)
	if !ok {
		return linegate.Lookup{}, nil
	}
	found, err := s.subscribers(ctx, query, args...)
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

// subscribers reads the few that a query finds.
func (s *Store) subscribers(ctx context.Context, query string, args ...any) (found []*linegate.Subscriber, err error) {
	err = s.each(ctx, s.lookups, func(row scanner) error {
		sub, err := s.scanSubscriber(row)
		found = append(found, sub)
		return err
	}, query, args...)
	return found, err
}

// Subscriber implements store.Engine.
func (s *Store) Subscriber(ctx context.Context, tenant, username string) (*linegate.Subscriber, error) {
	found, err := s.subscribers(ctx, subscriberByName, told(tenant), told(linegate.ComparableUsername(username)))
	if err == nil && len(found) == 0 {
		err = linegate.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("subscriber %q of tenant %s: %w", username, tenant, err)
	}
	return found[0], nil
}

// EachSubscriber implements store.Engine. PostgreSQL sends no faster than fn reads.
func (s *Store) EachSubscriber(ctx context.Context, tenant string, fn func(*linegate.Subscriber) error) error {
	query, args := selectSubscriber+`WHERE deleted_at = 0 ORDER BY tenant, username_key`, []any(nil)
	if tenant != "" {
		query, args = selectSubscriber+`WHERE deleted_at = 0 AND tenant = $1 ORDER BY username_key`, []any{told(tenant)}
	}
	return s.each(ctx, s.lists, func(row scanner) error {
		sub, err := s.scanSubscriber(row)
		if err != nil {
			return fmt.Errorf("list of subscribers: %w", err)
		}
		return fn(sub)
	}, query, args...)
}

// CountSubscribers implements store.Engine.
func (s *Store) CountSubscribers(ctx context.Context, tenant string) (count int, err error) {
	query, args := `SELECT count(*) FROM subscribers WHERE deleted_at = 0`, []any(nil)
	if tenant != "" {
		query, args = query+` AND tenant = $1`, []any{told(tenant)}
	}
	if count, err = s.count(ctx, query, args...); err != nil {
		return 0, fmt.Errorf("count of subscribers: %w", err)
	}
	return count, nil
}

const recordValidation = `UPDATE subscribers SET last_validated_at = greatest(last_validated_at, $2), ` +
	`last_validation_result = CASE WHEN $2 >= last_validated_at THEN $3 ELSE last_validation_result END, ` +
	`option82_mismatch_count = option82_mismatch_count + $4 WHERE id = $1 AND deleted_at = 0`

// RecordValidations implements store.Engine. A record older than what is known
// only adds its mismatches. It takes turns with Update, which writes the same rows
// in an order of its own.
func (s *Store) RecordValidations(ctx context.Context, checks []store.ValidationRecord) error {
	statements := []statement{{takeLock, []any{lockUpdate, int32(0)}}}
	for _, check := range checks {
		statements = append(statements, statement{recordValidation,
			[]any{told(check.SubscriberID), column.Micros(check.LastAt), string(check.LastResult), check.Mismatches}})
	}
	err := s.write(ctx, s.updates, func(w *writing) error { return w.execAll(statements) })
	if err != nil {
		return fmt.Errorf("validations: %w", err)
	}
	return nil
}
