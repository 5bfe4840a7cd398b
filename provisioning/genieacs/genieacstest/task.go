package genieacstest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// task is one that waits or failed; fields is what it was posted with.
type task struct {
	id     string
	device string
	fields map[string]any
	expiry time.Time
	failed bool
}

// fault is what became of a task that failed.
type fault struct {
	device, channel, code, message string
	parameters                     []map[string]any
	provisions                     [][]any
}

func (f *fault) id() string { return f.device + ":" + f.channel }

func (f *fault) document() map[string]any {
	provisions, err := json.Marshal(f.provisions)
	if err != nil {
		provisions = nil
	}
	code := strings.TrimPrefix(f.code, "cwmp.")
	return map[string]any{
		"_id": f.id(), "device": f.device, "channel": f.channel, "code": f.code, "message": f.message, "retries": 0,
		"provisions": string(provisions),
		"detail":     map[string]any{"faultCode": code, "faultString": f.message, "setParameterValuesFault": f.parameters},
	}
}

var objectID = regexp.MustCompile(`^[0-9a-f]{24}$`)

// post takes a task, and with connection_request calls the CPE.
func (s *Server) post(id string, values url.Values, body []byte) reply {
	cpe := s.devices[id]
	if cpe == nil {
		return text(http.StatusNotFound, "No such device")
	}
	call := values.Has("connection_request")
	if len(body) == 0 {
		return s.callOnly(cpe, call)
	}
	var given any
	if err := json.Unmarshal(body, &given); err != nil {
		return text(http.StatusBadRequest, "SyntaxError: Unexpected end of JSON input")
	}
	if _, many := given.([]any); many {
		return encoded(http.StatusAccepted, "Accepted", given) // and never seen again
	}
	fields, ok := given.(map[string]any)
	if !ok || !valid(fields) {
		return s.crash("an invalid task: " + string(body))
	}
	t := s.queue(id, fields)
	if !call {
		return encoded(http.StatusAccepted, "Accepted", t.fields)
	}
	if why := cpe.called(); why != Online {
		return encoded(http.StatusAccepted, why, t.fields)
	}
	s.session(cpe)
	if t.failed {
		return encoded(http.StatusAccepted, "Task faulted", t.fields)
	}
	return encoded(http.StatusOK, "OK", t.fields)
}

// callOnly calls the CPE, which opens a session that runs what waits.
func (s *Server) callOnly(cpe *CPE, call bool) reply {
	if !call {
		return text(http.StatusBadRequest, "")
	}
	if why := cpe.called(); why != Online {
		return reply{code: http.StatusGatewayTimeout, reason: why, body: why}
	}
	s.session(cpe)
	return text(http.StatusOK, "")
}

func (s *Server) queue(id string, fields map[string]any) *task {
	s.count++
	now := s.tick()
	t := &task{id: fmt.Sprintf("%024x", s.count), device: id, fields: fields}
	if key, ok := fields["uniqueKey"]; ok {
		// Replaces the older task; its fault stays behind.
		s.tasks = slices.DeleteFunc(s.tasks, func(o *task) bool { return o.device == id && o.fields["uniqueKey"] == key })
	}
	if seconds, ok := fields["expiry"].(float64); ok {
		t.expiry = now.Add(time.Duration(seconds) * time.Second)
		fields["expiry"] = stamp(t.expiry)
	}
	fields["device"], fields["timestamp"], fields["_id"] = id, stamp(now), t.id
	s.tasks = append(s.tasks, t)
	return t
}

// valid is what the real one does not check before it ends over it.
func valid(fields map[string]any) bool {
	lists := map[string]string{"getParameterValues": "parameterNames", "setParameterValues": "parameterValues", "provisions": "provisions"}
	name, _ := fields["name"].(string)
	if name == "refreshObject" || name == "reboot" {
		return true
	}
	list, ok := fields[lists[name]].([]any)
	if !ok || len(list) == 0 {
		return false
	}
	for _, entry := range list {
		parts, _ := entry.([]any)
		if slices.Contains(parts, nil) {
			return false
		}
	}
	return true
}

// session runs all that waits for a CPE, oldest first. Within it nothing is read
// twice, so that a set is not seen to have failed.
func (s *Server) session(cpe *CPE) {
	s.inform(cpe)
	fresh := map[string]bool{}
	for _, t := range slices.Clone(s.tasks) {
		if t.device != cpe.id || t.failed {
			continue
		}
		if !t.expiry.IsZero() && t.expiry.Before(s.clock) {
			s.drop(t)
			continue
		}
		steps := stepsOf(t.fields)
		if no := s.run(cpe, steps, fresh); no != nil {
			t.failed = true
			s.faults = append(s.faults, &fault{
				device: cpe.id, channel: "task_" + t.id, code: no.code, message: no.message, parameters: no.parameters, provisions: steps,
			})
			continue
		}
		s.drop(t)
	}
}

func (s *Server) drop(t *task) {
	s.tasks = slices.DeleteFunc(s.tasks, func(o *task) bool { return o == t })
}

// stepsOf are the steps that the server makes of any task.
func stepsOf(fields map[string]any) (steps [][]any) {
	for _, name := range []string{"parameterNames", "parameterValues", "provisions"} {
		list, _ := fields[name].([]any)
		for _, entry := range list {
			switch entry := entry.(type) {
			case string:
				steps = append(steps, []any{"refresh", entry})
			case []any:
				if name == "parameterValues" {
					entry = append([]any{"value"}, entry[:2]...)
				}
				steps = append(steps, entry)
			}
		}
	}
	return steps
}

func (s *Server) run(cpe *CPE, steps [][]any, fresh map[string]bool) *refusal {
	var list []assignment
	for _, step := range steps {
		if len(step) < 2 {
			continue
		}
		path, _ := step[1].(string)
		switch step[0] {
		case "instances":
			s.instance(cpe, path)
		case "refresh":
			s.refresh(cpe, resolve(cpe, path), fresh)
		case "value":
			if len(step) < 3 {
				return &refusal{code: "script.Error", message: "Invalid number of arguments"}
			}
			list = append(list, assignment{resolve(cpe, path), step[2]})
		}
	}
	return s.assign(cpe, list, fresh)
}

func (s *Server) refresh(cpe *CPE, path string, fresh map[string]bool) {
	if path == "" {
		return
	}
	s.read(cpe, path, fresh)
	for known := range cpe.parameters {
		if strings.HasPrefix(known, path+".") {
			s.read(cpe, known, fresh)
		}
	}
}

// deleteTask deletes a task with its fault.
func (s *Server) deleteTask(id string) reply {
	if !objectID.MatchString(id) {
		return s.crash("a task id that is none: " + id)
	}
	if s.busy > 0 {
		s.busy--
		return text(http.StatusServiceUnavailable, "Device is in session")
	}
	at := slices.IndexFunc(s.tasks, func(t *task) bool { return t.id == id })
	if at < 0 {
		return text(http.StatusNotFound, "Task not found")
	}
	s.faults = slices.DeleteFunc(s.faults, func(f *fault) bool { return f.channel == "task_"+id })
	s.tasks = slices.Delete(s.tasks, at, at+1)
	return text(http.StatusOK, "")
}

// deleteFault deletes a fault with its task, and says yes in any case.
func (s *Server) deleteFault(id string) reply {
	if s.busy > 0 {
		s.busy--
		return text(http.StatusServiceUnavailable, "Device is in session")
	}
	s.faults = slices.DeleteFunc(s.faults, func(f *fault) bool { return f.id() == id })
	_, channel, _ := strings.Cut(id, ":task_")
	s.tasks = slices.DeleteFunc(s.tasks, func(t *task) bool { return t.id == channel })
	return text(http.StatusOK, "")
}
