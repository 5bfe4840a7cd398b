package storetest

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
)

func nas(tenant, name, address string) linegate.NAS {
	return linegate.NAS{Tenant: tenant, Name: name, Address: netip.MustParsePrefix(address), Secret: "testing123"}
}

// putNAS stores a NAS in a transaction of its own.
func (e engine) putNAS(t *testing.T, n linegate.NAS) (outcome linegate.Outcome, err error) {
	t.Helper()
	err = e.Update(within(t), "ann@desk", func(tx store.Tx) (err error) {
		outcome, err = tx.PutNAS(n)
		return err
	})
	return outcome, err
}

// oneNAS returns the only NAS of a tenant.
func (e engine) oneNAS(t *testing.T, tenant string) linegate.NAS {
	t.Helper()
	nases, err := e.NASes(within(t), tenant)
	require.NoError(t, err)
	require.Len(t, nases, 1)
	return nases[0]
}

func testNAS(t *testing.T, e engine) {
	e.tenants(t, "blue", "red")
	given := nas("blue", "bng-1", "192.0.2.0/24")
	given.Dialect = "standard"
	given.Identify = []linegate.Identity{linegate.ByCircuit, linegate.ByMAC}
	given.RequireMessageAuthenticator, given.LimitProxyState = linegate.Yes, linegate.No
	given.Learned = linegate.Auto
	given.AllowMSCHAPv1 = true
	given.CoAAddress, given.CoAPort = netip.MustParseAddr("2001:db8::7"), 1700
	given.CoASecret, given.CoAWindow = "a secret of its own", 256
	given.LineMatch = linegate.MatchTrim | linegate.MatchGlob

	t.Run("every field comes back as it was put", func(t *testing.T) {
		outcome, err := e.putNAS(t, given)
		require.NoError(t, err)
		assert.Equal(t, linegate.Created, outcome)
		assert.Equal(t, given, e.oneNAS(t, "blue"))
		e.update(t, func(tx store.Tx) error {
			stored, err := tx.NAS("blue", "bng-1")
			assert.Equal(t, given, stored)
			return err
		})
	})
	t.Run("putting the same again changes nothing", func(t *testing.T) {
		before, err := e.Revision(within(t))
		require.NoError(t, err)
		outcome, err := e.putNAS(t, given)
		require.NoError(t, err)
		assert.Equal(t, linegate.Unchanged, outcome)
		after, err := e.Revision(within(t))
		require.NoError(t, err)
		assert.Equal(t, before, after)
	})
	t.Run("a change is a change", func(t *testing.T) {
		given.Secret, given.CoASecret = "another secret", ""
		outcome, err := e.putNAS(t, given)
		require.NoError(t, err)
		assert.Equal(t, linegate.Changed, outcome)
		assert.Equal(t, given, e.oneNAS(t, "blue"))
	})
	t.Run("a NAS that holds nonsense is refused field by field", func(t *testing.T) {
		_, err := e.putNAS(t, linegate.NAS{Tenant: "blue", Name: "Bad Name"})
		var fields linegate.FieldErrors
		require.ErrorAs(t, err, &fields)
		assert.Len(t, fields, 3)
	})
	t.Run("a NAS of a tenant that does not exist is refused", func(t *testing.T) {
		_, err := e.putNAS(t, nas("nobody", "bng", "198.51.100.1/32"))
		assert.ErrorIs(t, err, linegate.ErrNotFound)
	})
	t.Run("an address belongs to one NAS, whose name stays within the tenant", func(t *testing.T) {
		_, err := e.putNAS(t, nas("blue", "bng-2", "192.0.2.77/24"))
		assert.ErrorIs(t, err, linegate.ErrConflict)
		assert.ErrorContains(t, err, "bng-1")
		_, err = e.putNAS(t, nas("red", "bng-2", "192.0.2.0/24"))
		assert.ErrorIs(t, err, linegate.ErrConflict)
		assert.NotContains(t, err.Error(), "bng-1")
		assert.NotContains(t, err.Error(), "blue")
	})
	t.Run("a network inside another's is another address", func(t *testing.T) {
		_, err := e.putNAS(t, nas("red", "bng-2", "192.0.2.7/32"))
		require.NoError(t, err)
		_, err = e.putNAS(t, nas("red", "bng-6", "2001:db8::/32"))
		require.NoError(t, err)
	})
	t.Run("lists go by tenant and name", func(t *testing.T) {
		nases, err := e.NASes(within(t), "")
		require.NoError(t, err)
		var names []string
		for _, n := range nases {
			names = append(names, n.Tenant+"/"+n.Name)
		}
		assert.Equal(t, []string{"blue/bng-1", "red/bng-2", "red/bng-6"}, names)
	})
	t.Run("a deleted NAS is gone and its address free", func(t *testing.T) {
		e.update(t, func(tx store.Tx) error { return tx.DeleteNAS("blue", "bng-1") })
		err := e.Update(within(t), "ann@desk", func(tx store.Tx) error { return tx.DeleteNAS("blue", "bng-1") })
		require.ErrorIs(t, err, linegate.ErrNotFound)
		outcome, err := e.putNAS(t, nas("red", "bng-1", "192.0.2.0/24"))
		require.NoError(t, err)
		assert.Equal(t, linegate.Created, outcome)
	})
}

func testLearnNAS(t *testing.T, e engine) {
	e.tenants(t, "demo")
	learn := func(learned linegate.Tristate) linegate.Tristate {
		require.NoError(t, e.LearnNAS(within(t), "demo", "bng", learned))
		return e.oneNAS(t, "demo").Learned
	}
	change := func(how func(*linegate.NAS)) linegate.Tristate {
		n := e.oneNAS(t, "demo")
		how(&n)
		_, err := e.putNAS(t, n)
		require.NoError(t, err)
		return e.oneNAS(t, "demo").Learned
	}
	fresh := nas("demo", "bng", "192.0.2.1/32")
	fresh.Learned = linegate.Yes
	_, err := e.putNAS(t, fresh)
	require.NoError(t, err)
	require.Equal(t, linegate.Auto, e.oneNAS(t, "demo").Learned, "a new NAS has learned nothing, whoever says otherwise")

	assert.Equal(t, linegate.Auto, learn(linegate.Auto))
	assert.Equal(t, linegate.Yes, learn(linegate.Yes))
	assert.Equal(t, linegate.Yes, learn(linegate.No), "what was learned first stays")
	assert.Equal(t, linegate.Yes, change(func(n *linegate.NAS) { n.AllowMSCHAPv1 = true; n.Learned = linegate.No }), "other changes keep it")
	assert.Equal(t, linegate.Auto, change(func(n *linegate.NAS) { n.Secret = "changed" }), "a new secret forgets it")
	assert.Equal(t, linegate.No, learn(linegate.No))
	assert.Equal(t, linegate.Auto, change(func(n *linegate.NAS) { n.Address = netip.MustParsePrefix("192.0.2.2/32") }), "a new address forgets it")
	assert.Equal(t, linegate.Yes, learn(linegate.Yes))
	assert.Equal(t, linegate.Auto, change(func(n *linegate.NAS) { n.RequireMessageAuthenticator = linegate.No }), "a new rule forgets it")
	assert.Equal(t, linegate.Auto, learn(linegate.Yes), "with a rule of the operator's there is nothing to learn")

	t.Run("what was learned is in the feed, once", func(t *testing.T) {
		entries, err := e.Feed(within(t), 0, 100)
		require.NoError(t, err)
		learned := 0
		for _, entry := range entries {
			if len(entry.Changes) == 1 && entry.Changes[0].Field == "learned_message_authenticator" {
				learned++
			}
		}
		assert.Equal(t, 3, learned)
	})
	t.Run("a NAS that is gone is passed over", func(t *testing.T) {
		assert.NoError(t, e.LearnNAS(within(t), "demo", "gone", linegate.Yes))
		assert.NoError(t, e.LearnNAS(within(t), "nobody", "bng", linegate.Yes))
	})
}
