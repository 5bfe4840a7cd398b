package netboxtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

type object struct {
	id      int64
	prefix  netip.Prefix
	status  string
	custom  map[string]any
	tags    []string
	text    string
	changes int
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
