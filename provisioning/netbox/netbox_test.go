package netbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"linegate"
	"linegate/provisioning/netbox"
	"linegate/provisioning/netbox/netboxtest"
)

// system is a NetBox that the tests of the contract run against.
type system struct {
	url   string
	token linegate.Secret
	fake  *netboxtest.Server // nil: a real one
}

// eachSystem runs a test against every version that behaves differently, and
// against the real server that the environment names, with either token.
func eachSystem(t *testing.T, test func(t *testing.T, s system)) {
	for _, version := range [][3]int{{3, 0, 0}, {3, 1, 1}, {3, 7, 8}, {4, 0, 0}, {4, 1, 0}, {4, 5, 1}, {4, 5, 8}, {4, 7, 3}} {
		t.Run(fmt.Sprintf("as version %d.%d.%d", version[0], version[1], version[2]), func(t *testing.T) {
			test(t, fake(t, version))
		})
	}
	if url := os.Getenv("LINEGATE_TEST_NETBOX_URL"); url != "" {
		for _, name := range []string{"LINEGATE_TEST_NETBOX_TOKEN", "LINEGATE_TEST_NETBOX_TOKEN2"} {
			if token := os.Getenv(name); token != "" {
				t.Run("real, with "+name, func(t *testing.T) { test(t, system{url: url, token: linegate.Secret(token)}) })
			}
		}
	}
}

func fake(t *testing.T, version [3]int) system {
	server := netboxtest.New(version)
	t.Cleanup(server.Close)
	return system{url: server.URL(), token: netboxtest.Token1, fake: server}
}

// client returns one with a pool of each slot, made for it: a real server is
// shared by all tests.
func (s system) client(t *testing.T, adjust ...func(*netbox.Options)) (*netbox.Client, []netbox.Pool) {
	t.Helper()
	n := rand.IntN(1 << 15)
	pools := []netbox.Pool{
		{Slot: linegate.SlotIPv4, Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), 0}), 29)},
		{Slot: linegate.SlotIPv6, Prefix: netip.MustParsePrefix(fmt.Sprintf("2001:db8:%x:1::/64", n))},
		{Slot: linegate.SlotFramedPrefix, Prefix: netip.MustParsePrefix(fmt.Sprintf("2001:db8:%x:100::/56", n))},
		{Slot: linegate.SlotDelegatedPrefix, Prefix: netip.MustParsePrefix(fmt.Sprintf("2001:db8:%x:8000::/53", n)), Length: 56},
	}
	for _, pool := range pools {
		s.post(t, "/api/ipam/prefixes/", map[string]any{"prefix": pool.Prefix.String(), "status": "container"})
	}
	options := netbox.Options{URL: s.url, Token: s.token, Pools: pools}
	for _, change := range adjust {
		change(&options)
	}
	client, err := netbox.New(options)
	require.NoError(t, err)
	return client, pools
}

// post makes something behind the client's back.
func (s system) post(t *testing.T, path string, body map[string]any) {
	t.Helper()
	text, err := json.Marshal(body)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, strings.NewReader(string(text)))
	require.NoError(t, err)
	s.authorize(request)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusCreated, answer.StatusCode)
}

func (s system) authorize(request *http.Request) {
	scheme := "Token "
	if strings.HasPrefix(s.token.Reveal(), "nbt_") {
		scheme = "Bearer "
	}
	request.Header.Set("Authorization", scheme+s.token.Reveal())
}

// claim returns one with a key that nobody had before.
func claim(slot linegate.AddressSlot, length int) linegate.AddressClaim {
	return linegate.AddressClaim{
		Key: fmt.Sprintf("svc-%016x/%s", rand.Uint64(), slot), Tenant: "acme", Username: "alice", Service: "svc-1", Slot: slot, Length: length,
	}
}

func TestAnAddressLivesThroughAllVersions(t *testing.T) {
	eachSystem(t, func(t *testing.T, s system) {
		client, pools := s.client(t)
		for i, wanted := range []linegate.AddressClaim{
			claim(linegate.SlotIPv4, 0), claim(linegate.SlotIPv6, 0), claim(linegate.SlotFramedPrefix, 64),
			claim(linegate.SlotDelegatedPrefix, 56), claim(linegate.SlotDelegatedPrefix, 60), claim(linegate.SlotDelegatedPrefix, 64),
		} {
			held, err := client.Allocate(t.Context(), wanted)
			require.NoError(t, err, wanted.Slot)
			pool := pools[min(i, 3)].Prefix
			assert.True(t, pool.Contains(held.Prefix.Addr()), "%s in %s", held.Prefix, pool)
			assert.Equal(t, pool.String(), held.Pool)
			if wanted.Slot.Prefix() {
				assert.Equal(t, wanted.Length, held.Prefix.Bits())
			} else {
				assert.True(t, held.Prefix.IsSingleIP())
			}

			again, err := client.Allocate(t.Context(), wanted)
			require.NoError(t, err)
			assert.Equal(t, held, again, "the same key gets the same")
			require.NoError(t, client.Confirm(t.Context(), wanted, held))
			require.NoError(t, client.Confirm(t.Context(), wanted, held))
			assert.Contains(t, managed(t, client), wanted.Key)

			require.NoError(t, client.Release(t.Context(), wanted, false))
			require.NoError(t, client.Release(t.Context(), wanted, false), "a second time")
			assert.NotContains(t, managed(t, client), wanted.Key)
			require.ErrorIs(t, client.Confirm(t.Context(), wanted, held), linegate.ErrNotFound)
		}
	})
}

func managed(t *testing.T, client *netbox.Client) (keys []string) {
	t.Helper()
	require.NoError(t, client.Managed(t.Context(), func(a linegate.Allocation) error { keys = append(keys, a.Key); return nil }))
	return keys
}

func TestAnExhaustedPoolSaysSoInAllVersions(t *testing.T) {
	eachSystem(t, func(t *testing.T, s system) {
		client, _ := s.client(t)
		for range 6 { // a /29 without its first and last
			_, err := client.Allocate(t.Context(), claim(linegate.SlotIPv4, 0))
			require.NoError(t, err)
		}
		_, err := client.Allocate(t.Context(), claim(linegate.SlotIPv4, 0))
		require.ErrorIs(t, err, linegate.ErrExhausted)
		assert.ErrorContains(t, err, "has no free address left")
		for range 8 {
			_, err = client.Allocate(t.Context(), claim(linegate.SlotDelegatedPrefix, 56))
			require.NoError(t, err)
		}
		_, err = client.Allocate(t.Context(), claim(linegate.SlotDelegatedPrefix, 56))
		require.ErrorIs(t, err, linegate.ErrExhausted)
		assert.ErrorContains(t, err, "has no free /56 left")
	})
}

func TestAReleasedAddressIsNotGivenOutDuringItsQuarantine(t *testing.T) {
	eachSystem(t, func(t *testing.T, s system) {
		client, _ := s.client(t)
		wanted := claim(linegate.SlotIPv4, 0)
		held, err := client.Allocate(t.Context(), wanted)
		require.NoError(t, err)
		require.NoError(t, client.Release(t.Context(), wanted, true))
		assert.NotContains(t, managed(t, client), wanted.Key)
		next, err := client.Allocate(t.Context(), wanted)
		require.NoError(t, err)
		assert.NotEqual(t, held.Prefix, next.Prefix)

		require.NoError(t, client.Free(t.Context(), next), "what is in use is left alone")
		assert.Contains(t, managed(t, client), wanted.Key)
		require.NoError(t, client.Free(t.Context(), held))
		require.NoError(t, client.Free(t.Context(), held), "a second time")
		again, err := client.Allocate(t.Context(), claim(linegate.SlotIPv4, 0))
		require.NoError(t, err)
		assert.Equal(t, held.Prefix, again.Prefix)
	})
}

func TestConcurrentClaimsGetDifferentAddresses(t *testing.T) {
	eachSystem(t, func(t *testing.T, s system) {
		client, _ := s.client(t)
		var (
			mu    sync.Mutex
			seen  = map[netip.Prefix]string{}
			tasks errgroup.Group
		)
		keys := []linegate.AddressClaim{}
		for range 12 {
			keys = append(keys, claim(linegate.SlotDelegatedPrefix, 60))
		}
		for i := range 36 { // each key three times at once
			tasks.Go(func() error {
				wanted := keys[i%len(keys)]
				held, err := client.Allocate(t.Context(), wanted)
				mu.Lock()
				defer mu.Unlock()
				if other, taken := seen[held.Prefix]; taken && other != wanted.Key {
					err = errors.Join(err, fmt.Errorf("%s went to %s and %s", held.Prefix, other, wanted.Key))
				}
				seen[held.Prefix] = wanted.Key
				return err
			})
		}
		require.NoError(t, tasks.Wait())
		assert.Len(t, seen, len(keys))
	})
}

func TestPoolsForPrefixDelegation(t *testing.T) {
	eachSystem(t, func(t *testing.T, s system) {
		client, _ := s.client(t)
		parent := netip.MustParsePrefix(fmt.Sprintf("2001:db8:%x:f000::/52", rand.IntN(1<<16)))
		made, err := client.CreatePool(t.Context(), netbox.PoolSpec{Prefix: parent, Length: 56})
		require.NoError(t, err)
		assert.Equal(t, uint64(16), made.Total)
		assert.Equal(t, uint64(16), made.Available)
		again, err := client.CreatePool(t.Context(), netbox.PoolSpec{Prefix: parent, Length: 56})
		require.NoError(t, err)
		assert.Equal(t, made.ID, again.ID)
		free, err := client.FreePrefixes(t.Context(), made.ID, 56, 3)
		require.NoError(t, err)
		require.Len(t, free, 3)
		assert.Equal(t, netip.PrefixFrom(parent.Addr(), 56), free[0])

		pool := netbox.Pool{Slot: linegate.SlotDelegatedPrefix, Prefix: parent, Length: 56}
		client, _ = s.client(t, func(o *netbox.Options) { o.Pools = []netbox.Pool{pool} })
		_, err = client.Allocate(t.Context(), claim(linegate.SlotDelegatedPrefix, 60))
		require.NoError(t, err)
		usage, err := client.Usage(t.Context())
		require.NoError(t, err)
		assert.Equal(t, uint64(15), usage[pool].Available, "a /56 of which a /60 is taken has no room for a /56")
		free, err = client.FreePrefixes(t.Context(), made.ID, 56, 100)
		require.NoError(t, err)
		assert.Len(t, free, 15)

		_, err = client.CreatePool(t.Context(), netbox.PoolSpec{Prefix: parent, Length: 48})
		var field *linegate.FieldError
		require.ErrorAs(t, err, &field)
	})
}

func TestAFixedAddressIsTakenOnce(t *testing.T) {
	eachSystem(t, func(t *testing.T, s system) {
		client, pools := s.client(t)
		wanted := claim(linegate.SlotIPv4, 0)
		wanted.Fixed = pools[0].Prefix.Addr().Next().Next().Next()
		held, err := client.Allocate(t.Context(), wanted)
		require.NoError(t, err)
		assert.Equal(t, wanted.Fixed, held.Prefix.Addr())
		again, err := client.Allocate(t.Context(), wanted)
		require.NoError(t, err)
		assert.Equal(t, held, again)
		other := claim(linegate.SlotIPv4, 0)
		other.Fixed = wanted.Fixed
		_, err = client.Allocate(t.Context(), other)
		require.ErrorIs(t, err, linegate.ErrConflict)
	})
}

func TestAFixedAddressIsNotedAsItsSubscribers(t *testing.T) {
	eachSystem(t, func(t *testing.T, s system) {
		client, pools := s.client(t)
		fixed := pools[0].Prefix.Addr().Next()
		s.post(t, "/api/ipam/ip-addresses/", map[string]any{"address": fixed.String() + "/29", "status": "active"})
		wanted := linegate.AddressClaim{Key: "svc-1/ipv4", Tenant: "acme", Username: "alice", Slot: linegate.SlotIPv4, Fixed: fixed}
		require.NoError(t, client.Associate(t.Context(), wanted))
		require.NoError(t, client.Associate(t.Context(), wanted))
		assert.Equal(t, "acme/alice", s.subscriberOf(t, fixed))
		other := wanted
		other.Username = "bob"
		require.NoError(t, client.Dissociate(t.Context(), other))
		assert.Equal(t, "acme/alice", s.subscriberOf(t, fixed), "only its own note is taken back")
		require.NoError(t, client.Dissociate(t.Context(), wanted))
		assert.Nil(t, s.subscriberOf(t, fixed))
		wanted.Fixed = fixed.Next()
		require.NoError(t, client.Associate(t.Context(), wanted), "an address that NetBox doesn't know stays unknown")
	})
}

func (s system) subscriberOf(t *testing.T, address netip.Addr) any {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/ipam/ip-addresses/?address="+address.String(), nil)
	require.NoError(t, err)
	scheme := "Token "
	if strings.HasPrefix(s.token.Reveal(), "nbt_") {
		scheme = "Bearer "
	}
	request.Header.Set("Authorization", scheme+s.token.Reveal())
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	var page struct {
		Results []struct {
			CustomFields map[string]any `json:"custom_fields"`
		}
	}
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&page))
	require.Len(t, page.Results, 1)
	return page.Results[0].CustomFields["linegate_subscriber"]
}

// lose makes the server carry out one request that matches and say nothing.
func lose(server *netboxtest.Server, method, part string) *atomic.Int32 {
	var lost atomic.Int32
	server.After = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || !strings.Contains(r.URL.Path, part) || !lost.CompareAndSwap(0, 1) {
			return false
		}
		connection, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			connection.Close()
		}
		return true
	}
	return &lost
}

func TestALostAnswerNeitherLeaksNorDoubles(t *testing.T) {
	for _, version := range [][3]int{{3, 0, 0}, {4, 7, 3}} {
		s := fake(t, version)
		client, _ := s.client(t)
		lost := lose(s.fake, http.MethodPost, "/available-")
		wanted := claim(linegate.SlotDelegatedPrefix, 56)
		_, err := client.Allocate(t.Context(), wanted)
		require.ErrorIs(t, err, linegate.ErrOutcomeUnknown)
		require.Equal(t, int32(1), lost.Load())
		held, err := client.Allocate(t.Context(), wanted)
		require.NoError(t, err)
		assert.Equal(t, []netip.Prefix{held.Prefix}, s.fake.Held("linegate_key")[wanted.Key])
		assert.Equal(t, 1, s.fake.Objects())

		lose(s.fake, http.MethodDelete, "/prefixes/")
		require.ErrorIs(t, client.Release(t.Context(), wanted, false), linegate.ErrOutcomeUnknown)
		require.NoError(t, client.Release(t.Context(), wanted, false))
		assert.Zero(t, s.fake.Objects())
	}
}

// A request that was given up on may come through after the one that replaced it.
func TestOfTwoObjectsWithAKeyTheFirstStays(t *testing.T) {
	s := fake(t, [3]int{3, 7, 8})
	client, pools := s.client(t)
	wanted := claim(linegate.SlotIPv4, 0)
	held, err := client.Allocate(t.Context(), wanted)
	require.NoError(t, err)
	s.fake.Add(netip.PrefixFrom(pools[0].Prefix.Addr().Next().Next().Next(), 29), map[string]any{"linegate_key": wanted.Key})
	again, err := client.Allocate(t.Context(), wanted)
	require.NoError(t, err)
	assert.Equal(t, held, again)
	assert.Equal(t, 1, s.fake.Objects())
}

func TestARequestThatCameThroughLateIsAdopted(t *testing.T) {
	s := fake(t, [3]int{4, 7, 3})
	client, pools := s.client(t)
	_, err := client.Check(t.Context())
	require.NoError(t, err)
	wanted := claim(linegate.SlotIPv4, 0)
	late := netip.PrefixFrom(pools[0].Prefix.Addr().Next().Next(), 32)
	var once sync.Once
	s.fake.Before = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			once.Do(func() { s.fake.Add(late, map[string]any{"linegate_key": wanted.Key}) })
		}
		return false
	}
	held, err := client.Allocate(t.Context(), wanted)
	require.NoError(t, err)
	assert.Equal(t, late, held.Prefix)
	assert.Equal(t, 1, s.fake.Objects())
}

func TestWhatTheServerSaysIsTakenForWhatItMeans(t *testing.T) {
	cases := map[string]struct {
		method string
		status int
		body   string
		want   error
	}{
		"a proxy's error page leaves a write unknown":  {http.MethodPost, 502, "<html>bad gateway</html>", linegate.ErrOutcomeUnknown},
		"a time-out at the proxy too":                  {http.MethodPost, 504, "", linegate.ErrOutcomeUnknown},
		"an error of a read can be tried again":        {http.MethodGet, 500, "", linegate.ErrTryAgain},
		"too many requests can be tried again":         {http.MethodPost, 429, "", linegate.ErrTryAgain},
		"a token without the permission is refused":    {http.MethodPost, 403, `{"detail":"You do not have permission to perform this action."}`, linegate.ErrRefused},
		"errors in a list are refused":                 {http.MethodPost, 400, `[{"prefix_length":"this field must be int type"}]`, linegate.ErrRefused},
		"a conflict while allocating means exhausted":  {http.MethodPost, 409, `{"detail":"An insufficient number of IP addresses are available within the prefix"}`, linegate.ErrExhausted},
		"no content while allocating means exhausted":  {http.MethodPost, 204, "", linegate.ErrExhausted},
		"a redirect is refused":                        {http.MethodGet, 301, "", linegate.ErrRefused},
		"a page that is no API leaves a write unknown": {http.MethodPost, 200, "<html>log in</html>", linegate.ErrOutcomeUnknown},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := fake(t, [3]int{4, 7, 3})
			client, _ := s.client(t)
			_, err := client.Check(t.Context())
			require.NoError(t, err)
			s.fake.Before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != c.method {
					return false
				}
				w.Header().Set("Location", "/")
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
				return true
			}
			_, err = client.Allocate(t.Context(), claim(linegate.SlotIPv4, 0))
			require.ErrorIs(t, err, c.want)
		})
	}
}

func TestAServerThatIsAwayCanBeTriedAgain(t *testing.T) {
	s := fake(t, [3]int{4, 7, 3})
	client, _ := s.client(t)
	s.fake.Close()
	_, err := client.Allocate(t.Context(), claim(linegate.SlotIPv4, 0))
	require.ErrorIs(t, err, linegate.ErrTryAgain)
}

func TestTheSetupIsRefusedWhereItWouldFindTheWrongThings(t *testing.T) {
	cases := map[string]struct {
		prepare func(*testing.T, system)
		adjust  func(*netbox.Options)
		want    string
	}{
		"a loose filter finds parts of keys": {
			prepare: func(t *testing.T, s system) {
				client, _ := s.client(t)
				_, err := client.Check(t.Context())
				require.NoError(t, err)
				s.fake.SetField("linegate_key", "filter_logic", "loose")
			},
			want: "it must have text and exact",
		},
		"a field of other objects finds everything": {
			prepare: func(t *testing.T, s system) {
				client, _ := s.client(t)
				_, err := client.Check(t.Context())
				require.NoError(t, err)
				s.fake.SetField("linegate_key", "object_types", []string{"dcim.site"})
			},
			want: "is not one of ipam.ipaddress",
		},
		"a wrong token":   {adjust: func(o *netbox.Options) { o.Token = "wrong" }, want: "status 403"},
		"a missing pool":  {adjust: func(o *netbox.Options) { o.Pools[0].Prefix = netip.MustParsePrefix("203.0.113.0/24") }, want: "there are 0 prefixes"},
		"a pool of a VRF": {adjust: func(o *netbox.Options) { o.Pools[0].VRF = "blue" }, want: "there are 0 prefixes"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := fake(t, [3]int{4, 7, 3})
			if c.prepare != nil {
				c.prepare(t, s)
			}
			client, _ := s.client(t, func(o *netbox.Options) {
				if c.adjust != nil {
					c.adjust(o)
				}
			})
			_, err := client.Allocate(t.Context(), claim(linegate.SlotIPv4, 0))
			require.ErrorContains(t, err, c.want)
			assert.ErrorIs(t, err, linegate.ErrRefused)
		})
	}
}

// Versions before 4.5.8 drop a custom field that they don't know, and say created.
func TestAnObjectWhoseKeyIsDroppedDoesNotStay(t *testing.T) {
	s := fake(t, [3]int{4, 5, 1})
	client, _ := s.client(t)
	_, err := client.Check(t.Context())
	require.NoError(t, err)
	s.fake.DropField("linegate_key")
	_, err = client.Allocate(t.Context(), claim(linegate.SlotIPv4, 0))
	require.ErrorContains(t, err, "is not kept")
	assert.Zero(t, s.fake.Objects())
}

func TestAnObjectThatChangedMeanwhileIsReadAgain(t *testing.T) {
	s := fake(t, [3]int{4, 7, 3})
	client, _ := s.client(t)
	wanted := claim(linegate.SlotIPv4, 0)
	held, err := client.Allocate(t.Context(), wanted)
	require.NoError(t, err)
	var once sync.Once
	s.fake.Before = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch {
			once.Do(func() { s.fake.Touch(held.ID) })
		}
		return false
	}
	require.NoError(t, client.Confirm(t.Context(), wanted, held))
	assert.Equal(t, "active", s.fake.Status(held.ID))
}

// Two claims may point at one object after somebody moved a key by hand.
func TestAnObjectThatIsAnothersByNowIsLeftAlone(t *testing.T) {
	s := fake(t, [3]int{4, 7, 3})
	client, _ := s.client(t)
	wanted := claim(linegate.SlotIPv4, 0)
	held, err := client.Allocate(t.Context(), wanted)
	require.NoError(t, err)
	var once sync.Once
	s.fake.After = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && r.URL.Query().Has("cf_linegate_key") {
			once.Do(func() { s.fake.SetCustom(held.ID, "linegate_key", "another") })
		}
		return false
	}
	require.NoError(t, client.Release(t.Context(), wanted, false))
	assert.Equal(t, 1, s.fake.Objects())
}

func TestOptionsThatCanNotBeAreRefused(t *testing.T) {
	for _, url := range []string{"", "netbox.example.net", "ftp://netbox.example.net", "://"} {
		_, err := netbox.New(netbox.Options{URL: url})
		var field *linegate.FieldError
		require.ErrorAs(t, err, &field, url)
	}
}

func TestACallThatIsGivenUpOnEnds(t *testing.T) {
	s := fake(t, [3]int{4, 7, 3})
	client, _ := s.client(t)
	_, err := client.Check(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client.Allocate(ctx, claim(linegate.SlotIPv4, 0))
	require.ErrorIs(t, err, linegate.ErrTryAgain)
}
