package provisioning

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
	"linegate/store/sqlite"
)

const tenant = "acme"

// bench is an engine on a store of its own, with a world around it.
type bench struct {
	*testing.T
	folder string
	store  *sqlite.Store
	world  *world
	engine *Engine
}

func openStore(ctx context.Context, folder string) (*sqlite.Store, *store.Sealer, error) {
	sealer, err := store.OpenKeyFile(filepath.Join(folder, "key"))
	if err != nil {
		return nil, nil, err
	}
	opened, err := sqlite.Open(ctx, filepath.Join(folder, "linegate.db"), sealer)
	return opened, sealer, err
}

// profiles are the subscribers of a store.
type profiles struct{ store.Engine }

func (p profiles) PutSubscriber(ctx context.Context, actor string, s *linegate.Subscriber) error {
	return p.Update(ctx, actor, func(tx store.Tx) error { _, err := tx.PutSubscriber(s); return err })
}

func (p profiles) DeleteSubscriber(ctx context.Context, actor, tenant, username string) error {
	err := p.Update(ctx, actor, func(tx store.Tx) error { return tx.DeleteSubscriber(tenant, username) })
	if errors.Is(err, linegate.ErrNotFound) {
		return nil
	}
	return err
}

// quick is a timing in which nothing is waited for long.
func quick() Timing {
	return Timing{
		Attempts: 3, Pause: time.Millisecond, Patience: 5 * time.Millisecond, Poll: 25 * time.Millisecond, CPEPoll: time.Millisecond,
		Limits: map[system]time.Duration{inNetBox: 20 * time.Second, inONU: 20 * time.Second, inCPE: 20 * time.Second, inSessions: 20 * time.Second, inStore: 20 * time.Second},
	}
}

// newBench opens a store with a tenant and a VLAN pool, and an engine on it.
func newBench(t *testing.T, adjust func(*Options)) *bench {
	b := &bench{T: t, folder: t.TempDir(), world: newWorld()}
	sealer := b.openStore()
	require.NoError(t, furnish(t.Context(), b.store))
	b.engine = b.start(sealer, adjust)
	return b
}

func furnish(ctx context.Context, s *sqlite.Store) error {
	err := s.Update(ctx, "test", func(tx store.Tx) error { _, err := tx.PutTenant(linegate.Tenant{Name: tenant}); return err })
	if err != nil {
		return err
	}
	return s.PutVLANPool(ctx, linegate.VLANPool{Tenant: tenant, OLT: "olt-1", Name: "internet", Ranges: []linegate.VLANRange{
		{First: 100, Last: 199, InnerFirst: 1, InnerLast: 4000},
	}})
}

func (b *bench) openStore() *store.Sealer {
	opened, sealer, err := openStore(b.Context(), b.folder)
	require.NoError(b, err)
	b.store = opened
	b.Cleanup(func() { assert.NoError(b, opened.Close()) })
	return sealer
}

func (b *bench) options(sealer *store.Sealer) Options {
	return Options{
		Database: "sqlite:" + filepath.Join(b.folder, "linegate.db"), Profiles: profiles{b.store}, Book: b.store, Sealer: sealer,
		Addresses: addressPort{b.world.handle}, ONU: onuPort{b.world.handle}, CPE: cpePort{b.world.handle}, Changes: changePort{b.world.handle},
		Timing: quick(),
	}
}

func (b *bench) start(sealer *store.Sealer, adjust func(*Options)) *Engine {
	options := b.options(sealer)
	if adjust != nil {
		adjust(&options)
	}
	engine, err := Open(context.WithoutCancel(b.Context()), options)
	require.NoError(b, err)
	b.Cleanup(func() { assert.NoError(b, engine.Close()) })
	return engine
}

// run carries an order out and returns how it stands then.
func (b *bench) run(order linegate.Order) Standing {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	id, err := b.engine.Submit(ctx, order)
	require.NoError(b, err)
	standing, err := b.engine.Await(ctx, id)
	require.NoError(b, err)
	return standing
}

// full is an order for everything at once.
func full(key, username string) linegate.Order {
	return linegate.Order{
		Key: key, Kind: linegate.OrderProvision, Tenant: tenant, Username: username, Actor: "test",
		Set:       map[string]string{"password": "secret-" + username, "circuit_id": "olt-1 xpon 0/1:" + username, "download_kbps": "100000", "upload_kbps": "20000"},
		Addresses: linegate.AddressWishes{IPv4: true, IPv6: true, FramedPrefix: 64, DelegatedPrefix: 56},
		VLAN:      linegate.VLANWish{Pool: "internet", OLT: "olt-1"},
		ONU:       &linegate.ONUWish{Serial: "ABCD12345678", UNI: 1},
		CPE:       &linegate.CPEWish{Device: "cpe-" + username, PPP: true},
	}
}

func (b *bench) subscriber(username string) *linegate.Subscriber {
	b.Helper()
	found, err := b.store.Subscriber(b.Context(), tenant, username)
	if errors.Is(err, linegate.ErrNotFound) {
		return nil
	}
	require.NoError(b, err)
	return found
}

func (b *bench) service(username string) linegate.Service {
	b.Helper()
	found, err := b.store.Service(b.Context(), tenant, username)
	require.NoError(b, err)
	return found
}

// on is the bench for a subtest.
func (b *bench) on(t *testing.T) *bench {
	sub := *b
	sub.T = t
	return &sub
}
