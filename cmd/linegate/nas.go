package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"linegate"
	"linegate/policy/dialect"
	"linegate/store"
)

func newNASCommand(c *cli) *cobra.Command {
	return newGroup("nas", "Manage the NAS (RADIUS clients) that may ask", nil,
		newNASListCommand(c), newNASAddCommand(c), newNASRemoveCommand(c))
}

func newNASListCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the NAS",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withTenant(cmd.Context(), func(engine store.Engine, tenant string) error {
				all, err := engine.NASes(cmd.Context(), tenant)
				if err != nil {
					return err
				}
				rows := newListing(cmd.OutOrStdout(), c.output, "tenant", "name", "address", "dialect", "identify",
					"require_message_authenticator", "learned_message_authenticator", "allow_mschapv1")
				for i := range all {
					if err := rows.add(nasRecord(&all[i])); err != nil {
						return err
					}
				}
				return rows.close()
			})
		},
	}
}

func newNASAddCommand(c *cli) *cobra.Command {
	var secretFile string
	command := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a NAS, or change the properties that are named",
		Long: "Add a NAS, or change the properties of an existing one that are named.\n" +
			"Without --secret or --secret-file, the secret of a new NAS is asked for.",
		Example:           "  linegate nas add bng1 --address 192.0.2.1 --secret-file bng1.secret",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: only(c.completeNAS),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withTenant(cmd.Context(), func(engine store.Engine, tenant string) error {
				return c.addNAS(cmd, engine, linegate.NAS{Tenant: tenant, Name: args[0]}, secretFile)
			})
		},
	}
	for _, field := range nasFields(nil) {
		if field.name == "dialect" {
			command.Flags().String(field.name, "", field.allowed+", or one of your own")
			completeFlag(command, field.name, c.completeDialect)
			continue
		}
		addFieldFlag(command, field.name, field.allowed)
	}
	command.Flags().StringVar(&secretFile, "secret-file", "", "file with the secret on its first line, - for standard input")
	command.MarkFlagsMutuallyExclusive("secret", "secret-file")
	return command
}

// addNAS writes a NAS with the properties that flags name; others stay as stored.
func (c *cli) addNAS(cmd *cobra.Command, engine store.Engine, named linegate.NAS, secretFile string) error {
	dialects, err := c.dialects()
	if err != nil {
		return err
	}
	secret, err := newNASSecret(cmd, engine, named, secretFile)
	if err != nil {
		return err
	}
	var nas linegate.NAS
	var outcome linegate.Outcome
	var changes []linegate.FieldChange
	err = engine.Update(cmd.Context(), actor(), func(tx store.Tx) error {
		stored, err := storedNAS(tx, named.Tenant, named.Name)
		if err != nil {
			return err
		}
		nas = named
		if stored != nil {
			nas = *stored
		}
		if err := setNASFlags(cmd, dialects, &nas); err != nil {
			return fmt.Errorf("nas %s: %w", named.Name, err)
		}
		if secret != "" {
			nas.Secret = secret
		}
		outcome, changes, err = putNAS(tx, nas, keptSecrets{})
		return err
	})
	if err != nil {
		return err
	}
	newSecret := slices.ContainsFunc(changes, func(change linegate.FieldChange) bool { return change.Field == "secret" })
	if newSecret && len(nas.Secret) < shortSecret {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: the secret has %d octets; RFC 2865 section 3 advises at least %d\n", len(nas.Secret), shortSecret)
	}
	spoken := slices.ContainsFunc(changes, func(change linegate.FieldChange) bool { return change.Field == "dialect" })
	if spoken && cmd.Flags().Changed("dialect") {
		fmt.Fprintln(cmd.ErrOrStderr(), "note: `linegate profile check` lists what this dialect can't say of the profiles there are")
	}
	return c.showChange(cmd, "name", named.Name, outcome, changes)
}

func setNASFlags(cmd *cobra.Command, dialects map[string]*dialect.Dialect, nas *linegate.NAS) error {
	for _, field := range nasFields(dialects) {
		flag := cmd.Flags().Lookup(flagName(field.name))
		if !flag.Changed {
			continue
		}
		if err := field.set(nas, flag.Value.String()); err != nil {
			return err
		}
	}
	return nil
}

// newNASSecret returns the secret that is not given as a flag: from a file, or
// asked for when the NAS is new; empty when the stored one is to stay.
func newNASSecret(cmd *cobra.Command, engine store.Engine, named linegate.NAS, file string) (linegate.Secret, error) {
	if file != "" {
		return readSecret(cmd.InOrStdin(), file)
	}
	if cmd.Flags().Changed("secret") {
		return "", nil
	}
	known, err := engine.NASes(cmd.Context(), named.Tenant)
	if err != nil {
		return "", err
	}
	for _, nas := range known {
		if nas.Name == named.Name {
			return "", nil
		}
	}
	terminal, isFile := cmd.InOrStdin().(*os.File)
	if !isFile || !isTerminal(terminal) {
		return "", fmt.Errorf("nas %s: a new NAS needs a secret: give --secret-file FILE or --secret SECRET", named.Name)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "secret of %s: ", named.Name)
	text, err := term.ReadPassword(int(terminal.Fd()))
	fmt.Fprintln(cmd.ErrOrStderr())
	return linegate.Secret(text), err
}

func newNASRemoveCommand(c *cli) *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use:               "remove NAME",
		Aliases:           []string{"delete"},
		Short:             "Remove a NAS: its packets are dropped from then on",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: only(c.completeNAS),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withTenant(cmd.Context(), func(engine store.Engine, tenant string) error {
				return c.remove(cmd, engine, "nas", args[0], yes, func(tx store.Tx) error {
					return tx.DeleteNAS(tenant, args[0])
				})
			})
		},
	}
	addYesFlag(command, &yes)
	return command
}
