package main

import (
	"strings"

	"github.com/spf13/cobra"

	"linegate/radiusd/client"
)

// authOptions are the flags of `linegate send auth`.
type authOptions struct {
	asking
	user, password, circuit, remote string
	method                          string
}

func newSendAuthCommand(c *cli) *cobra.Command {
	var options authOptions
	command := &cobra.Command{
		Use:   "auth",
		Short: "Send an Access-Request and show the answer",
		Long: "Send an Access-Request and show the answer, once its authenticators are verified.\n" +
			"Exit status: 0 accepted, 1 rejected, 2 no authentic answer.",
		Example: "  linegate send auth --user alice --password secretpw --circuit 'olt1 xpon 0/1/1' --remote ONT1\n" +
			"  linegate send auth --circuit 'olt1 xpon 0/1/6' --attr 'Calling-Station-Id = 02:00:00:00:01:06'",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.sendAuth(cmd, options) },
	}
	options.addFlags(command, demoAuth)
	flags := command.Flags()
	flags.StringVar(&options.user, "user", "", "User-Name")
	flags.StringVar(&options.password, "password", "", "the password")
	flags.StringVar(&options.circuit, "circuit", "", "circuit-id, as text or 0x and hex digits")
	flags.StringVar(&options.remote, "remote", "", "remote-id, as text or 0x and hex digits")
	addMethodFlag(command, &options.method, "", "how the password is proven (default pap, or none without --password): ")
	return command
}

// addMethodFlag adds --method with what it can be.
func addMethodFlag(command *cobra.Command, method *string, fallback, meaning string) {
	var words []string
	for _, known := range client.Methods() {
		words = append(words, string(known))
	}
	command.Flags().StringVar(method, "method", fallback, meaning+strings.Join(words, ", "))
	completeFlag(command, "method", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// login is what the flags say about the subscriber.
func (o authOptions) login() (client.Login, error) {
	login := client.Login{UserName: o.user, Password: o.password, Method: client.MethodPAP}
	if o.password == "" {
		login.Method = client.MethodNone
	}
	if o.method == "" {
		return login, nil
	}
	var err error
	login.Method, err = client.ParseMethod(o.method)
	return login, err
}

func (c *cli) sendAuth(cmd *cobra.Command, options authOptions) error {
	login, err := options.login()
	if err != nil {
		return err
	}
	e, err := c.newExchange(options.asking)
	if err != nil {
		return err
	}
	if err := e.addLine(options.circuit, options.remote); err != nil {
		return err
	}
	return e.run(cmd, c.output, func(builder *client.Builder, identifier uint8, attributes []byte) (client.Request, error) {
		login.Attributes = attributes
		return builder.Access(nil, identifier, &login)
	})
}

func newSendStatusCommand(c *cli) *cobra.Command {
	var options asking
	command := &cobra.Command{
		Use:   "status",
		Short: "Ask a server whether it is alive (Status-Server, RFC 5997)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := c.newExchange(options)
			if err != nil {
				return err
			}
			return e.run(cmd, c.output, func(builder *client.Builder, identifier uint8, attributes []byte) (client.Request, error) {
				return builder.Status(nil, identifier, attributes)
			})
		},
	}
	options.addFlags(command, demoAuth)
	return command
}
