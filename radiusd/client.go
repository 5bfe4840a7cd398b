package radiusd

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/gaissmai/bart"

	"linegate"
	"linegate/policy/dialect"
	"linegate/radiusd/wire"
	"linegate/telemetry"
)

// Client is a NAS as the packet path needs it: with its secret prepared, its
// dialect and its tenant's metrics at hand. It is safe for concurrent use.
type Client struct {
	linegate.NAS
	signer  *wire.Signer
	dialect *dialect.Dialect
	tenant  *telemetry.TenantMetrics
	tag     linegate.TenantTag
	// learned is whether the first valid packet has decided NAS.Learned since the
	// entry was made; the decision is persisted and comes back as a new entry.
	learned atomic.Bool
	// requiresMA is NAS.RequiresMessageAuthenticator, or what was just learned.
	requiresMA atomic.Bool
	// told is when a conflict of carriers was last logged, in Unix seconds.
	told atomic.Int64
}

// tellInterval is how often a NAS's conflict of carriers is logged, in seconds.
const tellInterval = 60

// mayTell reports whether it is time to log a conflict of carriers again.
func (c *Client) mayTell(now time.Time) bool {
	last, at := c.told.Load(), now.Unix()
	return at-last >= tellInterval && c.told.CompareAndSwap(last, at)
}

// NewClient prepares a NAS. The error names a dialect that does not exist.
func NewClient(nas linegate.NAS, dialects map[string]*dialect.Dialect, metrics *telemetry.Metrics) (*Client, error) {
	spoken := dialects[nas.Dialect]
	if spoken == nil {
		return nil, fmt.Errorf("nas %s of tenant %s: dialect %q does not exist", nas.Name, nas.Tenant, nas.Dialect)
	}
	client := &Client{
		NAS: nas, dialect: spoken,
		signer: wire.NewSigner(nas.Secret.Reveal()),
		tenant: metrics.Tenant(nas.Tenant), tag: linegate.TagOf(nas.Tenant),
	}
	client.learned.Store(!nas.Learns())
	client.requiresMA.Store(nas.RequiresMessageAuthenticator())
	return client, nil
}

// Refuses says why a packet must be discarded although its form is right: it
// does not prove that its sender knows the secret, or could have been forged by
// somebody between us and the NAS (CVE-2024-3596). Empty: nothing to say against it.
func (c *Client) Refuses(packet wire.Packet) telemetry.Drop {
	signed, err := c.signer.VerifyRequest(packet)
	return c.refuses(&wire.Check{Packet: packet, Signed: signed, Err: err})
}

// refuses is Refuses for a packet that was verified.
func (c *Client) refuses(check *wire.Check) telemetry.Drop {
	packet := check.Packet
	switch {
	case check.Err != nil && packet.Code() == wire.AccountingRequest:
		return telemetry.DropBadAuthenticator
	case check.Err != nil:
		return telemetry.DropBadMessageAuthenticator
	case check.Signed:
		return ""
	case packet.Code() == wire.StatusServer, c.requiresMA.Load(), packet.Find(wire.EAPMessage) != nil:
		return telemetry.DropMissingMessageAuthenticator
	case c.LimitProxyState != linegate.No && packet.Find(wire.ProxyState) != nil:
		return telemetry.DropProxyStateUnprotected
	}
	return ""
}

// learn decides from the first valid Access-Request whether this NAS signs its
// requests. EAP always does, so it tells nothing. first is false for every
// later packet.
func (c *Client) learn(packet wire.Packet) (state linegate.Tristate, first bool) {
	if c.learned.Load() || packet.Find(wire.EAPMessage) != nil || !c.learned.CompareAndSwap(false, true) {
		return linegate.Auto, false
	}
	if packet.Find(wire.MessageAuthenticator) == nil {
		return linegate.No, true
	}
	c.requiresMA.Store(true)
	return linegate.Yes, true
}

// clientTable finds the NAS of a source address. It is never changed: a reload
// builds another and swaps the pointer.
type clientTable struct{ byPrefix bart.Table[*Client] }

// newClientTable prepares all NAS. Those it can't prepare are left out and
// reported together.
func newClientTable(nases []linegate.NAS, dialects map[string]*dialect.Dialect, metrics *telemetry.Metrics) (*clientTable, []error) {
	table := &clientTable{}
	var problems []error
	for _, nas := range nases {
		client, err := NewClient(nas, dialects, metrics)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		table.byPrefix.Insert(nas.Address, client)
	}
	return table, problems
}

// find returns the client with the most specific prefix; nil when the source is
// nobody's.
func (t *clientTable) find(source netip.Addr) *Client {
	client, _ := t.byPrefix.Lookup(source)
	return client
}
