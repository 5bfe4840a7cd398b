package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"linegate"
)

func newCoACommand(c *cli) *cobra.Command {
	group := newGroup("coa", "Change live sessions", nil)
	group.Long = "Change live sessions: say it to the NAS of each (RFC 5176) and tell what became of it.\n\n" +
		"A command changes sessions only, not what is stored: at its next login a subscriber gets its profile\n" +
		"again. `linegate profile set NAME … --push` changes both.\n" +
		"Exit status: 0 all is as asked, 2 some sessions were not changed, 1 nothing could be tried."
	for _, kind := range coaKinds() {
		group.AddCommand(newCoAChangeCommand(c, kind))
	}
	return group
}

// coaKind is one kind of change as a command.
type coaKind struct {
	kind  linegate.ChangeKind
	use   string
	short string
	flags []coaFlag
	// profile tells that the change is to what the subscriber's profile says, when no
	// flag says otherwise.
	profile bool
}

// coaFlag sets a field of the grant.
type coaFlag struct {
	name, allowed string
	set           func(*linegate.Grant, string) error
}

func coaKinds() []coaKind {
	rate := func(at func(*linegate.Grant) *uint32) func(*linegate.Grant, string) error {
		return func(grant *linegate.Grant, text string) error {
			value, err := strconv.ParseUint(text, 10, 32)
			*at(grant) = uint32(value)
			return err
		}
	}
	text := func(at func(*linegate.Grant) *string) func(*linegate.Grant, string) error {
		return func(grant *linegate.Grant, text string) error {
			*at(grant) = text
			return nil
		}
	}
	vlan := coaFlag{"service-vlan", "1 to 4094", func(grant *linegate.Grant, text string) (err error) {
		grant.ServiceVLAN, err = parseVLAN(text)
		return err
	}}
	return []coaKind{
		{linegate.ChangeRate, "rate", "Change the rate", []coaFlag{
			{"download-kbps", "in kbit/s of 1000 bit; 0: not limited", rate(func(g *linegate.Grant) *uint32 { return &g.Rate.DownloadKbps })},
			{"upload-kbps", "in kbit/s of 1000 bit; 0: not limited", rate(func(g *linegate.Grant) *uint32 { return &g.Rate.UploadKbps })},
		}, true},
		{linegate.ChangeVLAN, "vlan", "Move to another service VLAN, with an inner one or without", []coaFlag{vlan,
			{"inner-vlan", "1 to 4094", func(grant *linegate.Grant, text string) (err error) {
				grant.InnerVLAN, err = parseVLAN(text)
				grant.QinQ = err == nil
				return err
			}}}, true},
		{linegate.ChangePrefix, "prefix", "Delegate another IPv6 prefix", []coaFlag{
			{"delegated-ipv6-prefix", "e.g. 2001:db8:100::/56", func(grant *linegate.Grant, text string) (err error) {
				grant.DelegatedIPv6Prefix, err = netip.ParsePrefix(text)
				return err
			}}}, true},
		{linegate.ChangeDisconnect, "disconnect", "End sessions; the subscribers may come back at once", nil, false},
		{linegate.ChangeSuspend, "suspend", "Put into the subscriber's walled garden, or disconnect who has none", nil, true},
		{linegate.ChangeResume, "resume", "Give all that the profile grants, as out of the walled garden", nil, true},
		{linegate.ChangeWalledGarden, "walled-garden", "Put into a walled garden: one that flags name, or the subscriber's own", []coaFlag{vlan,
			{"filter-id", "a filter that the NAS knows", text(func(g *linegate.Grant) *string { return &g.FilterID })},
			{"framed-pool", "a pool that the NAS knows", text(func(g *linegate.Grant) *string { return &g.FramedPool })},
		}, true},
		{linegate.ChangeReauthenticate, "reauthenticate", "Have the NAS ask again what the subscriber may have", nil, false},
	}
}

func parseVLAN(text string) (linegate.VLAN, error) {
	value, err := strconv.ParseUint(text, 10, 16)
	if err == nil && (value == 0 || value > uint64(linegate.MaxVLAN)) {
		err = strconv.ErrRange
	}
	return linegate.VLAN(value), err
}

// coaRequest is one call of a command.
type coaRequest struct {
	coaKind
	selection    coaSelection
	grant        linegate.Grant // that the flags say
	given        bool           // by any flag
	orDisconnect bool
	rate         string
	key          string
	yes          bool
	dryRun       bool
}

func newCoAChangeCommand(c *cli, kind coaKind) *cobra.Command {
	request := coaRequest{coaKind: kind}
	command := &cobra.Command{
		Use:   kind.use + " (--user NAME | --session ID | --all)",
		Short: kind.short,
		Example: "  linegate coa " + kind.use + " --user alice\n" +
			"  linegate coa " + kind.use + " --all --where 'nas=bng1 vlan=101' --rate 200/s --key maintenance-7",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := request.readFlags(cmd); err != nil {
				return err
			}
			return c.changeSessions(cmd, request)
		},
	}
	flags := command.Flags()
	for _, flag := range kind.flags {
		flags.String(flag.name, "", flag.allowed)
	}
	request.selection.addFlags(c, command)
	if kind.kind != linegate.ChangeDisconnect {
		flags.BoolVar(&request.orDisconnect, "or-disconnect", false, "disconnect where the NAS can't make the change")
	}
	flags.StringVar(&request.rate, "rate", "", "at most so many changes in a second, e.g. 200/s (default: what the windows of the NAS allow)")
	flags.StringVar(&request.key, "key", "", "name of this change: called again with it, a change that stopped goes on, and what was done is not done twice")
	flags.BoolVar(&request.dryRun, "dry-run", false, "count the sessions, and change nothing")
	addYesFlag(command, &request.yes)
	return command
}

// readFlags reads what the flags say about the change.
func (r *coaRequest) readFlags(cmd *cobra.Command) error {
	for _, flag := range r.flags {
		given := cmd.Flags().Lookup(flag.name)
		if !given.Changed {
			continue
		}
		if err := flag.set(&r.grant, given.Value.String()); err != nil {
			return fmt.Errorf("--%s: %q is not allowed: %s", flag.name, given.Value.String(), flag.allowed)
		}
		r.given = true
	}
	if _, err := r.perSecond(); err != nil {
		return err
	}
	if strings.ContainsFunc(r.key, func(c rune) bool { return c <= ' ' || c > '~' }) || len(r.key) > 128 {
		return fmt.Errorf("--key: %q is not allowed: up to 128 printable characters without blanks", r.key)
	}
	return r.selection.read(cmd)
}

// perSecond returns --rate; 0: not limited.
func (r *coaRequest) perSecond() (float64, error) {
	if r.rate == "" {
		return 0, nil
	}
	rate, err := strconv.ParseFloat(strings.TrimSuffix(r.rate, "/s"), 64)
	if err != nil || rate <= 0 || rate > 1e6 {
		return 0, fmt.Errorf("--rate: %q is not allowed: above 0 to 1000000 in a second, e.g. 200/s", r.rate)
	}
	return rate, nil
}

// what says in words what the request asks for, so that a key is not used for two.
func (r *coaRequest) what() string {
	text := string(r.kind)
	if r.given {
		text += fmt.Sprintf(" %+v", r.grant)
	}
	return text + " of " + r.selection.String()
}

var errNoSelection = errors.New("which sessions? name them with --user NAME, --session ID, or --all, which --where can narrow")
