package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/cmd/linegate/problem"
)

// readAll reads a CSV text and returns the subscribers of its good rows.
func readAll(source io.Reader) (subscribers []*linegate.Subscriber, found *problem.List, err error) {
	found = &problem.List{File: "f.csv", Most: mostRowErrors}
	table, ok := readSubscriberCSV(source, found)
	if !ok {
		return nil, found, nil
	}
	for table.next() {
		bad := found.Len()
		subscriber := &linegate.Subscriber{Tenant: "isp", Profile: &linegate.NetworkProfile{}}
		if table.into(subscriber); found.Len() == bad {
			subscribers = append(subscribers, subscriber)
		}
	}
	return subscribers, found, table.err()
}

func TestCSVForms(t *testing.T) {
	for name, test := range map[string]struct {
		text     string
		expected []string // usernames
		wrong    string
	}{
		"a byte order mark before the header is passed over":    {"\uFEFFusername\nalice\n", []string{"alice"}, ""},
		"columns stand in any order":                            {"status,username\nactive,alice\n", []string{"alice"}, ""},
		"lines end as on Windows":                               {"username,status\r\nalice,active\r\n", []string{"alice"}, ""},
		"the last line needs no end":                            {"username\nalice", []string{"alice"}, ""},
		"quotes protect commas, quotes and line ends":           {"username,circuit_id\n\"a,\"\"b\"\"\",\"x\ny\"\n", []string{`a,"b"`}, ""},
		"empty lines are passed over":                           {"username\n\nalice\n\nbob\n", []string{"alice", "bob"}, ""},
		"a semicolon separates nothing":                         {"username;status\nalice;active\n", nil, `f.csv:1: username;status: unknown column`},
		"a row after a malformed one is still read":             {"username,mac\na\"b,\nalice,xx\n", nil, "f.csv:2: row: not CSV: bare \" in non-quoted-field (line 2, column 2)\nf.csv:3: mac:"},
		"a bad cell is found on its own line of a row of many":  {"username,circuit_id,status\nalice,\"x\ny\",gone\n", nil, `f.csv:3: status: "gone" is not allowed`},
		"a quote that is never closed is an error of its start": {"username\nalice\n\"bob\n", []string{"alice"}, `f.csv:3: row: not CSV`},
		"a password is never repeated in an error":              {"username,password\nalice," + strings.Repeat("s3cret", 30) + "\n", nil, `password: "(hidden)" is not allowed`},
	} {
		t.Run(name, func(t *testing.T) {
			subscribers, found, err := readAll(strings.NewReader(test.text))
			require.NoError(t, err)
			var names []string
			for _, s := range subscribers {
				names = append(names, s.Username)
			}
			assert.Equal(t, test.expected, names)
			if test.wrong == "" {
				assert.NoError(t, found.Err())
			} else {
				assert.ErrorContains(t, found.Err(), test.wrong)
				assert.NotContains(t, found.Err().Error(), "s3cret")
			}
		})
	}
}

func TestAFailureToReadIsNoEndOfFile(t *testing.T) {
	broken := errors.New("disk on fire")
	subscribers, _, err := readAll(io.MultiReader(strings.NewReader("username\nalice\n"), iotest.ErrReader(broken)))
	assert.ErrorIs(t, err, broken)
	assert.Len(t, subscribers, 1)
	_, found, _ := readAll(iotest.ErrReader(broken))
	assert.EqualError(t, found.Err(), "f.csv:1: header: disk on fire")
}

// FuzzCSV holds that whatever a file holds, its good rows survive an export.
func FuzzCSV(f *testing.F) {
	for _, text := range []string{
		"", "\uFEFFusername\nalice\n", "username,password\nalice,secretpw\n",
		"username,mac,circuit_id,service_vlan\nalice,02-00-00-00-01-01,0x00ff,101\n",
		"username,static_ipv4,delegated_ipv6_prefix\nalice,100.64.0.1,2001:db8:100::/56\n",
		"username,download_kbps\n\"a\nb\",1e9\n", "username\n\"", "a\"b\n", "username,username\nx,y\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		subscribers, found, err := readAll(bytes.NewReader(text))
		require.NoError(t, err)
		if wrong := found.Err(); wrong != nil {
			require.Positive(t, found.Len())
		}
		var exported bytes.Buffer
		rows, export := csv.NewWriter(&exported), &csvExport{allColumns: true}
		require.NoError(t, rows.Write(append(fieldNames(false), fieldNames(true)...)))
		for _, subscriber := range subscribers {
			require.NoError(t, rows.Write(export.row(subscriber, linegate.Fields())))
		}
		rows.Flush()
		again, found, err := readAll(&exported)
		require.NoError(t, err)
		require.NoError(t, found.Err())
		require.Len(t, again, len(subscribers))
		for i, subscriber := range subscribers {
			subscriber.Normalize()
			again[i].Normalize()
			for _, field := range linegate.Fields() {
				// encoding/csv reads a line end within quotes as \n.
				require.Equal(t, strings.ReplaceAll(field.Get(subscriber), "\r\n", "\n"), field.Get(again[i]), field.Name)
			}
		}
	})
}
