package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"linegate"
	"linegate/dictionary"
	"linegate/radiusd/client"
	"linegate/radiusd/wire"
)

// What `make run` serves (configs/demo.yaml, testdata/demo.yaml), so that the
// commands can be tried without a flag.
const (
	demoAuth   = "127.0.0.1:1812"
	demoAcct   = "127.0.0.1:1813"
	demoSecret = "testing123"
)

// How `linegate send` ends when there is no authentic, positive answer.
const (
	exitRejected = 1
	exitNoAnswer = 2
)

// ownName is the NAS-Identifier of requests that name no NAS: RFC 2865 section
// 4.1 asks for a name or an address.
const ownName = "linegate"

func newSendCommand(c *cli) *cobra.Command {
	return newGroup("send", "Ask a RADIUS server, as a NAS would", nil,
		newSendAuthCommand(c), newSendAcctCommand(c), newSendStatusCommand(c))
}

// asking are the flags about whom to ask, and how.
type asking struct {
	server     string
	secret     string
	secretFile string
	timeout    time.Duration
	retries    int
	attributes []string
}

// addFlags adds the flags. address is the default server.
func (a *asking) addFlags(command *cobra.Command, address string) {
	flags := command.Flags()
	flags.StringVar(&a.server, "server", address, "HOST:PORT to ask")
	a.addSecretFlags(command)
	flags.DurationVar(&a.timeout, "timeout", 3*time.Second, "how long to wait for an answer each time")
	flags.IntVar(&a.retries, "retries", 3, "how often to send again when nothing comes")
	flags.StringArrayVar(&a.attributes, "attr", nil, "one more attribute, 'Name = value', with the names of the dictionary; may be repeated")
}

func (a *asking) addSecretFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&a.secret, "secret", demoSecret, "shared secret")
	flags.StringVar(&a.secretFile, "secret-file", "", "file whose first line is the shared secret (- for standard input)")
	command.MarkFlagsMutuallyExclusive("secret", "secret-file")
}

// signer is made of the secret that the flags give.
func (a *asking) signer(stdin io.Reader) (*wire.Signer, error) {
	secret := linegate.Secret(a.secret)
	if a.secretFile != "" {
		var err error
		if secret, err = readSecret(stdin, a.secretFile); err != nil {
			return nil, err
		}
	}
	if secret == "" {
		return nil, errors.New("the shared secret is empty: give one with --secret or --secret-file")
	}
	return wire.NewSigner(secret.Reveal()), nil
}

// exchange is one request of `linegate send`.
type exchange struct {
	asking
	names *dictionary.Dictionary
	pairs []dictionary.Pair
}

// newExchange reads what all requests have in common.
func (c *cli) newExchange(flags asking) (*exchange, error) {
	if flags.retries < 0 || flags.timeout <= 0 {
		return nil, errors.New("--retries must be 0 or more, --timeout more than 0")
	}
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	names, err := dictionary.Load(cfg.VendorPEN, cfg.Dialects)
	if err != nil {
		return nil, err
	}
	e := &exchange{asking: flags, names: names}
	for _, text := range flags.attributes {
		if err := e.add(text); err != nil {
			return nil, fmt.Errorf("--attr: %w", err)
		}
	}
	return e, nil
}

// add puts an attribute into the request, given as "Name = value".
func (e *exchange) add(text string) error {
	pair, err := e.names.ParsePair(text)
	if err != nil {
		return err
	}
	if pair.Attribute.Encrypt != 0 {
		return fmt.Errorf("attribute %q is encrypted, which only --password can do", pair.Attribute.Name)
	}
	e.pairs = append(e.pairs, pair)
	return nil
}

// addOctets puts an attribute into the request unless its value, in the text form
// of octets, is empty.
func (e *exchange) addOctets(flag, name, text string) error {
	value, err := linegate.ParseOctets(flag, text)
	if err != nil || value == "" {
		return err
	}
	attribute, ok := e.names.Lookup(name)
	if !ok {
		return fmt.Errorf("attribute %q is not in the dictionary", name)
	}
	e.pairs = append(e.pairs, dictionary.Pair{Attribute: attribute, Value: []byte(value)})
	return nil
}

// addLine names the line that the request comes from.
func (e *exchange) addLine(circuit, remote string) error {
	if err := e.addOctets("--circuit", "ADSL-Agent-Circuit-Id", circuit); err != nil {
		return err
	}
	return e.addOctets("--remote", "ADSL-Agent-Remote-Id", remote)
}

// octets returns the attributes as they stand in the request, with a NAS-Identifier
// where none says who asks.
func (e *exchange) octets() (octets []byte, err error) {
	if octets, err = e.framed(); err != nil {
		return nil, err
	}
	named := slices.ContainsFunc(e.pairs, func(pair dictionary.Pair) bool {
		return slices.Contains([]string{"NAS-Identifier", "NAS-IP-Address", "NAS-IPv6-Address"}, pair.Attribute.Name)
	})
	if !named {
		octets = wire.AppendText(octets, wire.NASIdentifier, ownName)
	}
	return octets, nil
}

// framed returns the attributes alone.
func (e *exchange) framed() (octets []byte, err error) {
	for _, pair := range e.pairs {
		if octets, err = pair.Append(octets); err != nil {
			return nil, err
		}
	}
	return octets, nil
}

// builds makes the request out of the framed attributes.
type builds func(builder *client.Builder, identifier uint8, attributes []byte) (client.Request, error)

// run sends the request and shows the answer.
func (e *exchange) run(cmd *cobra.Command, format outputFormat, build builds) error {
	signer, err := e.signer(cmd.InOrStdin())
	if err != nil {
		return err
	}
	attributes, err := e.octets()
	if err != nil {
		return err
	}
	var identifier [1]byte
	_, _ = rand.Read(identifier[:]) // never fails, says crypto/rand
	request, err := build(&client.Builder{Signer: signer, Random: rand.Reader}, identifier[0], attributes)
	if err != nil {
		return err
	}
	server := client.Server{Address: e.server, Signer: signer, Timeout: e.timeout, Tries: e.retries + 1}
	answer, err := server.Exchange(cmd.Context(), request)
	if err != nil {
		return statusError{exitNoAnswer, e.explain(err)}
	}
	if err := e.show(cmd.OutOrStdout(), format, answer); err != nil {
		return err
	}
	switch code := answer.Packet.Code(); code {
	case wire.AccessAccept, wire.AccountingResponse:
		return nil
	default:
		return statusError{exitRejected, fmt.Errorf("%s: %s", e.server, code)}
	}
}

// explain says what to look at when there is no answer.
func (e *exchange) explain(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: nothing listens at %s: is the server running, and is this its port?", err, e.server)
	case errors.Is(err, client.ErrNoAnswer):
		return fmt.Errorf("%w in %d tries of %s: check the address; check that the server has a NAS entry for the address this machine asks from, and that the secret is the one of that entry: a server says nothing to strangers", err, e.retries+1, e.timeout)
	case errors.Is(err, wire.ErrAuthenticator), errors.Is(err, wire.ErrMessageAuthenticator):
		return fmt.Errorf("%w: an answer came, but the secret is not the one of the server's NAS entry", err)
	}
	return err
}

// show prints an answer.
func (e *exchange) show(out io.Writer, format outputFormat, answer client.Answer) error {
	var pairs []dictionary.Pair
	for attribute := range answer.Packet.Attributes() {
		pairs = append(pairs, e.names.Read(attribute.Type, attribute.Value)...)
	}
	milliseconds := float64(answer.RoundTrip.Microseconds()) / 1000
	if format != formatTable {
		attributes := make([]record, len(pairs))
		for i, pair := range pairs {
			attributes[i] = record{{"name", pair.Name()}, {"value", pair.Text()}}
		}
		return show(out, format, record{
			{"server", e.server}, {"code", answer.Packet.Code().String()}, {"identifier", answer.Packet.Identifier()},
			{"milliseconds", milliseconds}, {"tries", answer.Tries},
			{"message_authenticator", answer.MessageAuthenticator}, {"attributes", attributes},
		})
	}
	proof := "authentic"
	if !answer.MessageAuthenticator && answer.Packet.Code() != wire.AccountingResponse {
		proof = "but without Message-Authenticator, so it could be forged (CVE-2024-3596)"
	}
	fmt.Fprintf(out, "%s from %s, id %d, %.1f ms, %s\n", answer.Packet.Code(), e.server, answer.Packet.Identifier(), milliseconds, proof)
	for _, pair := range pairs {
		if _, err := fmt.Fprintf(out, "  %s\n", pair); err != nil {
			return err
		}
	}
	return nil
}
