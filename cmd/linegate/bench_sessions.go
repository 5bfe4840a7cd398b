package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"

	"linegate/radiusd/client"
	"linegate/radiusd/wire"
)

// sessionColumns are those of a file of sessions. Only the first has to be there.
var sessionColumns = []string{"acct_session_id", "started", "interims", "stopped", "username", "nas_address"}

// listSessions writes what was acknowledged of each session.
func listSessions(path string, sessions *client.Sessions) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	rows := csv.NewWriter(file)
	_ = rows.Write(sessionColumns) // Error tells
	err = sessions.Each(func(session client.Begun) error {
		nas := ""
		if session.NAS.IsValid() {
			nas = session.NAS.String()
		}
		return rows.Write([]string{session.ID, strconv.FormatBool(session.Started), strconv.Itoa(int(session.Interims)),
			strconv.FormatBool(session.Stopped), session.UserName, nas})
	})
	rows.Flush()
	return errors.Join(err, rows.Error())
}

// readOpenSessions reads what names each open session of a file, framed; nas is
// the NAS-Identifier that goes with all, unless it is empty. left is how many
// sessions are not open.
func readOpenSessions(path, nas string) (sessions [][]byte, left int, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	rows := csv.NewReader(file)
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err != nil || !slices.Contains(header, sessionColumns[0]) {
		return nil, 0, fmt.Errorf("%s:1: the first line has to name the columns, %s among them", path, sessionColumns[0])
	}
	columns := sessionRow{header: slices.Clone(header)}
	for {
		columns.cells, err = rows.Read()
		if errors.Is(err, io.EOF) {
			return sessions, left, nil
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", path, err)
		}
		if columns.cell("started") == "false" || columns.cell("stopped") == "true" {
			left++
			continue
		}
		named, err := columns.identity(nas)
		if err != nil {
			line, _ := rows.FieldPos(0)
			return nil, 0, fmt.Errorf("%s:%d: %w", path, line, err)
		}
		sessions = append(sessions, named)
	}
}

// sessionRow is a row of a file of sessions.
type sessionRow struct{ header, cells []string }

// cell is empty where the file has no such column.
func (r *sessionRow) cell(column string) string {
	if at := slices.Index(r.header, column); at >= 0 {
		return r.cells[at]
	}
	return ""
}

// identity is what names the session and its NAS, framed (RFC 5176 section 3).
func (r *sessionRow) identity(nas string) (octets []byte, err error) {
	texts := []struct {
		name, value string
		attribute   uint8
	}{
		{"acct_session_id", r.cell("acct_session_id"), wire.AcctSessionID},
		{"username", r.cell("username"), wire.UserName},
		{"--nas-identifier", nas, wire.NASIdentifier},
	}
	for _, text := range texts {
		if len(text.value) > wire.MaxValueSize {
			return nil, fmt.Errorf("%s: %q is not allowed: 1 to %d octets", text.name, text.value, wire.MaxValueSize)
		}
		if text.value != "" {
			octets = wire.AppendText(octets, text.attribute, text.value)
		}
	}
	if r.cell("acct_session_id") == "" {
		return nil, fmt.Errorf("acct_session_id: %q is not allowed: 1 to %d octets", "", wire.MaxValueSize)
	}
	text := r.cell("nas_address")
	if text == "" {
		return octets, nil
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return nil, fmt.Errorf("nas_address: %q is not allowed: an IPv4 or IPv6 address", text)
	}
	if address.Is4() {
		return wire.AppendAddress(octets, wire.NASIPAddress, address), nil
	}
	return wire.AppendAddress(octets, wire.NASIPv6Address, address), nil
}
