package netboxtest

import (
	"fmt"
	"net/netip"
	"slices"
)

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

// Shown are all objects but the parents, in words: what they are, their status,
// and the key and the owner that they have under the names of custom fields.
func (s *Server) Shown(key, owner string) (words []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, objects := range []map[int64]*object{s.ips, s.prefixes} {
		for _, o := range objects {
			if o.status != "container" {
				words = append(words, fmt.Sprintf("%s %s, key %v, of %v", o.prefix, o.status, o.custom[key], o.custom[owner]))
			}
		}
	}
	slices.Sort(words)
	return words
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
