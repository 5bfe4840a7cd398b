package coa_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/coa"
	"linegate/radiusd/wire"
)

var (
	disconnect = linegate.Change{Kind: linegate.ChangeDisconnect}
	faster     = linegate.Change{Kind: linegate.ChangeRate, Grant: linegate.Grant{Rate: linegate.Rate{DownloadKbps: 100000, UploadKbps: 10000}}}
)

func causeAttribute(cause linegate.ErrorCause) []byte {
	return wire.AppendInteger(nil, wire.ErrorCause, uint32(cause))
}

// ackOf is the code that says yes to a request.
func ackOf(r received) wire.Code { return r.Code() + 1 }
func nakOf(r received) wire.Code { return r.Code() + 2 }

func TestAnAnswerDecidesTheOutcome(t *testing.T) {
	type outcome = linegate.ChangeOutcome
	for name, test := range map[string]struct {
		change linegate.Change
		before bool // an earlier try was never answered
		nas    func(r received)
		want   outcome
		detail string
	}{
		"an ACK": {faster, false, func(r received) { r.answer(r.reply(ackOf(r))) }, outcome{Result: linegate.ChangeAcked}, ""},
		"an ACK of a disconnect that removed a rest": {disconnect, false,
			func(r received) { r.answer(r.reply(ackOf(r), causeAttribute(201)...)) },
			outcome{Result: linegate.ChangeGone, Cause: 201}, "had ended before"},
		"a NAK without a cause": {faster, false, func(r received) { r.answer(r.reply(nakOf(r))) },
			outcome{Result: linegate.ChangeRefused}, "does not say why"},
		"a NAK with a cause of wrong length": {faster, false, func(r received) { r.answer(r.reply(nakOf(r), 101, 4, 1, 2)) },
			outcome{Result: linegate.ChangeRefused}, "does not say why"},
		"503 on a first disconnect": {disconnect, false, func(r received) { r.answer(r.reply(nakOf(r), causeAttribute(503)...)) },
			outcome{Result: linegate.ChangeRefused, Cause: 503}, "has ended"},
		"503 on a disconnect after an earlier timeout": {disconnect, true, func(r received) { r.answer(r.reply(nakOf(r), causeAttribute(503)...)) },
			outcome{Result: linegate.ChangeGone, Cause: 503}, "earlier copy"},
		"503 on a CoA after an earlier timeout": {faster, true, func(r received) { r.answer(r.reply(nakOf(r), causeAttribute(503)...)) },
			outcome{Result: linegate.ChangeRefused, Cause: 503}, "has ended"},
		"a cause that means the dialect is wrong": {faster, false, func(r received) { r.answer(r.reply(nakOf(r), causeAttribute(407)...)) },
			outcome{Result: linegate.ChangeRefused, Cause: 407}, "wrong dialect"},
		"a cause that may pass": {faster, false, func(r received) { r.answer(r.reply(nakOf(r), causeAttribute(506)...)) },
			outcome{Result: linegate.ChangeRefused, Cause: 506}, "may succeed later"},
		"silence": {faster, false, func(received) {}, outcome{Result: linegate.ChangeTimeout}, "not known"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var reports []coa.Report
				s := sender(t, &network{nas: test.nas}, coa.Options{Done: func(r coa.Report) { reports = append(reports, r) }})
				got, err := s.Apply(t.Context(), coa.Order{Session: session("1"), Changes: []linegate.Change{test.change}, Uncertain: test.before})
				require.NoError(t, err)
				assert.Contains(t, got.Detail, test.detail)
				require.Len(t, reports, 1)
				assert.Equal(t, got, reports[0].Outcome)
				got.Detail = ""
				assert.Equal(t, test.want, got)
			})
		})
	}
}

func TestEveryErrorCauseIsTold(t *testing.T) {
	for _, cause := range append(linegate.ErrorCauses(), 999) {
		if cause == linegate.CauseContextRemoved {
			continue // only in an ACK
		}
		t.Run(cause.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := sender(t, &network{nas: func(r received) { r.answer(r.reply(nakOf(r), causeAttribute(cause)...)) }}, coa.Options{})
				got, err := s.Apply(t.Context(), coa.Order{Session: session("1"), Changes: []linegate.Change{faster}})
				require.NoError(t, err)
				assert.Equal(t, cause, got.Cause)
			})
		})
	}
}

func TestRequestsAreSentAgainAsRFC5080Says(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var came []received
		s := sender(t, &network{nas: func(r received) { came = append(came, r) }}, coa.Options{})
		began := time.Now()
		outcome, err := s.Apply(t.Context(), coa.Order{Session: session("1"), Changes: []linegate.Change{disconnect}})
		require.NoError(t, err)
		assert.Equal(t, linegate.ChangeTimeout, outcome.Result)
		assert.Equal(t, 30*time.Second, time.Since(began), "MRD")
		require.GreaterOrEqual(t, len(came), 4, "at 0, 2, 6 and 14 s; the fifth comes at about 30")
		require.LessOrEqual(t, len(came), 5)
		for i, least := range []float64{0, 1.8, 5.2, 11} {
			at := came[i].at.Sub(began).Seconds()
			assert.GreaterOrEqual(t, at, least)
			assert.LessOrEqual(t, at, least*1.6)
			assert.Equal(t, came[0].Raw(), came[i].Raw(), "the same octets")
			assert.Equal(t, came[0].from.port, came[i].from.port, "the same source port")
		}
		stamp := came[0].Find(wire.EventTimestamp)
		require.Len(t, stamp, 4)
		assert.EqualValues(t, began.Unix(), binary.BigEndian.Uint32(stamp))
	})
}

func TestTheCountOfTransmissionsEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var count int
		s := sender(t, &network{nas: func(received) { count++ }}, coa.Options{Retry: coa.Retry{Initial: time.Second, Longest: 2 * time.Second, Count: 3, Overall: time.Hour}})
		began := time.Now()
		_, err := s.Apply(t.Context(), coa.Order{Session: session("1"), Changes: []linegate.Change{disconnect}})
		require.NoError(t, err)
		assert.Equal(t, 3, count)
		assert.Less(t, time.Since(began), 6*time.Second)
	})
}

func TestARequestProvesItselfAndNamesTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var came received
		s := sender(t, &network{nas: func(r received) { came = r; r.answer(r.reply(ackOf(r))) }}, coa.Options{})
		nas := bng()
		nas.CoASecret, nas.CoAPort, nas.CoAAddress = "testing123", 1700, netip.MustParseAddr("198.51.100.9")
		nas.Secret = "another"
		require.Empty(t, s.SetNASes([]linegate.NAS{nas}))
		_, err := s.Apply(t.Context(), coa.Order{Session: session("s1"), Changes: []linegate.Change{faster}})
		require.NoError(t, err)
		assert.Equal(t, netip.MustParseAddrPort("198.51.100.9:1700"), came.to)
		assert.NoError(t, wire.NewSigner("testing123").VerifyChange(came.Packet))
		assert.Error(t, wire.NewSigner("another").VerifyChange(came.Packet))
		assert.Equal(t, wire.CoARequest, came.Code())
		assert.Equal(t, "s1", string(came.Find(wire.AcctSessionID)))
		assert.EqualValues(t, wire.MessageAuthenticator, came.Raw()[wire.HeaderSize], "first")
	})
}

func TestWhatIsNoAnswerIsIgnoredAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forged := func(r received) []byte {
			withMA := wire.AppendMessageAuthenticator(nil)
			withMA[5]++ // the digest over it will be right, the Message-Authenticator wrong
			packet := append(wire.AppendHeader(nil, ackOf(r), r.Identifier(), [16]byte{}), withMA...)
			require.NoError(t, wire.NewSigner("testing123").SignReply(packet, r.Authenticator()))
			packet[22]++
			return packet
		}
		strays := map[linegate.StrayAnswer]int{}
		var mu sync.Mutex
		n := &network{nas: func(r received) {
			r.answer([]byte{1, 2, 3})
			r.answer(r.replySigned("wrong", ackOf(r)))
			r.answer(forged(r))
			r.answer(r.reply(wire.AccessAccept))
			r.answer(r.reply(wire.DisconnectACK))
			r.answerFrom(netip.MustParseAddrPort("203.0.113.5:3799"), r.reply(ackOf(r)))
			r.answer(r.reply(ackOf(r)))
			r.answer(r.reply(ackOf(r)))
		}}
		s := sender(t, n, coa.Options{Stray: func(why linegate.StrayAnswer) {
			mu.Lock()
			defer mu.Unlock()
			strays[why]++
		}})
		outcome, err := s.Apply(t.Context(), coa.Order{Session: session("1"), Changes: []linegate.Change{faster}})
		require.NoError(t, err)
		assert.Equal(t, linegate.ChangeAcked, outcome.Result)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		assert.Equal(t, map[linegate.StrayAnswer]int{linegate.StrayMalformed: 1, linegate.StrayBadAuthenticator: 2,
			linegate.StrayWrongCode: 2, linegate.StrayNotAwaited: 2}, strays)
	})
}

func TestALateAnswerChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent, strays atomic.Int32
		n := &network{nas: func(r received) { sent.Add(1); time.AfterFunc(40*time.Second, func() { r.answer(r.reply(ackOf(r))) }) }}
		s := sender(t, n, coa.Options{Stray: func(why linegate.StrayAnswer) {
			assert.Equal(t, linegate.StrayNotAwaited, why)
			strays.Add(1)
		}})
		outcome, err := s.Apply(t.Context(), coa.Order{Session: session("1"), Changes: []linegate.Change{faster}})
		require.NoError(t, err)
		assert.Equal(t, linegate.ChangeTimeout, outcome.Result)
		time.Sleep(time.Minute)
		assert.EqualValues(t, sent.Load(), strays.Load(), "one for each transmission")
	})
}

func TestADisconnectThatWasRetransmittedAndFindsNothingIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := true // the answer to the first copy
		n := &network{nas: func(r received) {
			if lost {
				lost = false
				return
			}
			r.answer(r.reply(nakOf(r), causeAttribute(503)...))
		}}
		outcome, err := sender(t, n, coa.Options{}).Apply(t.Context(), coa.Order{Session: session("1"), Changes: []linegate.Change{disconnect}})
		require.NoError(t, err)
		assert.Equal(t, linegate.ChangeGone, outcome.Result)
	})
}

func TestWhatCannotBeDoneIsDoneByADisconnectWhereAllowed(t *testing.T) {
	unsaid := linegate.Change{Kind: linegate.ChangeReauthenticate}
	for name, test := range map[string]struct {
		change       linegate.Change
		allowed      bool
		cause        linegate.ErrorCause // of the NAS's NAK to a CoA; 0: ACK
		result       linegate.ChangeResult
		disconnected bool
		detail       string
	}{
		"the dialect can't and may not":               {unsaid, false, 0, linegate.ChangeUnsupported, false, "can't say reauthenticate"},
		"the dialect can't and may":                   {unsaid, true, 0, linegate.ChangeAcked, true, "by disconnecting, since the dialect standard can't say reauthenticate"},
		"the NAS can't and may not":                   {faster, false, 401, linegate.ChangeRefused, false, "wrong dialect"},
		"the NAS can't and may":                       {faster, true, 401, linegate.ChangeAcked, true, "by disconnecting, since 401"},
		"the NAS can, and nothing else is done":       {faster, true, 0, linegate.ChangeAcked, false, ""},
		"the NAS is busy, which is no reason to":      {faster, true, 506, linegate.ChangeRefused, false, "later"},
		"the NAS knows no session, which is no cause": {faster, true, 503, linegate.ChangeRefused, false, "has ended"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &network{nas: func(r received) {
					if r.Code() == wire.CoARequest && test.cause != 0 {
						r.answer(r.reply(nakOf(r), causeAttribute(test.cause)...))
						return
					}
					r.answer(r.reply(ackOf(r)))
				}}
				change := test.change
				change.OrDisconnect = test.allowed
				outcome, err := sender(t, n, coa.Options{}).Apply(t.Context(), coa.Order{Session: session("1"), Changes: []linegate.Change{change}})
				require.NoError(t, err)
				assert.Equal(t, test.result, outcome.Result)
				assert.Equal(t, test.disconnected, outcome.Disconnected)
				assert.Contains(t, outcome.Detail, test.detail)
			})
		})
	}
}

func TestSeveralChangesGoIntoOneRequest(t *testing.T) {
	limit := linegate.Change{Kind: linegate.ChangeLimits, Grant: linegate.Grant{SessionTimeout: 60}}
	synctest.Test(t, func(t *testing.T) {
		var came []received
		s := sender(t, &network{nas: func(r received) { came = append(came, r); r.answer(r.reply(ackOf(r))) }}, coa.Options{})
		order := coa.Order{Session: session("1"), Changes: []linegate.Change{limit, faster}}
		assert.Equal(t, "limits,rate", order.Kinds())
		_, err := s.Apply(t.Context(), order)
		require.NoError(t, err)
		require.Len(t, came, 1)
		assert.NotNil(t, came[0].Find(wire.SessionTimeout))
		assert.NotNil(t, came[0].Find(wire.VendorSpecific))

		order.Changes = append(order.Changes, disconnect)
		outcome, err := s.Apply(t.Context(), order)
		require.NoError(t, err)
		assert.True(t, outcome.Disconnected)
		require.Len(t, came, 2)
		assert.Equal(t, wire.DisconnectRequest, came[1].Code())
		assert.Nil(t, came[1].Find(wire.SessionTimeout), "a Disconnect names a session and nothing else")
	})
}

func TestChangesOfOneSessionComeOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inFlight, most, count int
		n := &network{nas: func(r received) {
			inFlight++
			most, count = max(most, inFlight), count+1
			time.AfterFunc(time.Second, func() { inFlight--; r.answer(r.reply(ackOf(r))) })
		}}
		s := sender(t, n, coa.Options{})
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				_, err := s.Apply(t.Context(), coa.Order{Session: session("same"), Changes: []linegate.Change{faster}})
				assert.NoError(t, err)
			})
		}
		all.Wait()
		assert.Equal(t, 1, most)
		assert.Equal(t, 5, count)
	})
}

func TestANASGetsAWindowOfRequestsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var inFlight, most int
		n := &network{nas: func(r received) {
			mu.Lock()
			defer mu.Unlock()
			inFlight++
			most = max(most, inFlight)
			time.AfterFunc(time.Second, func() {
				mu.Lock()
				inFlight--
				mu.Unlock()
				r.answer(r.reply(ackOf(r)))
			})
		}}
		s := sender(t, n, coa.Options{})
		nas := bng()
		nas.CoAWindow = 7
		require.Empty(t, s.SetNASes([]linegate.NAS{nas}))
		began := time.Now()
		var all sync.WaitGroup
		for i := range 70 {
			all.Go(func() {
				_, err := s.Apply(t.Context(), coa.Order{Session: session(strconv.Itoa(i)), Changes: []linegate.Change{faster}})
				assert.NoError(t, err)
			})
		}
		all.Wait()
		assert.Equal(t, 7, most)
		assert.Equal(t, 10*time.Second, time.Since(began))
		assert.Equal(t, 7, s.Window(session("1").NAS))
	})
}

// An identifier must not come back on its port within 300 s, whatever is asked:
// 700 changes of one NAS take three ports, and with two they have to wait.
func TestIdentifiersRestBetweenUses(t *testing.T) {
	for name, test := range map[string]struct {
		ports, changes, opened int
		waits                  bool
	}{
		"ports enough":    {256, 700, 3, false},
		"ports too few":   {2, 700, 2, true},
		"one port, twice": {1, 512, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				type identifier struct {
					port       uint16
					identifier uint8
				}
				var mu sync.Mutex
				last := map[identifier]time.Time{}
				n := &network{}
				n.nas = func(r received) {
					mu.Lock()
					defer mu.Unlock()
					used := identifier{r.from.port, r.Identifier()}
					if before, again := last[used]; again {
						assert.GreaterOrEqual(t, r.at.Sub(before), 300*time.Second)
					}
					last[used] = r.at
					r.answer(r.reply(ackOf(r)))
				}
				s := sender(t, n, coa.Options{Ports: test.ports})
				began := time.Now()
				var all sync.WaitGroup
				for i := range test.changes {
					all.Go(func() {
						outcome, err := s.Apply(t.Context(), coa.Order{Session: session(strconv.Itoa(i)), Changes: []linegate.Change{faster}})
						assert.NoError(t, err)
						assert.Equal(t, linegate.ChangeAcked, outcome.Result)
					})
				}
				all.Wait()
				assert.Equal(t, test.opened, n.most)
				assert.Equal(t, test.waits, time.Since(began) >= 300*time.Second)

				time.Sleep(20 * time.Minute)
				assert.Zero(t, s.OpenPorts(), "idle ports are closed")
				assert.Zero(t, n.open)
				_, err := s.Apply(t.Context(), coa.Order{Session: session("later"), Changes: []linegate.Change{faster}})
				assert.NoError(t, err)
				assert.Equal(t, 1, s.OpenPorts())
			})
		})
	}
}

// Who has patience only for so long is not kept by a NAS that has no room, be it
// that its window is full or that its identifiers rest.
func TestPatienceEndsTheWaitForRoom(t *testing.T) {
	for name, test := range map[string]struct {
		window uint16
		answer func(received)
		before int // changes that take all the room
	}{
		"a full window":  {1, func(received) {}, 1},
		"no identifiers": {256, func(r received) { r.answer(r.reply(ackOf(r))) }, 256},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := sender(t, &network{nas: test.answer}, coa.Options{Ports: 1})
				nas := bng()
				nas.CoAWindow = test.window
				require.Empty(t, s.SetNASes([]linegate.NAS{nas}))
				var all sync.WaitGroup
				for i := range test.before {
					all.Go(func() {
						_, err := s.Apply(t.Context(), coa.Order{Session: session(strconv.Itoa(i)), Changes: []linegate.Change{faster}})
						assert.NoError(t, err)
					})
				}
				synctest.Wait()
				began := time.Now()
				_, err := s.Apply(t.Context(), coa.Order{Session: session("late"), Changes: []linegate.Change{faster}, Patience: 10 * time.Second})
				assert.ErrorIs(t, err, coa.ErrBusy)
				assert.Equal(t, 10*time.Second, time.Since(began))
				all.Wait()
			})
		})
	}
}

func TestAnEndedContextEndsEveryWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{nas: func(received) {}}
		s := sender(t, n, coa.Options{Ports: 1})
		nas := bng()
		nas.CoAWindow = 1
		require.Empty(t, s.SetNASes([]linegate.NAS{nas}))
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for _, id := range []string{"one", "one", "two"} { // in flight, behind it, and before a full window
			all.Go(func() {
				_, err := s.Apply(ctx, coa.Order{Session: session(id), Changes: []linegate.Change{faster}})
				assert.ErrorIs(t, err, context.Canceled)
			})
		}
		synctest.Wait()
		cancel()
		all.Wait()
	})
}

func TestASenderSaysWhatItCannotDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sender(t, &network{nas: func(received) {}}, coa.Options{})
		problems := s.SetNASes([]linegate.NAS{{Tenant: "demo", Name: "bng", Dialect: "klingon"}})
		require.Len(t, problems, 1)
		assert.ErrorContains(t, problems[0], `dialect "klingon" does not exist`)
		_, err := s.Apply(t.Context(), coa.Order{Session: session("1"), Changes: []linegate.Change{faster}})
		assert.ErrorIs(t, err, linegate.ErrNotFound)

		broken := coa.New(coa.Options{Dialects: nil, Open: func() (coa.Conn, error) { return nil, errors.New("no port left") }})
		defer broken.Close()
		assert.Equal(t, 1, broken.Window(session("1").NAS))
	})
}
