// Package genieacstest stands in for GenieACS in tests: its northbound interface
// with the CPE behind it. It behaves as the recorded exchanges in
// testdata/peers/genieacs, refuses what the real one refuses, keeps devices, tasks
// and faults, and fails on demand. Nothing but tests imports it.
package genieacstest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"linegate/provisioning/peertest"
)

// The two recorded devices.
const (
	TR098 = "00259E-HG8245H-48575443AABBCC01"
	TR181 = "00AABB-XR%20500%2FA%2D1-XR500%2D0001"
)

// Server is a GenieACS. All its methods are safe for concurrent use.
type Server struct {
	peertest.Faults
	http *httptest.Server

	mu      sync.Mutex
	devices map[string]*CPE
	tasks   []*task
	faults  []*fault
	crashes []string
	count   int
	busy    int // so many deletions are answered with "in session"
	clock   time.Time
}

// Start starts a server that knows the two recorded devices, both online.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{devices: map[string]*CPE{}, clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	var recorded map[string]struct {
		Device     map[string]string
		Parameters map[string][3]any
	}
	require.NoError(t, json.Unmarshal(peertest.Read(t, "genieacs", "devices.json"), &recorded))
	for id, data := range recorded {
		cpe := &CPE{id: id, about: data.Device, parameters: map[string]*Parameter{}, cache: map[string]any{}}
		for path, p := range data.Parameters {
			writable, _ := p[2].(bool)
			typ, _ := p[1].(string)
			cpe.parameters[path] = &Parameter{Value: p[0], Type: typ, Writable: writable, Hidden: strings.HasSuffix(path, ".Password")}
		}
		s.devices[id] = cpe
		s.inform(cpe)
	}
	s.http = httptest.NewServer(s)
	t.Cleanup(s.http.Close)
	return s
}

// URL is the address that a client is configured with.
func (s *Server) URL() string { return s.http.URL }

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.Serve(w, r, func() func(http.ResponseWriter) {
		s.mu.Lock()
		defer s.mu.Unlock()
		reply := s.route(r, body)
		return reply.write
	})
}

// reply is an answer with a reason phrase of its own, which is all that tells one
// 202 from another.
type reply struct {
	code   int
	reason string
	body   string
	dies   bool // the process ends instead of answering
}

func (r reply) write(w http.ResponseWriter) {
	if r.dies {
		panic(http.ErrAbortHandler)
	}
	connection, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer connection.Close()
	_, _ = fmt.Fprintf(buffer, "HTTP/1.1 %d %s\r\nGenieACS-Version: 1.2.16\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		r.code, r.reason, len(r.body), r.body)
	_ = buffer.Flush()
}

func text(code int, body string) reply {
	return reply{code: code, reason: http.StatusText(code), body: body}
}

func encoded(code int, reason string, value any) reply {
	body, err := json.Marshal(value)
	if err != nil {
		return text(http.StatusInternalServerError, err.Error())
	}
	return reply{code: code, reason: reason, body: string(body)}
}

func (s *Server) route(r *http.Request, body []byte) reply {
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i := range parts {
		if plain, err := url.PathUnescape(parts[i]); err == nil {
			parts[i] = plain
		}
	}
	switch {
	case r.Method == http.MethodGet && len(parts) == 2 && parts[1] == "":
		return s.list(parts[0], r.URL.Query())
	case r.Method == http.MethodPost && len(parts) == 3 && parts[0] == "devices" && parts[2] == "tasks":
		return s.post(parts[1], r.URL.Query(), body)
	case r.Method == http.MethodDelete && len(parts) == 2 && parts[0] == "tasks":
		return s.deleteTask(parts[1])
	case r.Method == http.MethodDelete && len(parts) == 2 && parts[0] == "faults":
		return s.deleteFault(parts[1])
	case r.Method == http.MethodPost && len(parts) == 3 && parts[0] == "tasks" && parts[2] == "retry":
		return s.crash("a retry of a task that is gone")
	}
	return text(http.StatusNotFound, "Not found")
}

func (s *Server) crash(why string) reply {
	s.crashes = append(s.crashes, why)
	return reply{dies: true}
}

// list answers a query that compares fields with texts.
func (s *Server) list(collection string, values url.Values) reply {
	query := map[string]any{}
	if given := values.Get("query"); given != "" {
		if err := json.Unmarshal([]byte(given), &query); err != nil {
			return text(http.StatusBadRequest, "SyntaxError: Expected property name or '}' in JSON at position 1 (line 1 column 2)")
		}
	}
	found := []any{}
	switch collection {
	case "devices":
		for _, cpe := range s.devices {
			if document := cpe.document(); selected(document, query) {
				found = append(found, project(document, values.Get("projection")))
			}
		}
	case "tasks":
		for _, t := range s.tasks {
			if selected(t.fields, query) {
				found = append(found, t.fields)
			}
		}
	case "faults":
		for _, f := range s.faults {
			if document := f.document(); selected(document, query) {
				found = append(found, document)
			}
		}
	default:
		return text(http.StatusNotFound, "Not found")
	}
	return encoded(http.StatusOK, "OK", found)
}

// selected compares the fields of the query with the document's. Of operators it
// knows the prefix expression that was recorded.
func selected(document map[string]any, query map[string]any) bool {
	for field, wanted := range query {
		has, _ := at(document, field)
		if operator, ok := wanted.(map[string]any); ok {
			prefix, _ := operator["$regex"].(string)
			value, _ := has.(string)
			if !strings.HasPrefix(value, strings.TrimPrefix(prefix, "^")) {
				return false
			}
			continue
		}
		if has != wanted {
			return false
		}
	}
	return true
}

func at(document map[string]any, path string) (any, bool) {
	var value any = document
	for _, part := range strings.Split(path, ".") {
		object, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		if value, ok = object[part]; !ok {
			return nil, false
		}
	}
	return value, true
}

func project(document map[string]any, projection string) map[string]any {
	if projection == "" {
		return document
	}
	result := map[string]any{"_id": document["_id"]}
	for _, path := range strings.Split(projection, ",") {
		if value, there := at(document, path); there {
			put(result, path, value)
		}
	}
	return result
}

// put sets a value at a path, with all objects above it.
func put(document map[string]any, path string, value any) {
	parts := strings.Split(path, ".")
	for _, part := range parts[:len(parts)-1] {
		below, ok := document[part].(map[string]any)
		if !ok {
			below = map[string]any{"_object": true}
			document[part] = below
		}
		document = below
	}
	if object, ok := value.(map[string]any); ok {
		if there, ok := document[parts[len(parts)-1]].(map[string]any); ok {
			for name, entry := range object {
				there[name] = entry
			}
			return
		}
	}
	document[parts[len(parts)-1]] = value
}

// tick moves the server's clock, so that no two things happen at once.
func (s *Server) tick() time.Time {
	s.clock = s.clock.Add(time.Millisecond)
	return s.clock
}

func stamp(at time.Time) string { return at.Format("2006-01-02T15:04:05.000Z") }
