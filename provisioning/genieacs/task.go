package genieacs

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"linegate"
)

// task is one as the server takes it. Only what the two makers below return is ever
// sent: the server checks nothing and ends with what it does not understand.
type task struct {
	Name           string   `json:"name"`
	Provisions     [][]any  `json:"provisions,omitempty"`
	ParameterNames []string `json:"parameterNames,omitempty"`
	// UniqueKey marks the task as ours. The server replaces a task of the same key
	// and leaves its fault behind, so no two tasks of ours have one, and older ones
	// are deleted before.
	UniqueKey string `json:"uniqueKey"`
	Expiry    int64  `json:"expiry"` // seconds
}

// keyPrefix begins the keys of all tasks of a service.
func keyPrefix(service string) string { return "linegate/" + service + "/" }

// provisionsTask reads every parameter and then sets it, in one session: a set alone
// is left out when the server believes that the value is there already.
func provisionsTask(service string, part int, writes []write, expiry time.Duration) task {
	t := task{Name: "provisions", UniqueKey: keyPrefix(service) + strconv.Itoa(part), Expiry: int64(expiry / time.Second)}
	var made []string
	for _, w := range writes {
		if w.ensure != "" && !slices.Contains(made, w.ensure) {
			made = append(made, w.ensure)
			t.Provisions = append(t.Provisions, []any{"instances", w.ensure, 1})
		}
	}
	for _, w := range writes {
		t.Provisions = append(t.Provisions, []any{"refresh", w.path})
	}
	for _, w := range writes {
		t.Provisions = append(t.Provisions, []any{"value", w.path, w.typed()})
	}
	return t
}

func readTask(service string, names []string, expiry time.Duration) task {
	return task{
		Name: "getParameterValues", ParameterNames: names,
		UniqueKey: keyPrefix(service) + "read", Expiry: int64(expiry / time.Second),
	}
}

// queued is a task as the server lists it.
type queued struct {
	ID        string `json:"_id"`
	UniqueKey any    `json:"uniqueKey"` // others' may be of any type
}

func has(list []queued, id string) bool {
	return slices.ContainsFunc(list, func(t queued) bool { return t.ID == id })
}

// fault is a task that failed. The server tries it again by itself, after 5
// minutes at first, unless it is deleted.
type fault struct {
	ID      string      `json:"_id"`
	Channel string      `json:"channel"`
	Code    string      `json:"code"`
	Message string      `json:"message"`
	Detail  faultDetail `json:"detail"`
	Writes  string      `json:"provisions"` // JSON in JSON
}

type faultDetail struct {
	Parameters []struct {
		Name string `json:"parameterName"`
		Code string `json:"faultCode"`
		Text string `json:"faultString"`
	} `json:"setParameterValuesFault"`
}

// UnmarshalJSON takes a detail of any shape: only CPE faults have ours.
func (d *faultDetail) UnmarshalJSON(content []byte) error {
	type plain faultDetail
	var detail plain
	if json.Unmarshal(content, &detail) == nil {
		*d = faultDetail(detail)
	}
	return nil
}

// refusals are fault codes that a CPE will give again (TR-069 section A.5): method
// or arguments are not for it, or the parameter is.
var refusals = []string{"cwmp.9000", "cwmp.9001", "cwmp.9003", "cwmp.9005", "cwmp.9006", "cwmp.9007", "cwmp.9008", "script.Error"}

// err names the parameter that was refused.
func (f *fault) err() error {
	kind := linegate.ErrOutcomeUnknown // e.g. session_terminated: the CPE left without an answer
	switch {
	case slices.Contains(refusals, f.Code):
		kind = linegate.ErrRefused
	case strings.HasPrefix(f.Code, "cwmp."):
		kind = linegate.ErrTryAgain // the CPE takes all values of a message or none
	}
	words := []string{f.Code + " " + f.Message}
	for _, p := range f.Detail.Parameters {
		words = append(words, fmt.Sprintf("%s: %s %s", p.Name, p.Code, p.Text))
	}
	return fmt.Errorf("%w: the device answered %s", kind, strings.Join(words, "; "))
}

// writes reports whether a retry would write one of these parameters.
func (f *fault) writes(list []write) bool {
	var provisions [][]any
	if err := json.Unmarshal([]byte(f.Writes), &provisions); err != nil {
		return false
	}
	for _, provision := range provisions {
		if len(provision) < 2 || provision[0] != "value" {
			continue
		}
		if slices.ContainsFunc(list, func(w write) bool { return provision[1] == w.path }) {
			return true
		}
	}
	return false
}

// errInSession: the server does not touch tasks of a device that is in a session.
var errInSession = errors.New("the device is in a session")
