package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/cmd/linegate/config"
	"linegate/store"
	"linegate/store/postgres/pgtest"
)

// seeded is freshStore with a tenant in the store.
func seeded(t *testing.T) {
	t.Helper()
	freshStore(t)
	require.NoError(t, os.WriteFile("isp.yaml", []byte("tenants: [{name: isp}]"), 0o600))
	require.NoError(t, run(t, "", "apply", "-f", "isp.yaml").err)
}

// within opens the store of the working directory.
func within(t *testing.T, fn func(engine store.Engine)) {
	t.Helper()
	cfg, err := config.Load("")
	require.NoError(t, err)
	engine, _, err := openStore(t.Context(), cfg)
	require.NoError(t, err)
	fn(engine)
	require.NoError(t, engine.Close())
}

func TestTheDemoDataIsWhatItSays(t *testing.T) {
	demo, err := os.Getwd()
	require.NoError(t, err)
	freshStore(t)
	applied := run(t, "", "apply", "-f", demo+"/../../testdata/demo.yaml")
	require.NoError(t, applied.err)
	assert.Contains(t, applied.stdout, "8 created, 0 changed, 0 unchanged")

	for name, expected := range map[string]string{
		"alice": "olt1 xpon 0/1/1|ONT1|enforce|101||dual_stack|active|cleartext",
		"bob":   "olt1 xpon 0/1/2|ONT2|log|102|202|none|active|cleartext",
		"carol": "||ignore|||slaac|active|cleartext",
		"dave":  "||log|||none|suspended|cleartext",
		"erin":  "||log|||stateful|active|cleartext",
		"frank": "olt1 xpon 0/1/6||log|||none|active|none",
	} {
		var got map[string]any
		require.NoError(t, json.Unmarshal([]byte(run(t, "", "profile", "get", name, "-o", "json").stdout), &got))
		var texts []string
		for _, key := range []string{"circuit_id", "remote_id", "option82_policy", "service_vlan", "inner_vlan", "ipv6_assignment_mode", "status", "password_kind"} {
			texts = append(texts, cell(got[key]))
		}
		assert.Equal(t, expected, strings.Join(texts, "|"), name)
	}
}

func TestAnImportFromStandardInput(t *testing.T) {
	seeded(t)
	got := run(t, "username,password\nalice,secretpw\n", "profile", "import", "-")
	require.NoError(t, got.err)
	assert.Equal(t, "created    1\nchanged    0\nunchanged  0\n", got.stdout)
	got = run(t, "username,password\nbob,\n", "profile", "import", "-")
	assert.ErrorContains(t, got.err, `-:2: password: "" is not allowed`)
}

func TestALongImportIsOneTransactionAndKeepsCount(t *testing.T) {
	seeded(t)
	const rows = 1100
	var good strings.Builder
	good.WriteString("username,password,service_vlan\n")
	for i := range rows {
		fmt.Fprintf(&good, "user%d,secretpw,%d\n", i, i%4094+1)
	}
	require.NoError(t, os.WriteFile("good.csv", []byte(good.String()), 0o600))
	require.NoError(t, os.WriteFile("bad.csv", []byte(good.String()+strings.Repeat("x,secretpw,9999\n", 30)), 0o600))

	bad := run(t, "", "profile", "import", "bad.csv")
	require.Error(t, bad.err)
	assert.Contains(t, bad.stderr, "bad.csv:1102: service_vlan: \"9999\" is not allowed: 1 to 4094\n")
	assert.Contains(t, bad.stderr, "and 10 more\n")
	within(t, func(engine store.Engine) {
		count, err := engine.CountSubscribers(t.Context(), "isp")
		require.NoError(t, err)
		assert.Zero(t, count, "a bad row at the end takes back all rows before it")
	})

	require.NoError(t, run(t, "", "profile", "import", "good.csv").err)
	within(t, func(engine store.Engine) {
		count, err := engine.CountSubscribers(t.Context(), "isp")
		require.NoError(t, err)
		assert.Equal(t, rows, count)
	})
	var listed []map[string]any
	require.NoError(t, json.Unmarshal([]byte(run(t, "", "profile", "list", "-o", "json").stdout), &listed))
	assert.Len(t, listed, rows)
	assert.Len(t, strings.Split(run(t, "", "profile", "list").stdout, "\n"), rows+2)
}

func TestAnImportEndsWithItsContext(t *testing.T) {
	seeded(t)
	within(t, func(engine store.Engine) {
		ended, cancel := context.WithCancel(t.Context())
		source, err := openSeekable(strings.NewReader("username,password\nalice,secretpw\n"), "-")
		require.NoError(t, err)
		defer source.close()
		imported := &csvImport{name: "-", tenant: "isp", source: source, progress: newProgress(os.Stderr, "importing", -1)}
		err = imported.run(ended, cancelling{engine, cancel}, "test", false)
		assert.ErrorIs(t, err, context.Canceled)
	})
}

// cancelling is an engine whose caller gives up once the transaction has begun.
type cancelling struct {
	store.Engine
	cancel context.CancelFunc
}

func (c cancelling) Update(_ context.Context, _ string, fn func(store.Tx) error) error {
	c.cancel()
	return fn(nil)
}

func TestAnExportedPasswordIsNeverInClear(t *testing.T) {
	seeded(t)
	require.NoError(t, run(t, "", "profile", "set", "alice", "--password", "v3rysecret").err)
	require.NoError(t, run(t, "", "nas", "add", "bng1", "--address", "192.0.2.1", "--secret", "n4ssecret").err)
	for _, line := range []string{"profile export", "profile get alice", "profile list -o json", "profile audit alice -o yaml", "nas list -o json"} {
		got := run(t, "", strings.Fields(line)...)
		require.NoError(t, got.err)
		assert.NotContains(t, got.stdout+got.stderr, "v3rysecret", line)
		assert.NotContains(t, got.stdout+got.stderr, "n4ssecret", line)
	}
}

func TestAPasswordComesFromAFileOrStandardInput(t *testing.T) {
	seeded(t)
	require.NoError(t, run(t, "secretpw\n", "profile", "set", "alice", "--password-file", "-").err)
	within(t, func(engine store.Engine) {
		alice, err := engine.Subscriber(t.Context(), "isp", "alice")
		require.NoError(t, err)
		assert.Equal(t, linegate.Credential{Kind: linegate.CredentialCleartext, Value: "secretpw"}, alice.Credential)
	})
	assert.ErrorContains(t, run(t, "", "profile", "set", "alice", "--password-file", "-").err, "its first line is empty")
	assert.ErrorContains(t, run(t, "", "profile", "set", "alice", "--password-file", ".").err, "is a directory")
	assert.ErrorContains(t, run(t, "", "profile", "set", "alice", "--password-file", "-", "--password", "x").err, "password-file")
}

func TestAProfileSaysWhatBecameOfItsChecks(t *testing.T) {
	seeded(t)
	require.NoError(t, run(t, "", "profile", "set", "alice", "--password", "secretpw").err)
	within(t, func(engine store.Engine) {
		alice, err := engine.Subscriber(t.Context(), "isp", "alice")
		require.NoError(t, err)
		require.NoError(t, engine.RecordValidations(t.Context(), []store.ValidationRecord{{SubscriberID: alice.ID,
			LastAt: time.Unix(1_700_000_000, 0), LastResult: linegate.Option82Mismatch, Mismatches: 3}}))
	})
	shown := run(t, "", "profile", "get", "alice").stdout
	assert.Contains(t, shown, "last_validated_at        2023-11-14T22:13:20Z\n")
	assert.Contains(t, shown, "last_validation_result   mismatch\n")
	assert.Contains(t, shown, "option82_mismatch_count  3\n")
}

func TestSessionsAreListedNewestFirstAndFiltered(t *testing.T) {
	seeded(t)
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	event := func(id, user string, vlan linegate.VLAN, status linegate.AcctStatus, at time.Time) linegate.AccountingEvent {
		return linegate.AccountingEvent{
			NAS:    linegate.NASKey{Tenant: "isp", Name: "bng1", Address: netip.MustParseAddr("192.0.2.1")},
			Status: status, At: at, ReceivedAt: at, AcctSessionID: id, UserName: user, ServiceVLAN: vlan,
			FramedIPv4: netip.MustParseAddr("100.64.0.1"),
		}
	}
	ended := event("1", "alice", 101, linegate.AcctStop, start.Add(time.Hour))
	ended.TerminateCause = 1
	within(t, func(engine store.Engine) {
		require.NoError(t, engine.RecordAccounting(t.Context(), []linegate.AccountingEvent{
			event("1", "alice", 101, linegate.AcctStart, start),
			event("2", "evil\x1b[2J", 102, linegate.AcctStart, start.Add(time.Minute)), ended,
		}))
	})
	table := run(t, "", "session", "list")
	require.NoError(t, table.err)
	lines := strings.Split(table.stdout, "\n")
	require.Len(t, lines, 4)
	assert.Regexp(t, `^bng1 +2 +"evil\\x1b\[2J" +102 +100\.64\.0\.1 +2026-01-02T03:05:05Z  +0 +0 +0 *$`, lines[1])
	assert.Regexp(t, `^bng1 +1 +alice +101 .*2026-01-02T04:04:05Z .*User-Request$`, lines[2])

	for filter, expected := range map[string]int{
		"": 2, "--active": 1, "--user alice": 1, "--nas bng1": 2, "--nas bng2": 0, "--vlan 102": 1, "--limit 1": 1,
	} {
		var sessions []map[string]any
		got := run(t, "", append([]string{"session", "list", "-o", "json"}, strings.Fields(filter)...)...)
		require.NoError(t, got.err)
		require.NoError(t, json.Unmarshal([]byte(got.stdout), &sessions))
		assert.Len(t, sessions, expected, filter)
	}
	assert.EqualError(t, run(t, "", "session", "list", "--vlan", "4095").err, `--vlan: "4095" is not allowed: 1 to 4094`)
	assert.EqualError(t, run(t, "", "session", "list", "--limit", "-1").err, `--limit: "-1" is not allowed: 0 or more`)
}

func TestTheShellCompletesNamesAndWords(t *testing.T) {
	seeded(t)
	require.NoError(t, run(t, "", "profile", "set", "alice", "--password", "secretpw").err)
	require.NoError(t, run(t, "", "profile", "set", "bob", "--password", "secretpw").err)
	require.NoError(t, run(t, "", "nas", "add", "bng1", "--address", "192.0.2.1", "--secret", "0123456789abcdef").err)
	within(t, func(engine store.Engine) {
		require.NoError(t, engine.RecordAccounting(t.Context(), []linegate.AccountingEvent{silentSession(time.Now())}))
	})
	for line, expected := range map[string]string{
		"profile get |a":                             "alice\n:4\n",
		"profile get alice|":                         ":4\n",
		"profile set x --option82-policy|e":          "enforce\nlog\nignore\n:4\n",
		"profile set x --service-vlan|":              ":4\n",
		"nas remove |":                               "bng1\n:4\n",
		"session list --user|b":                      "bob\n:4\n",
		"session list --nas|b":                       "bng1\n:4\n",
		"session show |s":                            "s1\n:4\n",
		"session show s1 |s":                         ":4\n",
		"profile list --tenant|":                     "isp\n:4\n",
		"profile list --output|":                     "table\njson\nyaml\n:4\n",
		"nas add x --require-message-authenticator|": "auto\nyes\nno\n:4\n",
	} {
		before, start, _ := strings.Cut(line, "|")
		got := run(t, "", append(append([]string{"__complete"}, strings.Fields(before)...), start)...)
		require.NoError(t, got.err, line)
		assert.Equal(t, expected, got.stdout, line)
	}
	t.Setenv("LINEGATE_STORE", "nonsense")
	assert.Equal(t, ":1\n", run(t, "", "__complete", "profile", "get", "").stdout)
}

func TestAStoreThatCannotBeOpenedSaysSo(t *testing.T) {
	freshStore(t)
	t.Setenv("LINEGATE_STORE", "postgres://user:hunter2@127.0.0.1:1/linegate")
	t.Setenv("LINEGATE_KEY_FILE", "key")
	got := run(t, "", "profile", "list")
	assert.ErrorContains(t, got.err, "key file key: missing, and the store can't tell whether it needs one of its own")
	assert.NotContains(t, got.err.Error(), "hunter2")
	require.NoError(t, os.WriteFile("key", nil, 0o600))
	require.NoError(t, os.WriteFile("test.db", nil, 0o600))
	t.Setenv("LINEGATE_STORE", "sqlite:test.db")
	assert.ErrorContains(t, run(t, "", "profile", "list").err, "key file key: holds no key")
}

func TestAPostgreSQLIsMadeByApplyAndRefusesAnotherKey(t *testing.T) {
	freshStore(t)
	t.Setenv("LINEGATE_STORE", pgtest.Shared(t).Database(t))
	t.Setenv("LINEGATE_KEY_FILE", "key")
	require.NoError(t, os.WriteFile("isp.yaml", []byte("tenants: [{name: isp}]\n"), 0o600))
	assert.ErrorContains(t, run(t, "", "profile", "list").err, "the database is empty: `linegate serve`, `linegate apply -f FILE`")
	require.NoError(t, run(t, "", "apply", "-f", "isp.yaml").err)
	require.NoError(t, run(t, "", "profile", "list").err)
	require.NoError(t, os.Rename("key", "old-key"))
	assert.ErrorContains(t, run(t, "", "profile", "list").err, "put the key file there that its other nodes have")
	assert.NoFileExists(t, "key")
	_, err := store.OpenKeyFile("key")
	require.NoError(t, err)
	assert.ErrorContains(t, run(t, "", "profile", "list").err, "secrets were sealed with another key than the one in key")
}

func TestTheNameOfAStoreShowsNoPassword(t *testing.T) {
	for configured, shown := range map[string]string{
		"sqlite:/var/lib/a@b.db":                      "sqlite:/var/lib/a@b.db",
		"postgres://u:p@h1:5432,h2:5433/db?sslmode=x": "postgres://h1:5432,h2:5433/db",
		"postgres:///db?password=hunter2":             "postgres:///db",
	} {
		assert.Equal(t, shown, storeName(configured))
	}
}

func TestAKeyThatIsMissingIsNotReplaced(t *testing.T) {
	freshStore(t)
	require.NoError(t, os.WriteFile("isp.yaml", []byte("tenants: [{name: isp}]\n"), 0o600))
	require.NoError(t, run(t, "", "apply", "-f", "isp.yaml").err)
	require.NoError(t, os.Remove("test.db.key"))
	assert.ErrorContains(t, run(t, "", "profile", "list").err, "put back the key file")
	assert.NoFileExists(t, "test.db.key")
}

func TestErrorsShowControlCharacters(t *testing.T) {
	assert.Equal(t, "a\\x1b[31m b\n\tc ü", printable("a\x1b[31m b\n\tc ü"))
}

func TestTheBannerNamesAnAddressToSendTo(t *testing.T) {
	assert.Equal(t, "127.0.0.1:1812", reachable(netip.MustParseAddrPort("[::]:1812")).String())
	assert.Equal(t, "192.0.2.1:1812", reachable(netip.MustParseAddrPort("192.0.2.1:1812")).String())
}

func TestVersionTellsTheBuild(t *testing.T) {
	assert.Regexp(t, `(?m)^go +go1\.`, run(t, "", "version").stdout)
	info := &debug.BuildInfo{GoVersion: "go1.26.0", Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}}}
	assert.Contains(t, versionRecord(info), property{"commit", "abc"})
	assert.Contains(t, versionRecord(info), property{"modified", true})
}

func TestEveryCommandExplainsItself(t *testing.T) {
	for _, line := range []string{"", "config", "config check", "apply", "profile", "profile set", "profile import", "nas add", "session list", "version"} {
		got := run(t, "", append(strings.Fields(line), "--help")...)
		assert.NoError(t, got.err, line)
		assert.Contains(t, got.stdout, "Usage:", line)
	}
	assert.Contains(t, run(t, "", "profile").stdout, "Available Commands:")
}

func TestWithoutAConfigurationTheErrorNamesThePlaces(t *testing.T) {
	assert.EqualError(t, errNoConfig(), "no configuration file at linegate.yaml or /etc/linegate/linegate.yaml: give one with --config FILE or LINEGATE_CONFIG")
}

func TestAPipeIsReadBeforeTheTransactionBegins(t *testing.T) {
	seeded(t)
	require.NoError(t, syscall.Mkfifo("pipe.csv", 0o600))
	written := make(chan error, 1)
	go func() { written <- os.WriteFile("pipe.csv", []byte("username,password\nalice,secretpw\n"), 0) }()
	got := run(t, "", "profile", "import", "pipe.csv")
	require.NoError(t, <-written)
	require.NoError(t, got.err)
	assert.Contains(t, got.stdout, "created    1\n")
}

func TestAnExportThatCannotBeWrittenIsAnError(t *testing.T) {
	seeded(t)
	assert.Error(t, run(t, "", "profile", "export", "nowhere/all.csv").err)
	require.NoError(t, run(t, "", "profile", "set", "alice", "--password", "secretpw").err)
	assert.ErrorContains(t, run(t, "", "profile", "export", "/dev/full").err, "no space left")
}

func TestAnExportTellsOfSubscribersWithoutAProfile(t *testing.T) {
	seeded(t)
	require.NoError(t, os.WriteFile("bob.yaml", []byte("subscribers: [{username: bob, password: secretpw}]"), 0o600))
	require.NoError(t, run(t, "", "apply", "-f", "bob.yaml").err)
	assert.Equal(t, "note: 1 subscribers have no network profile; an import would give them one\n", run(t, "", "profile", "export").stderr)
}

func TestAStatusChangeGivesNoProfile(t *testing.T) {
	seeded(t)
	require.NoError(t, os.WriteFile("bob.yaml", []byte("subscribers: [{username: bob, password: secretpw}]"), 0o600))
	require.NoError(t, run(t, "", "apply", "-f", "bob.yaml").err)
	require.NoError(t, run(t, "", "profile", "set", "bob", "--status", "suspended").err)
	assert.Contains(t, run(t, "", "profile", "get", "bob", "-o", "json").stdout, `"has_profile": false`)
	require.NoError(t, run(t, "", "profile", "set", "bob", "--service-vlan", "7").err)
	assert.Contains(t, run(t, "", "profile", "get", "bob", "-o", "json").stdout, `"has_profile": true`)
}

func TestTheAuditTrailNamesThePersonAndTheMachine(t *testing.T) {
	seeded(t)
	require.NoError(t, run(t, "", "profile", "set", "alice", "--password", "secretpw").err)
	within(t, func(engine store.Engine) {
		trail, err := engine.Audit(t.Context(), "isp", "alice")
		require.NoError(t, err)
		require.Len(t, trail, 1)
		assert.Regexp(t, `^[^@]+@[^@]+$`, trail[0].Actor)
	})
}

func TestDeletingNobodySaysWhereToLook(t *testing.T) {
	seeded(t)
	got := run(t, "", "profile", "delete", "bob")
	assert.ErrorIs(t, got.err, linegate.ErrNotFound)
	assert.ErrorContains(t, got.err, "`linegate profile list` shows those there are")
}

func TestBadRowsOfAnImportAreToldInTheirOrderHoweverFarApart(t *testing.T) {
	seeded(t)
	var text strings.Builder
	text.WriteString("username,password,service_vlan\n")
	for line := 2; line <= 2*importPage+10; line++ {
		switch line {
		case 5:
			text.WriteString("short,secretpw\n")
		case 6:
			text.WriteString("wrong,secretpw,4095\n")
		case importPage + 50:
			text.WriteString("user7,secretpw,\n")
		case importPage + 60:
			text.WriteString("long,secretpw,,more\n")
		case 2*importPage + 5:
			text.WriteString("nopassword,,\n")
		default:
			fmt.Fprintf(&text, "user%d,secretpw,100\n", line)
		}
	}
	require.NoError(t, os.WriteFile("bad.csv", []byte(text.String()), 0o600))
	got := run(t, "", "profile", "import", "bad.csv")
	require.Error(t, got.err)
	assert.Equal(t, strings.Join([]string{
		"linegate: nothing was imported:",
		`bad.csv:5: row: "2 cells" is not allowed: 3 cells, as many as the header has`,
		`bad.csv:6: service_vlan: "4095" is not allowed: 1 to 4094`,
		`bad.csv:2050: username: "user7" is not allowed: each once in a file; first on line 7`,
		`bad.csv:2060: row: "4 cells" is not allowed: 3 cells, as many as the header has`,
		`bad.csv:4005: password: "" is not allowed: required unless circuit_id or remote_id is set: without either the subscriber could never be admitted`,
	}, "\n")+"\n", got.stderr)
	within(t, func(engine store.Engine) {
		count, err := engine.CountSubscribers(t.Context(), "isp")
		require.NoError(t, err)
		assert.Zero(t, count)
	})
}
