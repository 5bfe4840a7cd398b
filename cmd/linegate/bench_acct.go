package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"linegate/radiusd/client"
)

// benchAcctOptions are the flags of `linegate bench acct`.
type benchAcctOptions struct {
	loading
	sessions  int
	interims  int
	over      time.Duration
	duration  time.Duration
	leaveOpen bool
	prefix    string
	list      string
	nas       string
}

func newBenchAcctCommand(c *cli) *cobra.Command {
	var options benchAcctOptions
	command := &cobra.Command{
		Use:   "acct",
		Short: "Account for sessions, and count what is acknowledged",
		Long: "Account for sessions of the subscribers of a CSV file, each with a Start, Interims and a Stop, no two\n" +
			"events alike: as fast as the server acknowledges them or, with --sessions, on a schedule: so many\n" +
			"sessions online at a time, their events spread evenly over the time that --over gives.\n" +
			"What is reported as acknowledged can be compared with what the server has stored: starts, interims\n" +
			"and stops are counted once, however often they had to be sent.\n" +
			"Exit status: 0 all acknowledged, 1 some were not, 2 none was.",
		Example: "  linegate bench acct --subscribers subs.csv --duration 30s --pid $(pidof linegate)\n" +
			"  linegate bench acct --subscribers subs.csv --server node1:1813,node2:1813 --tries 10 \\\n" +
			"    --sessions 100000 --interims 1 --over 1m --list sessions.csv",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if options.sessions > 0 && cmd.Flags().Changed("duration") {
				return errors.New("--duration is for events without a schedule: --sessions ends with --over")
			}
			return c.benchAcct(cmd, options)
		},
	}
	options.addFlags(command, demoAcct)
	options.addSubscribersFlag(command)
	flags := command.Flags()
	flags.IntVar(&options.sessions, "sessions", 0, "sessions that are online at a time, on a schedule")
	flags.IntVar(&options.interims, "interims", 1, "Interim-Updates of each session")
	flags.DurationVar(&options.over, "over", time.Minute, "how long the schedule takes, from the first Start to the last Stop")
	flags.DurationVar(&options.duration, "duration", time.Minute, "how long to go on without a schedule")
	flags.BoolVar(&options.leaveOpen, "leave-open", false, "send no Stops")
	flags.StringVar(&options.list, "list", "", "file to write the sessions to, as CSV, with what was acknowledged of each")
	flags.StringVar(&options.nas, "nas", "", "IPv4 prefix, /8 to /32, of the boxes that the sessions are on, in turn, e.g. 127.0.1.0/26; each tells its box as NAS-IP-Address (default: none is told)")
	addPrefixFlag(command, &options.prefix)
	return command
}

// addPrefixFlag lets two runs account for different sessions, as they have to.
func addPrefixFlag(command *cobra.Command, prefix *string) {
	command.Flags().StringVar(prefix, "prefix", "", "what each Acct-Session-Id begins with (default: made of the time)")
}

// sessionPrefix is the flag's value, or one that no run before had.
func sessionPrefix(flag string, now time.Time) string {
	if flag != "" {
		return flag
	}
	return strconv.FormatInt(now.UnixMilli(), 36) + "-"
}

func (c *cli) benchAcct(cmd *cobra.Command, options benchAcctOptions) error {
	load, sessions, left, err := options.build(cmd.InOrStdin())
	if err != nil {
		return err
	}
	meter := options.meter("request", client.Counts.Answered)
	head := append(options.subjectsHead(sessions.Subjects, left), property{"prefix", sessions.Prefix})
	result, err := c.bench(cmd, load, meter, head, acctRecord)
	if err != nil {
		return err
	}
	if options.list != "" {
		if err := listSessions(options.list, sessions); err != nil {
			return err
		}
	}
	if err := options.verdict(result); err != nil {
		return err
	}
	if result.Timeouts > 0 {
		return statusError{exitRejected, fmt.Errorf("%s: %d events were not acknowledged", strings.Join(options.servers, ","), result.Timeouts)}
	}
	return nil
}

// build is what the flags describe. left is how many subscribers are left out.
func (o *benchAcctOptions) build(stdin io.Reader) (load *client.Load, sessions *client.Sessions, left int, err error) {
	if load, err = o.load(stdin); err != nil {
		return nil, nil, 0, err
	}
	sessions = &client.Sessions{
		Attributes: ownAttributes(), Prefix: sessionPrefix(o.prefix, time.Now()), Interims: o.interims,
		LeaveOpen: o.leaveOpen, Online: o.sessions, Over: o.over, Duration: o.duration,
	}
	if sessions.NAS, err = parseBoxes(o.nas); err != nil {
		return nil, nil, 0, err
	}
	if sessions.Subjects, left, err = readSubjects(o.subscribers); err != nil {
		return nil, nil, 0, err
	}
	if err := sessions.Validate(); err != nil {
		return nil, nil, 0, err
	}
	load.Acct, load.Source = o.servers, sessions.Source
	return load, sessions, left, nil
}

// parseBoxes reads the prefix of --nas; empty: a zero one.
func parseBoxes(text string) (netip.Prefix, error) {
	if text == "" {
		return netip.Prefix{}, nil
	}
	boxes, err := netip.ParsePrefix(text)
	if err != nil || !boxes.Addr().Is4() || boxes.Bits() < 8 {
		return netip.Prefix{}, fmt.Errorf("--nas: %q is not allowed: an IPv4 prefix, /8 to /32, e.g. 127.0.1.0/26", text)
	}
	return boxes, nil
}

// acctRecord is what was acknowledged, each event once.
func acctRecord(result client.Result) record {
	return record{{"starts", result.Starts}, {"interims", result.Interims}, {"stops", result.Stops}}
}
