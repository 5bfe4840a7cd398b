package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"linegate/radiusd/client"
)

// benchAuthOptions are the flags of `linegate bench auth`.
type benchAuthOptions struct {
	loading
	pacing
	proving
	wrong string
	floor bool
}

// proving are the flags about how an Access-Request proves what it says.
type proving struct {
	signing
	method string
}

func (p *proving) addFlags(command *cobra.Command) {
	addMethodFlag(command, &p.method, string(client.MethodPAP), "how the password is proven: ")
	p.addFlag(command, "Access-Requests")
}

// apply reads the flags into a load.
func (p *proving) apply(load *client.Load, logins *client.Logins) (err error) {
	if load.WithoutMessageAuthenticator, err = p.without(); err != nil {
		return err
	}
	logins.Method, err = client.ParseMethod(p.method)
	return err
}

func newBenchAuthCommand(c *cli) *cobra.Command {
	var options benchAuthOptions
	command := &cobra.Command{
		Use:   "auth",
		Short: "Ask a server who may come in, and check every answer",
		Long: "Ask a RADIUS server for every subscriber of a CSV file in turn, as fast as it answers or at a given\n" +
			"rate, and compare each answer with the one that is due: accept from the right line, reject from a\n" +
			"wrong line under the policy enforce. The file is the one that was imported (`linegate profile import`);\n" +
			"subscribers that are not active, and those whose password is a hash, are left out.\n" +
			"Exit status: 0 all answers right, 1 an answer was wrong, 2 nothing was answered.",
		Example: "  linegate bench subscribers --count 100000 > subs.csv\n" +
			"  linegate bench auth --subscribers subs.csv --wrong 10% --duration 60s --pid $(pidof linegate)\n" +
			"  linegate bench auth --subscribers subs.csv --rate 5000/s --message-authenticator no",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.benchAuth(cmd, options) },
	}
	options.loading.addFlags(command, demoAuth)
	options.addSubscribersFlag(command)
	options.pacing.addFlags(command, "requests")
	options.proving.addFlags(command)
	flags := command.Flags()
	flags.StringVar(&options.wrong, "wrong", "10%", "share of requests from a wrong line, 0% to 100%")
	flags.BoolVar(&options.floor, "floor", false, "the server sends back every datagram as it came: measure the network and the loop alone")
	return command
}

func (c *cli) benchAuth(cmd *cobra.Command, options benchAuthOptions) error {
	load, logins, left, err := options.build(cmd.InOrStdin())
	if err != nil {
		return err
	}
	meter := options.meter("request", client.Counts.Answered)
	head := append(options.subjectsHead(logins.Subjects, left), property{"method", options.method})
	kind := func(result client.Result) record {
		if options.floor {
			return record{{"echoes", result.Echoes}}
		}
		return append(loginRecord(result), scheduleRecord(logins.Pace, result)...)
	}
	result, err := c.bench(cmd, load, meter, head, kind)
	if err != nil {
		return err
	}
	return options.verdict(result)
}

// build is what the flags describe. left is how many subscribers are left out.
func (o *benchAuthOptions) build(stdin io.Reader) (load *client.Load, logins *client.Logins, left int, err error) {
	if load, err = o.load(stdin); err != nil {
		return nil, nil, 0, err
	}
	logins = &client.Logins{Attributes: ownAttributes(), Seed: o.seed}
	if err := o.apply(load, logins); err != nil {
		return nil, nil, 0, err
	}
	if logins.WrongShare, err = parseShare("wrong", o.wrong); err != nil {
		return nil, nil, 0, err
	}
	if logins.Pace, err = o.pace(); err != nil {
		return nil, nil, 0, err
	}
	if logins.Subjects, left, err = readSubjects(o.subscribers); err != nil {
		return nil, nil, 0, err
	}
	load.Auth, load.Floor, load.Source = o.servers, o.floor, logins.Source
	return load, logins, left, nil
}

// scheduleRecord is what came of a schedule, if there was one. What is unsent
// never left, because the server left no identifier free.
func scheduleRecord(pace client.Pace, result client.Result) record {
	if pace.Rate == 0 {
		return nil
	}
	scheduled := uint64(pace.Rate * pace.Duration.Seconds())
	return record{{"rate", pace.Rate}, {"unsent", scheduled - min(scheduled, result.Sent)}}
}

// signing is the flag about the Message-Authenticator of requests.
type signing struct{ signed string }

func (s *signing) addFlag(command *cobra.Command, what string) {
	command.Flags().StringVar(&s.signed, "message-authenticator", "yes", "whether "+what+" have a Message-Authenticator: yes, no")
	completeFlag(command, "message-authenticator", cobra.FixedCompletions([]string{"yes", "no"}, cobra.ShellCompDirectiveNoFileComp))
}

// without tells that they go without.
func (s *signing) without() (without bool, err error) {
	switch s.signed {
	case "yes":
		return false, nil
	case "no":
		return true, nil
	}
	return false, fmt.Errorf("--message-authenticator: %q is not allowed: yes, no", s.signed)
}
