package policy

import (
	"fmt"

	"linegate"
)

// Step is one line of the story of a decision.
type Step struct {
	Name   string `json:"step"`    // identity, credentials, status, option82, line, vlan, answer
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
		{"option82", option82Detail(request, facts.Subscriber, decision),
			[]linegate.Reason{linegate.ReasonOption82Mismatch, linegate.ReasonOption82Missing, linegate.ReasonNoProfile}},
		{"line", lineDetail(facts.Subscriber, decision.Reason),
			[]linegate.Reason{linegate.ReasonLineNotIdentified}},
		{"vlan", vlanDetail(request, facts.Subscriber, decision.VLAN),
			[]linegate.Reason{linegate.ReasonVLANMismatch, linegate.ReasonVLANUnknown}},
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

func option82Detail(request *linegate.Request, subscriber *linegate.Subscriber, decision linegate.Decision) string {
	check := decision.Option82
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
	detail := fmt.Sprintf("%s under policy %s", check.Result, check.Policy)
	if match := subscriber.Profile.LineMatch.Or(request.NAS.LineMatch); match != 0 {
		detail += fmt.Sprintf(" (%s)", match)
	}
	detail += fmt.Sprintf(": %s; %s",
		fieldDetail("circuit_id", subscriber.Profile.CircuitID, request.Line.CircuitID, check.CircuitIDDiffers),
		fieldDetail("remote_id", subscriber.Profile.RemoteID, request.Line.RemoteID, check.RemoteIDDiffers))
	if more := len(subscriber.Profile.MoreLines); more > 0 {
		detail += fmt.Sprintf("; %d more lines compared", more)
	}
	return detail + conflictDetail(request.Line) + ownerDetail(decision)
}

func conflictDetail(line linegate.AccessLine) string {
	if line.Conflict == "" {
		return ""
	}
	return "; " + line.Conflict + " names another line"
}

// ownerDetail says whose line a mismatch came from.
func ownerDetail(decision linegate.Decision) string {
	switch {
	case decision.LineShared:
		return "; that line is several subscribers'"
	case decision.LineOwner != nil:
		return fmt.Sprintf("; that line is %s's", decision.LineOwner.Username)
	}
	return ""
}

func vlanDetail(request *linegate.Request, subscriber *linegate.Subscriber, check linegate.VLANCheck) string {
	switch check.Result {
	case "":
		return ""
	case linegate.VLANUnknown:
		return fmt.Sprintf("unknown under policy %s: the NAS tells no VLAN", check.Policy)
	}
	expected := vlans(subscriber.Profile.ServiceVLAN, subscriber.Profile.InnerVLAN)
	if check.Result == linegate.VLANMismatch {
		return fmt.Sprintf("mismatch under policy %s: expected VLAN %s, got %s", check.Policy, expected, vlans(request.Line.ServiceVLAN, request.Line.InnerVLAN))
	}
	return fmt.Sprintf("match under policy %s: VLAN %s", check.Policy, expected)
}

// vlans writes a pair as S.C, and one alone as S.
func vlans(service, inner linegate.VLAN) string {
	if inner == 0 {
		return fmt.Sprint(service)
	}
	return fmt.Sprintf("%d.%d", service, inner)
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

func answerDetail(decision linegate.Decision) string {
	if decision.Accept {
		return fmt.Sprintf("Access-Accept (%s)", decision.Reason)
	}
	return fmt.Sprintf("Access-Reject (%s)", decision.Reason)
}
