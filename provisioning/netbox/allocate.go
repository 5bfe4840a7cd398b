package netbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"

	"linegate"
)

// Allocate gives what the claim asks for, once and for all by its key. What an
// earlier call got, whether its answer arrived or not, is found again.
func (c *Client) Allocate(ctx context.Context, claim linegate.AddressClaim) (linegate.Allocation, error) {
	found, err := c.look(ctx)
	if err != nil {
		return linegate.Allocation{}, err
	}
	release, err := c.keys.take(ctx, claim.Key)
	if err != nil {
		return linegate.Allocation{}, err
	}
	defer release()
	one, known, err := c.theOne(ctx, claim.Slot, claim.Key)
	if err == nil && !known {
		one, err = c.make(ctx, found, claim)
	}
	if err != nil {
		return linegate.Allocation{}, err
	}
	return c.adopt(claim, one)
}

// adopt checks that an object is what the claim may have.
func (c *Client) adopt(claim linegate.AddressClaim, o object) (linegate.Allocation, error) {
	held := linegate.Allocation{Key: claim.Key, Slot: claim.Slot, Prefix: o.whole(), ID: o.ID}
	if claim.Fixed.IsValid() {
		if held.Prefix.Addr() != claim.Fixed {
			return held, fmt.Errorf("netbox: key %s is at %s, not at %s: %w", claim.Key, held.Prefix, claim.Fixed, linegate.ErrRefused)
		}
		return held, nil
	}
	if claim.Slot.Prefix() && held.Prefix.Bits() != claim.Length {
		return held, fmt.Errorf("netbox: key %s has %s, not a /%d: %w", claim.Key, held.Prefix, claim.Length, linegate.ErrRefused)
	}
	for _, pool := range c.pools(claim) {
		if pool.Prefix.Contains(held.Prefix.Addr()) {
			held.Pool = pool.Prefix.String()
			return held, nil
		}
	}
	return held, fmt.Errorf("netbox: key %s has %s, which is in no pool of the tenant: %w", claim.Key, held.Prefix, linegate.ErrRefused)
}

// pools returns where the claim may be served from: the tenant's first.
func (c *Client) pools(claim linegate.AddressClaim) (pools []Pool) {
	for _, tenant := range []string{claim.Tenant, ""} {
		for _, pool := range c.options.Pools {
			if pool.Slot == claim.Slot && pool.Tenant == tenant {
				pools = append(pools, pool)
			}
		}
	}
	return slices.Compact(pools)
}

// make takes something new.
func (c *Client) make(ctx context.Context, found *server, claim linegate.AddressClaim) (one object, err error) {
	if claim.Fixed.IsValid() {
		one, err = c.takeFixed(ctx, claim)
	} else {
		one, err = c.takeNext(ctx, found, claim)
	}
	if c.duplicateKey(err) {
		// A request that was given up on came through after all.
		again, known, lookup := c.theOne(ctx, claim.Slot, claim.Key)
		if lookup != nil || known {
			return again, lookup
		}
	}
	if err != nil {
		return one, err
	}
	if one.field(c.options.Field) != claim.Key {
		// The server dropped the field, so nobody would ever find the object again.
		_, remove := c.do(ctx, call{method: http.MethodDelete, path: at(claim.Slot, one.ID)}, nil)
		return one, errors.Join(fmt.Errorf("netbox: custom field %s is not kept: %w", c.options.Field, linegate.ErrRefused), remove)
	}
	if !found.unique {
		one, _, err = c.theOne(ctx, claim.Slot, claim.Key)
	}
	return one, err
}

// takeNext asks pool after pool for the next free one.
func (c *Client) takeNext(ctx context.Context, found *server, claim linegate.AddressClaim) (one object, err error) {
	pools := c.pools(claim)
	if len(pools) == 0 {
		return one, fmt.Errorf("netbox: tenant %s has no pool for %s: %w", claim.Tenant, claim.Slot, linegate.ErrRefused)
	}
	for _, pool := range pools {
		one, err = c.takeFrom(ctx, found, pool, claim)
		if !errors.Is(err, linegate.ErrExhausted) {
			return one, err
		}
	}
	return one, err
}

func (c *Client) takeFrom(ctx context.Context, found *server, pool Pool, claim linegate.AddressClaim) (one object, err error) {
	body, what := c.body(claim), "available-ips"
	switch {
	case claim.Slot.Prefix():
		body["prefix_length"], what = claim.Length, "available-prefixes"
	case found.version.since(4, 5, 1):
		body["prefix_length"] = pool.Prefix.Addr().BitLen()
	}
	path := fmt.Sprintf("/api/ipam/prefixes/%d/%s/", found.parents[pool], what)
	answer, err := c.do(ctx, call{method: http.MethodPost, path: path, body: body}, &one)
	if err == nil && answer.status == http.StatusNoContent { // 3.0.0 to 3.1.0
		err = fmt.Errorf("netbox: POST %s: %w", path, linegate.ErrExhausted)
	}
	if errors.Is(err, linegate.ErrExhausted) {
		err = fmt.Errorf("pool %s has no free %s left: %w", pool.Prefix, thing(claim), err)
	}
	return one, err
}

func thing(claim linegate.AddressClaim) string {
	if claim.Slot.Prefix() {
		return fmt.Sprintf("/%d", claim.Length)
	}
	return "address"
}

// body is what every object of ours says.
func (c *Client) body(claim linegate.AddressClaim) map[string]any {
	return map[string]any{
		"status":      "reserved",
		"description": describe(claim),
		"tags":        []map[string]string{{"slug": c.options.Tag}},
		"custom_fields": map[string]string{
			c.options.Field: claim.Key, c.options.SubscriberField: owner(claim),
		},
	}
}

// describe fits the 200 characters that a description may have.
func describe(claim linegate.AddressClaim) string {
	text := []rune("Linegate: " + claim.Username)
	return string(text[:min(len(text), 200)])
}

// owner names a subscriber in the custom field.
func owner(claim linegate.AddressClaim) string { return claim.Tenant + "/" + claim.Username }

// takeFixed makes the address that the claim names, unless it is somebody else's.
func (c *Client) takeFixed(ctx context.Context, claim linegate.AddressClaim) (one object, err error) {
	others, err := c.byAddress(ctx, claim.Fixed)
	if err != nil {
		return one, err
	}
	if len(others) > 0 {
		return one, fmt.Errorf("netbox: %s is taken already: %w", claim.Fixed, linegate.ErrConflict)
	}
	body := c.body(claim)
	body["address"] = netip.PrefixFrom(claim.Fixed, claim.Fixed.BitLen()).String()
	_, err = c.do(ctx, call{method: http.MethodPost, path: endpoint(claim.Slot), body: body}, &one)
	return one, err
}

// byAddress returns the objects of an address, whatever their mask and VRF.
func (c *Client) byAddress(ctx context.Context, address netip.Addr) (found []object, err error) {
	err = list(ctx, c, "/api/ipam/ip-addresses/", url.Values{"address": {address.String()}}, func(o object) error {
		if o.Address.Addr() == address {
			found = append(found, o)
		}
		return nil
	})
	return found, err
}

// Confirm marks an allocation as in service.
func (c *Client) Confirm(ctx context.Context, claim linegate.AddressClaim, held linegate.Allocation) error {
	if _, err := c.look(ctx); err != nil {
		return err
	}
	marked := false
	err := c.update(ctx, claim.Slot, held.ID, claim.Key, func(o object, etag string) error {
		if marked = true; o.Status == "active" {
			return nil
		}
		_, err := c.do(ctx, call{method: http.MethodPatch, path: at(claim.Slot, held.ID), body: map[string]any{"status": "active"}, ifMatch: etag}, nil)
		return err
	})
	if err == nil && !marked {
		err = fmt.Errorf("netbox: %s is not held under key %s any more: %w", held.Prefix, claim.Key, linegate.ErrNotFound)
	}
	return err
}

// Release gives back what the key has, if anything. In quarantine it stays, marked
// as deprecated and without the key, so that nobody else is given it.
func (c *Client) Release(ctx context.Context, claim linegate.AddressClaim, quarantine bool) error {
	if _, err := c.look(ctx); err != nil {
		return err
	}
	release, err := c.keys.take(ctx, claim.Key)
	if err != nil {
		return err
	}
	defer release()
	found, err := c.byKey(ctx, claim.Slot, claim.Key)
	if err != nil {
		return err
	}
	for _, o := range found {
		if quarantine {
			err = c.patch(ctx, claim.Slot, o.ID, claim.Key, map[string]any{"status": "deprecated", "custom_fields": map[string]any{c.options.Field: nil}})
		} else {
			err = c.remove(ctx, claim.Slot, o.ID, claim.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Free removes what was in quarantine. What is gone, in use again or another's by
// now is left alone.
func (c *Client) Free(ctx context.Context, held linegate.Allocation) error {
	if _, err := c.look(ctx); err != nil {
		return err
	}
	return c.update(ctx, held.Slot, held.ID, "", func(o object, etag string) error {
		if o.Status != "deprecated" || o.whole() != held.Prefix {
			return nil
		}
		_, err := c.do(ctx, call{method: http.MethodDelete, path: at(held.Slot, held.ID), ifMatch: etag}, nil)
		return err
	})
}

// Associate notes with a fixed address whose it is, if NetBox knows the address
// once; it is not made for that.
func (c *Client) Associate(ctx context.Context, claim linegate.AddressClaim) error {
	return c.relate(ctx, claim, "", owner(claim))
}

// Dissociate takes the note back where it names the subscriber.
func (c *Client) Dissociate(ctx context.Context, claim linegate.AddressClaim) error {
	return c.relate(ctx, claim, owner(claim), nil)
}

// relate changes whose an address is, where it is noted to be was's; an empty was
// is anybody's.
func (c *Client) relate(ctx context.Context, claim linegate.AddressClaim, was string, now any) error {
	if _, err := c.look(ctx); err != nil {
		return err
	}
	found, err := c.byAddress(ctx, claim.Fixed)
	if err != nil || len(found) != 1 {
		return err
	}
	o := found[0]
	if was != "" && o.field(c.options.SubscriberField) != was || now == o.field(c.options.SubscriberField) {
		return nil
	}
	body := map[string]any{"custom_fields": map[string]any{c.options.SubscriberField: now}}
	_, err = c.do(ctx, call{method: http.MethodPatch, path: at(claim.Slot, o.ID), body: body}, nil)
	if errors.Is(err, linegate.ErrNotFound) {
		return nil
	}
	return err
}

// Managed calls fn for every object of ours that has a key.
func (c *Client) Managed(ctx context.Context, fn func(linegate.Allocation) error) error {
	if _, err := c.look(ctx); err != nil {
		return err
	}
	for _, slot := range []linegate.AddressSlot{linegate.SlotIPv4, linegate.SlotDelegatedPrefix} {
		err := list(ctx, c, endpoint(slot), url.Values{"tag": {c.options.Tag}}, func(o object) error {
			key := o.field(c.options.Field)
			if key == "" {
				return nil
			}
			return fn(linegate.Allocation{Key: key, Slot: slotOf(slot, o), Prefix: o.whole(), ID: o.ID})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// slotOf is the slot that an object can be of: its kind tells no more.
func slotOf(listed linegate.AddressSlot, o object) linegate.AddressSlot {
	if listed == linegate.SlotIPv4 && o.whole().Addr().Is6() {
		return linegate.SlotIPv6
	}
	return listed
}
