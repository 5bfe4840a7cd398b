package netboxtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// vlanTables are VLAN groups and VLANs as NetBox shows them. The zero value is ready.
type vlanTables struct{ groups, vlans map[int64]map[string]any }

// table is one of them, with what it takes.
type table struct {
	objects map[int64]map[string]any
	check   func(s *Server, id int64, o map[string]any) map[string]any // what is wrong, by field
	fields  []string
}

func (s *Server) tableOf(kind string) table {
	if s.vlans.groups == nil {
		s.vlans = vlanTables{map[int64]map[string]any{}, map[int64]map[string]any{}}
	}
	if kind == "vlan-groups" {
		return table{s.vlans.groups, (*Server).checkGroup, []string{"name", "slug", "description"}}
	}
	return table{s.vlans.vlans, (*Server).checkVLAN, []string{"name", "vid", "group", "status", "description", "tags"}}
}

// vlanObjects answers for VLAN groups and VLANs.
func (s *Server) vlanObjects(r *http.Request, kind string, rest []string) recorder {
	t := s.tableOf(kind)
	if len(rest) == 0 && r.Method == http.MethodGet {
		return page(t.filter(r.URL.Query()), r)
	}
	id := s.lastID + 1
	if len(rest) > 0 {
		id, _ = strconv.ParseInt(rest[0], 10, 64)
		if t.objects[id] == nil {
			return detail(404, "Not found.")
		}
	}
	switch r.Method {
	case http.MethodDelete:
		return s.deleteVLANObject(t, kind, id)
	case http.MethodPost, http.MethodPatch:
		return s.writeVLANObject(r, t, id)
	}
	return recorder{status: 200, body: t.objects[id]}
}

// filter knows the filters of both; any other is ignored, as NetBox does.
func (t table) filter(query map[string][]string) (shown []map[string]any) {
	for _, id := range slices.Sorted(maps.Keys(t.objects)) {
		o := t.objects[id]
		group, _ := o["group"].(map[string]any)
		start, wanted := query["slug__isw"], query["group_id"]
		if len(start) > 0 && o["slug"] != nil && !strings.HasPrefix(fmt.Sprint(o["slug"]), start[0]) || len(wanted) > 0 && group != nil && fmt.Sprint(group["id"]) != wanted[0] {
			continue
		}
		shown = append(shown, o)
	}
	return shown
}

func (s *Server) deleteVLANObject(t table, kind string, id int64) recorder {
	if kind == "vlan-groups" {
		for _, v := range s.vlans.vlans {
			if group, _ := v["group"].(map[string]any); group["id"] == id {
				return detail(409, "Unable to delete object. 1 dependent objects were found: VLAN")
			}
		}
	}
	delete(t.objects, id)
	return recorder{status: 204}
}

func (s *Server) writeVLANObject(r *http.Request, t table, id int64) recorder {
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return detail(400, err.Error())
	}
	made := map[string]any{"id": id, "description": "", "tags": []any{}, "status": "active"}
	maps.Copy(made, t.objects[id])
	for name, value := range body {
		if !slices.Contains(t.fields, name) {
			panic("a field that this NetBox was never sent before: " + name)
		}
		made[name] = value
	}
	if choice, chosen := made["status"].(map[string]any); chosen {
		made["status"] = choice["value"]
	}
	if bad := t.check(s, id, made); len(bad) > 0 {
		return recorder{status: 400, body: bad}
	}
	made["status"] = map[string]any{"value": made["status"], "label": made["status"]}
	t.objects[id] = made
	if r.Method == http.MethodPost {
		s.lastID = id
		return recorder{status: 201, body: made}
	}
	return recorder{status: 200, body: made}
}

var slugRule = regexp.MustCompile(`^[-a-zA-Z0-9_]{1,100}$`)

func tooLong(o map[string]any, name string, least, most int) bool {
	text, _ := o[name].(string)
	return len(text) < least || len(text) > most
}

func (s *Server) checkGroup(id int64, o map[string]any) map[string]any {
	bad := map[string]any{}
	if tooLong(o, "name", 1, 100) || tooLong(o, "description", 0, 200) {
		bad["name"] = []string{"Ensure this field has no more than 100 characters."}
	}
	if !slugRule.MatchString(fmt.Sprint(o["slug"])) {
		bad["slug"] = []string{"Enter a valid “slug” consisting of letters, numbers, underscores or hyphens."}
	}
	for other, group := range s.vlans.groups {
		if other != id && group["slug"] == o["slug"] {
			bad["slug"] = []string{"VLAN group with this slug already exists."}
		}
	}
	return bad
}

func (s *Server) checkVLAN(id int64, o map[string]any) map[string]any {
	bad := map[string]any{}
	if tooLong(o, "name", 1, 64) || tooLong(o, "description", 0, 200) {
		bad["name"] = []string{"Ensure this field has no more than 64 characters."}
	}
	if vid, _ := o["vid"].(float64); vid < 1 || vid > 4094 {
		bad["vid"] = []string{"Ensure this value is between 1 and 4094."}
	}
	if !slices.Contains([]any{"active", "reserved", "deprecated"}, o["status"]) {
		bad["status"] = []string{fmt.Sprint(o["status"], " is not a valid choice.")}
	}
	if number, written := o["group"].(float64); written {
		group := s.vlans.groups[int64(number)]
		if group == nil {
			bad["group"] = []string{"Related object not found using the provided numeric ID"}
			return bad
		}
		o["group"] = map[string]any{"id": int64(number), "slug": group["slug"], "name": group["name"]}
	}
	for _, tag := range o["tags"].([]any) {
		if slug := fmt.Sprint(tag.(map[string]any)["slug"]); !s.tags[slug] {
			bad["tags"] = []string{"Related object not found using the provided attributes"}
		}
	}
	group, grouped := o["group"].(map[string]any)
	for other, v := range s.vlans.vlans {
		beside, _ := v["group"].(map[string]any)
		if other != id && grouped && beside["id"] == group["id"] && (v["vid"] == o["vid"] || v["name"] == o["name"]) {
			bad["__all__"] = []string{"VLAN with this Group and VLAN ID or Name already exists."}
		}
	}
	return bad
}
