package linegate_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

func TestLinesCountAsEqualInTheFormsThatAreLet(t *testing.T) {
	const binary, headless = "\x00\x04\x00\x64\x00\x00", "\x00\x64\x00\x00"
	for name, test := range map[string]struct {
		modes            string
		expected, actual string
		equal            bool
	}{
		"octets":                                    {"", "olt1", "olt1", true},
		"octets in another case":                    {"", "OLT1", "olt1", false},
		"exact beside hex":                          {"exact", "000400640000", binary, false},
		"hex text in the profile":                   {"hex", "000400640000", binary, true},
		"hex text in the request":                   {"hex", binary, "000400640000", true},
		"hex text with 0x":                          {"hex", "0x00ff", "\x00\xff", true},
		"hex in either case":                        {"hex", "00FFAB", "00ffab", true},
		"an odd number of digits is text":           {"hex", "123", "\x01\x23", false},
		"no digits are text":                        {"hex", "xyz1", "xyz2", false},
		"without the header of the request":         {"header", headless, binary, true},
		"without the header of the profile":         {"header", binary, headless, true},
		"a header whose length does not agree":      {"header", "ab", "\x00\x05ab", false},
		"a header of another type":                  {"header", "ab", "\x02\x02ab", false},
		"header alone knows no hex":                 {"header", "000400640000", headless, false},
		"hex text of a header":                      {"hex,header", "000400640000", headless, true},
		"hex text behind a header":                  {"hex,header", "\x01\x0400ff", "\x00\xff", true},
		"padding of NUL and blanks":                 {"trim", "olt1", " olt1 \x00\x00", true},
		"a NUL that is a value's first octet stays": {"trim", "\x00\x64", "\x64", false},
		"trim alone knows no case":                  {"trim", "olt1", "OLT1", false},
		"either case":                               {"fold", "Olt1 XPON", "oLT1 xpon", true},
		"only ASCII folds":                          {"fold", "\xc3\x89", "\xc3\xa9", false},
		"all of it":                                 {"hex,header,trim,fold", "  000400640000 ", headless, true},
		"a pattern":                                 {"glob", "olt1 xpon 0/1/*", "olt1 xpon 0/1/77", true},
		"a pattern that ends elsewhere":             {"glob", "olt1*7", "olt1 xpon 8", false},
		"one octet":                                 {"glob", "olt?", "olt1", true},
		"one octet is not none":                     {"glob", "olt?", "olt", false},
		"stars that have to go back":                {"glob", "*ab*ab", "aabbabab", true},
		"a pattern in either case":                  {"fold,glob", "OLT*", "olt1", true},
		"a pattern only where it is let":            {"fold", "olt*", "olt1", false},
		"the request is no pattern":                 {"glob", "olt1", "olt*", false},
		"a star stands for nothing too":             {"glob", "olt1*", "olt1", true},
	} {
		t.Run(name, func(t *testing.T) {
			modes, err := linegate.ParseLineMatch("line_match", test.modes)
			require.NoError(t, err)
			assert.Equal(t, test.modes, modes.String())
			assert.Equal(t, test.equal, modes.Equal(linegate.Octets(test.expected), []byte(test.actual)))
			if test.equal && modes&linegate.MatchGlob == 0 {
				assert.Equal(t, linegate.AppendLineForm(nil, []byte(test.expected)), linegate.AppendLineForm(nil, []byte(test.actual)),
					"lines that count as equal are found by one form")
			}
		})
	}
	assert.Zero(t, testing.AllocsPerRun(100, func() { linegate.MatchAll.Equal("  000400640000 ", []byte(headless)) }))
	for _, text := range []string{"exact,hex", "hex,glub", "all"} {
		_, err := linegate.ParseLineMatch("line_match", text)
		assert.ErrorContains(t, err, "hex, header, trim, fold, glob", text)
	}
	assert.Equal(t, linegate.MatchFold, linegate.LineMatch(0).Or(linegate.MatchFold))
	assert.Equal(t, linegate.MatchExact, linegate.MatchExact.Or(linegate.MatchFold))
}

func TestListsReadBackAsTheyAreWritten(t *testing.T) {
	for _, text := range []string{"", "olt1,ONT1", "olt1", ",ONT1", "olt1,ONT1; olt2; ,ONT3", `"a,b",0x0006`, `"a; \"b\" \\"`, "0x00ff"} {
		lines, err := linegate.ParseLines("more_lines", text)
		require.NoError(t, err, text)
		assert.Equal(t, text, lines.String())
	}
	for _, text := range []string{`"a`, "a,b,c", ";", ",", "0x0", `"\q"`, "1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17", strings.Repeat("x", 248)} {
		_, err := linegate.ParseLines("more_lines", text)
		assert.ErrorContains(t, err, "more_lines", text)
	}
	for _, text := range []string{"", "192.0.2.1", "192.0.2.1,2001:db8::1,192.0.2.2,2001:db8::2,2001:db8::3"} {
		addresses, err := linegate.ParseAddresses("dns_servers", text)
		require.NoError(t, err, text)
		assert.Equal(t, text, addresses.String())
	}
	for _, text := range []string{"x", "0.0.0.0", "ff02::1", "fe80::1%eth0", "1.1.1.1,1.1.1.2,1.1.1.3", "::ffff:1.2.3.4"} {
		_, err := linegate.ParseAddresses("dns_servers", text)
		assert.ErrorContains(t, err, "dns_servers", text)
	}
	attributes, err := linegate.ParseAttributes("reply_attributes", `A = 1;  B = "x; y" ;`)
	require.NoError(t, err)
	assert.Equal(t, linegate.Attributes{"A = 1", `B = "x; y"`}, attributes)
	assert.Equal(t, `A = 1; B = "x; y"`, attributes.String())
	for _, text := range []string{"A", `A = "x`, strings.Repeat("A = 1;", 17)} {
		_, err := linegate.ParseAttributes("reply_attributes", text)
		assert.ErrorContains(t, err, "reply_attributes", text)
	}
	var lines linegate.Lines
	assert.Error(t, lines.UnmarshalText([]byte(";")))
	assert.Nil(t, lines)
}

func TestAPatternAloneNamesNoLine(t *testing.T) {
	subscriber := &linegate.Subscriber{Tenant: "demo", Username: "alice",
		Profile: &linegate.NetworkProfile{CircuitID: "olt1*", LineMatch: linegate.MatchGlob}}
	assert.ErrorContains(t, subscriber.Validate(), "password")
	assert.Len(t, subscriber.Keys(), 2, "it is found by the pattern's own octets at most")
	subscriber.Profile.MoreLines = linegate.Lines{{CircuitID: "olt2"}}
	assert.NoError(t, subscriber.Validate())
	assert.Len(t, subscriber.Keys(), 4)
	subscriber.Profile.CheckVLAN = linegate.Option82Enforce
	assert.ErrorContains(t, subscriber.Validate(), "check_vlan")
}

func FuzzLineMatch(f *testing.F) {
	f.Add(uint8(31), "000400640000", []byte("\x00\x64\x00\x00"))
	f.Add(uint8(16), "a*b?c", []byte("axxbyc"))
	f.Fuzz(func(t *testing.T, modes uint8, expected string, actual []byte) {
		if len(expected) > 247 || len(actual) > 247 {
			return
		}
		m := linegate.LineMatch(modes)
		if !m.Equal(linegate.Octets(actual), actual) {
			t.Errorf("%q is not equal to itself under %s", actual, m)
		}
		m.Equal(linegate.Octets(expected), actual)
	})
}

func FuzzLines(f *testing.F) {
	f.Add(`olt1,ONT1; "a;b",0x00`)
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := linegate.ParseLines("more_lines", text)
		if err != nil {
			return
		}
		again, err := linegate.ParseLines("more_lines", lines.String())
		if err != nil || again.String() != lines.String() {
			t.Errorf("%q reads back as %q: %v", lines, again, err)
		}
	})
}
