package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2866"

	"linegate"
	"linegate/cmd/linegate/problem"
	"linegate/radiusd/client"
)

// subscribersFile writes invented subscribers and returns the file with what is in it.
func subscribersFile(t *testing.T, count int) (path string, lines map[string]string) {
	t.Helper()
	path = t.TempDir() + "/subs.csv"
	var text bytes.Buffer
	require.NoError(t, writeInvented(&text, count, 7))
	require.NoError(t, os.WriteFile(path, text.Bytes(), 0o600))
	rows, err := csv.NewReader(&text).ReadAll()
	require.NoError(t, err)
	user, circuit := slices.Index(rows[0], "username"), slices.Index(rows[0], "circuit_id")
	lines = make(map[string]string)
	for _, row := range rows[1:] {
		lines[row[user]] = row[circuit]
	}
	return path, lines
}

// lineServer accepts who comes from the line that is known for the name.
func lineServer(t *testing.T, lines map[string]string) string {
	return foreignServer(t, func(w radius.ResponseWriter, r *radius.Request) {
		code := radius.CodeAccessReject
		line := lines[rfc2865.UserName_GetString(r.Packet)]
		if circuit := r.Get(rfc2865.VendorSpecific_Type); line != "" && string(circuit[min(len(circuit), 6):]) == line {
			code = radius.CodeAccessAccept
		}
		_ = w.Write(r.Response(code))
	})
}

func TestBenchAuthKnowsTheRightAnswers(t *testing.T) {
	freshStore(t)
	path, lines := subscribersFile(t, 100)
	bench := func(address string) (result, map[string]any) {
		done := run(t, "", "bench", "auth", "--server", address, "--subscribers", path, "--wrong", "20%",
			"--duration", "200ms", "--sockets", "2", "--window", "8", "--pid", fmt.Sprint(os.Getpid()), "--output", "json")
		var report map[string]any
		require.NoError(t, json.Unmarshal([]byte(done.stdout), &report), done.stderr)
		return done, report
	}
	done, report := bench(lineServer(t, lines))
	require.NoError(t, done.err)
	assert.EqualValues(t, 100, report["subscribers"])
	assert.EqualValues(t, 0, report["wrong_accepts"])
	assert.EqualValues(t, 0, report["wrong_rejects"])
	assert.InEpsilon(t, report["sent"], report["answered"], 0.1, "a busy machine may lose some")
	for _, name := range []string{"rejects", "accepts", "answers_per_second", "latency_us_p50", "latency_us_max", "server_rss_kib_start", "server_rss_kib_peak"} {
		assert.Positive(t, report[name], name)
	}

	name := "sub0000005"
	lines = maps.Clone(lines) // the first server may still be reading
	lines[name] = "moved"     // so that the right line is rejected
	done, report = bench(lineServer(t, lines))
	assert.Equal(t, 1, exitStatus(done.err))
	assert.Positive(t, report["wrong_rejects"])
	assert.Contains(t, done.stderr, "answers were wrong: 0 accepts, ")
}

func TestBenchAuthSaysWhenNothingIsAnswered(t *testing.T) {
	freshStore(t)
	path, _ := subscribersFile(t, 3)
	address := foreignServer(t, func(radius.ResponseWriter, *radius.Request) {})
	done := run(t, "", "bench", "auth", "--server", address, "--subscribers", path, "--duration", "50ms", "--timeout", "30ms")
	assert.Equal(t, 2, exitStatus(done.err))
	assert.Contains(t, done.stderr, "not one authentic answer")
	assert.Contains(t, done.stdout, "timeouts")
}

func TestBenchAuthSaysWhatIsWrongWithItsFlags(t *testing.T) {
	freshStore(t)
	path, _ := subscribersFile(t, 3)
	for want, args := range map[string][]string{
		`--wrong: "110%" is not allowed: 0% to 100%`:                     {"--subscribers", path, "--wrong", "110%"},
		`--wrong: "NaN" is not allowed: 0% to 100%`:                      {"--subscribers", path, "--wrong", "NaN"},
		`--wrong: "x" is not allowed`:                                    {"--subscribers", path, "--wrong", "x"},
		`method "eap" is not allowed`:                                    {"--subscribers", path, "--method", "eap"},
		"--window 1 to 256":                                              {"--subscribers", path, "--window", "257"},
		"the shared secret is empty":                                     {"--subscribers", path, "--secret", ""},
		"open gone.csv: no such file":                                    {"--subscribers", "gone.csv"},
		`required flag(s) "subscribers" not set`:                         nil,
		"process 999999999 can't be measured":                            {"--subscribers", path, "--pid", "999999999"},
		"missing port in address":                                        {"--subscribers", path, "--server", "nowhere"},
		`--rate: "fast" is not allowed: more than 0/s, up to 10000000/s`: {"--subscribers", path, "--rate", "fast"},
		`--rate: "0/s" is not allowed`:                                   {"--subscribers", path, "--rate", "0/s"},
		`--message-authenticator: "maybe" is not allowed: yes, no`:       {"--subscribers", path, "--message-authenticator", "maybe"},
		"one is IPv4 and one IPv6":                                       {"--subscribers", path, "--server", "127.0.0.1:1,[::1]:1"},
	} {
		done := run(t, "", append([]string{"bench", "auth"}, args...)...)
		assert.Equal(t, 1, exitStatus(done.err))
		assert.Contains(t, done.stderr, want)
	}
}

func TestBenchAuthFollowsASchedule(t *testing.T) {
	freshStore(t)
	path, lines := subscribersFile(t, 20)
	done := run(t, "", "bench", "auth", "--server", lineServer(t, lines), "--subscribers", path, "--wrong", "0%",
		"--rate", "200/s", "--duration", "500ms", "--message-authenticator", "no", "--output", "json")
	require.NoError(t, done.err)
	var report map[string]any
	require.NoError(t, json.Unmarshal([]byte(done.stdout), &report))
	assert.EqualValues(t, 200, report["rate"])
	assert.EqualValues(t, 100, report["sent"].(float64)+report["unsent"].(float64))
}

// acctServer accepts every login and acknowledges every event but those of the
// status that it refuses to.
func acctServer(t *testing.T, refused rfc2866.AcctStatusType) string {
	return foreignServer(t, func(w radius.ResponseWriter, r *radius.Request) {
		switch {
		case r.Code == radius.CodeAccessRequest:
			_ = w.Write(r.Response(radius.CodeAccessAccept))
		case rfc2866.AcctStatusType_Get(r.Packet) != refused:
			_ = w.Write(r.Response(radius.CodeAccountingResponse))
		}
	})
}

func TestBenchAcctCountsWhatIsAcknowledged(t *testing.T) {
	freshStore(t)
	path, _ := subscribersFile(t, 7)
	bench := func(address string, args ...string) (result, map[string]any) {
		done := run(t, "", append([]string{"bench", "acct", "--server", address, "--subscribers", path, "--output", "json"}, args...)...)
		var report map[string]any
		require.NoError(t, json.Unmarshal([]byte(done.stdout), &report), done.stderr)
		return done, report
	}
	address := acctServer(t, 0)
	done, report := bench(address, "--sessions", "12", "--interims", "2", "--over", "200ms", "--list", "sessions.csv", "--prefix", "p-")
	require.NoError(t, done.err)
	assert.EqualValues(t, 12, report["starts"])
	assert.EqualValues(t, 24, report["interims"])
	assert.EqualValues(t, 12, report["stops"])
	assert.NotContains(t, report, "accepts", "nobody has logged in")
	list, err := os.ReadFile("sessions.csv")
	require.NoError(t, err)
	assert.Contains(t, string(list), "acct_session_id,started,interims,stopped,username,nas_address\np-0,true,2,true,sub0000001,\n")
	assert.Equal(t, 13, bytes.Count(list, []byte("\n")))

	_, report = bench(address, "--duration", "100ms", "--interims", "0", "--leave-open")
	assert.Positive(t, report["starts"])
	assert.EqualValues(t, 0, report["stops"])

	done, report = bench(acctServer(t, rfc2866.AcctStatusType_Value_Stop), "--sessions", "3", "--over", "50ms", "--timeout", "30ms", "--tries", "2")
	assert.Equal(t, 1, exitStatus(done.err))
	assert.Contains(t, done.stderr, "3 events were not acknowledged")
	assert.EqualValues(t, 0, report["stops"])
	assert.EqualValues(t, 3, report["timeouts"])
	assert.GreaterOrEqual(t, report["retransmissions"], 3.0)

	silent := foreignServer(t, func(radius.ResponseWriter, *radius.Request) {})
	done, _ = bench(silent, "--sessions", "1", "--over", "50ms", "--timeout", "30ms")
	assert.Equal(t, 2, exitStatus(done.err))
}

func TestBenchAcctSaysWhatIsWrongWithItsFlags(t *testing.T) {
	freshStore(t)
	path, _ := subscribersFile(t, 3)
	for want, args := range map[string][]string{
		"--duration is for events without a schedule": {"--sessions", "1", "--duration", "1s"},
		"0 to 10000 Interims are allowed":             {"--interims", "-1"},
		"the shared secret is empty":                  {"--secret", ""},
		"no such file or directory":                   {"--sessions", "1", "--over", "1ms", "--list", "gone/x", "--timeout", "20ms", "--server", "127.0.0.1:9"},
		"open gone.csv":                               {"--subscribers", "gone.csv"},
		"missing port in address":                     {"--server", "nowhere"},
	} {
		done := run(t, "", append([]string{"bench", "acct", "--subscribers", path}, args...)...)
		assert.Equal(t, 1, exitStatus(done.err), want)
		assert.Contains(t, done.stderr, want)
	}
}

func TestBenchCallMakesWholeCalls(t *testing.T) {
	freshStore(t)
	path, _ := subscribersFile(t, 5)
	address := acctServer(t, 0)
	done := run(t, "", "bench", "call", "--server", address, "--acct-server", address, "--subscribers", path,
		"--duration", "200ms", "--rate", "100", "--pid", fmt.Sprint(os.Getpid()), "--output", "json")
	require.NoError(t, done.err, done.stderr)
	var report map[string]any
	require.NoError(t, json.Unmarshal([]byte(done.stdout), &report))
	assert.Positive(t, report["calls"])
	assert.LessOrEqual(t, report["calls"], 20.0, "the schedule has no more")
	assert.Equal(t, report["calls"], report["stops"])
	assert.Contains(t, report, "server_cpu_us_per_call")

	for want, args := range map[string][]string{
		`method "eap" is not allowed`: {"--method", "eap"},
		"--rate:":                     {"--rate", "-1"},
		"open gone.csv":               {"--subscribers", "gone.csv"},
		"--tries 1 or more":           {"--tries", "0"},
		"missing port in address":     {"--acct-server", "nowhere"},
	} {
		done := run(t, "", append([]string{"bench", "call", "--subscribers", path}, args...)...)
		assert.Equal(t, 1, exitStatus(done.err), want)
		assert.Contains(t, done.stderr, want)
	}
}

func TestBenchAuthMeasuresTheFloor(t *testing.T) {
	freshStore(t)
	path, _ := subscribersFile(t, 5)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	bound, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- serveEcho(ctx, "127.0.0.1:0", func(address string) { bound <- address }) }()
	done := run(t, "", "bench", "auth", "--floor", "--server", <-bound, "--subscribers", path, "--duration", "200ms", "--output", "json")
	require.NoError(t, done.err, done.stderr)
	var report map[string]any
	require.NoError(t, json.Unmarshal([]byte(done.stdout), &report))
	assert.Positive(t, report["echoes"])
	assert.Equal(t, report["sent"], report["answered"])
	cancel()
	require.NoError(t, <-ended)

	assert.ErrorContains(t, run(t, "", "bench", "echo", "--listen", "nowhere").err, "missing port")
}

func TestPreloadPutsOpenSessionsIntoTheStore(t *testing.T) {
	freshStore(t)
	path, _ := subscribersFile(t, 3)
	require.NoError(t, os.WriteFile("objects.yaml", []byte("tenants: [{name: t}]\n"), 0o600))
	require.NoError(t, run(t, "", "apply", "-f", "objects.yaml").err)
	assert.ErrorContains(t, run(t, "", "bench", "preload", "--subscribers", path).err, "the tenant has no NAS")
	require.NoError(t, run(t, "", "nas", "add", "n", "--address", "192.0.2.1", "--secret", "0123456789abcdef").err)
	require.NoError(t, run(t, "", "bench", "preload", "--subscribers", path, "--sessions", "7").err)
	listed := run(t, "", "session", "list", "--active", "--output", "json")
	var sessions []map[string]any
	require.NoError(t, json.Unmarshal([]byte(listed.stdout), &sessions), listed.stdout)
	assert.Len(t, sessions, 7)
	assert.ErrorContains(t, run(t, "", "bench", "preload", "--subscribers", "gone.csv").err, "gone.csv")
}

func TestSessionPrefixesDifferByTime(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	assert.Equal(t, "mine", sessionPrefix("mine", now))
	assert.NotEqual(t, sessionPrefix("", now), sessionPrefix("", now.Add(time.Millisecond)))
}

func TestSubjectsAreForeseeable(t *testing.T) {
	read := func(rows ...string) ([]client.Subject, int, error) {
		path := t.TempDir() + "/s.csv"
		text := "username,password,circuit_id,remote_id,option82_policy,status\n" + strings.Join(rows, "\n") + "\n"
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return readSubjects(path)
	}
	subjects, left, err := read(
		"enforced,pw,c1,r1,enforce,",
		"logged,pw,c2,r2,log,",
		"lineless,pw,,,enforce,",
		"suspended,pw,c4,,enforce,suspended",
		"hashed,$2a$10$abcdefghijklmnopqrstuuJ6yI1u2cJcT0K8ZrGQX4Q0e6oYw1C5G,c5,,enforce,",
		"ipoe,,c6,,log,",
		"twin,pw,,r1,enforce,",
	)
	require.NoError(t, err)
	assert.Equal(t, 2, left)
	accepted := map[string]bool{}
	for _, subject := range subjects {
		accepted[subject.UserName] = subject.AcceptWrong
		if subject.UserName != "lineless" {
			assert.NotEqual(t, subject.Right, subject.Wrong, subject.UserName)
		}
	}
	assert.Equal(t, map[string]bool{"enforced": false, "logged": true, "lineless": true, "ipoe": false, "twin": false}, accepted)

	t.Run("one subscriber alone has a wrong line too", func(t *testing.T) {
		subjects, _, err := read("alone,pw,c1,,enforce,")
		require.NoError(t, err)
		assert.NotEqual(t, subjects[0].Right, subjects[0].Wrong)
	})
	t.Run("a line that shares what the profile names is not a wrong one", func(t *testing.T) {
		subjects, _, err := read("a,pw,,same,enforce,", "b,pw,other,same,enforce,")
		require.NoError(t, err)
		assert.Contains(t, string(subjects[0].Wrong), "nobody")
	})
	t.Run("nobody to ask for is an error", func(t *testing.T) {
		_, _, err := read("a,pw,c1,,enforce,terminated")
		assert.ErrorContains(t, err, "no active subscriber with a password that is no hash")
	})
	t.Run("bad rows are listed", func(t *testing.T) {
		_, _, err := read("a,pw,c1,,sometimes,")
		assert.ErrorContains(t, err, "enforce, log, ignore")
	})
	t.Run("a bad header is an error", func(t *testing.T) {
		path := t.TempDir() + "/s.csv"
		require.NoError(t, os.WriteFile(path, []byte("usernam\n"), 0o600))
		_, _, err := readSubjects(path)
		assert.ErrorContains(t, err, "usernam")
	})
	t.Run("a folder can't be read", func(t *testing.T) {
		_, _, err := readSubjects(t.TempDir())
		assert.Error(t, err)
	})
}

func TestInventedSubscribersCanBeStoredAndAreDistinct(t *testing.T) {
	const count = 9000
	freshStore(t)
	made := run(t, "", "bench", "subscribers", "--count", fmt.Sprint(count), "--seed", "3")
	require.NoError(t, made.err)
	assert.Equal(t, made.stdout, run(t, "", "bench", "subscribers", "--count", fmt.Sprint(count), "--seed", "3").stdout)
	assert.NotEqual(t, made.stdout, run(t, "", "bench", "subscribers", "--count", fmt.Sprint(count), "--seed", "4").stdout)

	found := &problem.List{File: "invented"}
	table, ok := readSubscriberCSV(strings.NewReader(made.stdout), found)
	require.True(t, ok)
	assert.Len(t, table.columns, 17)
	circuits, remotes, addresses := map[linegate.Octets]bool{}, map[linegate.Octets]bool{}, map[string]bool{}
	double := 0
	for table.next() {
		subscriber := &linegate.Subscriber{}
		table.into(subscriber)
		subscriber.Normalize()
		profile := subscriber.Profile
		require.NoError(t, subscriber.Validate())
		require.Empty(t, profile.Withheld(), "everything invented is granted")
		require.Equal(t, linegate.Option82Enforce, profile.Option82Policy)
		circuits[profile.CircuitID], remotes[profile.RemoteID], addresses[profile.StaticIPv4.String()] = true, true, true
		if profile.QinQEnabled {
			double++
		}
	}
	require.NoError(t, table.err())
	require.NoError(t, found.Err())
	assert.Len(t, circuits, count)
	assert.Len(t, remotes, count)
	assert.Len(t, addresses, count)
	assert.Equal(t, count/4, double)

	for _, count := range []string{"0", "4000001"} {
		assert.ErrorContains(t, run(t, "", "bench", "subscribers", "--count", count).err, "1 to 4000000")
	}
	assert.ErrorIs(t, writeInvented(closedWriter{}, count, 1), fs.ErrClosed)
}

// closedWriter takes nothing.
type closedWriter struct{}

func (closedWriter) Write([]byte) (int, error) { return 0, fs.ErrClosed }

func TestUsageIsReadFromProc(t *testing.T) {
	stat := "7 (a )( name) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 30 20 20 0 9 0 100 1 2"
	status := "Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\n"
	proc := func(stat string) *processes {
		return &processes{pids: []int{7}, proc: fstest.MapFS{"7/stat": {Data: []byte(stat)}, "7/status": {Data: []byte(status)}, "self": {}}}
	}
	used, err := proc(stat).usage()
	require.NoError(t, err)
	assert.Equal(t, usage{cpu: 3500 * time.Millisecond, residentKiB: 1024, peakKiB: 2048}, used)

	_, err = proc("7 (x) S 1").usage()
	assert.EqualError(t, err, "process 7 can't be measured: stat has 2 fields")
	_, err = proc(strings.Replace(stat, "250", "many", 1)).usage()
	assert.EqualError(t, err, `process 7 can't be measured: one of its times is "many"`)
	_, err = proc(strings.Replace(stat, "S 1", "S one", 1)).usage()
	assert.EqualError(t, err, `process 7 can't be measured: its parent is "one"`)
	_, err = (&processes{pids: []int{7}, proc: fstest.MapFS{"7/stat": {Data: []byte(stat)}}}).usage()
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.Zero(t, statusKiB("Name: x\n", "VmRSS:"))
}

func TestUsageCountsDescendantsOnce(t *testing.T) {
	process := func(pid, parent, ticks int) string {
		return fmt.Sprintf("%d (x) S %d 7 7 0 -1 4194560 1 2 3 4 %d 0 0 0", pid, parent, ticks)
	}
	files := fstest.MapFS{}
	add := func(pid, parent, ticks int) {
		files[fmt.Sprintf("%d/stat", pid)] = &fstest.MapFile{Data: []byte(process(pid, parent, ticks))}
		files[fmt.Sprintf("%d/status", pid)] = &fstest.MapFile{Data: []byte("VmRSS: 1 kB\nVmHWM: 2 kB\n")}
	}
	add(7, 1, 100)    // a server
	add(8, 1, 1000)   // its database
	add(9, 8, 10000)  // a process of that
	add(10, 9, 20000) // and of that
	add(11, 1, 77)    // somebody else
	both := &processes{pids: []int{7, 8, 9}, proc: files}
	used, err := both.usage()
	require.NoError(t, err)
	assert.Equal(t, usage{cpu: 311 * time.Second, residentKiB: 4, peakKiB: 8}, used)

	delete(files, "10/status") // it ends while it is read
	used, err = both.usage()
	require.NoError(t, err)
	assert.Equal(t, 111*time.Second, used.cpu)
}

func TestTheMeterSamplesMemoryEveryFiveSeconds(t *testing.T) {
	files := fstest.MapFS{
		"7/stat":   {Data: []byte("7 (x) S 1 7 7 0 -1 4194560 1 2 3 4 100 0 0 0")},
		"7/status": {Data: []byte("VmRSS: 10 kB\nVmHWM: 20 kB\n")},
	}
	meter := (&loading{}).meter("request", client.Counts.Answered)
	meter.progress, meter.processes = &bytes.Buffer{}, &processes{pids: []int{7}, proc: files}
	require.NoError(t, meter.begin())
	for second := range 11 {
		meter.observe(time.Duration(second)*time.Second, client.Counts{})
	}
	files["7/stat"] = &fstest.MapFile{Data: []byte("7 (x) S 1 7 7 0 -1 4194560 1 2 3 4 150 0 0 0")}
	require.NoError(t, meter.end(t.Context(), client.Counts{Accepts: 10000}))
	assert.Equal(t, record{
		{"server_cpu_us_per_request", 50.0}, {"server_cpu_seconds", 0.5}, {"server_rss_kib_start", int64(10)},
		{"server_rss_kib_every_5s", []int64{10, 10}}, {"server_rss_kib_end", int64(10)}, {"server_rss_kib_peak", int64(20)},
	}, meter.record)
	meter.settle = time.Hour
	assert.NoError(t, meter.end(t.Context(), client.Counts{}), "the server rests, so nobody waits for the hour to be over")
	meter.settle = time.Nanosecond
	assert.NoError(t, meter.end(t.Context(), client.Counts{}))
	delete(files, "7/stat")
	assert.Error(t, meter.end(t.Context(), client.Counts{}))
}
