package policy

import (
	"fmt"

	"linegate"
)

// Step is one line of the story of a decision.
type Step struct {
	Name   string `json:"step"`    // identity, credentials, status, option82, line, sessions, answer
	Passed bool   `json:"passed"`  // false at the step that rejected
	Detail string `json:"details"` // in words; never a password
}

// Explain tells how Decide came to its decision, step by step up to the one that
// rejected. It reads the decision and repeats none of its judgement.
func Explain(request *linegate.Request, facts linegate.Facts, decision linegate.Decision) []Step {
	var steps []Step
	for _, step := range []struct {
		name    string
		detail  string
		rejects []linegate.Reason
	}{
		{"identity", identityDetail(request, facts),
			[]linegate.Reason{linegate.ReasonUnknownSubscriber, linegate.ReasonAmbiguousIdentity}},
		{"credentials", credentialDetail(request, facts, decision.Reason),
			[]linegate.Reason{linegate.ReasonWrongPassword, linegate.ReasonMissingPassword, linegate.ReasonMethodNeedsClear, linegate.ReasonMethodNotAllowed}},
		{"status", statusDetail(facts.Subscriber),
			[]linegate.Reason{linegate.ReasonSuspended, linegate.ReasonTerminated}},
		{"option82", option82Detail(request, facts.Subscriber, decision.Option82),
			[]linegate.Reason{linegate.ReasonOption82Mismatch, linegate.ReasonOption82Missing, linegate.ReasonNoProfile}},
		{"line", lineDetail(facts.Subscriber, decision.Reason),
			[]linegate.Reason{linegate.ReasonLineNotIdentified}},
		{"sessions", sessionsDetail(facts),
			[]linegate.Reason{linegate.ReasonSessionLimit}},
	} {
		rejected := false
		for _, reason := range step.rejects {
			rejected = rejected || decision.Reason == reason
		}
		if step.detail != "" {
			steps = append(steps, Step{Name: step.name, Passed: !rejected, Detail: step.detail})
		}
		if rejected {
			break
		}
	}
	return append(steps, Step{Name: "answer", Passed: decision.Accept, Detail: answerDetail(decision)})
}

func identityDetail(request *linegate.Request, facts linegate.Facts) string {
	switch {
	case facts.Ambiguous:
		return fmt.Sprintf("more than one subscriber has this %s, so it identifies none", facts.FoundBy)
	case facts.Subscriber == nil:
		return fmt.Sprintf("nobody is known by %v (User-Name %q, circuit-id %q, MAC %q)",
			request.NAS.Identify, request.UserName, linegate.Octets(request.Line.CircuitID), macOf(request))
	}
	return fmt.Sprintf("%s, found by %s", facts.Subscriber.Username, facts.FoundBy)
}

func macOf(request *linegate.Request) string {
	mac, _ := request.MAC()
	return mac.String()
}

func credentialDetail(request *linegate.Request, facts linegate.Facts, reason linegate.Reason) string {
	if facts.Subscriber == nil {
		return ""
	}
	method := request.Proof.Method
	switch reason {
	case linegate.ReasonWrongPassword:
		return fmt.Sprintf("the %s proof was not made with the stored password", method)
	case linegate.ReasonMissingPassword:
		return "a password is stored, the request brings none"
	case linegate.ReasonMethodNeedsClear:
		if facts.Subscriber.Credential.Kind == linegate.CredentialNone {
			return fmt.Sprintf("%s needs a stored password, and there is none", method)
		}
		return fmt.Sprintf("%s needs the password in clear, only its %s hash is stored", method, facts.Subscriber.Credential.Kind)
	case linegate.ReasonMethodNotAllowed:
		return fmt.Sprintf("%s is not allowed on NAS %s", method, request.NAS.Name)
	}
	if facts.Subscriber.Credential.Kind == linegate.CredentialNone {
		return "no password is stored: the line has to identify the subscriber"
	}
	return fmt.Sprintf("%s proof right", method)
}

func statusDetail(subscriber *linegate.Subscriber) string {
	if subscriber == nil {
		return ""
	}
	if subscriber.Status == linegate.StatusSuspended && walledGarden(subscriber).Offered() {
		return "suspended, with a walled garden"
	}
	return string(subscriber.Status)
}

func option82Detail(request *linegate.Request, subscriber *linegate.Subscriber, check linegate.Option82Check) string {
	switch check.Result {
	case "":
		return ""
	case linegate.Option82NoProfile:
		return "no_profile: the subscriber has no network profile"
	case linegate.Option82Missing:
		return fmt.Sprintf("missing under policy %s: the request carries no Option 82", check.Policy)
	case linegate.Option82Ignored:
		return "ignored by policy"
	}
	return fmt.Sprintf("%s under policy %s: %s; %s", check.Result, check.Policy,
		fieldDetail("circuit_id", subscriber.Profile.CircuitID, request.Line.CircuitID, check.CircuitIDDiffers),
		fieldDetail("remote_id", subscriber.Profile.RemoteID, request.Line.RemoteID, check.RemoteIDDiffers))
}

func fieldDetail(name string, expected linegate.Octets, actual []byte, differs bool) string {
	switch {
	case expected == "":
		return name + " not checked"
	case differs && actual == nil:
		return fmt.Sprintf("%s expected %q, the request has none", name, expected)
	case differs:
		return fmt.Sprintf("%s expected %q, got %q", name, expected, linegate.Octets(actual))
	}
	return fmt.Sprintf("%s %q", name, expected)
}

func lineDetail(subscriber *linegate.Subscriber, reason linegate.Reason) string {
	switch {
	case reason == linegate.ReasonLineNotIdentified:
		return "no password is stored, and the line is not the profile's"
	case subscriber != nil && subscriber.Credential.Kind == linegate.CredentialNone:
		return "the line identifies the subscriber"
	}
	return ""
}

func sessionsDetail(facts linegate.Facts) string {
	switch facts.Admission {
	case linegate.AdmissionGranted:
		return fmt.Sprintf("max_sessions is %d, and there is room for this CPE", maxSessions(facts.Subscriber))
	case linegate.AdmissionFull:
		return fmt.Sprintf("max_sessions is %d, and so many other CPEs are online already", maxSessions(facts.Subscriber))
	}
	return ""
}

func answerDetail(decision linegate.Decision) string {
	if decision.Accept {
		return fmt.Sprintf("Access-Accept (%s)", decision.Reason)
	}
	return fmt.Sprintf("Access-Reject (%s)", decision.Reason)
}
