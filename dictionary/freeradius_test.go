package dictionary

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// debianShare is where Debian's freeradius-common puts its dictionaries; `make
// tools` installs it.
const debianShare = "/usr/share/freeradius"

func TestAWholeFolderOfFreeRADIUSLoadsInOneCall(t *testing.T) {
	d, err := Load(DocumentationPEN, debianShare)
	require.NoError(t, err)
	assert.Greater(t, len(d.byName), 7000)
	for name, want := range map[string]string{
		"Cisco-AVPair":          "string 9",
		"Agent-Circuit-Id":      "octets 2352",
		"ADSL-Agent-Circuit-Id": "octets 3561",
		"SN-VPN-ID":             "integer 8164",
		"Telrad-S-VLAN-ID":      "integer 5323",
	} {
		attribute, ok := d.Lookup(name)
		if assert.True(t, ok, name) {
			assert.Equal(t, want, string(attribute.Type)+" "+itoa(attribute.Vendor), name)
		}
	}
}

func itoa(n uint32) string { return strconv.Itoa(int(n)) }
