package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"linegate"
	"linegate/cmd/linegate/config"
	"linegate/dictionary"
	"linegate/policy"
	"linegate/policy/dialect"
	"linegate/radiusd"
	"linegate/radiusd/wire"
	"linegate/store"
	"linegate/telemetry"
)

// explainOptions are the flags of `linegate explain`.
type explainOptions struct {
	user, password, circuit, remote, mac string
	nas, source                          string
	packet                               string
	attributes                           []string
}

func newExplainCommand(c *cli) *cobra.Command {
	var options explainOptions
	command := &cobra.Command{
		Use:   "explain",
		Short: "Show step by step how a request would be decided, and the reply",
		Long: "Show step by step how an Access-Request would be decided and what would be replied, with the same\n" +
			"code that serves the network. Nothing is changed, counted or logged.\n\n" +
			"Without --password the stored one is taken, so that the line can be looked into; --packet takes\n" +
			"a recorded packet as hex digits, with comments from # to the end of a line.",
		Example: "  linegate explain --user alice --circuit 'olt1 xpon 0/1/9' --remote ONT1\n" +
			"  linegate explain --packet request.hex --nas bng1",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.explain(cmd.Context(), options, cmd.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.user, "user", "", "User-Name")
	flags.StringVar(&options.password, "password", "", "User-Password (default: the right one)")
	flags.StringVar(&options.circuit, "circuit", "", "circuit-id, as text or 0x and hex digits")
	flags.StringVar(&options.remote, "remote", "", "remote-id, as text or 0x and hex digits")
	flags.StringVar(&options.mac, "mac", "", "Calling-Station-Id")
	flags.StringVar(&options.nas, "nas", "", "name of the NAS that asks (default: the only one)")
	flags.StringVar(&options.source, "source", "", "address that asks, instead of --nas")
	flags.StringVar(&options.packet, "packet", "", "file with an Access-Request in hex, instead of the flags above")
	flags.StringArrayVar(&options.attributes, "attr", nil, "one more attribute, 'Name = value', with the names of the dictionary; may be repeated")
	command.MarkFlagsMutuallyExclusive("nas", "source")
	for _, flag := range []string{"user", "password", "circuit", "remote", "mac", "attr"} {
		command.MarkFlagsMutuallyExclusive("packet", flag)
	}
	completeFlag(command, "nas", c.completeNAS)
	completeFlag(command, "user", c.completeUsername)
	return command
}

// explanation is what explain found out.
type explanation struct {
	nas     linegate.NAS
	dropped telemetry.Drop // not empty: the packet would get no answer
	steps   []policy.Step
	reason  linegate.Reason
	code    wire.Code
	reply   []string // attributes, by name
}

func (c *cli) explain(ctx context.Context, options explainOptions, out io.Writer) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	return c.withStore(ctx, func(engine store.Engine) error {
		nas, err := c.askingNAS(ctx, engine, options)
		if err != nil {
			return err
		}
		found, err := explainRequest(ctx, engine, cfg, nas, options)
		if err != nil {
			return err
		}
		return found.write(out, c.output)
	})
}

// askingNAS returns the NAS that --nas or --source means, or the only one.
func (c *cli) askingNAS(ctx context.Context, engine store.Engine, options explainOptions) (linegate.NAS, error) {
	nases, err := engine.NASes(ctx, c.tenant)
	if err != nil {
		return linegate.NAS{}, err
	}
	var source netip.Addr
	if options.source != "" {
		if source, err = netip.ParseAddr(options.source); err != nil {
			return linegate.NAS{}, fmt.Errorf("--source: %q is not an IP address", options.source)
		}
	}
	var names []string
	var best *linegate.NAS
	for i := range nases {
		nas := &nases[i]
		names = append(names, nas.Name)
		named := options.nas == "" && options.source == "" && len(nases) == 1 || options.nas != "" && nas.Name == options.nas
		contains := source.IsValid() && nas.Address.Contains(source.Unmap())
		if named || contains && (best == nil || nas.Address.Bits() > best.Address.Bits()) {
			best = nas
		}
	}
	switch {
	case best != nil:
		return *best, nil
	case len(nases) == 0:
		return linegate.NAS{}, errors.New("the store has no NAS yet: add one with `linegate nas add NAME --address ADDRESS --secret SECRET`")
	case options.nas != "":
		return linegate.NAS{}, fmt.Errorf("nas %s: not found; there is %s", options.nas, strings.Join(names, ", "))
	case options.source != "":
		return linegate.NAS{}, fmt.Errorf("no NAS has the address %s: its packets are dropped as %s; there is %s",
			source, telemetry.DropUnknownClient, strings.Join(names, ", "))
	}
	return linegate.NAS{}, fmt.Errorf("which NAS asks? Name one with --nas: %s", strings.Join(names, ", "))
}

func explainRequest(ctx context.Context, engine store.Engine, cfg config.Config, nas linegate.NAS, options explainOptions) (*explanation, error) {
	dialects, err := loadDialects(cfg)
	if err != nil {
		return nil, err
	}
	client, err := radiusd.NewClient(nas, dialects, telemetry.NewMetrics())
	if err != nil {
		return nil, err
	}
	names, err := dictionary.Load(cfg.VendorPEN, cfg.Dialects)
	if err != nil {
		return nil, err
	}
	packet, err := options.request(nas, dialects[nas.Dialect], names)
	if err != nil {
		return nil, err
	}
	found := &explanation{nas: nas}
	if found.dropped = client.Refuses(packet); found.dropped != "" {
		return found, nil
	}

	scratch := &radiusd.Scratch{}
	request := client.ReadRequest(packet, scratch)
	finder := &storeFinder{ctx: ctx, engine: engine}
	facts, _ := radiusd.Identify(&request, finder, scratch)
	if finder.err != nil {
		return nil, finder.err
	}
	assumed := options.packet == "" && options.password == "" && assumeRightPassword(&request, &facts)
	if !assumed && policy.NeedsHash(&request, facts.Subscriber) {
		facts.Hash = policy.VerifyHash(facts.Subscriber.Credential, request.Proof.Password)
	}
	decision := policy.Decide(&request, facts, cfg.Policy)
	if policy.NeedsAdmission(&decision) {
		admitted, err := engine.Admit(ctx, policy.Admission(&request, facts.Subscriber, time.Now(), 0))
		if err != nil {
			return nil, err
		}
		facts.Admission = linegate.VerdictOf(admitted)
		decision = policy.Decide(&request, facts, cfg.Policy)
	}
	radiusd.Locate(&request, &decision, finder, scratch)
	found.steps = policy.Explain(&request, facts, decision)
	if assumed {
		found.steps[1].Detail = "not checked, taken as right: give --password to check one"
	}
	return found, found.render(client, names, packet, &request, &decision)
}

// request builds the packet that the flags describe, or reads the given one.
func (o explainOptions) request(nas linegate.NAS, spoken *dialect.Dialect, names *dictionary.Dictionary) (wire.Packet, error) {
	if o.packet != "" {
		return readPacket(o.packet)
	}
	circuit, circuitErr := linegate.ParseOctets("--circuit", o.circuit)
	remote, remoteErr := linegate.ParseOctets("--remote", o.remote)
	if err := errors.Join(circuitErr, remoteErr); err != nil {
		return wire.Packet{}, err
	}
	var authenticator [wire.AuthenticatorSize]byte
	_, _ = rand.Read(authenticator[:]) // never fails, says crypto/rand
	signer := wire.NewSigner(nas.Secret.Reveal())
	raw := wire.AppendMessageAuthenticator(wire.AppendHeader(nil, wire.AccessRequest, 0, authenticator))
	if o.user != "" {
		raw = wire.AppendText(raw, wire.UserName, o.user)
	}
	if o.password != "" {
		raw = wire.AppendAttribute(raw, wire.UserPassword, signer.HidePassword(nil, o.password, authenticator))
	}
	if o.mac != "" {
		raw = wire.AppendText(raw, wire.CallingStationID, o.mac)
	}
	var line linegate.AccessLine
	if circuit != "" {
		line.CircuitID = []byte(circuit)
	}
	if remote != "" {
		line.RemoteID = []byte(remote)
	}
	raw = spoken.AppendLine(raw, line)
	for _, text := range o.attributes {
		pair, err := names.ParsePair(text)
		if err == nil {
			raw, err = pair.Append(raw)
		}
		if err != nil {
			return wire.Packet{}, fmt.Errorf("--attr: %w", err)
		}
	}
	if err := signer.SignRequest(raw); err != nil {
		return wire.Packet{}, err
	}
	return wire.Parse(raw)
}

func readPacket(path string) (wire.Packet, error) {
	packet, err := readAnyPacket(path)
	if err != nil {
		return wire.Packet{}, err
	}
	if packet.Code() != wire.AccessRequest {
		return wire.Packet{}, fmt.Errorf("%s: %s is not explained, only Access-Request", path, packet.Code())
	}
	return packet, nil
}

// assumeRightPassword gives the request the proof that a right password makes, if
// the subscriber has one.
func assumeRightPassword(request *linegate.Request, facts *linegate.Facts) bool {
	if facts.Subscriber == nil || facts.Subscriber.Credential.Kind == linegate.CredentialNone {
		return false
	}
	facts.Hash = linegate.HashRight
	request.Proof.Method = linegate.MethodPAP
	request.Proof.Password = []byte(facts.Subscriber.Credential.Value.Reveal())
	return true
}

// storeFinder finds in the store itself.
type storeFinder struct {
	ctx    context.Context
	engine store.Engine
	err    error
}

func (f *storeFinder) Find(key []byte, _ *linegate.Room) (lookup linegate.Lookup, known bool) {
	lookup, f.err = f.engine.Lookup(f.ctx, linegate.Key(key))
	return lookup, f.err == nil
}

// render keeps the reply that the decision leads to, with names.
func (e *explanation) render(client *radiusd.Client, names *dictionary.Dictionary, packet wire.Packet, request *linegate.Request, decision *linegate.Decision) error {
	raw, err := client.AppendAccessReply(nil, packet, request, decision, time.Now())
	if err != nil {
		return err
	}
	reply, err := wire.Parse(raw)
	if err != nil {
		return err
	}
	e.code, e.reason = reply.Code(), decision.Reason
	for attribute := range reply.Attributes() {
		e.reply = append(e.reply, names.Format(attribute.Type, attribute.Value))
	}
	return nil
}

func (e *explanation) write(out io.Writer, format outputFormat) error {
	if format != formatTable {
		r := record{{"tenant", e.nas.Tenant}, {"nas", e.nas.Name}, {"dropped", string(e.dropped)}, {"steps", emptyNotNil(e.steps)}}
		if e.dropped == "" {
			r = append(r, property{"code", e.code.String()}, property{"reason", e.reason}, property{"reply", e.reply})
		}
		return show(out, format, r)
	}
	fmt.Fprintf(out, "NAS %s of tenant %s, %s\n", e.nas.Name, e.nas.Tenant, e.nas.Address)
	if e.dropped != "" {
		_, err := fmt.Fprintf(out, "%s  no answer: the packet is dropped (%s)\n", mark(out, false), e.dropped)
		return err
	}
	for _, step := range e.steps {
		fmt.Fprintf(out, "%s  %-11s  %s\n", mark(out, step.Passed), step.Name, step.Detail)
	}
	for _, attribute := range e.reply {
		fmt.Fprintf(out, "      %s\n", attribute)
	}
	return nil
}

// mark is ok or NO, coloured on a terminal.
func mark(out io.Writer, passed bool) string {
	text, attribute := "NO", color.FgRed
	if passed {
		text, attribute = "ok", color.FgGreen
	}
	if isTerminal(out) {
		return color.New(attribute).Sprint(text)
	}
	return text
}
