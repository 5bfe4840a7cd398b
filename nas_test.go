package linegate_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"linegate"
)

func TestWhatANASHasLearnedStaysUntilItIsAboutAnother(t *testing.T) {
	learned := func(n linegate.NAS) linegate.NAS { n.Learned = linegate.Yes; return n }
	plain := linegate.NAS{Tenant: "demo", Name: "bng", Address: netip.MustParsePrefix("192.0.2.1/32"), Secret: "secret"}
	plain.Normalize()
	changed := func(change func(*linegate.NAS)) linegate.NAS { n := plain; change(&n); return n }
	stored := learned(plain)
	for name, c := range map[string]struct {
		given   linegate.NAS
		old     *linegate.NAS
		learned linegate.Tristate
		outcome linegate.Outcome
	}{
		"a new one has learned nothing, whatever it says":  {learned(plain), nil, linegate.Auto, linegate.Created},
		"the same one again keeps what it learned":         {plain, &stored, linegate.Yes, linegate.Unchanged},
		"nobody tells it what it learned":                  {changed(func(n *linegate.NAS) { n.Learned = linegate.No }), &stored, linegate.Yes, linegate.Unchanged},
		"another dialect changes nothing of that":          {changed(func(n *linegate.NAS) { n.Dialect = "other" }), &stored, linegate.Yes, linegate.Changed},
		"another secret of changes changes nothing either": {changed(func(n *linegate.NAS) { n.CoASecret = "own" }), &stored, linegate.Yes, linegate.Changed},
		"another secret may be another machine's":          {changed(func(n *linegate.NAS) { n.Secret = "other" }), &stored, linegate.Auto, linegate.Changed},
		"another address, too":                             {changed(func(n *linegate.NAS) { n.Address = netip.MustParsePrefix("192.0.2.2/32") }), &stored, linegate.Auto, linegate.Changed},
		"another requirement makes it learn anew":          {changed(func(n *linegate.NAS) { n.RequireMessageAuthenticator = linegate.No }), &stored, linegate.Auto, linegate.Changed},
	} {
		t.Run(name, func(t *testing.T) {
			outcome := c.given.Replace(c.old)
			assert.Equal(t, c.outcome, outcome)
			assert.Equal(t, c.learned, c.given.Learned)
		})
	}
}

func TestAnAddressBelongsToOneNAS(t *testing.T) {
	bng := linegate.NAS{Tenant: "demo", Name: "bng", Address: netip.MustParsePrefix("192.0.2.1/32")}
	assert.NoError(t, bng.AddressTaken("demo", "bng"), "its own")
	own := bng.AddressTaken("demo", "other")
	assert.ErrorIs(t, own, linegate.ErrConflict)
	assert.ErrorContains(t, own, "belongs to nas other")
	foreign := bng.AddressTaken("secret-tenant", "their-bng")
	assert.ErrorIs(t, foreign, linegate.ErrConflict)
	assert.NotContains(t, foreign.Error(), "secret-tenant")
	assert.NotContains(t, foreign.Error(), "their-bng")
}
