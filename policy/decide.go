// Package policy decides what a subscriber may have. Every function is pure:
// same request, same facts, same decision. No clock, no store, no log.
package policy

import "linegate"

// Decide answers an Access-Request. Each step may reject; the first that does
// gives the reason, and the decision holds whatever was found until then.
func Decide(request *linegate.Request, facts linegate.Facts, settings linegate.Settings) linegate.Decision {
	decision := linegate.Decision{Subscriber: facts.Subscriber, FoundBy: facts.FoundBy}

	decision.Reason = nobody(facts)
	if decision.Reason == "" {
		decision.Reason = unproven(request, facts)
	}
	if decision.Reason == "" {
		decision.Reason = outOfService(facts.Subscriber)
	}
	if decision.Reason == "" {
		decision.Option82 = CheckOption82(facts.Subscriber.Profile, request.Line)
		decision.Reason = wrongLine(facts.Subscriber, request.Line, decision.Option82, settings)
	}
	if decision.Reason == "" {
		decision.Reason = overLimit(facts)
	}
	if decision.Reason != "" {
		return decision
	}

	if request.Proof.Method == linegate.MethodMSCHAPv2 && facts.Subscriber.Credential.Kind == linegate.CredentialCleartext {
		decision.MSCHAP2 = mschap2Reply(request, facts.Subscriber.Credential.Value.Reveal())
	}
	decision.Accept = true
	decision.Reason, decision.Grant = Grant(facts, settings)
	return decision
}

// nobody rejects when the request identifies no subscriber, or more than one.
func nobody(facts linegate.Facts) linegate.Reason {
	switch {
	case facts.Ambiguous:
		return linegate.ReasonAmbiguousIdentity
	case facts.Subscriber == nil:
		return linegate.ReasonUnknownSubscriber
	}
	return ""
}

// outOfService rejects subscribers who have no service now.
func outOfService(subscriber *linegate.Subscriber) linegate.Reason {
	switch {
	case subscriber.Status == linegate.StatusTerminated:
		return linegate.ReasonTerminated
	case subscriber.Status == linegate.StatusSuspended && !walledGarden(subscriber).Offered():
		return linegate.ReasonSuspended
	}
	return ""
}

// wrongLine rejects what the Option 82 policy forbids, and anybody without a
// password whose line does not say who it is.
func wrongLine(subscriber *linegate.Subscriber, line linegate.AccessLine, check linegate.Option82Check, settings linegate.Settings) linegate.Reason {
	switch {
	case check.Result == linegate.Option82NoProfile && settings.NoProfile == linegate.NoProfileReject:
		return linegate.ReasonNoProfile
	case check.Policy == linegate.Option82Enforce && check.Result == linegate.Option82Mismatch:
		return linegate.ReasonOption82Mismatch
	case check.Policy == linegate.Option82Enforce && check.Result == linegate.Option82Missing:
		return linegate.ReasonOption82Missing
	case subscriber.Credential.Kind == linegate.CredentialNone && !identifies(line, subscriber.Profile):
		return linegate.ReasonLineNotIdentified
	}
	return ""
}
