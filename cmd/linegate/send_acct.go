package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"linegate"
	"linegate/radiusd/client"
)

// acctOptions are the flags of `linegate send acct`.
type acctOptions struct {
	asking
	session, user, circuit, remote string
	seconds                        uint32
	input, output                  uint64
	cause                          string
}

// acctStatuses gives each word of `linegate send acct` its Acct-Status-Type.
var acctStatuses = map[linegate.AcctStatus]string{
	linegate.AcctStart:   "Start",
	linegate.AcctInterim: "Interim-Update",
	linegate.AcctStop:    "Stop",
	linegate.AcctOn:      "Accounting-On",
	linegate.AcctOff:     "Accounting-Off",
}

func newSendAcctCommand(c *cli) *cobra.Command {
	var options acctOptions
	command := &cobra.Command{
		Use:   "acct start|interim|stop|on|off",
		Short: "Send an Accounting-Request and show the answer",
		Long: "Send an Accounting-Request and show the answer, once its authenticator is verified.\n" +
			"Exit status: 0 acknowledged, 2 no authentic answer.",
		Example: "  linegate send acct start --session 1 --user alice --attr 'Framed-IP-Address = 100.64.0.11'\n" +
			"  linegate send acct stop --session 1 --user alice --session-time 60 --cause User-Request",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"start", "interim", "stop", "on", "off"},
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.sendAcct(cmd, linegate.AcctStatus(args[0]), options)
		},
	}
	options.addFlags(command, demoAcct)
	flags := command.Flags()
	flags.StringVar(&options.session, "session", "", "Acct-Session-Id")
	flags.StringVar(&options.user, "user", "", "User-Name")
	flags.StringVar(&options.circuit, "circuit", "", "circuit-id, as text or 0x and hex digits")
	flags.StringVar(&options.remote, "remote", "", "remote-id, as text or 0x and hex digits")
	flags.Uint32Var(&options.seconds, "session-time", 0, "age of the session in seconds")
	flags.Uint64Var(&options.input, "input-octets", 0, "octets from the subscriber")
	flags.Uint64Var(&options.output, "output-octets", 0, "octets to the subscriber")
	flags.StringVar(&options.cause, "cause", "User-Request", "Acct-Terminate-Cause of a stop, by name or number")
	return command
}

func (c *cli) sendAcct(cmd *cobra.Command, status linegate.AcctStatus, options acctOptions) error {
	ofSession := status != linegate.AcctOn && status != linegate.AcctOff
	if ofSession && options.session == "" {
		return fmt.Errorf("acct %s: name the session with --session", status)
	}
	e, err := c.newExchange(options.asking)
	if err != nil {
		return err
	}
	for _, text := range options.pairs(status) {
		if err := e.add(text); err != nil {
			return err
		}
	}
	if err := e.addLine(options.circuit, options.remote); err != nil {
		return err
	}
	return e.run(cmd, c.output, func(builder *client.Builder, identifier uint8, attributes []byte) (client.Request, error) {
		return builder.Accounting(nil, identifier, attributes)
	})
}

// pairs lists what RFC 2866 section 5.13 wants of each kind of request.
func (o acctOptions) pairs(status linegate.AcctStatus) []string {
	pairs := []string{"Acct-Status-Type = " + acctStatuses[status]}
	if o.session != "" {
		pairs = append(pairs, fmt.Sprintf("Acct-Session-Id = %q", o.session))
	}
	if o.user != "" {
		pairs = append(pairs, fmt.Sprintf("User-Name = %q", o.user))
	}
	if status == linegate.AcctInterim || status == linegate.AcctStop {
		pairs = append(pairs,
			fmt.Sprint("Acct-Session-Time = ", o.seconds),
			fmt.Sprint("Acct-Input-Octets = ", uint32(o.input)),
			fmt.Sprint("Acct-Input-Gigawords = ", o.input>>32),
			fmt.Sprint("Acct-Output-Octets = ", uint32(o.output)),
			fmt.Sprint("Acct-Output-Gigawords = ", o.output>>32))
	}
	if status == linegate.AcctStop {
		pairs = append(pairs, "Acct-Terminate-Cause = "+o.cause)
	}
	return pairs
}
