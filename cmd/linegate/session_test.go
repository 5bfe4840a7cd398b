package main

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
)

// onceOnline stores sessions of alice under one Acct-Session-Id, an hour each and a
// day apart, the last one open, and one that fell silent.
func onceOnline(t *testing.T, count int) {
	seeded(t)
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var events []linegate.AccountingEvent
	for i := range count {
		at := began.Add(time.Duration(i) * 24 * time.Hour)
		start := silentSession(at)
		start.AcctSessionID, start.UserName, start.InterimInterval = "0a", "alice", 0
		stop := start
		stop.Status, stop.At, stop.SessionTime, stop.TerminateCause = linegate.AcctStop, at.Add(time.Hour), 3600, 4
		events = append(events, start)
		if i < count-1 {
			events = append(events, stop)
		}
	}
	silent := silentSession(began)
	silent.DelegatedIPv6Prefix = netip.MustParsePrefix("2001:db8:100::/56")
	within(t, func(engine store.Engine) {
		require.NoError(t, engine.RecordAccounting(t.Context(), append(events, silent)))
		_, err := engine.MarkStale(t.Context(), began.Add(time.Hour), 3)
		require.NoError(t, err)
	})
}

func TestASessionIsShownByTheIDOfTheNASOrByItsOwn(t *testing.T) {
	onceOnline(t, 1)
	shown := run(t, "", "session", "show", "s1")
	require.NoError(t, shown.err)
	assert.Contains(t, shown.stdout, "terminate_cause        Stale\n")
	assert.Contains(t, shown.stdout, "delegated_ipv6_prefix  2001:db8:100::/56\n")
	assert.Contains(t, shown.stdout, "interim_interval       300\n")
	var object map[string]any
	require.NoError(t, json.Unmarshal([]byte(run(t, "", "session", "show", "s1", "-o", "json").stdout), &object))
	again := run(t, "", "session", "show", object["id"].(string))
	assert.Equal(t, shown.stdout, again.stdout)
}

func TestASessionThatIsNotTheOnlyOneIsNotGuessed(t *testing.T) {
	onceOnline(t, 3)
	got := run(t, "", "session", "show", "0a")
	lines := strings.Split(got.stderr, "\n")
	require.Len(t, lines, 5)
	assert.Equal(t, `linegate: session "0a": several have this Acct-Session-Id; show one by its own id:`, lines[0])
	assert.Regexp(t, `^  [0-9a-f-]{36}  alice on bng1, from 2026-01-04T03:04:05Z, open$`, lines[1])
	assert.Regexp(t, `, from 2026-01-02T03:04:05Z, until 2026-01-02T04:04:05Z$`, lines[3])
	id := strings.Fields(lines[3])[0]
	assert.Contains(t, run(t, "", "session", "show", id).stdout, "terminate_cause   Idle-Timeout\n")

	for _, nobody := range []string{"none", ""} {
		assert.ErrorIs(t, run(t, "", "session", "show", nobody).err, linegate.ErrNotFound)
	}
}

func TestALongListOfCandidatesIsCut(t *testing.T) {
	onceOnline(t, mostCandidates+2)
	lines := strings.Split(run(t, "", "session", "show", "0a").stderr, "\n")
	require.Len(t, lines, mostCandidates+3)
	assert.Equal(t, "  and older ones", lines[mostCandidates+1])
}

func TestEveryTerminateCauseHasAWord(t *testing.T) {
	causes, err := readCauseNames()
	require.NoError(t, err)
	for cause, word := range map[uint32]string{
		0: "", 1: "User-Request", 2: "Lost-Carrier", 11: "NAS-Reboot", 18: "Host-Request", 4711: "4711", linegate.CauseStale: "Stale",
	} {
		assert.Equal(t, word, causes.of(cause))
	}
}
