package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"linegate"
	"linegate/dictionary"
	"linegate/policy/dialect"
	"linegate/radiusd/wire"
	"linegate/store"
)

func newDialectCommand(c *cli) *cobra.Command {
	return newGroup("dialect", "See how each kind of NAS is understood and spoken to", []string{"dialects"},
		newDialectListCommand(c), newDialectShowCommand(c), newDialectTestCommand(c))
}

func newDialectListCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the dialects, shipped ones and those of the folder that `dialects` names",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dialects, err := c.dialects()
			if err != nil {
				return err
			}
			rows := newListing(cmd.OutOrStdout(), c.output, "name", "coa_port", "tells_vlans", "source", "about")
			for _, name := range slices.Sorted(maps.Keys(dialects)) {
				if err := rows.add(dialectRecord(dialects[name])); err != nil {
					return err
				}
			}
			return rows.close()
		},
	}
}

func dialectRecord(d *dialect.Dialect) record {
	traits := d.CoA()
	return record{
		{"name", d.Name()}, {"coa_port", traits.Port}, {"coa_message_authenticator", traits.MessageAuthenticator},
		{"coa_event_timestamp", traits.EventTimestamp}, {"tells_vlans", d.TellsVLANs()}, {"source", d.Source()}, {"about", d.About()},
	}
}

// dialects loads what the configuration names.
func (c *cli) dialects() (map[string]*dialect.Dialect, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	return loadDialects(cfg)
}

// dialectNamed returns one of the dialects.
func dialectNamed(dialects map[string]*dialect.Dialect, name string) (*dialect.Dialect, error) {
	if found := dialects[name]; found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("dialect %s: not found; there is %s", name, strings.Join(slices.Sorted(maps.Keys(dialects)), ", "))
}

func newDialectShowCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:               "show NAME",
		Short:             "Show a dialect's file, to copy and change",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: only(c.completeDialect),
		RunE: func(cmd *cobra.Command, args []string) error {
			dialects, err := c.dialects()
			if err != nil {
				return err
			}
			found, err := dialectNamed(dialects, args[0])
			if err != nil {
				return err
			}
			if c.output != formatTable {
				return show(cmd.OutOrStdout(), c.output, append(dialectRecord(found), property{"text", found.Text()}))
			}
			_, err = io.WriteString(cmd.OutOrStdout(), found.Text())
			return err
		},
	}
}

func (c *cli) completeDialect(_ *cobra.Command, _ []string, start string) ([]string, cobra.ShellCompDirective) {
	dialects, err := c.dialects()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(dialects)) {
		if strings.HasPrefix(name, start) {
			names = append(names, name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// dialectTest are the flags of `dialect test`.
type dialectTest struct{ dialect, user string }

func newDialectTestCommand(c *cli) *cobra.Command {
	var options dialectTest
	command := &cobra.Command{
		Use:   "test FILE",
		Short: "Show the line that a dialect reads in a packet, and the grant it would answer with",
		Long: "Show the line that a dialect reads in a packet, which FILE holds as hex digits with comments from #\n" +
			"to the end of a line, and with --user the grant that this subscriber would get, and whether the\n" +
			"dialect can say all of it. No password is checked and no store is needed without --user.",
		Example: "  linegate dialect test request.hex --dialect standard\n" +
			"  linegate dialect test request.hex --dialect standard --user alice",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.testDialect(cmd.Context(), cmd.OutOrStdout(), args[0], options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.dialect, "dialect", linegate.DefaultDialect, "name of the dialect")
	flags.StringVar(&options.user, "user", "", "subscriber whose grant is shown")
	completeFlag(command, "dialect", c.completeDialect)
	completeFlag(command, "user", c.completeUsername)
	return command
}

func (c *cli) testDialect(ctx context.Context, out io.Writer, path string, options dialectTest) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	dialects, err := loadDialects(cfg)
	if err != nil {
		return err
	}
	spoken, err := dialectNamed(dialects, options.dialect)
	if err != nil {
		return err
	}
	packet, err := readAnyPacket(path)
	if err != nil {
		return err
	}
	r := append(record{{"dialect", spoken.Name()}, {"packet", packet.Code().String()}}, lineRecord(spoken.ReadLine(packet, &dialect.Scratch{}))...)
	if options.user == "" {
		return show(out, c.output, r)
	}
	names, err := dictionary.Load(cfg.VendorPEN, cfg.Dialects)
	if err != nil {
		return err
	}
	granted, unsaid, err := c.grantIn(ctx, spoken, names, options.user)
	if err != nil {
		return err
	}
	if c.output != formatTable {
		return show(out, c.output, append(r, property{"grant", granted}, property{"not_said", unsaid}))
	}
	if err := show(out, c.output, r); err != nil {
		return err
	}
	fmt.Fprintf(out, "grant of %s\n", options.user)
	for _, attribute := range granted {
		fmt.Fprintf(out, "  %s\n", attribute)
	}
	for _, reason := range unsaid {
		fmt.Fprintf(out, "not said: %s\n", reason)
	}
	return nil
}

// lineRecord is everything that a dialect read of a line.
func lineRecord(line linegate.AccessLine) record {
	text := func(value []byte) any {
		if value == nil {
			return nil
		}
		return linegate.Octets(value).String()
	}
	return record{
		{"circuit_id", text(line.CircuitID)}, {"circuit_id_carrier", line.CircuitCarrier},
		{"remote_id", text(line.RemoteID)}, {"remote_id_carrier", line.RemoteCarrier},
		{"conflicting_carrier", line.Conflict},
		{"service_vlan", line.ServiceVLAN}, {"inner_vlan", line.InnerVLAN}, {"mac", line.MAC.String()},
	}
}

// grantIn is what a subscriber would get, by the names of the dictionary, and what
// the dialect can't say of it.
func (c *cli) grantIn(ctx context.Context, spoken *dialect.Dialect, names *dictionary.Dictionary, user string) (granted, unsaid []string, err error) {
	err = c.withTenant(ctx, func(engine store.Engine, tenant string) error {
		subscriber, err := engine.Subscriber(ctx, tenant, user)
		if err != nil {
			return withHint(err, "profile")
		}
		if subscriber.Profile == nil {
			subscriber.Profile = &linegate.NetworkProfile{}
		}
		service, _ := grantsOf(subscriber)
		octets := spoken.AppendGrant(nil, &service)
		granted, unsaid = []string{}, []string{}
		for attribute := range wire.VendorAttributes(octets) {
			granted = append(granted, names.Format(attribute.Type, attribute.Value))
		}
		for _, bad := range spoken.Check(&service, false) {
			unsaid = append(unsaid, bad.Error())
		}
		return nil
	})
	return granted, unsaid, err
}

// readAnyPacket reads a packet from a file of hex digits.
func readAnyPacket(path string) (wire.Packet, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return wire.Packet{}, err
	}
	raw, err := wire.ParseHex(string(text))
	if err != nil {
		return wire.Packet{}, fmt.Errorf("%s: %w", path, err)
	}
	packet, err := wire.Parse(raw)
	if err != nil {
		return wire.Packet{}, fmt.Errorf("%s: %w", path, err)
	}
	return packet, nil
}
