package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"linegate/radiusd/client"
)

// benchCoAOptions are the flags of `linegate bench coa`.
type benchCoAOptions struct {
	loading
	pacing
	signing
	sessions   string
	nas        string
	disconnect string
}

// demoCoA is where dynamic authorization is listened to (RFC 5176 section 2.1).
const demoCoA = "127.0.0.1:3799"

func newBenchCoACommand(c *cli) *cobra.Command {
	var options benchCoAOptions
	command := &cobra.Command{
		Use:   "coa",
		Short: "Change open sessions, and check every answer",
		Long: "Send CoA-Requests and Disconnect-Requests (RFC 5176) for the open sessions of a CSV file in turn, to\n" +
			"Linegate's relay or to a NAS, as fast as they are answered or at a given rate. Each answer has to prove\n" +
			"itself, return the request's Proxy-State and have no Error-Cause that it can't have. A session has one\n" +
			"request under way at a time, and none after it was disconnected.\n" +
			"The file is what `linegate bench acct --list` writes. Of its columns, acct_session_id is needed;\n" +
			"username and nas_address are told where they are given, and started and stopped say who is open.\n" +
			"Exit status: 0 all acknowledged, 1 some were not or an answer was wrong, 2 nothing was answered.",
		Example: "  linegate bench acct --subscribers subs.csv --sessions 10000 --interims 0 --leave-open --list sessions.csv\n" +
			"  linegate bench coa --sessions sessions.csv --duration 30s --pid $(pidof linegate)\n" +
			"  linegate bench coa --sessions sessions.csv --server 192.0.2.1:3799 --rate 200/s --disconnect 10% \\\n" +
			"    --attr 'Filter-Id = gold'",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.benchCoA(cmd, options) },
	}
	options.loading.addFlags(command, demoCoA)
	options.pacing.addFlags(command, "requests")
	options.signing.addFlag(command, "requests")
	flags := command.Flags()
	flags.StringVar(&options.sessions, "sessions", "", "CSV file of sessions")
	flags.StringVar(&options.nas, "nas-identifier", "", "NAS-Identifier of each request (default: none)")
	flags.StringVar(&options.disconnect, "disconnect", "0%", "share of requests that are Disconnect-Requests, 0% to 100%")
	flags.StringArrayVar(&options.attributes, "attr", []string{"X-Download-Kbps = 50000", "X-Upload-Kbps = 10000"},
		"what a CoA-Request asks for, 'Name = value', with the names of the dictionary; may be repeated")
	_ = command.MarkFlagRequired("sessions") // fails only for a flag that does not exist
	return command
}

func (c *cli) benchCoA(cmd *cobra.Command, options benchCoAOptions) error {
	load, changes, left, err := options.build(c, cmd.InOrStdin())
	if err != nil {
		return err
	}
	meter := options.meter("request", client.Counts.Answered)
	head := options.head(property{"sessions", len(changes.Sessions)}, property{"left_out", left})
	kind := func(result client.Result) record {
		return append(changesRecord(changes, result), scheduleRecord(changes.Pace, result)...)
	}
	result, err := c.bench(cmd, load, meter, head, kind)
	if err != nil {
		return err
	}
	return options.verdict(result)
}

// build is what the flags describe. left is how many sessions are left out.
func (o *benchCoAOptions) build(c *cli, stdin io.Reader) (load *client.Load, changes *client.Changes, left int, err error) {
	if load, err = o.load(stdin); err != nil {
		return nil, nil, 0, err
	}
	if load.WithoutMessageAuthenticator, err = o.without(); err != nil {
		return nil, nil, 0, err
	}
	changes = &client.Changes{Seed: o.seed}
	if changes.DisconnectShare, err = parseShare("disconnect", o.disconnect); err != nil {
		return nil, nil, 0, err
	}
	if changes.Pace, err = o.pace(); err != nil {
		return nil, nil, 0, err
	}
	asked, err := c.newExchange(o.asking)
	if err != nil {
		return nil, nil, 0, err
	}
	if changes.Change, err = asked.framed(); err != nil {
		return nil, nil, 0, err
	}
	if changes.Sessions, left, err = readOpenSessions(o.sessions, o.nas); err != nil {
		return nil, nil, 0, err
	}
	load.Auth, load.Source = o.servers, changes.Source
	return load, changes, left, changes.Validate(o.sockets)
}

// changesRecord is what the changes were answered with.
func changesRecord(changes *client.Changes, result client.Result) record {
	causes := map[string]int{}
	for cause, count := range changes.Causes() {
		causes[cause.String()] = int(count)
	}
	return record{
		{"acked", result.Acks}, {"refused", result.Naks}, {"causes", causes},
		{"wrong_causes", result.WrongCauses}, {"wrong_proxy_states", result.WrongProxyStates},
	}
}

// verdict is the error of a load that did not go as it has to.
func (o *benchCoAOptions) verdict(result client.Result) error {
	servers := strings.Join(o.servers, ",")
	switch {
	case result.Answered() == 0:
		return statusError{exitNoAnswer, fmt.Errorf("%s: not one authentic answer: check the address, the secret, and that dynamic authorization is allowed from this machine there", servers)}
	case result.Wrong() > 0:
		return statusError{exitRejected, fmt.Errorf("%s: answers were wrong: %d by their Error-Cause, %d by their Proxy-State", servers, result.WrongCauses, result.WrongProxyStates)}
	case result.Naks+result.Timeouts > 0:
		return statusError{exitRejected, fmt.Errorf("%s: %d changes were refused, %d not answered", servers, result.Naks, result.Timeouts)}
	}
	return nil
}
