package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
)

func testSubscribers(t *testing.T, e engine) {
	e.tenants(t, "demo")

	t.Run("every field comes back as it was put", func(t *testing.T) {
		given := full("demo", "alice")
		require.Equal(t, linegate.Created, e.put(t, given))
		got := e.get(t, "demo", "alice")
		assert.Equal(t, given.Profile, got.Profile)
		assert.Equal(t, given.Credential, got.Credential)
		assert.Equal(t, given.Status, got.Status)
		assert.Equal(t, "demo", got.Tenant)
		assert.Equal(t, "alice", got.Username)
		assert.Len(t, got.ID, 36)
		assert.Positive(t, got.Revision)
		assert.Zero(t, got.Validation)
	})
	t.Run("what was given is not changed by putting it", func(t *testing.T) {
		given := plain("demo", "untouched")
		e.put(t, given)
		assert.Equal(t, plain("demo", "untouched"), given)
	})
	t.Run("putting the same again changes nothing and makes no revision", func(t *testing.T) {
		before := e.get(t, "demo", "alice")
		assert.Equal(t, linegate.Unchanged, e.put(t, full("demo", "alice")))
		assert.Equal(t, before, e.get(t, "demo", "alice"))
	})
	t.Run("a change keeps the ID and makes a newer revision", func(t *testing.T) {
		before := e.get(t, "demo", "alice")
		given := full("demo", "alice")
		given.Profile.ServiceVLAN = 101
		given.Credential = linegate.Credential{Kind: linegate.CredentialBcrypt, Value: "$2b$10$hash"}
		assert.Equal(t, linegate.Changed, e.put(t, given))
		after := e.get(t, "demo", "alice")
		assert.Equal(t, before.ID, after.ID)
		assert.Greater(t, after.Revision, before.Revision)
		assert.Equal(t, linegate.VLAN(101), after.Profile.ServiceVLAN)
		assert.Equal(t, given.Credential, after.Credential)
	})
	t.Run("an empty profile and none are two things", func(t *testing.T) {
		e.put(t, plain("demo", "bare"))
		assert.Nil(t, e.get(t, "demo", "bare").Profile)
		withProfile := plain("demo", "bare")
		withProfile.Profile = &linegate.NetworkProfile{}
		assert.Equal(t, linegate.Changed, e.put(t, withProfile))
		assert.Equal(t, &linegate.NetworkProfile{Option82Policy: linegate.Option82Log, IPv6Mode: linegate.IPv6None},
			e.get(t, "demo", "bare").Profile)
		assert.Equal(t, linegate.Changed, e.put(t, plain("demo", "bare")))
		assert.Nil(t, e.get(t, "demo", "bare").Profile)
	})
	t.Run("a subscriber that contradicts itself is refused field by field", func(t *testing.T) {
		bad := plain("demo", "bad")
		bad.Profile = &linegate.NetworkProfile{InnerVLAN: 5}
		err := e.Update(within(t), "ann@desk", func(tx store.Tx) error {
			_, err := tx.PutSubscriber(bad)
			return err
		})
		var fields linegate.FieldErrors
		require.ErrorAs(t, err, &fields)
		assert.Equal(t, "inner_vlan", fields[0].Field)
	})
	t.Run("a subscriber of a tenant that does not exist is refused", func(t *testing.T) {
		err := e.Update(within(t), "ann@desk", func(tx store.Tx) error {
			_, err := tx.PutSubscriber(plain("nobody", "alice"))
			return err
		})
		assert.ErrorIs(t, err, linegate.ErrNotFound)
	})
	t.Run("a username that nobody has is not found", func(t *testing.T) {
		_, err := e.Subscriber(within(t), "demo", "ghost")
		assert.ErrorIs(t, err, linegate.ErrNotFound)
		err = e.Update(within(t), "ann@desk", func(tx store.Tx) error { return tx.DeleteSubscriber("demo", "ghost") })
		assert.ErrorIs(t, err, linegate.ErrNotFound)
	})
	t.Run("a deleted subscriber is gone and its name is free again", func(t *testing.T) {
		e.put(t, full("demo", "again"))
		first := e.get(t, "demo", "again")
		e.delete(t, "demo", "again")
		_, err := e.Subscriber(within(t), "demo", "again")
		require.ErrorIs(t, err, linegate.ErrNotFound)
		require.Equal(t, linegate.Created, e.put(t, plain("demo", "again")))
		second := e.get(t, "demo", "again")
		assert.NotEqual(t, first.ID, second.ID)
		assert.Greater(t, second.Revision, first.Revision)
		assert.Nil(t, second.Profile)
	})
	t.Run("lists and counts hold the living, in order of username", func(t *testing.T) {
		e.delete(t, "demo", "untouched")
		names := e.names(t, "demo")
		assert.Equal(t, []string{"demo/again", "demo/alice", "demo/bare"}, names)
		count, err := e.CountSubscribers(within(t), "demo")
		require.NoError(t, err)
		assert.Equal(t, len(names), count)
	})
	t.Run("a list ends with the first error of its reader", func(t *testing.T) {
		stop, calls := errors.New("enough"), 0
		err := e.EachSubscriber(within(t), "", func(*linegate.Subscriber) error { calls++; return stop })
		assert.ErrorIs(t, err, stop)
		assert.Equal(t, 1, calls)
	})
}

func testLookups(t *testing.T, e engine) {
	e.tenants(t, "demo")
	alice := full("demo", "alice")
	e.put(t, alice)

	t.Run("username, circuit and mac find the subscriber", func(t *testing.T) {
		for _, key := range alice.Keys() {
			found, err := e.Lookup(within(t), key)
			require.NoError(t, err)
			require.NotNil(t, found.Subscriber, "%q", key)
			assert.Equal(t, e.get(t, "demo", "alice"), found.Subscriber)
			assert.False(t, found.Ambiguous)
		}
	})
	t.Run("nobody is not an error", func(t *testing.T) {
		for _, by := range linegate.DefaultIdentities() {
			for _, value := range []string{"", "nobody", "\x00", "\xff\xfe", "alice\x00", strings.Repeat("x", 5000), "' OR 1=1 --"} {
				assert.Zero(t, e.find(t, "demo", by, value), "%s %q", by, value)
			}
		}
	})
	t.Run("what is no key finds nobody", func(t *testing.T) {
		for _, key := range []linegate.Key{"", "demo", "demo\x00", "demo\x00x\x00alice"} {
			found, err := e.Lookup(within(t), key)
			require.NoError(t, err)
			assert.Zero(t, found)
		}
	})
	t.Run("a username that is a mac is found in every notation", func(t *testing.T) {
		notations := []string{"02:00:00:00:0a:bb", "02-00-00-00-0A-BB", "0200.0000.0abb", "02000000-0ABB", "020000000ABB", "0200:0000:0abb"}
		e.put(t, plain("demo", notations[1]))
		for _, notation := range notations {
			if _, ok := linegate.ParseMAC(notation); !ok {
				continue
			}
			found := e.find(t, "demo", linegate.ByUsername, notation)
			require.NotNil(t, found.Subscriber, notation)
			assert.Equal(t, notations[1], found.Subscriber.Username)
			assert.Equal(t, found.Subscriber, e.get(t, "demo", notation))
		}
		again := plain("demo", notations[0])
		assert.Equal(t, linegate.Changed, e.put(t, again), "another notation renames, it doesn't make a second one")
		assert.Equal(t, notations[0], e.get(t, "demo", notations[4]).Username)
	})
	t.Run("usernames compare by octets, case included", func(t *testing.T) {
		e.put(t, plain("demo", "Müller@example"))
		assert.NotNil(t, e.find(t, "demo", linegate.ByUsername, "Müller@example").Subscriber)
		assert.Zero(t, e.find(t, "demo", linegate.ByUsername, "müller@example"))
	})
	t.Run("a circuit or mac that several have identifies none of them", func(t *testing.T) {
		twin := full("demo", "twin")
		e.put(t, twin)
		ambiguous := linegate.Lookup{Ambiguous: true}
		assert.Equal(t, ambiguous, e.find(t, "demo", linegate.ByCircuit, string(alice.Profile.CircuitID)))
		assert.Equal(t, ambiguous, e.find(t, "demo", linegate.ByMAC, alice.Profile.MAC.String()))
		e.delete(t, "demo", "twin")
		assert.NotNil(t, e.find(t, "demo", linegate.ByCircuit, string(alice.Profile.CircuitID)).Subscriber)
		assert.NotNil(t, e.find(t, "demo", linegate.ByMAC, alice.Profile.MAC.String()).Subscriber)
	})
	t.Run("suspended and terminated are found, deleted are not", func(t *testing.T) {
		for _, status := range []linegate.SubscriberStatus{linegate.StatusSuspended, linegate.StatusTerminated} {
			sub := onLine("demo", "state", "state line")
			sub.Status = status
			e.put(t, sub)
			found := e.find(t, "demo", linegate.ByCircuit, "state line")
			require.NotNil(t, found.Subscriber)
			assert.Equal(t, status, found.Subscriber.Status)
		}
		e.delete(t, "demo", "state")
		assert.Zero(t, e.find(t, "demo", linegate.ByCircuit, "state line"))
		assert.Zero(t, e.find(t, "demo", linegate.ByUsername, "state"))
	})
}

func testTenants(t *testing.T, e engine) {
	e.tenants(t, "blue", "red", "blue")
	e.put(t, full("blue", "alice"))
	red := full("red", "alice")
	red.Credential.Value = "other"
	e.put(t, red)
	e.put(t, onLine("red", "only-red", "red line"))
	e.update(t, func(tx store.Tx) error {
		_, err := tx.PutNAS(nas("red", "bng", "192.0.2.1/32"))
		return err
	})

	t.Run("a tenant is made once", func(t *testing.T) {
		tenants, err := e.Tenants(within(t))
		require.NoError(t, err)
		assert.Equal(t, []linegate.Tenant{{Name: "blue"}, {Name: "red"}}, tenants)
	})
	t.Run("a tenant with a bad name is refused", func(t *testing.T) {
		err := e.Update(within(t), "ann@desk", func(tx store.Tx) error {
			_, err := tx.PutTenant(linegate.Tenant{Name: "Not OK"})
			return err
		})
		var fields linegate.FieldErrors
		assert.ErrorAs(t, err, &fields)
	})
	t.Run("equal names and lines of two tenants don't meet", func(t *testing.T) {
		for _, by := range []struct {
			identity linegate.Identity
			value    string
		}{{linegate.ByUsername, "alice"}, {linegate.ByCircuit, string(red.Profile.CircuitID)}, {linegate.ByMAC, red.Profile.MAC.String()}} {
			found := e.find(t, "blue", by.identity, by.value)
			require.NotNil(t, found.Subscriber, by.identity)
			assert.Equal(t, "blue", found.Subscriber.Tenant)
			assert.Equal(t, linegate.Secret("secretpw"), found.Subscriber.Credential.Value)
		}
	})
	t.Run("what only another tenant has is not found", func(t *testing.T) {
		assert.Zero(t, e.find(t, "blue", linegate.ByUsername, "only-red"))
		assert.Zero(t, e.find(t, "blue", linegate.ByCircuit, "red line"))
		assert.Zero(t, e.find(t, "", linegate.ByUsername, "only-red"))
		for _, crossing := range []linegate.Key{"blue\x00u\x00red\x00u\x00alice", "\x00u\x00only-red", "blue\x00red\x00u\x00only-red"} {
			found, err := e.Lookup(within(t), crossing)
			require.NoError(t, err)
			assert.Zero(t, found, "%q", crossing)
		}
		_, err := e.Subscriber(within(t), "blue", "only-red")
		assert.ErrorIs(t, err, linegate.ErrNotFound)
		_, err = e.Audit(within(t), "blue", "only-red")
		assert.ErrorIs(t, err, linegate.ErrNotFound)
		nases, err := e.NASes(within(t), "blue")
		require.NoError(t, err)
		assert.Empty(t, nases)
	})
	t.Run("writing for one tenant does not reach another", func(t *testing.T) {
		for _, write := range []func(tx store.Tx) error{
			func(tx store.Tx) error { return tx.DeleteSubscriber("blue", "only-red") },
			func(tx store.Tx) error { return tx.DeleteNAS("blue", "bng") },
			func(tx store.Tx) error { _, err := tx.NAS("blue", "bng"); return err },
			func(tx store.Tx) error { _, err := tx.Subscriber("blue", "only-red"); return err },
		} {
			assert.ErrorIs(t, e.Update(within(t), "eve", write), linegate.ErrNotFound)
		}
		e.delete(t, "blue", "alice")
		assert.NotNil(t, e.find(t, "red", linegate.ByUsername, "alice").Subscriber)
	})
	t.Run("lists and counts are by tenant, or of all", func(t *testing.T) {
		assert.Equal(t, []string{"red/alice", "red/only-red"}, e.names(t, ""))
		assert.Empty(t, e.names(t, "blue"))
		count, err := e.CountSubscribers(within(t), "")
		require.NoError(t, err)
		assert.Equal(t, 2, count)
	})
}

func testValidations(t *testing.T, e engine) {
	e.tenants(t, "demo")
	e.put(t, full("demo", "alice"))
	alice := e.get(t, "demo", "alice")
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	record := func(checks ...store.ValidationRecord) linegate.Validation {
		require.NoError(t, e.RecordValidations(within(t), checks))
		return e.get(t, "demo", "alice").Validation
	}

	got := record(
		store.ValidationRecord{SubscriberID: alice.ID, LastAt: at, LastResult: linegate.Option82Mismatch, Mismatches: 3},
		store.ValidationRecord{SubscriberID: store.NewID(), LastAt: at, LastResult: linegate.Option82Match},
		store.ValidationRecord{SubscriberID: alice.ID, LastAt: at.Add(time.Second), LastResult: linegate.Option82Match, Mismatches: 2})
	assert.Equal(t, linegate.Validation{LastAt: at.Add(time.Second), LastResult: linegate.Option82Match, MismatchCount: 5}, got)

	got = record(store.ValidationRecord{SubscriberID: alice.ID, LastAt: at, LastResult: linegate.Option82Missing, Mismatches: 1})
	assert.Equal(t, linegate.Validation{LastAt: at.Add(time.Second), LastResult: linegate.Option82Match, MismatchCount: 6}, got,
		"an older record only adds")

	assert.Equal(t, alice.Revision, e.get(t, "demo", "alice").Revision, "bookkeeping is no write")
	changed := full("demo", "alice")
	changed.Profile.ServiceVLAN = 7
	e.put(t, changed)
	assert.Equal(t, got, e.get(t, "demo", "alice").Validation, "a write keeps the bookkeeping")
	assert.Equal(t, got, record(), "no records, no change")
}
