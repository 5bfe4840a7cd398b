package config

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

const examples = "../../../testdata/config/"

func TestEveryGoodExampleLoads(t *testing.T) {
	files, err := filepath.Glob(examples + "*.good.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range append(files, "../../../configs/demo.yaml", "../../../configs/linegate.yaml") {
		_, err := Load(file)
		assert.NoError(t, err, file)
	}
}

// Each bad example has its messages beside it, in a file that ends in .bad.txt.
func TestEveryBadExampleIsRefusedWithAllItsMistakes(t *testing.T) {
	files, err := filepath.Glob(examples + "*.bad.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			expected, err := os.ReadFile(strings.TrimSuffix(file, ".yaml") + ".txt")
			require.NoError(t, err)
			_, err = Load(file)
			require.Error(t, err)
			assert.Equal(t, string(expected), strings.ReplaceAll(err.Error(), examples, "")+"\n")
		})
	}
}

func TestAnEmptyFileAndNoFileHoldEveryDefault(t *testing.T) {
	empty, err := Load(examples + "empty.good.yaml")
	require.NoError(t, err)
	none, err := Load("")
	require.NoError(t, err)

	assert.Equal(t, Listen{Auth: []string{":1812"}, Acct: []string{":1813"}, CoA: []string{}, HTTP: "127.0.0.1:9812"}, none.Listen)
	assert.Equal(t, "sqlite:/var/lib/linegate/linegate.db", none.Store)
	assert.Equal(t, "/var/lib/linegate/linegate.db.key", none.KeyFile)
	assert.Equal(t, Log{Level: slog.LevelInfo, Option82Validation: LogUnmatched}, none.Log)
	assert.Equal(t, linegate.Settings{NoProfile: linegate.NoProfileAccept, AcctInterimInterval: 600}, none.Policy)
	assert.EqualValues(t, 32473, none.VendorPEN)
	assert.Equal(t, Cache{MaxBytes: 512 << 20, NegativeTTL: 10 * time.Second}, none.Cache)
	assert.Equal(t, 5*time.Second, none.Auth.ReplyCacheTTL)
	assert.Equal(t, 4096, none.Auth.Pending)
	assert.Positive(t, none.Auth.Sockets)
	assert.Positive(t, none.Auth.HashWorkers)
	assert.Equal(t, Accounting{Queue: 65536, StaleIntervals: 3, Spool: "/var/lib/linegate/linegate.db.spool", SpoolMaxBytes: 1 << 30}, none.Accounting)
	assert.Equal(t, Retention{Events: 90 * day, Sessions: 400 * day}, none.Retention)
	assert.Equal(t, CoA{Ports: 256, Timeout: 30 * time.Second, ReplayWindow: 300 * time.Second, Pending: 1024}, none.CoA)
	assert.Empty(t, none.ApplyOnFirstStart)
	assert.Equal(t, VOLTHA{Backend: "core", TechProfile: 64, Ready: 20 * time.Second, Verify: 30 * time.Second, Settle: 3 * time.Second, CheckEvery: time.Minute}, none.VOLTHA)
	assert.Equal(t, GenieACS{Expiry: 168 * time.Hour}, none.GenieACS)

	empty.File = ""
	assert.Equal(t, none, empty)
}

func TestAFileSetsEveryKey(t *testing.T) {
	full, err := Load(examples + "full.good.yaml")
	require.NoError(t, err)
	assert.Equal(t, Config{
		File:       examples + "full.good.yaml",
		Listen:     Listen{Auth: []string{"127.0.0.1:1812"}, Acct: []string{"127.0.0.1:1813"}, CoA: []string{"127.0.0.1:3799"}, HTTP: "127.0.0.1:9812"},
		Store:      "postgres://linegate:pass,word@db.example.net/linegate",
		KeyFile:    "/etc/linegate/key",
		Snapshot:   "/var/lib/linegate/copy",
		Log:        Log{Level: slog.LevelDebug, File: "/var/log/linegate/linegate.log", Option82Validation: LogAllChecks},
		Policy:     linegate.Settings{NoProfile: linegate.NoProfileReject, SessionTimeout: 86400, AcctInterimInterval: 60},
		VendorPEN:  1<<24 - 1,
		Cache:      Cache{MaxBytes: 1 << 20, NegativeTTL: time.Second, FailStatic: 8760 * time.Hour},
		Auth:       Auth{ReplyCacheTTL: 30 * time.Second, ReplyCacheEntries: 1024, Sockets: 4, Pending: 1, HashWorkers: 2},
		Accounting: Accounting{Queue: 64, Spool: "/var/spool/linegate", SpoolMaxBytes: 16 << 20}, Retention: Retention{Events: 36 * time.Hour, Sessions: 730 * day},
		CoA: CoA{Source: netip.MustParseAddr("127.0.0.1"), Ports: 16, Timeout: 10 * time.Second, ReplayWindow: time.Minute, Pending: 8,
			Clients: []CoAClient{
				{Address: netip.MustParsePrefix("192.0.2.80/32"), Tenant: "demo", Secret: "a secret with blanks"},
				{Address: netip.MustParsePrefix("2001:db8::/64"), Tenant: "demo", SecretFile: "/etc/linegate/billing.secret"},
			}},
		ApplyOnFirstStart: "testdata/demo.yaml",
		Provisioning: Provisioning{
			NetBox: NetBox{URL: "https://netbox.example.net", TokenFile: "/etc/linegate/netbox.token", Pools: []AddressPool{
				{Slot: linegate.SlotIPv4, Prefix: netip.MustParsePrefix("100.64.0.0/16")},
				{Tenant: "acme", Slot: linegate.SlotDelegatedPrefix, Prefix: netip.MustParsePrefix("2001:db8:200::/40"), VRF: "blue", Length: 48},
			}, MirrorVLANs: true},
			Quarantine: 7 * day, Parallel: 4,
			Features: Features{AllowIPv4Only: true, Option82Default: linegate.Option82Enforce},
			Tenants:  []TenantFeature{{"acme", "enable_ipv6_pd", "true"}, {"acme", "option82_default_policy", "ignore"}},
		},
		VOLTHA:   VOLTHA{Backend: "vgc", Address: "http://127.0.0.1:8181", TLS: true, TechProfile: 65, Ready: time.Second, Verify: 2 * time.Second, Settle: time.Millisecond, CheckEvery: time.Hour},
		GenieACS: GenieACS{URL: "https://acs.example.net/nbi", Username: "linegate", Password: "s3cret", Token: "t0ken", Models: "/etc/linegate/models", Expiry: time.Hour},
		API:      API{Address: "127.0.0.1:9813", TokenFile: "/etc/linegate/api.token"},
	}, full)
	assert.Equal(t, Features{AllowIPv4Only: true, Option82Default: linegate.Option82Ignore, IPv6PD: true}, full.Provisioning.FeaturesOf("acme"))
	assert.Equal(t, full.Provisioning.Features, full.Provisioning.FeaturesOf("other"))
}

func TestPoolsAndSwitchesThatAreNotAllowedAreNamed(t *testing.T) {
	for _, pool := range []string{"ipv4", "ipv5 100.64.0.0/16", "ipv4 100.64.0.1/16", "ipv4 2001:db8::/64", "ipv6 100.64.0.0/16",
		"ipv4 100.64.0.0/16 length=24", "delegated_prefix 2001:db8::/40 length=40", "delegated_prefix 2001:db8::/40 size=56", "ipv4 100.64.0.0/16 vrf="} {
		t.Setenv("LINEGATE_PROVISIONING_NETBOX_POOLS", pool)
		_, err := Load("")
		require.ErrorContains(t, err, "is not allowed", pool)
	}
	t.Setenv("LINEGATE_PROVISIONING_NETBOX_POOLS", "")
	for _, own := range []string{"acme", "acme enable_ipv6_pd", "acme enable_ipv6_pd=yes", "acme enable_magic=true", "acme option82_default_policy=", " enable_ipv6_pd=true"} {
		t.Setenv("LINEGATE_PROVISIONING_TENANTS", own)
		_, err := Load("")
		require.ErrorContains(t, err, "is not allowed", own)
	}
}

func TestListsAnchorsAndOff(t *testing.T) {
	lists, err := Load(examples + "lists.good.yaml")
	require.NoError(t, err)
	assert.Equal(t, []string{"127.0.0.1:0", "[::1]:0"}, lists.Listen.Auth)
	assert.Empty(t, lists.Listen.HTTP)
	anchors, err := Load(examples + "anchors.good.yaml")
	require.NoError(t, err)
	assert.Equal(t, anchors.Listen.Auth, anchors.Listen.Acct)
}

func TestTheSnapshotIsForPostgreSQLUnlessAskedFor(t *testing.T) {
	t.Setenv("LINEGATE_KEY_FILE", "/etc/linegate/key")
	for name, test := range map[string]struct{ store, snapshot, want string }{
		"sqlite":               {"sqlite:x.db", "", ""},
		"sqlite, asked for":    {"sqlite:x.db", "x.snapshot", "x.snapshot"},
		"postgres":             {"postgres://localhost/x", "", "/var/lib/linegate/linegate.snapshot"},
		"postgres, not wanted": {"postgres://localhost/x", "off", ""},
		"postgres, at a place": {"postgres://localhost/x", "x.snapshot", "x.snapshot"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("LINEGATE_STORE", test.store)
			t.Setenv("LINEGATE_SNAPSHOT", test.snapshot)
			c, err := Load("")
			require.NoError(t, err)
			assert.Equal(t, test.want, c.Snapshot)
		})
	}
}

func TestTheEnvironmentOverridesTheFile(t *testing.T) {
	t.Setenv("LINEGATE_LISTEN_AUTH", "127.0.0.1:0, [::1]:0")
	t.Setenv("LINEGATE_LISTEN_COA", "127.0.0.1:3799")
	t.Setenv("LINEGATE_STORE", "sqlite:/tmp/other,with comma.db")
	t.Setenv("LINEGATE_KEY_FILE", "")
	t.Setenv("LINEGATE_LOG_LEVEL", "warn")
	t.Setenv("LINEGATE_PORT", "tcp://10.0.0.1:1812") // of an orchestrator, no key of ours
	c, err := Load(examples + "full.good.yaml")
	require.NoError(t, err)
	assert.Equal(t, []string{"127.0.0.1:0", "[::1]:0"}, c.Listen.Auth)
	assert.Equal(t, []string{"127.0.0.1:3799"}, c.Listen.CoA)
	assert.Equal(t, "sqlite:/tmp/other,with comma.db", c.Store)
	assert.Equal(t, "/etc/linegate/key", c.KeyFile, "an empty variable overrides nothing")
	assert.Equal(t, slog.LevelWarn, c.Log.Level)
	assert.Equal(t, 4, c.Auth.Sockets, "the file still counts where there is no variable")
}

func TestTheSpoolLiesBesideTheStoreUnlessItIsNamedOrOff(t *testing.T) {
	t.Setenv("LINEGATE_KEY_FILE", "/etc/linegate/key")
	for named, expected := range map[string]string{"": "var/x.db.spool", "off": "", "elsewhere": "elsewhere"} {
		t.Setenv("LINEGATE_STORE", "sqlite:var/x.db")
		t.Setenv("LINEGATE_ACCOUNTING_SPOOL", named)
		c, err := Load("")
		require.NoError(t, err)
		assert.Equal(t, expected, c.Accounting.Spool)
	}
	t.Setenv("LINEGATE_STORE", "postgres://db.example.net/linegate")
	t.Setenv("LINEGATE_ACCOUNTING_SPOOL", "")
	c, err := Load("")
	require.NoError(t, err)
	assert.Equal(t, "/var/lib/linegate/spool", c.Accounting.Spool)
}

func TestABadVariableIsNamedAfterTheMistakesOfTheFile(t *testing.T) {
	t.Setenv("LINEGATE_LOG_LEVEL", "loud")
	t.Setenv("LINEGATE_LISTEN_AUTH", "127.0.0.1:0,nowhere")
	_, err := Load(examples + "unknown_key.bad.yaml")
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 5)
	assert.Equal(t, `LINEGATE_LISTEN_AUTH: "nowhere" is not allowed: HOST:PORT, [IPv6]:PORT or :PORT, one or a list; [] for none`, lines[3])
	assert.Equal(t, `LINEGATE_LOG_LEVEL: "loud" is not allowed: debug, info, warn, error`, lines[4])
}

func TestAMissingFileSaysHowToGiveAnother(t *testing.T) {
	_, err := Load("nowhere/linegate.yaml")
	assert.EqualError(t, err, "configuration file nowhere/linegate.yaml does not exist: give one with --config FILE or LINEGATE_CONFIG")
	_, err = Load(t.TempDir())
	assert.ErrorContains(t, err, "is a directory")
}

func TestFindTakesTheFlagThenTheVariableThenThePlaces(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("LINEGATE_CONFIG", "")
	assert.NotEqual(t, "linegate.yaml", Find(""))
	require.NoError(t, os.WriteFile("linegate.yaml", nil, 0o600))
	assert.Equal(t, "linegate.yaml", Find(""))
	t.Setenv("LINEGATE_CONFIG", "env.yaml")
	assert.Equal(t, "env.yaml", Find(""))
	assert.Equal(t, "flag.yaml", Find("flag.yaml"))
}

func TestTheProductionExampleNamesEveryKey(t *testing.T) {
	text, err := os.ReadFile("../../../configs/linegate.yaml")
	require.NoError(t, err)
	for _, key := range Keys() {
		last := key.Name[strings.LastIndex(key.Name, ".")+1:]
		assert.Regexp(t, `(?m)^ *(# )?`+last+`:`, string(text))
	}
}

func TestEveryKeyIsDescribed(t *testing.T) {
	for _, key := range Keys() {
		assert.NotEmpty(t, key.Allowed, key.Name)
		assert.NotEmpty(t, key.About, key.Name)
		assert.Regexp(t, `^LINEGATE_[A-Z0-9_]+$`, key.Env())
		var c Config
		bad, ok := key.set(&c, key.split(key.Default))
		assert.True(t, ok, "the default of %s is allowed, %q too", key.Name, bad)
	}
}

func TestListenAddresses(t *testing.T) {
	for text, allowed := range map[string]bool{
		":1812": true, "127.0.0.1:1812": true, "0.0.0.0:0": true, "[::]:1812": true, "[fe80::1%eth0]:1812": true,
		"localhost:1812": true, "radius.example.net:1812": true,
		"": false, "1812": false, "127.0.0.1": false, "::1:1812": false, "[127.0.0.1:1": false, "127.0.0.300:1": false,
		"127.0.0.1:65536": false, "127.0.0.1:-1": false, "127.0.0.1:radius": false, "[::1::]:1": false, "a b:1": false, "-x:1": false,
	} {
		assert.Equal(t, allowed, isAddress(text), text)
	}
}

func TestOctetsTakeBinaryUnits(t *testing.T) {
	for text, expected := range map[string]int64{
		"1": 1, "1024": 1024, "1KiB": 1 << 10, "3 MiB": 3 << 20, "2GiB": 2 << 30, "1TiB": 1 << 40,
		"": -1, "KiB": -1, "1KB": -1, "1.5GiB": -1, "-1": -1, "0": -1, "2TiB": -1, "9223372036854775807TiB": -1,
	} {
		value, ok := octets(text, 1, 1<<40)
		if assert.Equal(t, expected > 0, ok, text); ok {
			assert.Equal(t, expected, value, text)
		}
	}
}

func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob(examples + "*.yaml")
	require.NoError(f, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(text)
	}
	path := filepath.Join(f.TempDir(), "fuzz.yaml")
	f.Fuzz(func(t *testing.T, text []byte) {
		require.NoError(t, os.WriteFile(path, text, 0o600))
		c, err := Load(path)
		if err == nil && c.Store == "" {
			t.Error("a file was accepted that leaves no store")
		}
	})
}
