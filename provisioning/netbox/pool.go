package netbox

import (
	"context"
	"fmt"
	"math/big"
	"net/http"
	"net/netip"
	"net/url"

	"linegate"
)

// PoolSpec describes a pool for prefix delegation that is to be made.
type PoolSpec struct {
	Prefix netip.Prefix
	Length int    // of the prefixes that will be delegated from it
	Tenant string // slug of a tenant in NetBox; empty: none
	SiteID int64  // 0: none
	VRF    string // name; empty: the global table
}

// PoolInfo is a pool for prefix delegation as it is.
type PoolInfo struct {
	ID        int64
	Prefix    netip.Prefix
	Length    int
	Total     uint64 // prefixes of Length that fit; at most 1<<63
	Available uint64 // of these, how many are free
}

// CreatePool makes a container prefix that prefixes are delegated from, or finds
// the one that is there. NetBox needs no children made in advance: it gives out the
// first gap.
func (c *Client) CreatePool(ctx context.Context, spec PoolSpec) (PoolInfo, error) {
	if !spec.Prefix.IsValid() || spec.Prefix != spec.Prefix.Masked() || spec.Length <= spec.Prefix.Bits() || spec.Length > spec.Prefix.Addr().BitLen() {
		return PoolInfo{}, &linegate.FieldError{Field: "delegation_size", Value: fmt.Sprintf("%d of %s", spec.Length, spec.Prefix), Allowed: "a network prefix, and a length that is longer than its"}
	}
	found, err := c.look(ctx)
	if err != nil {
		return PoolInfo{}, err
	}
	release, err := c.keys.take(ctx, "pool "+spec.Prefix.String()+" "+spec.VRF)
	if err != nil {
		return PoolInfo{}, err
	}
	defer release()
	pool := Pool{Slot: linegate.SlotDelegatedPrefix, Prefix: spec.Prefix, VRF: spec.VRF, Length: spec.Length}
	existing, err := c.prefixesNamed(ctx, pool)
	if err != nil {
		return PoolInfo{}, err
	}
	if len(existing) == 0 {
		var made object
		if _, err := c.do(ctx, call{method: http.MethodPost, path: "/api/ipam/prefixes/", body: poolBody(found.version, spec)}, &made); err != nil {
			return PoolInfo{}, err
		}
		existing = append(existing, made)
	}
	return c.poolInfo(ctx, existing[0].ID, pool)
}

// poolBody is the new container. A site is a scope since 4.2.
func poolBody(v version, spec PoolSpec) map[string]any {
	body := map[string]any{
		"prefix": spec.Prefix.String(), "status": "container",
		"description": fmt.Sprintf("Linegate: /%d for prefix delegation", spec.Length),
	}
	if spec.Tenant != "" {
		body["tenant"] = map[string]string{"slug": spec.Tenant}
	}
	if spec.VRF != "" {
		body["vrf"] = map[string]string{"name": spec.VRF}
	}
	switch {
	case spec.SiteID != 0 && v.since(4, 2, 0):
		body["scope_type"], body["scope_id"] = "dcim.site", spec.SiteID
	case spec.SiteID != 0:
		body["site"] = spec.SiteID
	}
	return body
}

func (c *Client) prefixesNamed(ctx context.Context, pool Pool) (found []object, err error) {
	query := url.Values{"prefix": {pool.Prefix.String()}}
	if pool.VRF == "" {
		query.Set("vrf_id", "null")
	}
	err = list(ctx, c, "/api/ipam/prefixes/", query, func(p object) error {
		if p.Prefix == pool.Prefix && p.vrfName() == pool.VRF {
			found = append(found, p)
		}
		return nil
	})
	return found, err
}

func (c *Client) poolInfo(ctx context.Context, id int64, pool Pool) (PoolInfo, error) {
	info := PoolInfo{ID: id, Prefix: pool.Prefix, Length: pool.Length, Total: places(pool.Prefix.Bits(), pool.Length)}
	err := c.eachFree(ctx, id, func(block netip.Prefix) bool {
		info.Available += places(block.Bits(), pool.Length)
		return true
	})
	return info, err
}

// Usage tells how full every configured pool for prefix delegation is, by pool.
func (c *Client) Usage(ctx context.Context) (map[Pool]PoolInfo, error) {
	found, err := c.look(ctx)
	if err != nil {
		return nil, err
	}
	usage := map[Pool]PoolInfo{}
	for _, pool := range c.options.Pools {
		if pool.Slot != linegate.SlotDelegatedPrefix || pool.Length == 0 {
			continue
		}
		if usage[pool], err = c.poolInfo(ctx, found.parents[pool], pool); err != nil {
			return nil, err
		}
	}
	return usage, nil
}

// FreePrefixes returns the first free prefixes of a length in a parent, at most
// limit.
func (c *Client) FreePrefixes(ctx context.Context, parent int64, length, limit int) (free []netip.Prefix, err error) {
	if _, err := c.look(ctx); err != nil {
		return nil, err
	}
	err = c.eachFree(ctx, parent, func(block netip.Prefix) bool {
		for next := block.Addr(); block.Bits() <= length && len(free) < limit && block.Contains(next); {
			prefix := netip.PrefixFrom(next, length)
			free = append(free, prefix)
			if next = after(prefix); !next.IsValid() {
				break
			}
		}
		return len(free) < limit
	})
	return free, err
}

// eachFree calls fn for the largest free blocks of a parent. NetBox knows no
// length here: it ignores the parameter.
func (c *Client) eachFree(ctx context.Context, parent int64, fn func(netip.Prefix) bool) error {
	var blocks []object
	path := fmt.Sprintf("/api/ipam/prefixes/%d/available-prefixes/", parent)
	if _, err := c.do(ctx, call{method: http.MethodGet, path: path}, &blocks); err != nil {
		return err
	}
	for _, block := range blocks {
		if !fn(block.Prefix) {
			return nil
		}
	}
	return nil
}

// places is how many prefixes of a length fit into a block, at most 1<<63.
func places(block, length int) uint64 {
	if length < block {
		return 0
	}
	return uint64(1) << min(length-block, 63)
}

// after returns the address that follows a prefix, or none behind the last.
func after(prefix netip.Prefix) netip.Addr {
	bits := prefix.Addr().BitLen()
	sum := new(big.Int).SetBytes(prefix.Addr().AsSlice())
	sum.Add(sum, new(big.Int).Lsh(big.NewInt(1), uint(bits-prefix.Bits())))
	if sum.BitLen() > bits {
		return netip.Addr{}
	}
	address, _ := netip.AddrFromSlice(sum.FillBytes(make([]byte, bits/8)))
	return address
}
