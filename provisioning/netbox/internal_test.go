package netbox

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVersionsAreReadAndCompared(t *testing.T) {
	for text, want := range map[string]version{
		"3.0.0": {3, 0, 0}, "4.7.3": {4, 7, 3}, "3.7.8-Docker-2.8.0": {3, 7, 8}, "4.7.0-beta1": {4, 7, 0}, "4.7.0b2": {4, 7, 0}, "4.2": {4, 2, 0},
	} {
		got, err := parseVersion(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got)
	}
	for _, text := range []string{"", "4", "x.y.z", "4.-1"} {
		_, err := parseVersion(text)
		assert.Error(t, err, text)
	}
	assert.True(t, version{4, 5, 1}.since(4, 5, 1))
	assert.True(t, version{4, 10, 0}.since(4, 5, 1))
	assert.False(t, version{4, 5, 0}.since(4, 5, 1))
	assert.Equal(t, "4.5.0", version{4, 5, 0}.String())
}

// FuzzObject reads objects as no server should send them.
func FuzzObject(f *testing.F) {
	f.Add([]byte(`{"id":1,"address":"192.0.2.5/24","status":{"value":"active","label":"Active"},"vrf":{"name":"blue"},"custom_fields":{"linegate_key":"a"}}`))
	f.Add([]byte(`{"id":2,"prefix":"2001:db8::/56","status":"reserved","vrf":null,"custom_fields":{"linegate_key":{"value":"a"}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var o object
		if json.Unmarshal(text, &o) == nil {
			o.whole()
			o.vrfName()
			o.field("linegate_key")
		}
	})
}
