package netboxtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

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
