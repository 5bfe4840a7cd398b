package dictionary

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The layouts of RFC 6929 sections 2.1 and 2.2, and those of vendors that frame
// their attributes otherwise.
func TestFramingsOfEveryKindAreWrittenAndRead(t *testing.T) {
	d := parseText(t, `
ATTRIBUTE Ext 241 extended
ATTRIBUTE Ext-Text 241.7 string
ATTRIBUTE Ext-Number 241.8 integer
ATTRIBUTE Long 245 long-extended
ATTRIBUTE Long-Octets 245.4 octets
VENDOR None 100 format=1,0
BEGIN-VENDOR None
ATTRIBUTE None-Text 5 string
END-VENDOR None
VENDOR Wide 101 format=2,2
BEGIN-VENDOR Wide
ATTRIBUTE Wide-Text 300 string
END-VENDOR Wide
VENDOR Mixed 102 format=2,1
BEGIN-VENDOR Mixed
ATTRIBUTE Mixed-Text 300 string
END-VENDOR Mixed
VENDOR Four 103 format=4,0
BEGIN-VENDOR Four
ATTRIBUTE Four-Number 70000 integer
END-VENDOR Four
VENDOR More 104 format=1,1,c
BEGIN-VENDOR More
ATTRIBUTE More-Text 5 string
END-VENDOR More
VENDOR Empty 105
BEGIN-VENDOR Empty
ATTRIBUTE Nothing 254 octets
ATTRIBUTE Signed 6 signed
ATTRIBUTE Combo 7 combo-ip
END-VENDOR Empty
`)
	for text, octets := range map[string]string{
		`Ext-Text = "ab"`:                "f1 05 07 61 62",
		`Ext-Number = 258`:               "f1 07 08 00 00 01 02",
		`Long-Octets = 0x00ff`:           "f5 06 04 00 00 ff",
		`None-Text = "ab"`:               "1a 09 00 00 00 64 05 61 62",
		`Wide-Text = "ab"`:               "1a 0c 00 00 00 65 01 2c 00 06 61 62",
		`Mixed-Text = "ab"`:              "1a 0b 00 00 00 66 01 2c 05 61 62",
		`Four-Number = 7`:                "1a 0e 00 00 00 67 00 01 11 70 00 00 00 07",
		`More-Text = "ab"`:               "1a 0b 00 00 00 68 05 05 00 61 62",
		`Nothing = ""`:                   "1a 08 00 00 00 69 fe 02",
		`Signed = -2`:                    "1a 0c 00 00 00 69 06 06 ff ff ff fe",
		`Combo = 192.0.2.1`:              "1a 0c 00 00 00 69 07 06 c0 00 02 01",
		`Combo = 2001:db8::1`:            "1a 18 00 00 00 69 07 12 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01",
		`Ext = 0x09ff`:                   "f1 04 09 ff",    // an extended attribute that nobody defined
		`Long = 0x048061`:                "f5 05 04 80 61", // one that goes on elsewhere
		`Attr-26 = 0x000000680505806162`: "1a 0b 00 00 00 68 05 05 80 61 62",
		`Vendor-105-Attr-6 = 0xff`:       "1a 09 00 00 00 69 06 03 ff",
	} {
		t.Run(text, func(t *testing.T) {
			pair, err := d.ParsePair(text)
			require.NoError(t, err)
			written, err := pair.Append(nil)
			require.NoError(t, err)
			assert.Equal(t, octets, fmt.Sprintf("% x", written))
			assert.Equal(t, text, d.Format(written[0], written[2:]))
		})
	}
}

func TestATLVIsKnownByNameAndKeptRaw(t *testing.T) {
	d := standard(t)
	inner, ok := d.Lookup("Telrad-S-VLAN-ID")
	require.True(t, ok)
	assert.Equal(t, "Telrad-TSDF-Parameters", inner.Parent.Name)
	assert.Equal(t, "Telrad-TSDF-Table", inner.Parent.Parent.Name)
	_, err := d.ParsePair("Telrad-S-VLAN-ID = 5")
	assert.ErrorContains(t, err, `lies inside "Telrad-TSDF-Parameters"`)
	_, err = d.ParsePair("Signed = x")
	assert.Error(t, err)
}

func TestAnOperatorsFileTakesTheShippedOnesPlace(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	d, err := Load(DocumentationPEN, folder)
	require.NoError(t, err, "a folder without a dictionary adds nothing")
	assert.Len(t, d.byName, len(standard(t).byName))

	write("dictionary", "$INCLUDE more\nATTRIBUTE Filter-Id 211 string\n")
	write("more", "ATTRIBUTE Own 210 string\n")
	d, err = Load(DocumentationPEN, folder)
	require.NoError(t, err)
	moved, _ := d.Lookup("Filter-Id")
	assert.EqualValues(t, 211, moved.Number)

	write("more", "ATTRIBUTE Own 210 string\nATTRIBUTE Own 211 string\n")
	_, err = Load(DocumentationPEN, folder)
	assert.ErrorContains(t, err, filepath.Join(folder, "more")+":2: ATTRIBUTE")
	write("dictionary", "$INCLUDE nowhere\n")
	_, err = Load(DocumentationPEN, folder)
	assert.ErrorContains(t, err, "nowhere")
	_, err = Load(9, "")
	assert.ErrorContains(t, err, "Cisco")
}

func TestEveryTypeNameOfRFC8044AndOfFreeRADIUSIsKnown(t *testing.T) {
	for name, want := range map[string]Type{
		"text": TypeString, "STRING": TypeString, "uint8": TypeByte, "uint16": TypeShort, "uint32": TypeInteger, "uint64": TypeInteger64,
		"time": TypeDate, "ipv4addr": TypeIPv4, "struct": TypeRaw, "vsa": TypeRaw, "octets[16]": TypeOctets, "quaternion": TypeOctets,
		"tlv": TypeTLV, "evs": TypeEVS, "combo-ip": TypeCombo, "signed": TypeSigned, "ifid": TypeIfID,
	} {
		assert.Equal(t, want, parseType(name), name)
	}
}

func TestSubAttributesAreTakenOutOneByOne(t *testing.T) {
	d := standard(t)
	attribute, _ := d.Lookup("Cisco-AVPair")
	number, value, rest, ok := attribute.Next([]byte{1, 3, 'x', 2, 2})
	assert.True(t, ok)
	assert.EqualValues(t, 1, number)
	assert.Equal(t, "x", string(value))
	number, value, rest, ok = attribute.Next(rest)
	assert.True(t, ok)
	assert.EqualValues(t, 2, number)
	assert.Empty(t, value)
	_, _, _, ok = attribute.Next(rest)
	assert.False(t, ok)
}
