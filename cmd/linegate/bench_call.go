package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"linegate/radiusd/client"
)

// benchCallOptions are the flags of `linegate bench call`.
type benchCallOptions struct {
	loading
	pacing
	proving
	accounting []string
	prefix     string
}

func newBenchCallCommand(c *cli) *cobra.Command {
	var options benchCallOptions
	command := &cobra.Command{
		Use:   "call",
		Short: "Make whole calls: a login, a Start and a Stop",
		Long: "Make whole calls for the subscribers of a CSV file in turn, as fast as they are answered or at a given\n" +
			"rate: a login from the right line and, when it is accepted, a Start and a Stop that tell the accept's\n" +
			"Class. The latency is that of a call, from its beginning to the acknowledged Stop.\n" +
			"Exit status: 0 all logins accepted, 1 one was not, 2 nothing was answered.",
		Example: "  linegate bench call --subscribers subs.csv --duration 30s --pid $(pidof linegate)",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.benchCall(cmd, options) },
	}
	options.loading.addFlags(command, demoAuth)
	options.addSubscribersFlag(command)
	options.pacing.addFlags(command, "calls")
	options.proving.addFlags(command)
	command.Flags().StringSliceVar(&options.accounting, "acct-server", []string{demoAcct}, "HOST:PORT to account to")
	addPrefixFlag(command, &options.prefix)
	return command
}

func (c *cli) benchCall(cmd *cobra.Command, options benchCallOptions) error {
	load, calls, left, err := options.build(cmd.InOrStdin())
	if err != nil {
		return err
	}
	meter := options.meter("call", func(counts client.Counts) uint64 { return counts.Calls })
	head := append(options.subjectsHead(calls.Subjects, left), property{"method", options.method})
	kind := func(result client.Result) record {
		return append(append(record{{"calls", result.Calls}, {"calls_per_second", perSecond(result.Calls, result)}},
			loginRecord(result)...), acctRecord(result)...)
	}
	result, err := c.bench(cmd, load, meter, head, kind)
	if err != nil {
		return err
	}
	return options.verdict(result)
}

// build is what the flags describe. left is how many subscribers are left out.
func (o *benchCallOptions) build(stdin io.Reader) (load *client.Load, calls *client.Calls, left int, err error) {
	if load, err = o.load(stdin); err != nil {
		return nil, nil, 0, err
	}
	calls = &client.Calls{
		Logins:   client.Logins{Attributes: ownAttributes(), Seed: o.seed},
		Sessions: client.Sessions{Prefix: sessionPrefix(o.prefix, time.Now())},
	}
	if err := o.apply(load, &calls.Logins); err != nil {
		return nil, nil, 0, err
	}
	if calls.Pace, err = o.pace(); err != nil {
		return nil, nil, 0, err
	}
	if calls.Subjects, left, err = readSubjects(o.subscribers); err != nil {
		return nil, nil, 0, err
	}
	load.Auth, load.Acct, load.Source = o.servers, o.accounting, calls.Source
	return load, calls, left, nil
}
