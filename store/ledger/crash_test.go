package ledger_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store/ledger"
	"linegate/store/spool"
)

// The child of the crash test is this test's own binary; the variable holds its
// folder, the first number it sends and how its store behaves.
const childVariable = "LEDGER_CRASH_CHILD"

func TestMain(m *testing.M) {
	if arguments := strings.Fields(os.Getenv(childVariable)); len(arguments) == 3 {
		if err := child(arguments[0], arguments[1], arguments[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// What the child's store does.
const (
	storeFlaps  = "flaps"  // away for a few calls, and there for more
	storeAnswer = "answer" // always there; the child sends nothing and ends when the spool is empty
)

// fileRecorder is a store that survives kill -9: one write for each batch.
type fileRecorder struct {
	file  *os.File
	flaps bool
	calls atomic.Int64
}

func (r *fileRecorder) RecordAccounting(_ context.Context, events []linegate.AccountingEvent) error {
	if call := r.calls.Add(1); r.flaps && call%20 < 2 {
		return errAway
	}
	var lines strings.Builder
	for _, event := range events {
		lines.WriteString(event.AcctSessionID + "\n")
	}
	_, err := r.file.WriteString(lines.String())
	fmt.Printf("recorded %d\n", len(events))
	return err
}

func child(folder, first, behaviour string) error {
	file, err := os.OpenFile(filepath.Join(folder, "recorded"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	kept, err := spool.Open(filepath.Join(folder, "spool"), spool.Options{MaxBytes: 16 << 20})
	if err != nil {
		return err
	}
	l := ledger.New(&fileRecorder{file: file, flaps: behaviour == storeFlaps}, ledger.Options{Spool: kept})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	if behaviour == storeAnswer {
		for kept.Len() > 0 {
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
		return <-ended
	}
	return sendForEver(l, first)
}

// sendForEver sends numbered events, 256 at a time, and prints what is acknowledged.
func sendForEver(l *ledger.Ledger, first string) error {
	number, err := strconv.Atoi(first)
	if err != nil {
		return err
	}
	window := make(chan struct{}, 256)
	for ; ; number++ {
		window <- struct{}{}
		id := fmt.Sprint(number)
		err := l.Record(named(id), func(err error) {
			if err == nil {
				fmt.Println("acknowledged " + id)
			}
			<-window
		})
		if err != nil {
			return err
		}
	}
}

// The process is killed without warning again and again: while it appends, while
// the store answers, and in the middle of replays.
func TestKillMinusNineLosesNothingOnTheWayThroughTheSpool(t *testing.T) {
	folder := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	var acknowledged []string
	for round := range 8 {
		after, lines := "acknowledged", 1+random.IntN(3000)
		if round%2 == 1 {
			after, lines = "recorded", 1+random.IntN(15)
		}
		acknowledged = append(acknowledged, killChild(t, folder, round, after, lines)...)
	}
	command := childCommand(folder, 0, storeAnswer)
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)

	seen := map[string]bool{}
	last, twice := -1, 0
	recorded, err := os.ReadFile(filepath.Join(folder, "recorded"))
	require.NoError(t, err)
	for id := range strings.FieldsSeq(string(recorded)) {
		if seen[id] {
			twice++
			continue
		}
		seen[id] = true
		number, err := strconv.Atoi(id)
		require.NoError(t, err)
		require.Greater(t, number, last, "in order")
		last = number
	}
	lost := 0
	for _, id := range acknowledged {
		if !seen[id] {
			lost++
		}
	}
	assert.Zero(t, lost, "of %d acknowledged", len(acknowledged))
	damaged, err := filepath.Glob(filepath.Join(folder, "spool", "*.damaged"))
	require.NoError(t, err)
	assert.Empty(t, damaged, "a kill tears, it does not damage")
	t.Logf("acknowledged %d, recorded %d, %d of them again", len(acknowledged), len(seen), twice)
}

func childCommand(folder string, first int, behaviour string) *exec.Cmd {
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", childVariable, folder, first, behaviour))
	return command
}

// killChild runs a child until it has printed so many lines of a kind, kills it and
// returns what it had acknowledged.
func killChild(t *testing.T, folder string, round int, kind string, lines int) (acknowledged []string) {
	t.Helper()
	command := childCommand(folder, round*1_000_000, storeFlaps)
	var complaint strings.Builder
	command.Stderr = &complaint
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	for said := bufio.NewScanner(out); said.Scan(); {
		what, value, _ := strings.Cut(said.Text(), " ")
		if what == "acknowledged" {
			acknowledged = append(acknowledged, value)
		}
		if what == kind {
			if lines--; lines == 0 {
				require.NoError(t, command.Process.Kill())
			}
		}
	}
	require.LessOrEqual(t, lines, 0, "the child ended by itself: %s", complaint.String())
	_ = command.Wait() // killed
	return acknowledged
}
