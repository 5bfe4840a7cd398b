// Package netboxtest is a NetBox for tests that behaves as any version from 3.0 to
// 4.7 does towards a client that allocates: what it answers when a pool is
// exhausted, which fields and filters it silently drops, and what it refuses. It
// never leaves the process that it is started in.
package netboxtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"linegate/provisioning/peertest"
)

// Tokens that a server takes: one of each version.
const (
	Token1 = "0123456789abcdef0123456789abcdef01234567"
	Token2 = "nbt_abcdefghijkl.0123456789abcdef0123456789abcdef01234567"
)

// Server is a NetBox in memory. Its fields may be changed before the first request.
type Server struct {
	peertest.Faults
	Version [3]int
	// Before sees every request first; when it returns true it has answered.
	Before func(http.ResponseWriter, *http.Request) bool
	// After runs when a request was carried out and before it is answered; when it
	// returns true it has answered.
	After func(http.ResponseWriter, *http.Request) bool

	mu       sync.Mutex
	lastID   int64
	fields   map[string]map[string]any
	tags     map[string]bool
	prefixes map[int64]*object
	ips      map[int64]*object
	vlans    vlanTables
	http     *httptest.Server
}

// New starts a server of a version, with parent prefixes. Close stops it.
func New(version [3]int, parents ...netip.Prefix) *Server {
	s := &Server{Version: version, fields: map[string]map[string]any{}, tags: map[string]bool{}, prefixes: map[int64]*object{}, ips: map[int64]*object{}}
	for _, parent := range parents {
		s.lastID++
		s.prefixes[s.lastID] = &object{id: s.lastID, prefix: parent, status: "container", custom: map[string]any{}}
	}
	s.http = httptest.NewServer(s)
	return s
}

// URL is what a client is given.
func (s *Server) URL() string { return s.http.URL }

// Close stops the server.
func (s *Server) Close() { s.http.Close() }

func (s *Server) since(major, minor, patch int) bool {
	return slices.Compare(s.Version[:], []int{major, minor, patch}) >= 0
}

// recorder keeps an answer back until After has seen the request.
type recorder struct {
	status int
	header http.Header
	body   any
	text   []byte // the body as it is sent
}

// ServeHTTP answers as NetBox.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if s.Before != nil && s.Before(w, r) {
		return
	}
	s.Serve(w, r, func() func(http.ResponseWriter) {
		answer, after := s.answer(r)
		return func(w http.ResponseWriter) {
			if after == nil || !after(w, r) {
				s.write(w, answer)
			}
		}
	})
}

func (s *Server) write(w http.ResponseWriter, answer recorder) {
	maps.Copy(w.Header(), answer.header)
	w.Header().Set("API-Version", fmt.Sprintf("%d.%d", s.Version[0], s.Version[1]))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.text)
}

// answer carries a request out. Who is to see it afterwards may change meanwhile,
// and so may the objects that the answer shows.
func (s *Server) answer(r *http.Request) (recorder, func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := s.carryOut(r)
	if answer.body == nil {
		return answer, s.After
	}
	var err error
	if answer.text, err = json.Marshal(answer.body); err != nil {
		return recorder{status: http.StatusInternalServerError}, s.After
	}
	return answer, s.After
}

func (s *Server) carryOut(r *http.Request) recorder {
	switch {
	case !strings.HasSuffix(r.URL.Path, "/") && s.since(4, 5, 9):
		return detail(404, "Not found.")
	case !strings.HasSuffix(r.URL.Path, "/"):
		return recorder{status: 301, header: http.Header{"Location": {r.URL.Path + "/"}}}
	case !s.knows(r.Header.Get("Authorization")):
		return detail(403, "Authentication credentials were not provided.")
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")[1:]
	switch strings.Join(parts[:min(2, len(parts))], "/") {
	case "status":
		return recorder{status: 200, body: map[string]any{"netbox-version": fmt.Sprintf("%d.%d.%d", s.Version[0], s.Version[1], s.Version[2])}}
	case "extras/custom-fields":
		return s.customFields(r)
	case "extras/tags":
		return s.tagList(r)
	case "ipam/prefixes":
		return s.objects(r, parts[2:], s.prefixes, "prefix", "ipam.prefix")
	case "ipam/vlan-groups", "ipam/vlans":
		return s.vlanObjects(r, parts[1], parts[2:])
	case "ipam/ip-addresses":
		return s.objects(r, parts[2:], s.ips, "address", "ipam.ipaddress")
	}
	return detail(404, "Not found.")
}

// knows reports whether the token is one. A Bearer before 4.5 is nobody.
func (s *Server) knows(authorization string) bool {
	return authorization == "Token "+Token1 || authorization == "Bearer "+Token2 && s.since(4, 5, 0)
}

func detail(status int, text string) recorder {
	return recorder{status: status, body: map[string]any{"detail": text}}
}

func page(all []map[string]any, r *http.Request) recorder {
	limit, offset := 50, 0
	if n, err := strconv.Atoi(r.URL.Query().Get("limit")); err == nil {
		limit = min(n, 1000)
	}
	if n, err := strconv.Atoi(r.URL.Query().Get("offset")); err == nil {
		offset = n
	}
	shown := all[min(offset, len(all)):min(offset+limit, len(all))]
	return recorder{status: 200, body: map[string]any{"count": len(all), "next": "http://internal.invalid/", "results": shown}}
}

// SetAfter replaces After while the server runs.
func (s *Server) SetAfter(after func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.After = after
}
