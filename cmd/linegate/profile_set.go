package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"linegate"
	"linegate/store"
)

func newProfileSetCommand(c *cli) *cobra.Command {
	var passwordFile string
	var push bool
	command := &cobra.Command{
		Use:   "set NAME",
		Short: "Create a subscriber, or change the properties that are named",
		Long: "Create a subscriber with a network profile, or change the properties of an existing one that are named.\n" +
			"The others stay as they are; an empty value ('') clears a property.",
		Example: "  linegate profile set alice --circuit-id 'olt1 xpon 0/1/1' --remote-id ONT1 --service-vlan 101\n" +
			"  linegate profile set alice --inner-vlan ''",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: only(c.completeUsername),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withTenant(cmd.Context(), func(engine store.Engine, tenant string) error {
				return c.thenPush(cmd, engine, push, func() error {
					return c.setProfile(cmd, engine, tenant, args[0], passwordFile)
				})
			})
		},
	}
	for _, field := range namedFields() {
		addFieldFlag(command, field.Name, field.Allowed)
	}
	command.Flags().StringVar(&passwordFile, "password-file", "", "file with the password on its first line, - for standard input")
	command.MarkFlagsMutuallyExclusive("password", "password-file")
	addPushFlag(command, &push)
	return command
}

// namedFields are the properties that a flag can set: all but the username.
func namedFields() []linegate.Field { return linegate.Fields()[1:] }

// setProfile writes a subscriber with the properties that flags name.
func (c *cli) setProfile(cmd *cobra.Command, engine store.Engine, tenant, name, passwordFile string) error {
	settings, err := profileSettings(cmd, passwordFile)
	if err != nil {
		return err
	}
	cfg, err := c.config()
	if err != nil {
		return err
	}
	can, err := newExpressible(cmd.Context(), engine, cfg, tenant)
	if err != nil {
		return err
	}
	var subscriber *linegate.Subscriber
	var outcome linegate.Outcome
	var changes []linegate.FieldChange
	err = engine.Update(cmd.Context(), actor(), func(tx store.Tx) error {
		stored, err := unlessMissing(tx.Subscriber(tenant, name))
		if err != nil {
			return err
		}
		if stored == nil {
			subscriber = &linegate.Subscriber{Tenant: tenant, Username: name, Profile: &linegate.NetworkProfile{}}
		} else {
			subscriber = stored.Clone()
		}
		if err := settings.apply(subscriber); err != nil {
			return err
		}
		outcome, changes, err = putSubscriber(tx, can, subscriber, true)
		return err
	})
	if err != nil {
		return profileError(name, err)
	}
	subscriber.Normalize()
	if subscriber.Profile != nil && len(subscriber.Profile.Withheld()) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %s stored, but not granted with ipv6_assignment_mode %s and qinq_enabled %t\n",
			strings.Join(subscriber.Profile.Withheld(), ", "), subscriber.Profile.IPv6Mode, subscriber.Profile.QinQEnabled)
	}
	if err := noteSharedLines(cmd, engine, subscriber); err != nil {
		return err
	}
	return c.showChange(cmd, "username", subscriber.Username, outcome, changes)
}

// noteSharedLines tells when a line of the subscriber is another's as well, so that it
// identifies neither.
func noteSharedLines(cmd *cobra.Command, engine store.Engine, subscriber *linegate.Subscriber) error {
	if subscriber.Profile == nil {
		return nil
	}
	for i := range subscriber.Profile.LineCount() {
		circuit := subscriber.Profile.LineAt(i).CircuitID
		if circuit == "" {
			continue
		}
		lookup, err := engine.Lookup(cmd.Context(), linegate.NewKey(subscriber.Tenant, linegate.ByCircuit, string(circuit)))
		if err != nil {
			return err
		}
		if lookup.Ambiguous {
			fmt.Fprintf(cmd.ErrOrStderr(), "note: the circuit-id %s is another subscriber's as well, so it identifies neither\n", circuit)
		}
	}
	return nil
}

// setting is a property and the text it is to be set to.
type setting struct {
	field linegate.Field
	text  string
}

type settings []setting

// profileSettings returns the properties that flags name.
func profileSettings(cmd *cobra.Command, passwordFile string) (settings, error) {
	var named settings
	for _, field := range namedFields() {
		if flag := cmd.Flags().Lookup(flagName(field.Name)); flag.Changed {
			named = append(named, setting{field, flag.Value.String()})
		}
	}
	if passwordFile != "" {
		password, err := readSecret(cmd.InOrStdin(), passwordFile)
		if err != nil {
			return nil, err
		}
		named = append(named, setting{subscriberField("password"), password.Reveal()})
	}
	if len(named) == 0 {
		return nil, errors.New("nothing to set: name a property, e.g. --service-vlan 101 (--help lists them)")
	}
	return named, nil
}

// apply sets all properties, and returns all that are not allowed at once.
func (s settings) apply(subscriber *linegate.Subscriber) error {
	var bad linegate.FieldErrors
	for _, setting := range s {
		err := setting.field.Set(subscriber, setting.text)
		if one := (*linegate.FieldError)(nil); errors.As(err, &one) {
			bad = append(bad, one)
		} else if err != nil {
			return err
		}
	}
	if len(bad) > 0 {
		return bad
	}
	return nil
}

// profileError lists everything that is not allowed, a line each under its flag.
func profileError(name string, err error) error {
	var bad linegate.FieldErrors
	if !errors.As(err, &bad) {
		return fmt.Errorf("profile %s: %w", name, err)
	}
	lines := make([]string, len(bad))
	for i, field := range bad {
		lines[i] = fmt.Sprintf("profile %s: --%s: %q is not allowed: %s", name, flagName(field.Field), field.Value, field.Allowed)
	}
	return errors.New(strings.Join(lines, "\n"))
}

// showChange prints what a write did: the outcome, and a line for each difference.
func (c *cli) showChange(cmd *cobra.Command, key, name string, outcome linegate.Outcome, changes []linegate.FieldChange) error {
	out := cmd.OutOrStdout()
	if c.output != formatTable {
		return show(out, c.output, record{{key, name}, {"outcome", outcome}, {"changes", emptyNotNil(changes)}})
	}
	if _, err := fmt.Fprintf(out, "%s  %s\n", paintOutcome(out, outcome), name); err != nil {
		return err
	}
	lines := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, change := range changes {
		fmt.Fprintf(lines, "  %s\t%s\n", change.Field, cell(changeText(change)))
	}
	return lines.Flush()
}
