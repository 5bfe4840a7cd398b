package peers

import (
	"bufio"
	"context"
	"embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"text/template"
)

//go:embed freeradius/*.conf
var freeRADIUSFiles embed.FS

// shippedSQL are the queries and the schema that FreeRADIUS comes with.
const shippedSQL = "/etc/freeradius/3.0/mods-config/sql/main/postgresql"

// freeRADIUSValues are what the templates of its configuration name.
type freeRADIUSValues struct {
	Folder, Library, Secret string
	AuthPort, AcctPort      int
	SQL                     bool
	Shipped, DatabasePort   string
}

// makeFreeRADIUS prepares FreeRADIUS with a users file, its fastest form, or with
// PostgreSQL for subscribers and accounting, its usual one.
func (s *stage) makeFreeRADIUS(ctx context.Context, folder string, sql bool) (made *server, err error) {
	made = &server{}
	if made.subscribers, err = s.subscribersFile(ctx, s.options.Subscribers); err != nil {
		return nil, err
	}
	values := freeRADIUSValues{Folder: folder, Secret: secret, SQL: sql, Shipped: shippedSQL}
	if values.Library, err = freeRADIUSLibrary(); err != nil {
		return nil, err
	}
	if values.AuthPort, err = freePort(); err != nil {
		return nil, err
	}
	if values.AcctPort, err = freePort(); err != nil {
		return nil, err
	}
	made.auth, made.acct = loopback(values.AuthPort), loopback(values.AcctPort)
	if sql {
		if made.database, err = s.startPostgres(ctx, filepath.Join(folder, "postgres")); err != nil {
			return nil, err
		}
		values.DatabasePort = postgresPort(made.database)
		err = fillFreeRADIUSTables(ctx, folder, made)
	} else {
		err = writeUsers(filepath.Join(folder, "users"), made.subscribers)
	}
	if err != nil {
		return nil, err
	}
	if err := configureFreeRADIUS(values); err != nil {
		return nil, err
	}
	path, err := freeRADIUSBinary()
	if err != nil {
		return nil, err
	}
	made.program = &program{
		path: path, args: []string{"-f", "-d", folder, "-n", "radiusd", "-l", "stdout"},
		folder: folder, log: filepath.Join(folder, "printed"), end: syscall.SIGTERM,
	}
	made.ready = s.answered(made)
	return made, nil
}

// configureFreeRADIUS writes its configuration.
func configureFreeRADIUS(values freeRADIUSValues) error {
	templates, err := template.ParseFS(freeRADIUSFiles, "freeradius/*.conf")
	if err != nil {
		return err
	}
	return errors.Join(
		writeFile(filepath.Join(values.Folder, "none"), func(io.Writer) error { return nil }), // no hints, no huntgroups
		writeFile(filepath.Join(values.Folder, "radiusd.conf"), func(out io.Writer) error {
			return templates.ExecuteTemplate(out, "radiusd.conf", values)
		}))
}

// writeUsers writes an entry for each subscriber that matches only from the right
// line, so that without a match there is no password to accept.
func writeUsers(path, subscribers string) error {
	return writeFile(path, func(out io.Writer) error {
		return eachSubscriber(subscribers, func(row map[string]string) error {
			_, err := fmt.Fprintf(out, "%s Cleartext-Password := \"%s\", ADSL-Agent-Circuit-Id == 0x%x, ADSL-Agent-Remote-Id == 0x%x\n"+
				"\tTunnel-Type = VLAN, Tunnel-Medium-Type = IEEE-802, Tunnel-Private-Group-Id = \"%s\", Framed-IP-Address = %s\n",
				row["username"], row["password"], row["circuit_id"], row["remote_id"], row["service_vlan"], row["static_ipv4"])
			return err
		})
	})
}

// fillFreeRADIUSTables makes the tables it is shipped with and fills them.
func fillFreeRADIUSTables(ctx context.Context, folder string, made *server) error {
	check, reply := filepath.Join(folder, "radcheck.csv"), filepath.Join(folder, "radreply.csv")
	err := errors.Join(
		writeAttributes(check, made.subscribers, func(row map[string]string) [][]string {
			return [][]string{
				{"Cleartext-Password", ":=", row["password"]},
				{"ADSL-Agent-Circuit-Id", "==", fmt.Sprintf("0x%x", row["circuit_id"])},
				{"ADSL-Agent-Remote-Id", "==", fmt.Sprintf("0x%x", row["remote_id"])},
			}
		}),
		writeAttributes(reply, made.subscribers, func(row map[string]string) [][]string {
			return [][]string{
				{"Tunnel-Type", "=", "VLAN"}, {"Tunnel-Medium-Type", "=", "IEEE-802"},
				{"Tunnel-Private-Group-Id", "=", row["service_vlan"]}, {"Framed-IP-Address", "=", row["static_ipv4"]},
			}
		}))
	if err != nil {
		return err
	}
	const columns = " (username, attribute, op, value) FROM '%s' CSV"
	return psql(ctx, made.database, `\i `+filepath.Join(shippedSQL, "schema.sql"),
		fmt.Sprintf(`\copy radcheck`+columns, check), fmt.Sprintf(`\copy radreply`+columns, reply), "VACUUM ANALYZE")
}

// writeAttributes writes the rows that a subscriber has in one of the tables.
func writeAttributes(path, subscribers string, attributes func(row map[string]string) [][]string) error {
	return writeFile(path, func(out io.Writer) error {
		rows := csv.NewWriter(out)
		err := eachSubscriber(subscribers, func(row map[string]string) error {
			for _, attribute := range attributes(row) {
				if err := rows.Write(append([]string{row["username"]}, attribute...)); err != nil {
					return err
				}
			}
			return nil
		})
		rows.Flush()
		return errors.Join(err, rows.Error())
	})
}

// writeFile writes a file through a buffer.
func writeFile(path string, write func(io.Writer) error) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := bufio.NewWriter(file)
	return errors.Join(write(out), out.Flush())
}

// freeRADIUSBinary is freeradius, as Debian calls it, or radiusd.
func freeRADIUSBinary() (string, error) {
	for _, name := range []string{"freeradius", "radiusd"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("FreeRADIUS is not installed: there is neither freeradius nor radiusd in PATH")
}

// freeRADIUSLibrary is the folder of its modules.
func freeRADIUSLibrary() (string, error) {
	for _, pattern := range []string{"/usr/lib/freeradius", "/usr/lib/*/freeradius", "/usr/lib64/freeradius"} {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return found[0], nil
		}
	}
	return "", errors.New("FreeRADIUS is not installed: its modules are not in /usr/lib/freeradius")
}
