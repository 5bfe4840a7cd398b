package dictionary

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// unhex reads hex digits with spaces between.
func unhex(t testing.TB, text string) []byte {
	t.Helper()
	octets, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	require.NoError(t, err)
	return octets
}

// What FreeRADIUS's radclient 3.2 puts on the wire for the same text, unless the
// case says otherwise.
var wireForms = map[string]struct{ text, shown, hex string }{
	"an untagged tunnel type":              {"Tunnel-Type = VLAN", "", "40 06 00 00 00 0d"},
	"a tagged tunnel type":                 {"Tunnel-Type:1 := VLAN", "Tunnel-Type:1 = VLAN", "40 06 01 00 00 0d"},
	"a tunnel medium":                      {"tunnel-medium-type = ieee-802", "Tunnel-Medium-Type = IEEE-802", "41 06 00 00 00 06"},
	"an untagged group has no tag octet":   {"Tunnel-Private-Group-Id = 100", `Tunnel-Private-Group-Id = "100"`, "51 05 31 30 30"},
	"a tagged group":                       {`Tunnel-Private-Group-ID:1 = "100"`, `Tunnel-Private-Group-Id:1 = "100"`, "51 06 01 31 30 30"},
	"a group that looks tagged gets tag 0": {`Tunnel-Private-Group-Id = "\x0100"`, "", "51 06 00 01 30 30"},
	"a circuit-id as text":                 {`ADSL-Agent-Circuit-Id = "olt1 xpon 0/1/1"`, "", "1a 17 00 00 0d e9 01 11 6f 6c 74 31 20 78 70 6f 6e 20 30 2f 31 2f 31"},
	"a circuit-id without quotes":          {`ADSL-Agent-Circuit-Id=olt1`, `ADSL-Agent-Circuit-Id = "olt1"`, "1a 0c 00 00 0d e9 01 06 6f 6c 74 31"},
	"a binary circuit-id":                  {"ADSL-Agent-Circuit-Id = 0x000400640001", "", "1a 0e 00 00 0d e9 01 08 00 04 00 64 00 01"},
	"text that begins like hex":            {`ADSL-Agent-Circuit-Id = '0x41'`, "ADSL-Agent-Circuit-Id = 0x30783431", "1a 0c 00 00 0d e9 01 06 30 78 34 31"},
	"a vendor attribute without a value":   {`IWF-Session = ""`, "", "1a 08 00 00 0d e9 fe 02"},
	"an interface identifier":              {"Framed-Interface-Id = 0:0:0:1", "Framed-Interface-Id = 0000:0000:0000:0001", "60 0a 00 00 00 00 00 00 00 01"},
	"a framed prefix in 20 octets":         {"Framed-IPv6-Prefix = 2001:db8:1:200::/64", "", "61 14 00 40 20 01 0d b8 00 01 02 00 00 00 00 00 00 00 00 00"},
	"the empty prefix in 20 octets":        {"Framed-IPv6-Prefix = ::/0", "", "61 14 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"},
	"a delegated prefix":                   {"Delegated-IPv6-Prefix = 2001:db8:100::/56", "", "7b 14 00 38 20 01 0d b8 01 00 00 00 00 00 00 00 00 00 00 00"},
	"an IPv6 address":                      {"Framed-IPv6-Address = 2001:db8::1", "", "a8 12 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01"},
	"an IPv4 address":                      {"Framed-IP-Address = 100.64.0.11", "", "08 06 64 40 00 0b"},
	"an egress VLAN":                       {"Egress-VLANID = 0x3100007b", "Egress-VLANID = 822083707", "38 06 31 00 00 7b"},
	"an error cause":                       {"Error-Cause = Session-Context-Not-Found", "", "65 06 00 00 01 f7"},
	"a number with a name":                 {"Error-Cause = 503", "Error-Cause = Session-Context-Not-Found", "65 06 00 00 01 f7"},
	"a port type of broadband":             {"NAS-Port-Type = PPPoEoQinQ", "", "3d 06 00 00 00 22"},
	"a time":                               {"Event-Timestamp = 2026-11-22T20:02:14Z", "", "37 06 6b 03 4a 46"},
	"a time in seconds":                    {"Event-Timestamp = 0", "Event-Timestamp = 1970-01-01T00:00:00Z", "37 06 00 00 00 00"},
	"text with escapes":                    {`Reply-Message = "say \"hi\"\n"`, "", "12 0b 73 61 79 20 22 68 69 22 0a"},
	"text with an equals sign":             {`Connect-Info = a=b`, `Connect-Info = "a=b"`, "4d 05 61 3d 62"},
	"a class in plain ASCII":               {"Class = 7331", `Class = "7331"`, "19 06 37 33 33 31"},
	"our inner VLAN":                       {"X-QinQ-Inner-VLAN = 202", "", "1a 0c 00 00 7e d9 01 06 00 00 00 ca"},
	"our QinQ flag":                        {"X-QinQ-Enabled = Yes", "", "1a 0c 00 00 7e d9 02 06 00 00 00 01"},
	"our IPv6 mode":                        {`X-IPv6-Assignment-Mode = "dual_stack"`, "", "1a 12 00 00 7e d9 03 0c 64 75 61 6c 5f 73 74 61 63 6b"},
	"an attribute without a definition":    {"Attr-250 = 0x0102", "", "fa 04 01 02"},
	"a vendor without a definition":        {"Vendor-8-Attr-1 = 0x6162", "", "1a 0a 00 00 00 08 01 04 61 62"},
	"a known vendor's unknown attribute":   {"Vendor-3561-Attr-7 = 0x", "", "1a 08 00 00 0d e9 07 02"},
	"a Vendor-Specific that is no frame":   {"Vendor-Specific = 0x0000000901", "", "1a 07 00 00 00 09 01"},
}

func TestPairsHaveTheirWireForm(t *testing.T) {
	d := standard(t)
	for name, test := range wireForms {
		t.Run(name, func(t *testing.T) {
			pair, err := d.ParsePair(test.text)
			require.NoError(t, err)
			octets, err := pair.Append([]byte("before"))
			require.NoError(t, err)
			assert.Equal(t, test.hex, strings.TrimSpace(spaced(octets[len("before"):])))

			shown := test.shown
			if shown == "" {
				shown = test.text
			}
			assert.Equal(t, shown, d.Format(octets[6], octets[8:]))
		})
	}
}

func spaced(octets []byte) string {
	var text strings.Builder
	for _, octet := range octets {
		text.WriteString(hex.EncodeToString([]byte{octet}) + " ")
	}
	return text.String()
}

func TestEveryTypeIsReadAndShown(t *testing.T) {
	d := parseText(t, `
ATTRIBUTE Long 201 integer64
ATTRIBUTE Half 202 short
ATTRIBUTE One 203 byte
ATTRIBUTE Net 204 ipv4prefix
ATTRIBUTE Mac 205 ether
ATTRIBUTE Box 206 tlv
ATTRIBUTE Words 207 text
ATTRIBUTE Preference 208 integer has_tag
VENDOR Wide 98 format=2,2
VENDOR Bare 99 format=4,0
VENDOR More 97 format=1,1,c
BEGIN-VENDOR Wide
ATTRIBUTE Wide-One 300 byte
END-VENDOR Wide
BEGIN-VENDOR Bare
ATTRIBUTE Bare-One 70000 byte
END-VENDOR Bare
BEGIN-VENDOR More
ATTRIBUTE More-One 1 byte
END-VENDOR More
`)
	for text, hex := range map[string]string{
		"Long = 18446744073709551615": "c9 0a ff ff ff ff ff ff ff ff",
		"Half = 513":                  "ca 04 02 01",
		"One = 255":                   "cb 03 ff",
		"Net = 192.0.2.0/24":          "cc 08 00 18 c0 00 02 00",
		"Mac = 02:00:00:00:01:01":     "cd 08 02 00 00 00 01 01",
		"Box = 0x010203":              "ce 05 01 02 03",
		`Words = "ä"`:                 "cf 04 c3 a4",
		"Preference:31 = 16777215":    "d0 06 1f ff ff ff",
		"Wide-One = 5":                "1a 0b 00 00 00 62 01 2c 00 05 05",
		"Bare-One = 5":                "1a 0b 00 00 00 63 00 01 11 70 05",
		"More-One = 5":                "1a 0a 00 00 00 61 01 04 00 05",
	} {
		pair, err := d.ParsePair(text)
		require.NoError(t, err, text)
		octets, err := pair.Append(nil)
		require.NoError(t, err, text)
		assert.Equal(t, hex, strings.TrimSpace(spaced(octets)), text)
		assert.Equal(t, text, d.Format(octets[0], octets[2:]))
	}
}

func TestParsePairSaysWhatIsWrong(t *testing.T) {
	d := standard(t)
	for text, want := range map[string]string{
		"User-Name alice":                `"User-Name alice" has no '=': write Name = value`,
		"User-Nmae = alice":              `attribute "User-Nmae" is not in the dictionary: use its name there, or Attr-NUMBER or Vendor-PEN-Attr-NUMBER`,
		"Attr-256 = 0x":                  `attribute "Attr-256" is not in the dictionary: use its name there, or Attr-NUMBER or Vendor-PEN-Attr-NUMBER`,
		"Attr-0 = 0x":                    `attribute "Attr-0" is not in the dictionary: use its name there, or Attr-NUMBER or Vendor-PEN-Attr-NUMBER`,
		"Attr-x = 0x":                    `attribute "Attr-x" is not in the dictionary: use its name there, or Attr-NUMBER or Vendor-PEN-Attr-NUMBER`,
		"Vendor-0-Attr-1 = 0x":           `attribute "Vendor-0-Attr-1" is not in the dictionary: use its name there, or Attr-NUMBER or Vendor-PEN-Attr-NUMBER`,
		"Vendor-9-Attr-256 = 0x":         `attribute "Vendor-9-Attr-256" is not in the dictionary: use its name there, or Attr-NUMBER or Vendor-PEN-Attr-NUMBER`,
		"User-Name:1 = alice":            `attribute "User-Name": tag "1" is not allowed: 0 to 31, and only where the dictionary says has_tag`,
		"Tunnel-Type:32 = VLAN":          `attribute "Tunnel-Type": tag "32" is not allowed: 0 to 31, and only where the dictionary says has_tag`,
		"Tunnel-Type:a = VLAN":           `attribute "Tunnel-Type": tag "a" is not allowed: 0 to 31, and only where the dictionary says has_tag`,
		"Tunnel-Preference = 16777216":   `attribute "Tunnel-Preference": "16777216" is not a number up to 16777215`,
		"Prompt = Loud":                  `attribute "Prompt": "Loud" is not a number up to 4294967295, nor one of No-Echo, Echo`,
		`User-Name = "alice`:             `attribute "User-Name": "alice has no closing quote`,
		`User-Name = "al"ice"`:           `attribute "User-Name": "al"ice" is not a quoted text: escape quotes and backslashes with a backslash`,
		"Framed-IP-Address = 2001:db8::": `attribute "Framed-IP-Address": "2001:db8::" is not an IPv4 address`,
		"NAS-IPv6-Address = 192.0.2.1":   `attribute "NAS-IPv6-Address": "192.0.2.1" is not an IPv6 address`,
		"NAS-IPv6-Address = fe80::1%eth": `attribute "NAS-IPv6-Address": "fe80::1%eth" is not an IPv6 address`,
		"Framed-IPv6-Prefix = 2001:db8:": `attribute "Framed-IPv6-Prefix": "2001:db8:" is not an IPv6 prefix, e.g. 2001:db8:100::/56`,
		"Framed-Interface-Id = 1:2:3":    `attribute "Framed-Interface-Id": "1:2:3" is not an interface identifier, e.g. 0000:0000:0000:0001`,
		"Framed-Interface-Id = 1:2:3:g":  `attribute "Framed-Interface-Id": "1:2:3:g" is not an interface identifier, e.g. 0000:0000:0000:0001`,
		"Event-Timestamp = yesterday":    `attribute "Event-Timestamp": "yesterday" is not a time, e.g. 2026-01-31T12:00:00Z or seconds since 1970`,
		"Event-Timestamp = 4294967296":   `attribute "Event-Timestamp": "4294967296" is beyond the year 2106, where 32 bits end`,
		"Class = 0x123":                  `attribute "Class": "0x123" is not 0x and an even number of hex digits`,
	} {
		_, err := d.ParsePair(text)
		assert.EqualError(t, err, want)
	}
	ether := parseText(t, "ATTRIBUTE Mac 205 ether\nATTRIBUTE Internal 1000 string\nATTRIBUTE Net 204 ipv4prefix")
	_, err := ether.ParsePair("Mac = 02:00")
	assert.EqualError(t, err, `attribute "Mac": "02:00" is not a MAC address, e.g. 02:00:00:00:01:01`)
	_, err = ether.ParsePair("Internal = x")
	assert.EqualError(t, err, `attribute "Internal": number 1000 does not fit a packet: at most 255`)
	_, err = ether.ParsePair("Net = ::/0")
	assert.EqualError(t, err, `attribute "Net": "::/0" is not an IPv4 prefix, e.g. 192.0.2.0/24`)
}

func TestAValueMustFitOneAttribute(t *testing.T) {
	d := standard(t)
	for name, most := range map[string]int{"User-Name": 253, "ADSL-Agent-Circuit-Id": 247} {
		pair, err := d.ParsePair(name + " = " + strings.Repeat("x", most))
		require.NoError(t, err)
		octets, err := pair.Append(nil)
		require.NoError(t, err)
		assert.Equal(t, len(octets), int(octets[1]))
		_, err = d.ParsePair(name + " = " + strings.Repeat("x", most+1))
		assert.ErrorContains(t, err, "at most")

		pair.Value = append(pair.Value, 'x')
		_, err = pair.Append(nil)
		assert.ErrorContains(t, err, "at most", "a caller's own value is checked too")
	}
}

func TestAnEncryptedValueIsNeverShown(t *testing.T) {
	d := standard(t)
	for _, name := range []string{"User-Password", "Tunnel-Password:1", "MS-MPPE-Send-Key"} {
		pair, err := d.ParsePair(name + " = secretpw")
		require.NoError(t, err)
		assert.NotZero(t, pair.Attribute.Encrypt)
		assert.Equal(t, "secretpw", string(pair.Value), "hiding is left to the caller")
		assert.Equal(t, name+" = (hidden)", pair.String())

		octets, err := pair.Append(nil)
		require.NoError(t, err)
		assert.Equal(t, name+" = (hidden)", d.Format(octets[0], octets[2:]))
	}
	assert.Equal(t, "Tunnel-Password = (hidden)", d.Format(69, []byte{0xff, 1, 2}))
	assert.Equal(t, "Tunnel-Password = (hidden)", d.Format(69, nil))
}

func TestWhatDoesNotFitItsDefinitionIsShownRaw(t *testing.T) {
	d := standard(t)
	for name, test := range map[string]struct{ hex, want string }{
		"an integer of three octets":            {"1b 05 00 00 01", "Attr-27 = 0x000001"},
		"a tagged integer with tag 32":          {"40 06 20 00 00 0d", "Attr-64 = 0x2000000d"},
		"a prefix of one octet":                 {"61 03 00", "Attr-97 = 0x00"},
		"a prefix of length 129":                {"61 04 00 81", "Attr-97 = 0x0081"},
		"a prefix in the shortest form":         {"61 04 00 00", "Framed-IPv6-Prefix = ::/0"},
		"a prefix with octets left out":         {"61 0c 00 40 20 01 0d b8 00 01 02 00", "Framed-IPv6-Prefix = 2001:db8:1:200::/64"},
		"a prefix with bits beyond its length":  {"7b 08 00 18 20 01 0d b8", "Delegated-IPv6-Prefix = 2001:d00::/24"},
		"an empty tagged integer":               {"40 02", "Attr-64 = 0x"},
		"an empty tagged text":                  {"51 02", `Tunnel-Private-Group-Id = ""`},
		"a vendor alone":                        {"1a 06 00 00 00 09", "Vendor-Specific = 0x00000009"},
		"less than a vendor":                    {"1a 05 00 00 00", "Vendor-Specific = 0x000000"},
		"a vendor number beyond 24 bits":        {"1a 08 01 00 00 09 01 02", "Vendor-Specific = 0x010000090102"},
		"a vendor attribute beyond the end":     {"1a 08 00 00 0d e9 01 03", "Vendor-Specific = 0x00000de90103"},
		"a vendor attribute shorter than 2":     {"1a 08 00 00 0d e9 01 01", "Vendor-Specific = 0x00000de90101"},
		"octets left over behind an attribute":  {"1a 0a 00 00 0d e9 01 03 41 01", "Vendor-Specific = 0x00000de901034101"},
		"two attributes of one vendor together": {"1a 0c 00 00 0d e9 01 03 41 02 03 42", `ADSL-Agent-Circuit-Id = "A", ADSL-Agent-Remote-Id = "B"`},
		"text that is not UTF-8":                {"12 04 ff 0a", `Reply-Message = "\xff\n"`},
	} {
		t.Run(name, func(t *testing.T) {
			octets := unhex(t, test.hex)
			assert.Equal(t, test.want, d.Format(octets[0], octets[2:]))
		})
	}
	long := parseText(t, "VENDOR More 97 format=1,1,c\nBEGIN-VENDOR More\nATTRIBUTE More-One 1 byte\nEND-VENDOR More\nATTRIBUTE Net 204 ipv4prefix")
	assert.Equal(t, "Attr-26 = 0x0000006101048005", long.Format(26, unhex(t, "00 00 00 61 01 04 80 05")), "a value that goes on elsewhere")
	assert.Equal(t, "Attr-204 = 0x002100000000", long.Format(204, unhex(t, "00 21 00 00 00 00")))
}

func TestTextIsTheValueAlone(t *testing.T) {
	d := standard(t)
	for text, want := range map[string]string{
		`Reply-Message = "say \"hi\""`:  `say "hi"`,
		"Class = 0x00ff":                "0x00ff",
		"Class = abc":                   "abc",
		"Tunnel-Type:1 = VLAN":          "VLAN",
		"Framed-IP-Address = 192.0.2.1": "192.0.2.1",
	} {
		pair, err := d.ParsePair(text)
		require.NoError(t, err)
		assert.Equal(t, want, pair.Text())
	}
	name, _ := d.Lookup("Session-Timeout")
	assert.Equal(t, "0x01", Pair{Attribute: name, Value: []byte{1}}.Text(), "a value that does not fit does no harm")
	assert.Equal(t, "Session-Timeout = 0x01", Pair{Attribute: name, Value: []byte{1}}.String())
}

func FuzzParsePair(f *testing.F) {
	for _, form := range wireForms {
		f.Add(form.text)
	}
	d := standard(f)
	f.Fuzz(func(t *testing.T, text string) {
		pair, err := d.ParsePair(text)
		if err != nil {
			return
		}
		octets, err := pair.Append(nil)
		require.NoError(t, err)
		require.Equal(t, len(octets), int(octets[1]))
		require.LessOrEqual(t, len(octets), 255)
	})
}

func FuzzFormat(f *testing.F) {
	for _, form := range wireForms {
		octets := unhex(f, form.hex)
		f.Add(octets[0], octets[2:])
	}
	d := standard(f)
	f.Fuzz(func(t *testing.T, attributeType uint8, value []byte) {
		if attributeType == 0 || len(value) > 253 {
			return
		}
		for _, pair := range d.Read(attributeType, value) {
			shown := pair.String()
			if pair.Attribute.Encrypt != 0 {
				require.True(t, strings.HasSuffix(shown, " = (hidden)"))
				continue
			}
			again, err := d.ParsePair(shown)
			require.NoError(t, err, "what is shown can be read")
			octets, err := again.Append(nil)
			require.NoError(t, err)
			require.Equal(t, shown, d.Format(octets[0], octets[2:]), "nothing is lost")
		}
	})
}
