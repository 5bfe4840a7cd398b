package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"linegate/radiusd/client"
	"linegate/radiusd/wire"
)

// acknowledged keeps what the server has confirmed: for each session the highest
// counter, and how many records in all.
type acknowledged struct {
	mu       sync.Mutex
	counters map[string]uint64
	records  int
}

func (a *acknowledged) add(session string, octets uint32) (records int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.counters[session] = uint64(octets)
	a.records++
	return a.records
}

// The server is killed without warning under load, three times. Every record it
// ever acknowledged has to be in the store: a lost one is lost money.
func TestKillMinusNineLosesNoAcknowledgedAccounting(t *testing.T) {
	s := startServer(t)
	confirmed := &acknowledged{counters: map[string]uint64{}}
	for round := range 3 {
		if round > 0 {
			s.run()
		}
		s.killUnderLoad(confirmed, round, 500)
	}

	s.run() // what waits in the spool gets to the store
	s.within(30*time.Second, func() bool {
		_, metrics := s.get("/metrics")
		return strings.Contains(metrics, "\nradius_accounting_spool_events 0\n")
	}, "everything is replayed")
	s.stop()
	recorded, stored := s.stored()
	for session, octets := range confirmed.counters {
		if assert.Contains(t, stored, session) {
			assert.GreaterOrEqual(t, stored[session].InputOctets, octets, "session %s", session)
		}
	}
	assert.GreaterOrEqual(t, recorded, confirmed.records)
	t.Logf("acknowledged %d records of %d sessions; stored %d of %d", confirmed.records, len(confirmed.counters), recorded, len(stored))
}

// killUnderLoad sends from many sessions at once, and kills the server when so
// many records have been acknowledged.
func (s *instance) killUnderLoad(confirmed *acknowledged, round, after int) {
	s.Helper()
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	kill := sync.OnceFunc(func() {
		assert.NoError(s, s.command.Process.Kill())
		cancel()
	})
	enough := confirmed.records + after
	var senders errgroup.Group
	for sender := range 32 {
		senders.Go(func() error {
			session := fmt.Sprintf("round%d-%d", round, sender)
			for octets := uint32(1); ctx.Err() == nil; octets++ {
				if err := s.interim(ctx, session, octets); err != nil {
					return unlessKilled(ctx, err)
				}
				if confirmed.add(session, octets) >= enough {
					kill()
				}
			}
			return nil
		})
	}
	require.NoError(s, senders.Wait())
	_ = s.command.Wait() // killed
}

// unlessKilled forgives errors after the server was killed.
func unlessKilled(ctx context.Context, err error) error {
	if ctx.Err() != nil || !errors.Is(err, client.ErrNoAnswer) {
		return nil
	}
	return err
}

// interim sends one Interim-Update and waits for its acknowledgement.
func (s *instance) interim(ctx context.Context, session string, octets uint32) error {
	builder := client.Builder{Signer: wire.NewSigner("testing123"), Random: rand.Reader}
	attributes := wire.AppendInteger(nil, wire.AcctStatusType, wire.StatusInterimUpdate)
	attributes = wire.AppendText(attributes, wire.AcctSessionID, session)
	attributes = wire.AppendInteger(attributes, wire.AcctInputOctets, octets)
	request, err := builder.Accounting(nil, uint8(octets), attributes)
	if err != nil {
		return err
	}
	server := client.Server{Address: s.acct, Signer: builder.Signer, Timeout: 10 * time.Second, Tries: 1}
	_, err = server.Exchange(ctx, request)
	return err
}
