package netbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"linegate"
)

// choice is an enumeration: a text, or since some version an object with a value.
type choice string

// UnmarshalJSON reads either.
func (c *choice) UnmarshalJSON(text []byte) error {
	var whole struct{ Value string }
	if len(text) > 0 && text[0] == '{' {
		if err := json.Unmarshal(text, &whole); err != nil {
			return err
		}
		*c = choice(whole.Value)
		return nil
	}
	return json.Unmarshal(text, (*string)(c))
}

// object is an IP address or a prefix.
type object struct {
	ID      int64        `json:"id"`
	Address netip.Prefix `json:"address"` // of an IP address, with its parent's mask
	Prefix  netip.Prefix `json:"prefix"`
	Status  choice       `json:"status"`
	VRF     *struct {
		Name string `json:"name"`
	} `json:"vrf"`
	CustomFields map[string]any `json:"custom_fields"`
}

func (o object) vrfName() string {
	if o.VRF == nil {
		return ""
	}
	return o.VRF.Name
}

// field returns the text of a custom field, empty when there is none.
func (o object) field(name string) string {
	text, _ := o.CustomFields[name].(string)
	return text
}

// whole is what the object stands for: a prefix, or an address in full length.
func (o object) whole() netip.Prefix {
	if o.Prefix.IsValid() {
		return o.Prefix
	}
	return netip.PrefixFrom(o.Address.Addr(), o.Address.Addr().BitLen())
}

// endpoint is where objects of a slot live.
func endpoint(slot linegate.AddressSlot) string {
	if slot.Prefix() {
		return "/api/ipam/prefixes/"
	}
	return "/api/ipam/ip-addresses/"
}

func at(slot linegate.AddressSlot, id int64) string { return fmt.Sprintf("%s%d/", endpoint(slot), id) }

// byKey returns the objects that carry the key. The server's filter alone proves
// nothing: one that it does not know is ignored and everything comes back.
func (c *Client) byKey(ctx context.Context, slot linegate.AddressSlot, key string) ([]object, error) {
	var found []object
	err := list(ctx, c, endpoint(slot), url.Values{"cf_" + c.options.Field: {key}}, func(o object) error {
		if o.field(c.options.Field) == key {
			found = append(found, o)
		}
		return nil
	})
	return found, err
}

// theOne returns the object with the key. Of several, which a request that was
// given up on can leave behind, the lowest id stays and the others are removed.
func (c *Client) theOne(ctx context.Context, slot linegate.AddressSlot, key string) (one object, known bool, err error) {
	found, err := c.byKey(ctx, slot, key)
	if err != nil || len(found) == 0 {
		return one, false, err
	}
	one = found[0]
	for _, other := range found[1:] {
		if other.ID < one.ID {
			one, other = other, one
		}
		if err := c.remove(ctx, slot, other.ID, key); err != nil {
			return one, false, err
		}
	}
	return one, true, nil
}

// remove deletes an object if it still carries the key. One that is gone is no error.
func (c *Client) remove(ctx context.Context, slot linegate.AddressSlot, id int64, key string) error {
	return c.update(ctx, slot, id, key, func(o object, etag string) error {
		_, err := c.do(ctx, call{method: http.MethodDelete, path: at(slot, id), ifMatch: etag}, nil)
		return err
	})
}

// patch changes an object if it still carries the key.
func (c *Client) patch(ctx context.Context, slot linegate.AddressSlot, id int64, key string, body map[string]any) error {
	return c.update(ctx, slot, id, key, func(o object, etag string) error {
		_, err := c.do(ctx, call{method: http.MethodPatch, path: at(slot, id), body: body, ifMatch: etag}, nil)
		return err
	})
}

// tries is how often an object is read again that somebody changed meanwhile.
const tries = 3

// update reads an object, and calls change while it carries the key. An object
// that is gone, or has become somebody else's, is left alone.
func (c *Client) update(ctx context.Context, slot linegate.AddressSlot, id int64, key string, change func(object, string) error) error {
	for try := 1; ; try++ {
		var current object
		answer, err := c.do(ctx, call{method: http.MethodGet, path: at(slot, id)}, &current)
		if errors.Is(err, linegate.ErrNotFound) || err == nil && current.field(c.options.Field) != key {
			return nil
		}
		if err != nil {
			return err
		}
		err = change(current, answer.etag)
		if errors.Is(err, linegate.ErrNotFound) {
			return nil
		}
		if !errors.Is(err, errChanged) || try == tries {
			return err
		}
	}
}

// duplicateKey reports whether the server refused a key that it has already. The
// words are the server's language; only the field's name is sure.
func (c *Client) duplicateKey(err error) bool {
	return errors.Is(err, linegate.ErrRefused) && strings.Contains(err.Error(), c.options.Field)
}
