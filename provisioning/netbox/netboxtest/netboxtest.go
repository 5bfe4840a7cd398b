// Package netboxtest is a NetBox for tests that behaves as any version from 3.0 to
// 4.7 does towards a client that allocates: what it answers when a pool is
// exhausted, which fields and filters it silently drops, and what it refuses. It
// never leaves the process that it is started in.
package netboxtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Tokens that a server takes: one of each version.
const (
	Token1 = "0123456789abcdef0123456789abcdef01234567"
	Token2 = "nbt_abcdefghijkl.0123456789abcdef0123456789abcdef01234567"
)

// Server is a NetBox in memory. Its fields may be changed before the first request.
type Server struct {
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

type object struct {
	id      int64
	prefix  netip.Prefix
	status  string
	custom  map[string]any
	tags    []string
	text    string
	changes int
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

// Held returns what carries a key, by key; a key that two objects carry gives both.
func (s *Server) Held(field string) map[string][]netip.Prefix {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := map[string][]netip.Prefix{}
	for _, objects := range []map[int64]*object{s.ips, s.prefixes} {
		for _, o := range objects {
			if key, _ := o.custom[field].(string); key != "" {
				held[key] = append(held[key], o.prefix)
			}
		}
	}
	return held
}

// Objects counts addresses, and prefixes without the parents.
func (s *Server) Objects() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := len(s.ips)
	for _, p := range s.prefixes {
		if p.status != "container" {
			count++
		}
	}
	return count
}

// Add puts an address there that nobody allocated, with custom fields.
func (s *Server) Add(address netip.Prefix, custom map[string]any) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID++
	s.ips[s.lastID] = &object{id: s.lastID, prefix: address, status: "active", custom: custom}
	return s.lastID
}

// Custom returns a custom field of an address.
func (s *Server) Custom(id int64, field string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ips[id].custom[field]
}

// Status returns the status of an object of either kind, empty when it is gone.
func (s *Server) Status(id int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, objects := range []map[int64]*object{s.ips, s.prefixes} {
		if o := objects[id]; o != nil {
			return o.status
		}
	}
	return ""
}

// SetField changes a property of a custom field's definition.
func (s *Server) SetField(name, property string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fields[name][property] = value
}

func (s *Server) since(major, minor, patch int) bool {
	return slices.Compare(s.Version[:], []int{major, minor, patch}) >= 0
}

// recorder keeps an answer back until After has seen the request.
type recorder struct {
	status int
	header http.Header
	body   any
}

// ServeHTTP answers as NetBox.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.Before != nil && s.Before(w, r) {
		return
	}
	answer, after := s.answer(r)
	if after != nil && after(w, r) {
		return
	}
	maps.Copy(w.Header(), answer.header)
	w.Header().Set("API-Version", fmt.Sprintf("%d.%d", s.Version[0], s.Version[1]))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.status)
	if answer.body != nil {
		_ = json.NewEncoder(w).Encode(answer.body)
	}
}

// answer carries a request out. Who is to see it afterwards may change meanwhile.
func (s *Server) answer(r *http.Request) (recorder, func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.carryOut(r), s.After
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

func (s *Server) customFields(r *http.Request) recorder {
	if r.Method == http.MethodGet {
		var all []map[string]any
		for _, name := range slices.Sorted(maps.Keys(s.fields)) {
			if wanted := r.URL.Query().Get("name"); wanted == "" || wanted == name {
				all = append(all, s.fields[name])
			}
		}
		return page(all, r)
	}
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return detail(400, err.Error())
	}
	types := "object_types"
	if !s.since(4, 0, 0) {
		types = "content_types"
	}
	if body[types] == nil {
		return recorder{status: 400, body: map[string]any{types: []string{"This field is required."}}}
	}
	if body["unique"] != nil && !s.since(4, 1, 0) {
		delete(body, "unique")
	}
	s.lastID++
	body["id"] = s.lastID
	for _, choice := range []string{"type", "filter_logic"} {
		body[choice] = map[string]any{"value": body[choice], "label": body[choice]}
	}
	s.fields[fmt.Sprint(body["name"])] = body
	return recorder{status: 201, body: body}
}

func (s *Server) tagList(r *http.Request) recorder {
	if r.Method == http.MethodGet {
		var all []map[string]any
		if slug := r.URL.Query().Get("slug"); s.tags[slug] {
			all = append(all, map[string]any{"slug": slug})
		}
		return page(all, r)
	}
	var body struct{ Slug string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return detail(400, err.Error())
	}
	s.tags[body.Slug] = true
	return recorder{status: 201, body: map[string]any{"slug": body.Slug}}
}

// objects answers for addresses and prefixes.
func (s *Server) objects(r *http.Request, rest []string, all map[int64]*object, name, kind string) recorder {
	if len(rest) == 0 {
		if r.Method == http.MethodPost {
			return s.create(r, all, name, kind)
		}
		return page(s.filter(r, all, name), r)
	}
	id, err := strconv.ParseInt(rest[0], 10, 64)
	o := all[id]
	if err != nil || o == nil {
		return detail(404, "Not found.")
	}
	if len(rest) == 2 {
		return s.available(r, o, rest[1])
	}
	if tag := r.Header.Get("If-Match"); tag != "" && s.since(4, 6, 0) && tag != o.etag() {
		return detail(412, "changed")
	}
	switch r.Method {
	case http.MethodDelete:
		delete(all, id)
		return recorder{status: 204}
	case http.MethodPatch:
		if refused := s.fill(r, o, kind, all); refused != nil {
			return *refused
		}
		o.changes++
	}
	answer := recorder{status: 200, body: o.shown(name), header: http.Header{}}
	if s.since(4, 6, 0) {
		answer.header.Set("ETag", o.etag())
	}
	return answer
}

func (o *object) etag() string { return fmt.Sprintf(`W/"%d"`, o.changes) }

func (o *object) shown(name string) map[string]any {
	family := 4
	if o.prefix.Addr().Is6() {
		family = 6
	}
	tags := []map[string]string{}
	for _, tag := range o.tags {
		tags = append(tags, map[string]string{"slug": tag})
	}
	return map[string]any{
		"id": o.id, name: o.prefix.String(), "vrf": nil, "custom_fields": o.custom, "tags": tags, "description": o.text,
		"family": map[string]any{"value": family}, "status": map[string]any{"value": o.status, "label": o.status},
	}
}

func (s *Server) filter(r *http.Request, all map[int64]*object, name string) (shown []map[string]any) {
	query := r.URL.Query()
	for _, id := range slices.Sorted(maps.Keys(all)) {
		o := all[id]
		if wanted := query.Get(name); wanted != "" && wanted != o.prefix.String() && wanted != o.prefix.Addr().String() {
			continue
		}
		if tag := query.Get("tag"); tag != "" && !slices.Contains(o.tags, tag) {
			continue
		}
		if s.passesCustom(query, o) {
			shown = append(shown, o.shown(name))
		}
	}
	return shown
}

// passesCustom filters by custom fields. One that is not defined is ignored, and a
// loose one finds parts.
func (s *Server) passesCustom(query map[string][]string, o *object) bool {
	for parameter, values := range query {
		name, custom := strings.CutPrefix(parameter, "cf_")
		field := s.fields[name]
		if !custom || field == nil {
			continue
		}
		held, _ := o.custom[name].(string)
		logic := fmt.Sprint(field["filter_logic"])
		if strings.Contains(logic, "loose") && !strings.Contains(held, values[0]) || strings.Contains(logic, "exact") && held != values[0] {
			return false
		}
	}
	return true
}

// fill puts a request's body into an object, or says why not.
func (s *Server) fill(r *http.Request, o *object, kind string, all map[int64]*object) *recorder {
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		refused := detail(400, err.Error())
		return &refused
	}
	return s.fillFrom(body, o, all)
}

func (s *Server) fillFrom(body map[string]any, o *object, all map[int64]*object) *recorder {
	if status, set := body["status"].(string); set {
		o.status = status
	}
	if text, set := body["description"].(string); set {
		o.text = text
	}
	if tags, set := body["tags"].([]any); set {
		o.tags = nil
		for _, tag := range tags {
			slug := fmt.Sprint(tag.(map[string]any)["slug"])
			if !s.tags[slug] {
				return &recorder{status: 400, body: map[string]any{"tags": []string{"Related object not found"}}}
			}
			o.tags = append(o.tags, slug)
		}
	}
	custom, _ := body["custom_fields"].(map[string]any)
	for name, value := range custom {
		field := s.fields[name]
		switch {
		case field == nil && s.since(4, 5, 8):
			return &recorder{status: 400, body: map[string]any{"custom_fields": []string{"Unknown field name '" + name + "'"}}}
		case field == nil:
			continue // silently dropped
		case field["unique"] == true && value != nil && s.taken(all, o, name, value):
			return &recorder{status: 400, body: map[string]any{"__all__": []string{"Custom field '" + name + "' must have a unique value."}}}
		}
		o.custom[name] = value
	}
	return nil
}

func (s *Server) taken(all map[int64]*object, o *object, name string, value any) bool {
	for _, other := range all {
		if other != o && other.custom[name] == value {
			return true
		}
	}
	return false
}

// create makes an object at a place that the request names. Twice the same address
// is refused since 3.7.
func (s *Server) create(r *http.Request, all map[int64]*object, name, kind string) recorder {
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return detail(400, err.Error())
	}
	prefix, err := netip.ParsePrefix(fmt.Sprint(body[name]))
	if err != nil {
		return recorder{status: 400, body: map[string]any{name: []string{"Invalid format"}}}
	}
	for _, other := range all {
		if other.prefix.Addr() == prefix.Addr() && (name == "address" || other.prefix == prefix) && s.since(3, 7, 0) {
			return recorder{status: 400, body: map[string]any{name: []string{"Duplicate " + name + " found in global table: " + other.prefix.String()}}}
		}
	}
	return s.add(body, prefix, all, name)
}

func (s *Server) add(body map[string]any, prefix netip.Prefix, all map[int64]*object, name string) recorder {
	o := &object{prefix: prefix, status: "active", custom: map[string]any{}}
	for field := range s.fields {
		o.custom[field] = nil
	}
	if refused := s.fillFrom(body, o, all); refused != nil {
		return *refused
	}
	s.lastID++
	o.id = s.lastID
	all[o.id] = o
	return recorder{status: 201, body: o.shown(name)}
}

// available lists or takes what is free in a prefix.
func (s *Server) available(r *http.Request, parent *object, what string) recorder {
	if r.Method == http.MethodGet && what == "available-prefixes" {
		blocks := []map[string]any{}
		for _, block := range s.freeBlocks(parent) {
			blocks = append(blocks, map[string]any{"family": 6, "prefix": block.String(), "vrf": nil})
		}
		return recorder{status: 200, body: blocks}
	}
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return detail(400, err.Error())
	}
	if what == "available-ips" {
		return s.takeIP(parent, body)
	}
	length, ok := body["prefix_length"].(float64)
	if !ok {
		return recorder{status: 400, body: []map[string]any{{"prefix_length": "this field must be int type"}}}
	}
	for _, block := range s.freeBlocks(parent) {
		if block.Bits() <= int(length) {
			return s.add(body, netip.PrefixFrom(block.Addr(), int(length)), s.prefixes, "prefix")
		}
	}
	return s.exhausted()
}

// exhausted is 204 up to 3.1.0, and 409 since.
func (s *Server) exhausted() recorder {
	if !s.since(3, 1, 1) {
		return recorder{status: 204}
	}
	return detail(409, "Insufficient resources are available to satisfy the request")
}

// takeIP takes the first free address: of IPv4 neither the first nor the last, of
// IPv6 not the first.
func (s *Server) takeIP(parent *object, body map[string]any) recorder {
	taken := map[netip.Addr]bool{}
	for _, o := range s.ips {
		taken[o.prefix.Addr()] = true
	}
	for address := parent.prefix.Addr().Next(); parent.prefix.Contains(address); address = address.Next() {
		last := address.Is4() && !parent.prefix.Contains(address.Next())
		if taken[address] || last {
			continue
		}
		bits := parent.prefix.Bits()
		if length, ok := body["prefix_length"].(float64); ok && s.since(4, 5, 1) {
			bits = int(length)
		}
		return s.add(body, netip.PrefixFrom(address, bits), s.ips, "address")
	}
	return s.exhausted()
}

// freeBlocks returns the largest blocks of a parent that no other prefix has a part of.
func (s *Server) freeBlocks(parent *object) []netip.Prefix {
	return s.freeWithin(parent.prefix, parent)
}

func (s *Server) freeWithin(block netip.Prefix, parent *object) []netip.Prefix {
	overlaps := false
	for _, o := range s.prefixes {
		if o == parent || !o.prefix.Overlaps(block) || o.prefix.Bits() <= parent.prefix.Bits() {
			continue
		}
		if o.prefix.Bits() <= block.Bits() {
			return nil
		}
		overlaps = true
	}
	if !overlaps {
		return []netip.Prefix{block}
	}
	octets := block.Addr().AsSlice()
	octets[block.Bits()/8] |= 0x80 >> (block.Bits() % 8)
	high, _ := netip.AddrFromSlice(octets)
	return append(s.freeWithin(netip.PrefixFrom(block.Addr(), block.Bits()+1), parent), s.freeWithin(netip.PrefixFrom(high, block.Bits()+1), parent)...)
}

// DropField forgets the definition of a custom field.
func (s *Server) DropField(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.fields, name)
}

// Touch changes an address as somebody else would.
func (s *Server) Touch(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ips[id].changes++
}

// SetCustom sets a custom field of an address.
func (s *Server) SetCustom(id int64, field string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ips[id].custom[field] = value
}

// SetAfter replaces After while the server runs.
func (s *Server) SetAfter(after func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.After = after
}
