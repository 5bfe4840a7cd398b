package radiusd_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/radiusd"
	"linegate/radiusd/wire"
)

// admissions answers as it is told and hands on what it is asked; while it hangs,
// it answers nothing before its context ends.
type admissions struct {
	asked chan linegate.Admission
	room  bool
	hangs bool
}

func (a *admissions) Admit(ctx context.Context, admission linegate.Admission) (bool, error) {
	a.asked <- admission
	if a.hangs {
		<-ctx.Done()
		return false, ctx.Err()
	}
	return a.room, nil
}

// limited is a bench whose alice may be online at two places.
func limited(t *testing.T, answers admissions) (*bench, *admissions) {
	answers.asked = make(chan linegate.Admission, 10)
	b := start(t, func(_ *linegate.NAS, options *radiusd.Options) { options.Admissions = &answers })
	alice := b.alice().Clone()
	alice.Profile.MaxSessions = 2
	b.directory.put(b.directory.known, alice)
	return b, &answers
}

// fromStation is alice's request, with the attributes that name her CPE.
func (b *bench) fromStation(password string) []byte {
	return b.access(func(raw []byte, authenticator [16]byte) []byte {
		raw = wire.AppendText(raw, wire.UserName, "alice")
		raw = wire.AppendAttribute(raw, wire.UserPassword, b.signer.HidePassword(nil, password, authenticator))
		raw = wire.AppendText(raw, wire.CallingStationID, "02-00-00-00-01-01")
		raw = wire.AppendText(raw, wire.NASPortID, "ge-0/0/1")
		return wire.AppendVendorAttribute(raw, 3561, 1, []byte("olt1"))
	})
}

func TestALimitedSubscriberIsAdmittedWhileThereIsRoom(t *testing.T) {
	b, answers := limited(t, admissions{room: true})
	assert.Equal(t, wire.AccessAccept, b.ask(radiusd.AuthPort, b.fromStation("secretpw")).Code())
	asked := <-answers.asked
	assert.Equal(t, "018f0000-0000-7000-8000-000000000001", asked.SubscriberID)
	assert.Equal(t, linegate.PlaceOf("02:00:00:00:01:01", "", ""), asked.Place)
	assert.EqualValues(t, 2, asked.Limit)
	assert.Positive(t, asked.Hold)
	assert.False(t, asked.At.IsZero())
}

func TestALimitedSubscriberIsRejectedWhenThePlacesAreTaken(t *testing.T) {
	b, _ := limited(t, admissions{room: false})
	reply := b.ask(radiusd.AuthPort, b.fromStation("secretpw"))
	assert.Equal(t, wire.AccessReject, reply.Code())
	assert.Equal(t, "Access denied: as many devices as allowed are online already", string(reply.Find(wire.ReplyMessage)))
	assert.EqualValues(t, 1, b.count("radius_decisions_total", map[string]string{"reason": "session_limit"}))
}

func TestAStoreThatCannotBeAskedKeepsNobodyOffline(t *testing.T) {
	b, _ := limited(t, admissions{hangs: true})
	assert.Equal(t, wire.AccessAccept, b.ask(radiusd.AuthPort, b.fromStation("secretpw")).Code())
	assert.EqualValues(t, 1, b.count("radius_session_limit_unchecked_total", nil))
}

func TestWhoIsRejectedAnywayHoldsNoPlace(t *testing.T) {
	b, answers := limited(t, admissions{room: true})
	assert.Equal(t, wire.AccessReject, b.ask(radiusd.AuthPort, b.fromStation("wrong")).Code())
	assert.Empty(t, answers.asked)
}

func TestWhoHasNoLimitIsNotAskedFor(t *testing.T) {
	b, answers := limited(t, admissions{room: false})
	b.alice() // without a limit again
	assert.Equal(t, wire.AccessAccept, b.ask(radiusd.AuthPort, b.fromStation("secretpw")).Code())
	assert.Empty(t, answers.asked)
}

func TestARequestThatWaitsForRoomHoldsUpNobody(t *testing.T) {
	b, _ := limited(t, admissions{hangs: true})
	waiting := b.fromStation("secretpw")
	b.send(radiusd.AuthPort, waiting)
	quick := b.pap("nobody", "x", "olt1")
	b.send(radiusd.AuthPort, quick)
	assert.Equal(t, wire.AccessReject, b.verified(quick, b.receive(radiusd.AuthPort)).Code(), "the later one is answered first")
	assert.Equal(t, wire.AccessAccept, b.verified(waiting, b.receive(radiusd.AuthPort)).Code())
}

func TestAccountingTellsHowOftenTheSessionIsToReport(t *testing.T) {
	b := start(t, nil)
	b.alice()
	send := func() linegate.AccountingEvent {
		raw := b.acct(wire.StatusStart, func(raw []byte) []byte {
			return wire.AppendText(wire.AppendText(raw, wire.AcctSessionID, "s1"), wire.UserName, "alice")
		})
		require.Equal(t, wire.AccountingResponse, b.ask(radiusd.AcctPort, raw).Code())
		events := b.ledger.recorded()
		return events[len(events)-1]
	}
	assert.EqualValues(t, 600, send().InterimInterval, "the server's default")
	b.server.SetSettings(linegate.Settings{})
	assert.Zero(t, send().InterimInterval)
}
