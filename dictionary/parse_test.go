package dictionary

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// files makes a file system of pairs of name and text.
func files(pairs ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fsys
}

func parseText(t *testing.T, text string) *Dictionary {
	t.Helper()
	d, err := Parse(files("dictionary", text), "dictionary")
	require.NoError(t, err)
	return d
}

func standard(t testing.TB) *Dictionary {
	t.Helper()
	d, err := Standard(DocumentationPEN)
	require.NoError(t, err)
	return d
}

func TestParseReadsDefinitions(t *testing.T) {
	d := parseText(t, `
# A comment
ATTRIBUTE	User-Name	1	string		# another
ATTRIBUTE	Secret-Key	0x45	string	has_tag,encrypt=2
ATTRIBUTE	Digest	3	octets[16] concat
VALUE	Mode	Early	7
ATTRIBUTE	Mode	4	integer array
VALUE	Mode	Old-Name	0x01
VALUE	Mode	New-Name	1
VENDOR	Wide	9999	format=2,2
BEGIN-VENDOR	Wide
ATTRIBUTE	Wide-Thing	300	short
END-VENDOR	Wide
ATTRIBUTE	Old-Style	7	ipaddr	Wide
ATTRIBUTE	Future	8	quaternion
`)
	name, ok := d.Lookup("uSER-nAME")
	require.True(t, ok)
	assert.Equal(t, "User-Name", name.Name)
	assert.Equal(t, TypeString, name.Type)

	secret, ok := d.Find(0, 0x45)
	require.True(t, ok)
	assert.True(t, secret.Tagged)
	assert.Equal(t, uint8(2), secret.Encrypt)

	wide, ok := d.Find(9999, 300)
	require.True(t, ok)
	assert.Equal(t, "Wide-Thing", wide.Name)
	old, _ := d.Lookup("Old-Style")
	assert.Equal(t, uint32(9999), old.Vendor, "a vendor's name may stand behind the type")
	future, _ := d.Lookup("Future")
	assert.Equal(t, TypeOctets, future.Type, "an unknown type is octets")
	pen, ok := d.VendorNumber("wide")
	assert.True(t, ok)
	assert.Equal(t, uint32(9999), pen)

	assert.Equal(t, "Mode = New-Name", d.Format(4, []byte{0, 0, 0, 1}), "the last name of a number is shown")
	assert.Equal(t, "Mode = Early", d.Format(4, []byte{0, 0, 0, 7}), "a value may come before its attribute")
	pair, err := d.ParsePair("Mode = old-name")
	require.NoError(t, err)
	assert.Equal(t, []byte{0, 0, 0, 1}, pair.Value, "every name of a number is understood")
}

func TestAttributesInsideOthersAreKnownByNameAlone(t *testing.T) {
	d := parseText(t, `
VENDOR V 99
ATTRIBUTE Extended 241 tlv
ATTRIBUTE Inside-Extended 241.3 integer
BEGIN-VENDOR V
ATTRIBUTE Box 5 tlv
BEGIN-TLV Box
ATTRIBUTE Inside-Box 1 integer
END-TLV Box
ATTRIBUTE Dotted 5.2 integer
END-VENDOR V
BEGIN-VENDOR V parent=Extended
ATTRIBUTE Elsewhere 5 string
END-VENDOR V
`)
	for name, parent := range map[string]string{"Inside-Box": "Box", "Dotted": "Box", "Inside-Extended": "Extended", "Elsewhere": "Extended"} {
		attribute, ok := d.Lookup(name)
		require.True(t, ok, name)
		require.NotNil(t, attribute.Parent, name)
		assert.Equal(t, parent, attribute.Parent.Name)
		_, err := d.ParsePair(name + " = 1")
		assert.EqualError(t, err, fmt.Sprintf("attribute %q lies inside %q: give that one, as 0x hex", name, parent))
	}
	box, _ := d.Find(99, 5)
	assert.Equal(t, "Box", box.Name, "what lies inside does not take a number in packets")
	_, taken := d.Find(99, 1)
	assert.False(t, taken)
}

func TestParseErrorsNameFileLineAndStatement(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"a value of an attribute that is nowhere": {"\nVALUE Foo Bar 1", `d:2: VALUE: unknown attribute "Foo"`},
		"a value that is no number":               {"ATTRIBUTE A 1 byte\nVALUE A Big x", `d:2: VALUE: attribute "A": value "Big": number "x" is not allowed: 0 to 255`},
		"a value too big for its type":            {"ATTRIBUTE A 1 byte\nVALUE A Big 256", `d:2: VALUE: attribute "A": value "Big": number "256" is not allowed: 0 to 255`},
		"a value for text":                        {"ATTRIBUTE A 1 string\nVALUE A Big 2", `d:2: VALUE: attribute "A" is of type string: only numbers have names`},
		"an early value that is wrong":            {"VALUE A Big 2\nATTRIBUTE A 1 string", `d:1: VALUE: attribute "A" is of type string: only numbers have names`},
		"a value with a word missing":             {"ATTRIBUTE A 1 byte\nVALUE A 256", `d:2: VALUE: 3 words must follow: attribute, name, number`},
		"an attribute with a word missing":        {"ATTRIBUTE A 1", `d:1: ATTRIBUTE: 3 words must follow`},
		"an attribute without a number":           {"ATTRIBUTE A one string", `d:1: ATTRIBUTE: attribute "A": number "one" is not allowed`},
		"a number beyond 32 bits":                 {"ATTRIBUTE A 4294967296 string", `d:1: ATTRIBUTE: attribute "A": number "4294967296" is not allowed`},
		"a dotted number in nothing":              {"ATTRIBUTE A 241.1 string", `d:1: ATTRIBUTE: attribute "A": number "241.1" lies inside an attribute that is not defined`},
		"an unknown flag":                         {"ATTRIBUTE A 1 string shiny", `d:1: ATTRIBUTE: attribute "A": flag "shiny" is not allowed: has_tag, encrypt=1 to 3, array, concat, virtual`},
		"an unknown encryption":                   {"ATTRIBUTE A 1 string encrypt=9", `d:1: ATTRIBUTE: attribute "A": flag "encrypt=9" is not allowed: has_tag, encrypt=1 to 3, array, concat, virtual`},
		"a tag on an address":                     {"ATTRIBUTE A 1 ipaddr has_tag", `d:1: ATTRIBUTE: attribute "A": flag has_tag is only allowed for string and integer`},
		"one name for two numbers":                {"ATTRIBUTE A 1 string\nATTRIBUTE a 2 string", `d:2: ATTRIBUTE: attribute "a" stands for number 1 of vendor 0 already`},
		"an unknown statement":                    {"ATTRIBUT A 1 string", `d:1: ATTRIBUT: unknown statement: ATTRIBUTE, VALUE, VENDOR, BEGIN-VENDOR, END-VENDOR, BEGIN-TLV, END-TLV or $INCLUDE is allowed`},
		"a vendor number too big":                 {"VENDOR V 16777216", `d:1: VENDOR: number "16777216" is not allowed: 1 to 16777215`},
		"a vendor with two numbers":               {"VENDOR V 1\nVENDOR v 2", `d:2: VENDOR: vendor "v" has number 1 already`},
		"a vendor with an unknown option":         {"VENDOR V 1 colour=red", `d:1: VENDOR: option "colour=red" is not allowed: format=LAYOUT`},
		"a vendor with an odd layout":             {"VENDOR V 1 format=3,1", `d:1: VENDOR: format "3,1" is not allowed: type width 1, 2 or 4, length width 0, 1 or 2, e.g. 1,1`},
		"a layout without a length":               {"VENDOR V 1 format=1", `d:1: VENDOR: format "1" is not allowed: type width 1, 2 or 4, length width 0, 1 or 2, e.g. 1,1`},
		"a block of an unknown vendor":            {"BEGIN-VENDOR V", `d:1: BEGIN-VENDOR: unknown vendor "V"`},
		"a vendor block inside another":           {"VENDOR V 1\nBEGIN-VENDOR V\nBEGIN-VENDOR V", `d:3: BEGIN-VENDOR: vendor "V" has no END-VENDOR yet`},
		"a vendor block in an unknown attribute":  {"VENDOR V 1\nBEGIN-VENDOR V parent=Nowhere", `d:2: BEGIN-VENDOR: unknown attribute "Nowhere"`},
		"an end without a begin":                  {"VENDOR V 1\nEND-VENDOR V", `d:2: END-VENDOR: vendor "V" has no BEGIN-VENDOR here`},
		"a vendor block left open":                {"VENDOR V 1\nBEGIN-VENDOR V", `d: BEGIN-VENDOR V has no END-VENDOR`},
		"a TLV of an unknown attribute":           {"BEGIN-TLV T", `d:1: BEGIN-TLV: unknown attribute "T"`},
		"a TLV end without a begin":               {"END-TLV T", `d:1: END-TLV: attribute "T" has no BEGIN-TLV here`},
		"a TLV left open":                         {"ATTRIBUTE T 1 tlv\nBEGIN-TLV T", `d: BEGIN-TLV T has no END-TLV`},
		"a TLV open at the vendor's end":          {"VENDOR V 1\nBEGIN-VENDOR V\nATTRIBUTE T 1 tlv\nBEGIN-TLV T\nEND-VENDOR V", `d:5: END-VENDOR: BEGIN-TLV T has no END-TLV`},
		"an include without a name":               {"$INCLUDE", `d:1: $INCLUDE: one file name must follow`},
		"an include of nothing":                   {"\n$INCLUDE gone", `d:2: $INCLUDE: open gone: file does not exist`},
		"an include outside":                      {"$INCLUDE ../secret", `d:1: $INCLUDE: open ../secret: file does not exist`},
		"an include of itself":                    {"$INCLUDE d", `d:1: $INCLUDE: d -> d includes itself`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(files("d", test.text), "d")
			assert.EqualError(t, err, test.want)
		})
	}
}

func TestIncludesAreRelativeToTheIncludingFile(t *testing.T) {
	d, err := Parse(files(
		"dictionary", "$INCLUDE vendors/all\n$INCLUDE- missing",
		"vendors/all", "$INCLUDE one",
		"vendors/one", "ATTRIBUTE One 1 string",
	), "dictionary")
	require.NoError(t, err)
	_, ok := d.Lookup("One")
	assert.True(t, ok)

	_, err = Parse(files("dictionary", "$INCLUDE vendors/all", "vendors/all", "\n\nVALUE"), "dictionary")
	assert.EqualError(t, err, "vendors/all:3: VALUE: 3 words must follow: attribute, name, number")

	_, err = Parse(files(), "dictionary")
	assert.ErrorContains(t, err, "dictionary: file does not exist")
}

func TestIncludesAreBounded(t *testing.T) {
	t.Run("a cycle is refused", func(t *testing.T) {
		_, err := Parse(files("a", "$INCLUDE b", "b", "$INCLUDE a"), "a")
		assert.EqualError(t, err, "b:1: $INCLUDE: a -> b -> a includes itself")
	})
	t.Run("a deep chain is refused", func(t *testing.T) {
		chain := fstest.MapFS{}
		for i := range 20 {
			chain[fmt.Sprint(i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "$INCLUDE %d", i+1)}
		}
		_, err := Parse(chain, "0")
		assert.EqualError(t, err, "15:1: $INCLUDE: 16: more than 1000 files, or nested more than 16 deep")
	})
	t.Run("many files that include one another twice are refused", func(t *testing.T) {
		fan := fstest.MapFS{}
		for i := range 14 {
			fan[fmt.Sprint(i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "$INCLUDE %d\n$INCLUDE %d", i+1, i+1)}
		}
		fan["14"] = &fstest.MapFile{}
		_, err := Parse(fan, "0")
		assert.ErrorContains(t, err, "more than 1000 files")
	})
	t.Run("a huge file is refused", func(t *testing.T) {
		_, err := Parse(files("d", strings.Repeat("#", maxFileSize+1)), "d")
		assert.EqualError(t, err, "d: longer than 1048576 octets")
	})
}

func TestStandardPutsOurAttributesUnderTheGivenNumber(t *testing.T) {
	d, err := Standard(54321)
	require.NoError(t, err)
	inner, ok := d.Lookup("X-QinQ-Inner-VLAN")
	require.True(t, ok)
	assert.Equal(t, uint32(54321), inner.Vendor)
	_, ok = d.Find(DocumentationPEN, 1)
	assert.False(t, ok)

	for _, pen := range []uint32{0, 1 << 24} {
		_, err = Standard(pen)
		assert.EqualError(t, err, fmt.Sprintf("vendor number %d is not allowed: 1 to 16777215", pen))
	}
	_, err = Standard(311)
	assert.EqualError(t, err, `data/linegate.dictionary:4: VENDOR: number 311 is that of vendor "Microsoft"`)
}

func TestTheShippedFileSaysWhatTheEmbeddedOneSays(t *testing.T) {
	shipped, err := Parse(os.DirFS("../configs"), "dictionary.linegate")
	require.NoError(t, err)
	embedded, err := Parse(data, "data/linegate.dictionary")
	require.NoError(t, err)
	assert.Equal(t, embedded, shipped)
	assert.NotEmpty(t, shipped.byName)
}

func FuzzParse(f *testing.F) {
	seeds, err := data.ReadDir("data")
	require.NoError(f, err)
	for _, seed := range seeds {
		text, err := data.ReadFile("data/" + seed.Name())
		require.NoError(f, err)
		f.Add(string(text))
	}
	f.Add("$INCLUDE d\nVENDOR V 1 format=4,2,c\nBEGIN-VENDOR V\nATTRIBUTE A 1.2 tlv has_tag\nBEGIN-TLV A\nVALUE A B 0x1")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse(files("d", text), "d")
		if err != nil {
			return
		}
		for _, attribute := range d.byName {
			_, found := d.Lookup(attribute.Name)
			require.True(t, found)
		}
	})
}
