package provisioning

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
	"linegate/store/postgres"
	"linegate/store/postgres/pgtest"
	"linegate/store/sqlite"
)

const tenant = "acme"

// database is a store of either engine.
type database interface {
	store.Engine
	store.Book
}

// place is where a store is, and with it the workflows.
type place struct {
	DSN    string
	Folder string // of the key
}

// onSQLite and onPostgres make an empty place.
func onSQLite(t *testing.T) place {
	folder := t.TempDir()
	return place{DSN: "sqlite:" + filepath.Join(folder, "linegate.db"), Folder: folder}
}

func onPostgres(t *testing.T) place {
	return place{DSN: pgtest.Shared(t).Database(t), Folder: t.TempDir()}
}

func (p place) open(ctx context.Context) (database, *store.Sealer, error) {
	sealer, err := store.OpenKeyFile(filepath.Join(p.Folder, "key"))
	if err != nil {
		return nil, nil, err
	}
	if path, embedded := strings.CutPrefix(p.DSN, "sqlite:"); embedded {
		opened, err := sqlite.Open(ctx, path, sealer)
		return opened, sealer, err
	}
	opened, err := postgres.Open(ctx, p.DSN, sealer, postgres.Options{})
	if err != nil {
		return nil, nil, err
	}
	return opened, sealer, opened.Prepare(ctx)
}

// bench is an engine on a store of its own, with foreign systems around it.
type bench struct {
	*testing.T
	place
	store  database
	scene  scene
	world  *world // the scene, unless it is another
	engine *Engine
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

// newBench opens a store with a tenant and VLAN pools, and an engine on it in a
// world of its own.
func newBench(t *testing.T, adjust func(*Options)) *bench {
	around := newWorld()
	b := newBenchIn(t, onSQLite(t), around, adjust)
	b.world = around
	return b
}

// newBenchIn is newBench for any engine and any foreign systems.
func newBenchIn(t *testing.T, where place, around scene, adjust func(*Options)) *bench {
	b := &bench{T: t, place: where, scene: around}
	sealer := b.openStore()
	require.NoError(t, furnish(t.Context(), b.store))
	b.engine = b.start(sealer, adjust)
	return b
}

// furnish makes a tenant with two VLAN pools.
func furnish(ctx context.Context, s database) error {
	err := s.Update(ctx, "test", func(tx store.Tx) error { _, err := tx.PutTenant(linegate.Tenant{Name: tenant}); return err })
	for name, first := range map[string]linegate.VLAN{"internet": 100, "business": 200} {
		err = errors.Join(err, s.PutVLANPool(ctx, linegate.VLANPool{Tenant: tenant, OLT: "olt-1", Name: name, Ranges: []linegate.VLANRange{
			{First: first, Last: first + 99, InnerFirst: 1, InnerLast: 4000},
		}}))
	}
	return err
}

func (b *bench) openStore() *store.Sealer {
	opened, sealer, err := b.place.open(b.Context())
	require.NoError(b, err)
	b.store = opened
	b.Cleanup(func() { assert.NoError(b, opened.Close()) })
	return sealer
}

// optionsFor are those of an engine with the foreign systems that handle answers for.
func optionsFor(where place, opened database, sealer *store.Sealer, handle handler) Options {
	return Options{
		Database: where.DSN, Profiles: profiles{opened}, Book: opened, Sealer: sealer,
		Addresses: addressPort{handle}, ONU: onuPort{handle}, CPE: cpePort{handle}, Changes: changePort{handle},
		Timing: quick(), Parallel: 64,
	}
}

func (b *bench) start(sealer *store.Sealer, adjust func(*Options)) *Engine {
	options := optionsFor(b.place, b.store, sealer, b.scene.handle)
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
