package genieacs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"linegate"
)

// maxAnswer bounds an answer: the whole data model of a CPE is about a megabyte.
const maxAnswer = 16 << 20

// nbi speaks the northbound interface.
type nbi struct {
	config Config
	client *http.Client
	info   []string // what is read of every device
}

func newNBI(config Config, info []string) nbi {
	return nbi{config: config, info: info, client: &http.Client{
		Transport: config.Transport, Timeout: config.Call,
		// A redirect would turn a POST into a GET.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is a reply that was read to its end.
type answer struct {
	code int
	why  string // the reason phrase: all that tells one 202 from another
	body []byte
}

func (n *nbi) do(ctx context.Context, method, path string, body any) (answer, error) {
	content := []byte{}
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return answer{}, fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, n.config.URL+path, bytes.NewReader(content))
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w: %w", method, linegate.ErrRefused, err)
	}
	n.authorize(request)
	response, err := n.client.Do(request)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w: %w", method, sendError(method, err), err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w: %w", method, sendError(method, err), err)
	}
	_, why, _ := strings.Cut(response.Status, " ")
	return answer{code: response.StatusCode, why: why, body: read}, nil
}

func (n *nbi) authorize(request *http.Request) {
	switch {
	case n.config.Token != "":
		request.Header.Set("Authorization", "Bearer "+n.config.Token.Reveal())
	case n.config.Username != "":
		request.SetBasicAuth(n.config.Username, n.config.Password.Reveal())
	}
}

// sendError says what no answer means: a question changes nothing, and neither
// does what was never sent.
func sendError(method string, err error) error {
	var dial *net.OpError
	if method == http.MethodGet || errors.As(err, &dial) && dial.Op == "dial" {
		return linegate.ErrTryAgain
	}
	return linegate.ErrOutcomeUnknown
}

// refusal is the error of a status that is no success.
func (a *answer) refusal(what string) error {
	kind := linegate.ErrRefused
	switch {
	case a.code == http.StatusServiceUnavailable && strings.Contains(string(a.body), "in session"):
		return fmt.Errorf("%s: %w: %w", what, linegate.ErrTryAgain, errInSession)
	case a.code/100 == 5, a.code == http.StatusTooManyRequests, a.code == http.StatusRequestTimeout:
		kind = linegate.ErrTryAgain
	case a.code == http.StatusNotFound:
		kind = linegate.ErrNotFound
	}
	return fmt.Errorf("%s: %w: %d %s %s", what, kind, a.code, a.why, bytes.TrimSpace(a.body[:min(len(a.body), 200)]))
}

// list asks for documents of a collection. The query is JSON; the names in it are
// ours and the values were validated.
func (n *nbi) list(ctx context.Context, collection string, query map[string]string, projection []string, into any) error {
	content, err := json.Marshal(query)
	if err != nil {
		return err
	}
	values := url.Values{"query": {string(content)}}
	if len(projection) > 0 {
		values.Set("projection", strings.Join(projection, ","))
	}
	reply, err := n.do(ctx, http.MethodGet, "/"+collection+"/?"+values.Encode(), nil)
	if err != nil {
		return fmt.Errorf("%s: %w", collection, err)
	}
	if reply.code != http.StatusOK {
		return reply.refusal(collection)
	}
	if err := json.Unmarshal(reply.body, into); err != nil {
		return fmt.Errorf("%s: %w: %w", collection, linegate.ErrTryAgain, err)
	}
	return nil
}

// find looks a CPE up by its id and then by every form of its serial. Two devices
// of one serial are not told apart by guessing.
func (n *nbi) find(ctx context.Context, name string) (device, error) {
	queries := []map[string]string{{"_id": name}}
	for _, form := range serialForms(name) {
		queries = append(queries, map[string]string{"_deviceId._SerialNumber": form})
	}
	var found []device
	for i, query := range queries {
		var documents []node
		if err := n.list(ctx, "devices", query, n.info, &documents); err != nil {
			return device{}, err
		}
		for _, document := range documents {
			d, err := newDevice(document)
			if err != nil {
				return device{}, err
			}
			found = append(found, d)
		}
		if i == 0 && len(found) > 0 {
			break
		}
	}
	switch len(found) {
	case 0:
		return device{}, fmt.Errorf("%w: no device has this id or serial", linegate.ErrNotFound)
	case 1:
		return found[0], nil
	}
	return device{}, fmt.Errorf("%w: %s and %s have this serial; name the device by its id", linegate.ErrRefused, found[0].ID, found[1].ID)
}

// parameters reads what the server knows of some parameters.
func (n *nbi) parameters(ctx context.Context, id string, names []string) (node, error) {
	var projection []string
	for _, name := range names {
		plain, _, _ := strings.Cut(name, ".[") // a projection knows no keys
		projection = append(projection, plain)
	}
	var documents []node
	if err := n.list(ctx, "devices", map[string]string{"_id": id}, projection, &documents); err != nil {
		return nil, err
	}
	if len(documents) != 1 {
		return nil, fmt.Errorf("devices: %w: %s is gone", linegate.ErrNotFound, id)
	}
	return documents[0], nil
}

// posted is what the server says of a task.
type posted struct {
	id  string
	at  time.Time // on the server's clock
	ran bool      // a session ran, and the CPE did not refuse this task
	why string    // why it did not run
}

// post sends a task and makes the server call the CPE.
func (n *nbi) post(ctx context.Context, id string, task task, patience time.Duration) (posted, error) {
	query := "?timeout=" + strconv.FormatInt(patience.Milliseconds(), 10) + "&connection_request"
	return n.send(ctx, id, query, task)
}

// queue leaves a task for the next session.
func (n *nbi) queue(ctx context.Context, id string, task task) error {
	_, err := n.send(ctx, id, "", task)
	return err
}

func (n *nbi) send(ctx context.Context, id, query string, task task) (posted, error) {
	reply, err := n.do(ctx, http.MethodPost, tasksPath(id)+query, task)
	if err != nil {
		return posted{}, fmt.Errorf("task: %w", err)
	}
	if reply.code != http.StatusOK && reply.code != http.StatusAccepted {
		return posted{}, reply.refusal("task")
	}
	var made struct {
		ID        string    `json:"_id"`
		Timestamp time.Time `json:"timestamp"`
	}
	if err := json.Unmarshal(reply.body, &made); err != nil || !objectID.MatchString(made.ID) {
		return posted{}, fmt.Errorf("task: %w: the answer names no task", linegate.ErrOutcomeUnknown)
	}
	return posted{id: made.ID, at: made.Timestamp, ran: reply.code == http.StatusOK, why: reply.why}, nil
}

// call makes the server call the CPE, without a task. That it can't is no error.
func (n *nbi) call(ctx context.Context, id string) error {
	reply, err := n.do(ctx, http.MethodPost, tasksPath(id)+"?connection_request", nil)
	if err != nil {
		return fmt.Errorf("connection request: %w: %w", linegate.ErrTryAgain, err)
	}
	if reply.code == http.StatusNotFound {
		return reply.refusal("connection request")
	}
	return nil
}

// tasksPath escapes the id once more: it has percent signs of its own.
func tasksPath(id string) string { return "/devices/" + url.PathEscape(id) + "/tasks" }

// tasks are those of a service that wait on a device or failed.
func (n *nbi) tasks(ctx context.Context, id, service string) ([]queued, error) {
	var all, ours []queued
	if err := n.list(ctx, "tasks", map[string]string{"device": id}, nil, &all); err != nil {
		return nil, err
	}
	for _, task := range all {
		if key, ok := task.UniqueKey.(string); ok && strings.HasPrefix(key, keyPrefix(service)) {
			ours = append(ours, task)
		}
	}
	return ours, nil
}

func (n *nbi) faults(ctx context.Context, id string) ([]fault, error) {
	var list []fault
	err := n.list(ctx, "faults", map[string]string{"device": id}, nil, &list)
	return list, err
}

func (n *nbi) faultOf(ctx context.Context, id, task string) (*fault, error) {
	var list []fault
	if err := n.list(ctx, "faults", map[string]string{"_id": id + ":task_" + task}, nil, &list); err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

// deleteTask deletes the task and its fault. An id that is none of the server's
// would end the server.
func (n *nbi) deleteTask(ctx context.Context, id string) error {
	if !objectID.MatchString(id) {
		return fmt.Errorf("delete task: %w: %q is no id of a task", linegate.ErrRefused, id)
	}
	return n.remove(ctx, "/tasks/"+id)
}

// deleteFault deletes the fault and its task.
func (n *nbi) deleteFault(ctx context.Context, id string) error {
	return n.remove(ctx, "/faults/"+url.PathEscape(id))
}

func (n *nbi) remove(ctx context.Context, path string) error {
	reply, err := n.do(ctx, http.MethodDelete, path, nil)
	if err != nil {
		return err
	}
	if reply.code == http.StatusOK || reply.code == http.StatusNotFound {
		return nil
	}
	return reply.refusal("DELETE " + path)
}
