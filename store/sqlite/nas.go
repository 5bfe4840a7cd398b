package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"linegate"
	"linegate/store/column"
)

const (
	nasColumns = `tenant, name, address, secret, dialect, identify, ` +
		`require_message_authenticator, limit_proxy_state, learned, allow_mschapv1, line_match, ` +
		`coa_address, coa_port, coa_secret, coa_window`
	selectNAS = `SELECT ` + nasColumns + ` FROM nas `
	oneNAS    = selectNAS + `WHERE tenant = ? AND name = ?`
)

// sealedNAS names the row that a shared secret is sealed for.
func sealedNAS(tenant, name string) string { return "nas/" + tenant + "/" + name }

// sealedCoA names the row that a secret of its own for CoA is sealed for.
func sealedCoA(tenant, name string) string { return sealedNAS(tenant, name) + "/coa" }

// sealCoA returns nothing for no secret.
func (s *Store) sealCoA(n *linegate.NAS) []byte {
	if n.CoASecret == "" {
		return []byte{}
	}
	return s.sealer.Seal(sealedCoA(n.Tenant, n.Name), n.CoASecret.Reveal())
}

func (s *Store) nasValues(n *linegate.NAS) []any {
	names := make([]string, len(n.Identify))
	for i, identity := range n.Identify {
		names[i] = string(identity)
	}
	return []any{n.Tenant, n.Name, column.Text(n.Address), s.sealer.Seal(sealedNAS(n.Tenant, n.Name), n.Secret.Reveal()),
		n.Dialect, strings.Join(names, ","),
		string(n.RequireMessageAuthenticator), string(n.LimitProxyState), string(n.Learned), n.AllowMSCHAPv1, column.Text(n.LineMatch),
		column.Text(n.CoAAddress), int64(n.CoAPort), s.sealCoA(n), int64(n.CoAWindow)}
}

func (s *Store) scanNAS(row scanner) (n linegate.NAS, err error) {
	var (
		sealed   []byte
		coa      []byte
		identify string
	)
	err = row.Scan(&n.Tenant, &n.Name, column.ReadText(&n.Address), &sealed, &n.Dialect, &identify,
		&n.RequireMessageAuthenticator, &n.LimitProxyState, &n.Learned, &n.AllowMSCHAPv1, column.ReadText(&n.LineMatch),
		column.ReadText(&n.CoAAddress), &n.CoAPort, &coa, &n.CoAWindow)
	if err != nil {
		return linegate.NAS{}, err
	}
	for name := range strings.SplitSeq(identify, ",") {
		n.Identify = append(n.Identify, linegate.Identity(name))
	}
	secret, err := s.sealer.Open(sealedNAS(n.Tenant, n.Name), sealed)
	if err != nil {
		return linegate.NAS{}, unavailable(err)
	}
	n.Secret = linegate.Secret(secret)
	if len(coa) > 0 {
		if secret, err = s.sealer.Open(sealedCoA(n.Tenant, n.Name), coa); err != nil {
			return linegate.NAS{}, unavailable(err)
		}
		n.CoASecret = linegate.Secret(secret)
	}
	return n, nil
}

// Tenants implements store.Engine, in order of name.
func (s *Store) Tenants(ctx context.Context) (tenants []linegate.Tenant, err error) {
	err = s.list(ctx, "list of tenants", `SELECT name, push_changes FROM tenants ORDER BY name`, func(row scanner) error {
		var tenant linegate.Tenant
		err := row.Scan(&tenant.Name, &tenant.PushChanges)
		tenants = append(tenants, tenant)
		return err
	})
	return tenants, err
}

// NASes implements store.Engine.
func (s *Store) NASes(ctx context.Context, tenant string) (found []linegate.NAS, err error) {
	query, args := selectNAS+`ORDER BY tenant, name`, []any(nil)
	if tenant != "" {
		query, args = selectNAS+`WHERE tenant = ? ORDER BY name`, []any{tenant}
	}
	err = s.list(ctx, "list of nas", query, func(row scanner) error {
		n, err := s.scanNAS(row)
		found = append(found, n)
		return err
	}, args...)
	return found, err
}

// NAS implements store.Tx.
func (u *update) NAS(tenant, name string) (n linegate.NAS, err error) {
	err = u.w.row(oneNAS, func(row scanner) (err error) {
		n, err = u.store.scanNAS(row)
		return err
	}, tenant, name)
	if err != nil {
		return linegate.NAS{}, fmt.Errorf("nas %q of tenant %s: %w", name, tenant, err)
	}
	return n, nil
}

// PutNAS implements store.Tx.
func (u *update) PutNAS(n linegate.NAS) (linegate.Outcome, error) {
	n.Normalize()
	if err := n.Validate(); err != nil {
		return "", fmt.Errorf("nas %q: %w", n.Name, err)
	}
	if err := u.requireTenant(n.Tenant); err != nil {
		return "", err
	}
	if err := u.requireFreeAddress(&n); err != nil {
		return "", err
	}
	var old *linegate.NAS
	switch stored, err := u.NAS(n.Tenant, n.Name); {
	case err == nil:
		old = &stored
	case !errors.Is(err, linegate.ErrNotFound):
		return "", err
	}
	outcome := n.Replace(old)
	if outcome == linegate.Unchanged {
		return outcome, nil
	}
	return outcome, u.writeNAS(&n, old, outcome)
}

// writeNAS replaces the row of the NAS and says so in the audit trail.
func (u *update) writeNAS(n, old *linegate.NAS, outcome linegate.Outcome) error {
	if _, err := u.audit(linegate.AuditEntry{Kind: linegate.AuditNAS, Tenant: n.Tenant, Name: n.Name,
		Outcome: outcome, Changes: n.Diff(old)}); err != nil {
		return err
	}
	err := u.w.exec(`DELETE FROM nas WHERE tenant = ? AND name = ?`, n.Tenant, n.Name)
	if err == nil {
		err = u.w.exec(insertInto("nas", nasColumns), u.store.nasValues(n)...)
	}
	if err != nil {
		return fmt.Errorf("nas %s: %w", n.Name, err)
	}
	return nil
}

// requireFreeAddress returns linegate.ErrConflict when another NAS has the
// address. Whose it is stays within the tenant.
func (u *update) requireFreeAddress(n *linegate.NAS) error {
	var tenant, name string
	err := u.w.row(`SELECT tenant, name FROM nas WHERE address = ?`, into(&tenant, &name), column.Text(n.Address))
	switch {
	case errors.Is(err, linegate.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("nas %s: %w", n.Name, err)
	}
	return n.AddressTaken(tenant, name)
}

// DeleteNAS implements store.Tx.
func (u *update) DeleteNAS(tenant, name string) error {
	deleted, err := u.w.execCounted(`DELETE FROM nas WHERE tenant = ? AND name = ?`, tenant, name)
	if err == nil && deleted == 0 {
		err = linegate.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("nas %q of tenant %s: %w", name, tenant, err)
	}
	_, err = u.audit(linegate.AuditEntry{Kind: linegate.AuditNAS, Tenant: tenant, Name: name, Outcome: linegate.Deleted})
	return err
}

// LearnNAS implements store.Engine.
func (s *Store) LearnNAS(ctx context.Context, tenant, name string, learned linegate.Tristate) error {
	return s.update(ctx, actorServer, func(u *update) error {
		stored, err := u.NAS(tenant, name)
		if errors.Is(err, linegate.ErrNotFound) {
			return nil
		}
		if err != nil || !stored.Learns() || learned == stored.Learned {
			return err
		}
		n := stored
		n.Learned = learned
		return u.writeNAS(&n, &stored, linegate.Changed)
	})
}
