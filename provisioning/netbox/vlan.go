package netbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"linegate"
)

// VLANs are the pools of a store and what is assigned and reserved of them.
type VLANs struct {
	Store       string // its id: stores that share a NetBox leave one another's alone
	Pools       []linegate.VLANPool
	Assignments []linegate.VLANAssignment
}

// Mirrored is what a NetBox needed to show the VLANs as they are.
type Mirrored struct {
	Made, Changed, Removed int      // VLANs and groups
	Problems               []string // what NetBox refuses, in words
}

// MirrorVLANs makes NetBox show the VLANs of pools: a VLAN group for each pool, and in
// it, with our tag, a VLAN for each service VLAN that is in use. A group has a VLAN
// number once, so services that share one, or have pairs with it, are counted in its
// description. It goes one way, compares before it writes, and neither changes nor
// removes what is not ours; a group with others' VLANs in it stays.
func (c *Client) MirrorVLANs(ctx context.Context, vlans VLANs) (done Mirrored, err error) {
	if _, err := c.look(ctx); err != nil { // makes the tag
		return done, err
	}
	m := &mirror{Client: c, done: &done, groups: map[string]vlanGroup{}, ours: "linegate-" + digest(vlans.Store, 4) + "-"}
	if err := m.readGroups(ctx); err != nil {
		return done, err
	}
	for _, pool := range vlans.Pools {
		wanted := wantedVLANs(&pool, vlans.Assignments)
		group, err := m.group(ctx, &pool, len(wanted) > 0)
		if err != nil || group.ID == 0 {
			if err := m.tolerate(err, "group of pool "+pool.Name); err != nil {
				return done, err
			}
			continue
		}
		if _, err := m.fill(ctx, group, wanted); err != nil {
			return done, err
		}
	}
	return done, m.clear(ctx)
}

// mirror is one comparison under way.
type mirror struct {
	*Client
	done   *Mirrored
	ours   string               // what slugs of our groups begin with
	groups map[string]vlanGroup // of ours, by slug, that no pool was found for yet
}

type vlanGroup struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	Slug string `json:"slug"`
}

type vlan struct {
	ID    int64         `json:"id"`
	VID   linegate.VLAN `json:"vid"`
	Group *struct {
		ID int64 `json:"id"`
	} `json:"group"`
	Tags []struct {
		Slug string `json:"slug"`
	} `json:"tags"`
	shownVLAN
}

// shownVLAN is what a VLAN of ours shows.
type shownVLAN struct {
	Name        string `json:"name"`
	Status      choice `json:"status"`
	Description string `json:"description"`
}

func (s shownVLAN) body() map[string]any {
	return map[string]any{"name": s.Name, "status": string(s.Status), "description": s.Description}
}

const (
	vlanGroupsPath = "/api/ipam/vlan-groups/"
	vlansPath      = "/api/ipam/vlans/"
	longestName    = 64 // of a VLAN
)

// digest names something by so many octets of its hash.
func digest(text string, octets int) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:octets])
}

// wantedVLANs returns what a pool's group is to show, by service VLAN.
func wantedVLANs(pool *linegate.VLANPool, assignments []linegate.VLANAssignment) map[linegate.VLAN]shownVLAN {
	type use struct{ assigned, reserved int }
	uses := map[linegate.VLAN]use{}
	for _, a := range assignments {
		if a.Tenant != pool.Tenant || a.OLT != pool.OLT || a.Pool != pool.Name {
			continue
		}
		u := uses[a.Outer]
		if a.Reserved {
			u.reserved++
		} else {
			u.assigned++
		}
		uses[a.Outer] = u
	}
	wanted := map[linegate.VLAN]shownVLAN{}
	for vid, u := range uses {
		number := fmt.Sprintf("-%d", vid)
		shown := shownVLAN{Name: pool.Name[:min(len(pool.Name), longestName-len(number))] + number, Status: "active"}
		if u.assigned == 0 {
			shown.Status = "reserved"
		}
		shown.Description = fmt.Sprintf("Linegate: %d services, %d reserved", u.assigned, u.reserved)
		wanted[vid] = shown
	}
	return wanted
}

// readGroups finds the groups that we made. The server's filter alone proves nothing.
func (m *mirror) readGroups(ctx context.Context) error {
	return list(ctx, m.Client, vlanGroupsPath, url.Values{"slug__isw": {m.ours}}, func(group vlanGroup) error {
		if strings.HasPrefix(group.Slug, m.ours) {
			m.groups[group.Slug] = group
		}
		return nil
	})
}

// group returns the pool's group, made where it is missing and needed; ID 0: neither.
func (m *mirror) group(ctx context.Context, pool *linegate.VLANPool, needed bool) (group vlanGroup, err error) {
	name := strings.Join([]string{pool.Tenant, pool.OLT, pool.Name}, "/")
	slug := m.ours + digest(name, 8)
	group, known := m.groups[slug]
	delete(m.groups, slug)
	if known || !needed {
		return group, nil
	}
	_, err = m.do(ctx, call{method: http.MethodPost, path: vlanGroupsPath, body: map[string]any{
		"name": name[:min(len(name), 100)], "slug": slug, "description": "Written by Linegate, which does not read it",
	}}, &group)
	if err == nil {
		m.done.Made++
	}
	return group, err
}

// fill makes our VLANs in the group be the wanted ones. others tells that there are
// some that are not ours.
func (m *mirror) fill(ctx context.Context, group vlanGroup, wanted map[linegate.VLAN]shownVLAN) (others bool, err error) {
	var there []vlan
	err = list(ctx, m.Client, vlansPath, url.Values{"group_id": {fmt.Sprint(group.ID)}}, func(v vlan) error {
		if v.Group != nil && v.Group.ID == group.ID {
			there = append(there, v)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	missing := maps.Clone(wanted)
	for _, v := range there {
		shown, want := wanted[v.VID]
		delete(missing, v.VID)
		switch {
		case !m.isOurs(v):
			others = true
			if want {
				m.problem(fmt.Sprintf("VLAN %d in group %s is not ours and is left as it is", v.VID, group.Name))
			}
		case !want:
			err = m.touch(ctx, v, http.MethodDelete, nil, &m.done.Removed)
		case shown != v.shownVLAN:
			err = m.touch(ctx, v, http.MethodPatch, shown.body(), &m.done.Changed)
		}
		if err != nil {
			return others, err
		}
	}
	for _, vid := range slices.Sorted(maps.Keys(missing)) {
		if err := m.make(ctx, group, vid, missing[vid]); err != nil {
			return others, err
		}
	}
	return others, nil
}

func (m *mirror) isOurs(v vlan) bool {
	for _, tag := range v.Tags {
		if tag.Slug == m.options.Tag {
			return true
		}
	}
	return false
}

func (m *mirror) make(ctx context.Context, group vlanGroup, vid linegate.VLAN, shown shownVLAN) error {
	body := shown.body()
	body["vid"], body["group"], body["tags"] = vid, group.ID, []map[string]string{{"slug": m.options.Tag}}
	_, err := m.do(ctx, call{method: http.MethodPost, path: vlansPath, body: body}, nil)
	if err == nil {
		m.done.Made++
	}
	return m.tolerate(err, fmt.Sprintf("VLAN %d in group %s", vid, group.Name))
}

// touch changes or removes a VLAN if it is still ours. One that is gone is no error.
func (m *mirror) touch(ctx context.Context, v vlan, method string, body any, count *int) error {
	path := fmt.Sprintf("%s%d/", vlansPath, v.ID)
	var now vlan
	answer, err := m.do(ctx, call{method: http.MethodGet, path: path}, &now)
	if err == nil && m.isOurs(now) {
		if _, err = m.do(ctx, call{method: method, path: path, body: body, ifMatch: answer.etag}, nil); err == nil {
			*count++
		}
	}
	if errors.Is(err, linegate.ErrNotFound) {
		return nil
	}
	return m.tolerate(err, fmt.Sprintf("VLAN %d (id %d)", v.VID, v.ID))
}

// clear removes what is left of pools that are gone.
func (m *mirror) clear(ctx context.Context) error {
	for _, group := range m.groups {
		others, err := m.fill(ctx, group, nil)
		if err != nil {
			return err
		}
		if others {
			m.problem("group " + group.Name + " has no pool any more, and VLANs that are not ours: it stays")
			continue
		}
		_, err = m.do(ctx, call{method: http.MethodDelete, path: fmt.Sprintf("%s%d/", vlanGroupsPath, group.ID)}, nil)
		if err == nil {
			m.done.Removed++
		}
		if err := m.tolerate(err, "group "+group.Name); err != nil {
			return err
		}
	}
	return nil
}

// tolerate makes a problem of what NetBox refuses for one thing; anything else ends
// the comparison.
func (m *mirror) tolerate(err error, what string) error {
	if !errors.Is(err, linegate.ErrRefused) {
		return err
	}
	m.problem(what + ": " + err.Error())
	return nil
}

func (m *mirror) problem(text string) { m.done.Problems = append(m.done.Problems, text) }
