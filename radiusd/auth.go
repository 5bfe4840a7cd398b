package radiusd

import (
	"context"
	"time"

	"linegate"
	"linegate/policy"
	"linegate/telemetry"
)

// access answers an Access-Request: at once when memory knows all that the
// decision needs, else from a goroutine of its own. What a limited subscriber has
// online only the store knows.
func (x *exchange) access() {
	server, scratch := x.socket.server, &x.socket.scratch
	x.learn()
	request := x.client.ReadRequest(x.packet, scratch)
	facts, known := Identify(&request, server.directory, scratch)
	if known && policy.NeedsHash(&request, facts.Subscriber) {
		facts.Hash = server.hashes.recall(facts.Subscriber.Credential, request.Proof.Password)
		known = facts.Hash != linegate.HashUnchecked
	}
	if !known {
		x.accessLater()
		return
	}
	decision := policy.Decide(&request, facts, *server.settings.Load())
	if policy.NeedsAdmission(&decision) {
		x.accessLater()
		return
	}
	x.reply(&request, &decision, scratch, x.socket.mail.space())
}

// lookupLimit is how long a request may wait for facts: a NAS asks again after
// two seconds or more (RFC 5080 section 2.2.1).
const lookupLimit = 3 * time.Second

// accessLater asks the store, or a slow password hash, without holding up the
// socket. The number of such requests is bounded.
func (x *exchange) accessLater() {
	server := x.socket.server
	select {
	case server.lookups <- struct{}{}:
	default:
		x.giveUp(telemetry.DropOverloaded, nil)
		return
	}
	held := x.detach()
	go func() {
		defer held.done()
		defer func() { <-server.lookups }()
		ctx, cancel := context.WithTimeout(server.working, lookupLimit)
		defer cancel()
		held.accessSlowly(ctx)
	}()
}

func (x *exchange) accessSlowly(ctx context.Context) {
	var scratch Scratch
	request := x.client.ReadRequest(x.packet, &scratch)
	facts, err := x.load(ctx, &request, &scratch)
	if err != nil {
		x.giveUp(dropFor(err), err)
		return
	}
	decision := policy.Decide(&request, facts, *x.socket.server.settings.Load())
	if policy.NeedsAdmission(&decision) {
		facts.Admission = x.admit(ctx, &request, facts.Subscriber)
		decision = policy.Decide(&request, facts, *x.socket.server.settings.Load())
	}
	x.reply(&request, &decision, &scratch, nil)
}

const (
	// admissionLimit is how long the store may take to count a subscriber's
	// sessions. A limit that can't be checked keeps nobody offline.
	admissionLimit = 300 * time.Millisecond
	// placeHold is how long an accept counts before its Start comes: PPP and DHCP
	// take seconds, and a Start that got lost is sent again.
	placeHold = 30 * time.Second
)

// admit asks the store for room for one more session of a limited subscriber.
func (x *exchange) admit(ctx context.Context, request *linegate.Request, subscriber *linegate.Subscriber) linegate.AdmissionVerdict {
	server := x.socket.server
	ctx, cancel := context.WithTimeout(ctx, admissionLimit)
	defer cancel()
	admitted, err := server.options.Admissions.Admit(ctx, policy.Admission(request, subscriber, x.received, placeHold))
	if err != nil {
		server.metrics.AdmissionUnchecked()
		return linegate.AdmissionUnasked
	}
	return linegate.VerdictOf(admitted)
}

// load gathers the facts, however long it takes within ctx.
func (x *exchange) load(ctx context.Context, request *linegate.Request, scratch *Scratch) (linegate.Facts, error) {
	server := x.socket.server
	finder := &loadingFinder{ctx: ctx, directory: server.directory}
	facts, _ := Identify(request, finder, scratch)
	if finder.err != nil || !policy.NeedsHash(request, facts.Subscriber) {
		return facts, finder.err
	}
	var err error
	facts.Hash, err = server.hashes.check(ctx, facts.Subscriber.Credential, request.Proof.Password)
	return facts, err
}

// loadingFinder is a Finder that asks the store for what memory does not know.
type loadingFinder struct {
	ctx       context.Context
	directory Directory
	err       error
}

func (f *loadingFinder) Find(key []byte, room *linegate.Room) (linegate.Lookup, bool) {
	if lookup, known := f.directory.Find(key, room); known {
		return lookup, true
	}
	var lookup linegate.Lookup
	lookup, f.err = f.directory.Load(f.ctx, linegate.Key(key))
	return lookup, f.err == nil
}

// reply sends the decision and tells of it.
func (x *exchange) reply(request *linegate.Request, decision *linegate.Decision, scratch *Scratch, buffer []byte) {
	Locate(request, decision, x.socket.server.directory, scratch)
	code := telemetry.ReplyAccessReject
	if decision.Accept {
		code = telemetry.ReplyAccessAccept
	}
	if x.answer(x.client.appendAccessReply(buffer, x.packet, request, decision, x.received), code) {
		x.socket.server.observe(x, request, decision, x.socket.server.options.Now())
	}
}

// observe counts the decision, writes its events and keeps the subscriber's
// bookkeeping. None of it waits.
func (s *Server) observe(x *exchange, request *linegate.Request, decision *linegate.Decision, now time.Time) {
	x.client.tenant.Decision(decision, now.Sub(x.received))
	if request.Line.Conflict != "" {
		s.observeConflict(x, request, now)
	}
	s.lines.Decided(s.working, request, decision, now)
	if check := decision.Option82.Result; check != "" {
		s.bookkeeper.Validated(decision.Subscriber.ID, now, check)
	}
}

// observeConflict tells of a NAS that sends two lines in a request: in the log once a
// minute, and counted each time.
func (s *Server) observeConflict(x *exchange, request *linegate.Request, now time.Time) {
	x.client.tenant.CarrierConflict()
	if x.client.mayTell(now) {
		telemetry.CarrierConflict(s.working, s.options.Logger, request)
	}
}

// learn remembers from a NAS's first request whether it signs, and has that
// persisted.
func (x *exchange) learn() {
	if state, first := x.client.learn(x.packet); first {
		x.socket.server.persistLearned(x.client.NAS, state)
	}
}
