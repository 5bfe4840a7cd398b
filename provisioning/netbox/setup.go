package netbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"linegate"
)

// objectTypes are what our custom fields and tag are for.
func objectTypes() []string { return []string{"ipam.ipaddress", "ipam.prefix"} }

// look finds out once what the server is, and makes the custom fields and the tag
// that are missing. What fails is tried again with the next call.
func (c *Client) look(ctx context.Context) (*server, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ready != nil {
		return c.ready, nil
	}
	found := &server{parents: map[Pool]int64{}}
	var status struct {
		Version string `json:"netbox-version"`
	}
	if _, err := c.do(ctx, call{method: http.MethodGet, path: "/api/status/"}, &status); err != nil {
		return nil, err
	}
	var err error
	if found.version, err = parseVersion(status.Version); err != nil {
		return nil, fmt.Errorf("netbox: %w: %w", linegate.ErrRefused, err)
	}
	if found.unique, err = c.ensureField(ctx, found.version, c.options.Field, "Linegate key", true); err != nil {
		return nil, err
	}
	if _, err = c.ensureField(ctx, found.version, c.options.SubscriberField, "Linegate subscriber", false); err != nil {
		return nil, err
	}
	if err := c.ensureTag(ctx); err != nil {
		return nil, err
	}
	for _, pool := range c.options.Pools {
		if found.parents[pool], err = c.parent(ctx, pool); err != nil {
			return nil, err
		}
	}
	c.ready = found
	return found, nil
}

// Check looks at the server and at every pool, so that a mistake in the
// configuration shows before an order does. It returns the server's version.
func (c *Client) Check(ctx context.Context) (string, error) {
	found, err := c.look(ctx)
	if err != nil {
		return "", err
	}
	return found.version.String(), nil
}

// customField is a field's definition. Up to 3.7 its types are content_types.
type customField struct {
	ID           int64    `json:"id"`
	Name         string   `json:"name"`
	Type         choice   `json:"type"`
	FilterLogic  choice   `json:"filter_logic"`
	Unique       bool     `json:"unique"`
	ObjectTypes  []string `json:"object_types"`
	ContentTypes []string `json:"content_types"`
}

// ensureField makes a custom field, or checks the one that is there: with another
// filter logic a look-up would find the wrong objects, and with none all of them.
func (c *Client) ensureField(ctx context.Context, v version, name, label string, unique bool) (enforced bool, err error) {
	field, known, err := c.findField(ctx, name)
	if err != nil {
		return false, err
	}
	if !known {
		if field, err = c.makeField(ctx, v, name, label, unique); err != nil {
			return false, err
		}
	}
	types := append(field.ObjectTypes, field.ContentTypes...)
	for _, wanted := range objectTypes() {
		if !slices.Contains(types, wanted) {
			return false, fmt.Errorf("netbox: custom field %s is not one of %s: %w", name, wanted, linegate.ErrRefused)
		}
	}
	if field.Type != "text" || field.FilterLogic != "exact" {
		return false, fmt.Errorf("netbox: custom field %s has type %s and filter logic %s: it must have text and exact: %w", name, field.Type, field.FilterLogic, linegate.ErrRefused)
	}
	return field.Unique, nil
}

func (c *Client) findField(ctx context.Context, name string) (found customField, known bool, err error) {
	err = list(ctx, c, "/api/extras/custom-fields/", url.Values{"name": {name}}, func(field customField) error {
		if field.Name == name {
			found, known = field, true
		}
		return nil
	})
	return found, known, err
}

func (c *Client) makeField(ctx context.Context, v version, name, label string, unique bool) (made customField, err error) {
	body := map[string]any{"name": name, "label": label, "type": "text", "filter_logic": "exact", "required": false,
		"description": "Written by Linegate; do not edit"}
	types := "object_types"
	if !v.since(4, 0, 0) {
		types = "content_types"
	}
	body[types] = objectTypes()
	if unique && v.since(4, 1, 0) {
		body["unique"] = true
	}
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/api/extras/custom-fields/", body: body}, &made)
	if errors.Is(err, linegate.ErrRefused) {
		// Another process may have been quicker.
		if found, known, again := c.findField(ctx, name); again == nil && known {
			return found, nil
		}
		return made, fmt.Errorf("%w; let the token's user add custom fields, or add %s by hand: text, filter logic exact, for %s",
			err, name, strings.Join(objectTypes(), " and "))
	}
	return made, err
}

func (c *Client) ensureTag(ctx context.Context) error {
	known := false
	find := func() error {
		return list(ctx, c, "/api/extras/tags/", url.Values{"slug": {c.options.Tag}}, func(tag struct {
			Slug string `json:"slug"`
		}) error {
			known = known || tag.Slug == c.options.Tag
			return nil
		})
	}
	if err := find(); err != nil || known {
		return err
	}
	_, err := c.do(ctx, call{method: http.MethodPost, path: "/api/extras/tags/", body: map[string]any{"name": c.options.Tag, "slug": c.options.Tag}}, nil)
	if errors.Is(err, linegate.ErrRefused) && find() == nil && known {
		return nil
	}
	return err
}

// parent returns the id of a pool's prefix.
func (c *Client) parent(ctx context.Context, pool Pool) (int64, error) {
	found, err := c.prefixesNamed(ctx, pool)
	if err != nil {
		return 0, err
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("netbox: pool %s: there are %d prefixes of that name in VRF %q, it takes one: %w", pool.Prefix, len(found), pool.VRF, linegate.ErrRefused)
	}
	return found[0].ID, nil
}
