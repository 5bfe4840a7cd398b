package storetest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
)

// testCrossing tries to reach what red has by asking for blue, in every method
// that takes a tenant.
func testCrossing(t *testing.T, e engine) {
	e.tenants(t, "blue", "red")
	e.put(t, full("red", "alice"))
	_, err := e.putNAS(t, nas("red", "bng", "192.0.2.1/32"))
	require.NoError(t, err)
	alice := e.get(t, "red", "alice")
	hers := start("s1", epoch)
	hers.NAS.Tenant, hers.SubscriberID, hers.UserName, hers.ServiceVLAN = "red", alice.ID, "alice", 5
	hers.Class = linegate.Octets(linegate.AppendClass(nil, linegate.Class{Tenant: linegate.TagOf("red"), SubscriberID: alice.ID, DecidedAt: epoch}))
	e.record(t, hers)
	session := e.one(t, "s1")
	before := e.told(t, 0)

	t.Run("reading", func(t *testing.T) {
		for _, key := range alice.Keys() {
			_, by, value := key.Split()
			for _, tenant := range []string{"blue", "", "bl", "RED", "red ", "%"} {
				assert.Zero(t, e.find(t, tenant, by, value), "%s for %q", by, tenant)
			}
		}
		_, err := e.Subscriber(within(t), "blue", "alice")
		assert.ErrorIs(t, err, linegate.ErrNotFound)
		_, err = e.Audit(within(t), "blue", "alice")
		assert.ErrorIs(t, err, linegate.ErrNotFound)
		assert.Empty(t, e.names(t, "blue"))
		count, err := e.CountSubscribers(within(t), "blue")
		assert.NoError(t, err)
		assert.Zero(t, count)
		nases, err := e.NASes(within(t), "blue")
		assert.NoError(t, err)
		assert.Empty(t, nases)
	})
	t.Run("listing sessions", func(t *testing.T) {
		for name, filter := range map[string]store.SessionFilter{
			"all": {}, "open": {Active: true}, "by user": {UserName: "alice"}, "by nas": {NAS: "bng"}, "by vlan": {VLAN: 5},
			"by id": {ID: session.ID}, "by acct-session-id": {AcctSessionID: "s1"}, "by subscriber": {SubscriberID: alice.ID},
		} {
			require.Len(t, e.sessions(t, filter), 1, name)
			filter.Tenant = "blue"
			assert.Empty(t, e.sessions(t, filter), name)
		}
	})
	t.Run("within a transaction", func(t *testing.T) {
		for name, try := range map[string]func(tx store.Tx) error{
			"Subscriber":       func(tx store.Tx) error { _, err := tx.Subscriber("blue", "alice"); return err },
			"DeleteSubscriber": func(tx store.Tx) error { return tx.DeleteSubscriber("blue", "alice") },
			"NAS":              func(tx store.Tx) error { _, err := tx.NAS("blue", "bng"); return err },
			"DeleteNAS":        func(tx store.Tx) error { return tx.DeleteNAS("blue", "bng") },
			"Subscribers": func(tx store.Tx) error {
				found, err := tx.Subscribers("blue", []string{"alice"})
				assert.Empty(t, found)
				require.NoError(t, err)
				return linegate.ErrNotFound
			},
		} {
			assert.ErrorIs(t, e.Update(within(t), "eve", try), linegate.ErrNotFound, name)
		}
		_, err := e.putNAS(t, nas("blue", "mine", "192.0.2.1/32"))
		require.ErrorIs(t, err, linegate.ErrConflict)
		assert.NotContains(t, err.Error(), "bng", "whose address it is stays within the tenant")
		assert.NotContains(t, err.Error(), "red")
		require.NoError(t, e.LearnNAS(within(t), "blue", "bng", linegate.Yes))
		assert.Equal(t, before, e.told(t, 0), "nothing was written")
	})
	t.Run("accounting", func(t *testing.T) {
		theirs := stop("s1", epoch, time.Hour, 99) // the same box, id and Class, told by blue's NAS
		theirs.NAS, theirs.Class = box, hers.Class
		theirs.NAS.Tenant = "blue"
		on := event(linegate.AcctOn, "", epoch.Add(time.Minute))
		on.NAS.Tenant, on.NAS.Address = "blue", netip.MustParseAddr("192.0.2.1")
		e.record(t, theirs, on)
		assert.Equal(t, []*linegate.Session{session}, e.sessions(t, store.SessionFilter{Tenant: "red"}))
	})
	t.Run("writing the same name", func(t *testing.T) {
		e.put(t, plain("blue", "alice"))
		e.putAll(t, onLine("blue", "alice", "blue line"))
		assert.Equal(t, alice, e.get(t, "red", "alice"))
		hers, err := e.Audit(within(t), "red", "alice")
		require.NoError(t, err)
		for _, entry := range hers {
			assert.Equal(t, "red", entry.Tenant)
			for _, key := range entry.Keys {
				tenant, _, _ := key.Split()
				assert.Equal(t, "red", tenant)
			}
		}
		e.delete(t, "blue", "alice")
		assert.Equal(t, alice, e.get(t, "red", "alice"))
	})
	t.Run("counting places", func(t *testing.T) {
		bob := store.NewID()
		admitted, err := e.Admit(within(t), linegate.Admission{SubscriberID: bob, Place: "blue", Limit: 1, At: epoch, Hold: hold})
		require.NoError(t, err)
		assert.True(t, admitted, "red's session is none of bob's")
		admitted, err = e.Admit(within(t), linegate.Admission{SubscriberID: alice.ID, Place: session.Place(), Limit: 1, At: epoch, Hold: hold})
		require.NoError(t, err)
		assert.True(t, admitted, "nor is bob's hold hers")
	})
}
