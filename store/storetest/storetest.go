// Package storetest holds what every store.Engine must do, as one suite of tests
// by name. It knows the contract alone and never an engine.
package storetest

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
)

// Run runs the suite. open returns an empty engine and sees to its closing when
// the test ends; closing it twice must be harmless.
func Run(t *testing.T, open func(t *testing.T) store.Engine) {
	for name, test := range map[string]func(t *testing.T, e engine){
		"subscribers":              testSubscribers,
		"lookups":                  testLookups,
		"lines":                    testLines,
		"tenants stay apart":       testTenants,
		"nas":                      testNAS,
		"learned nas":              testLearnNAS,
		"changes of a tenant":      testTenantChanges,
		"journals of changes":      testJournals,
		"audit trail":              testAudit,
		"feed":                     testFeed,
		"changed":                  testChanged,
		"transactions":             testTransactions,
		"validations":              testValidations,
		"sessions":                 testSessions,
		"sessions under one id":    testReusedIDs,
		"replayed accounting":      testReplays,
		"accounting-on and -off":   testOnOff,
		"lists of sessions":        testSessionLists,
		"sessions by name":         testSessionNames,
		"stale sessions":           testStale,
		"ipv6 of sessions":         testIPv6,
		"admissions":               testAdmissions,
		"admissions that race":     testConcurrentAdmissions,
		"retention":                testRetention,
		"bulk":                     testBulk,
		"feed under load":          testFeedUnderLoad,
		"tenants can't cross over": testCrossing,
		"id":                       testID,
		"an engine that is closed": testClosed,
	} {
		t.Run(name, func(t *testing.T) { test(t, engine{open(t)}) })
	}
}

// engine is the engine under test with the steps that many tests share.
type engine struct{ store.Engine }

// timeout bounds every single wait of a test.
const timeout = 30 * time.Second

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(cancel)
	return ctx
}

// update runs fn in a transaction that must commit.
func (e engine) update(t *testing.T, fn func(store.Tx) error) {
	t.Helper()
	require.NoError(t, e.Update(within(t), "ann@desk", fn))
}

// tenants makes tenants.
func (e engine) tenants(t *testing.T, names ...string) {
	t.Helper()
	e.update(t, func(tx store.Tx) error {
		for _, name := range names {
			if _, err := tx.PutTenant(linegate.Tenant{Name: name}); err != nil {
				return err
			}
		}
		return nil
	})
}

// put stores a subscriber and returns what became of it.
func (e engine) put(t *testing.T, sub *linegate.Subscriber) (outcome linegate.Outcome) {
	t.Helper()
	e.update(t, func(tx store.Tx) (err error) {
		outcome, err = tx.PutSubscriber(sub)
		return err
	})
	return outcome
}

func (e engine) delete(t *testing.T, tenant, username string) {
	t.Helper()
	e.update(t, func(tx store.Tx) error { return tx.DeleteSubscriber(tenant, username) })
}

// get returns a subscriber that must exist.
func (e engine) get(t *testing.T, tenant, username string) *linegate.Subscriber {
	t.Helper()
	sub, err := e.Subscriber(within(t), tenant, username)
	require.NoError(t, err)
	return sub
}

// find looks a key up.
func (e engine) find(t *testing.T, tenant string, by linegate.Identity, value string) linegate.Lookup {
	t.Helper()
	found, err := e.Lookup(within(t), linegate.NewKey(tenant, by, value))
	require.NoError(t, err)
	return found
}

// names returns the usernames that EachSubscriber passes.
func (e engine) names(t *testing.T, tenant string) (names []string) {
	t.Helper()
	require.NoError(t, e.EachSubscriber(within(t), tenant, func(sub *linegate.Subscriber) error {
		names = append(names, sub.Tenant+"/"+sub.Username)
		return nil
	}))
	return names
}

// plain returns a subscriber with a password and nothing else.
func plain(tenant, username string) *linegate.Subscriber {
	return &linegate.Subscriber{Tenant: tenant, Username: username,
		Credential: linegate.Credential{Kind: linegate.CredentialCleartext, Value: "secretpw"}}
}

// full returns a subscriber with a value in every field.
func full(tenant, username string) *linegate.Subscriber {
	sub := plain(tenant, username)
	sub.Status = linegate.StatusSuspended
	sub.Profile = &linegate.NetworkProfile{
		CircuitID: "olt1 xpon 0/1/1", RemoteID: "\x00\xffONT\x80", MAC: linegate.MAC{2, 0, 0, 0, 1, 1},
		Option82Policy: linegate.Option82Enforce,
		ServiceVLAN:    4094, InnerVLAN: 202, QinQEnabled: true,
		StaticIPv4:          netip.MustParseAddr("100.64.0.11"),
		StaticIPv6:          netip.MustParseAddr("2001:db8:300::5"),
		FramedIPv6Prefix:    netip.MustParsePrefix("2001:db8:200:1::/64"),
		DelegatedIPv6Prefix: netip.MustParsePrefix("2001:db8:100::/56"),
		IPv6Mode:            linegate.IPv6DualStack,
		FramedPool:          "pool4", FramedIPv6Pool: "pool6", DelegatedIPv6Pool: "pd", StatefulIPv6Pool: "na",
		Rate:           linegate.Rate{DownloadKbps: 1_000_000, UploadKbps: 500_000},
		SessionTimeout: 24 * time.Hour, AcctInterimInterval: 5 * time.Minute, MaxSessions: 10_000,
		LineMatch: linegate.MatchHex | linegate.MatchFold, CheckVLAN: linegate.Option82Log,
		MoreLines:       linegate.Lines{{CircuitID: "olt1, second;"}, {CircuitID: "\x00\x04", RemoteID: "ONT2"}, {RemoteID: "ONT3"}},
		DNSServers:      linegate.Addresses{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("2001:db8::53")},
		FilterID:        "plan100",
		ReplyAttributes: linegate.Attributes{`Reply-Message = "a; b"`, "Idle-Timeout = 600"},
		WalledGarden:    linegate.WalledGarden{ServiceVLAN: 66, FilterID: "walled", Pool: "walled4"},
	}
	return sub
}

// onLine returns a subscriber without a password who is known by circuit alone.
func onLine(tenant, username string, circuit linegate.Octets) *linegate.Subscriber {
	return &linegate.Subscriber{Tenant: tenant, Username: username, Profile: &linegate.NetworkProfile{CircuitID: circuit}}
}

func testID(t *testing.T, e engine) {
	id, err := e.ID(within(t))
	require.NoError(t, err)
	require.Len(t, id, 36)
	e.tenants(t, "demo")
	again, err := e.ID(within(t))
	require.NoError(t, err)
	require.Equal(t, id, again)
}
