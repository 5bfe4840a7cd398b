package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"linegate"
	"linegate/store"
)

// coaSelection says which open sessions are meant.
type coaSelection struct {
	user    string
	session string
	all     bool
	where   string

	filter store.SessionFilter // of --where
}

func (s *coaSelection) addFlags(c *cli, command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&s.user, "user", "", "the sessions of this username")
	flags.StringVar(&s.session, "session", "", "the session with this id, or this Acct-Session-Id")
	flags.BoolVar(&s.all, "all", false, "every open session of the tenant")
	flags.StringVar(&s.where, "where", "", "of those only the ones with nas=NAME, vlan=N, user=NAME; several parted by blanks")
	command.MarkFlagsMutuallyExclusive("user", "session", "all")
	completeFlag(command, "user", c.completeUsername)
}

// read checks the flags.
func (s *coaSelection) read(cmd *cobra.Command) error {
	if s.user == "" && s.session == "" && !s.all {
		return errNoSelection
	}
	for condition := range strings.FieldsSeq(s.where) {
		name, value, _ := strings.Cut(condition, "=")
		var err error
		switch {
		case value == "":
			err = fmt.Errorf("%q is not allowed", condition)
		case name == "nas":
			s.filter.NAS = value
		case name == "user":
			s.filter.UserName = value
		case name == "vlan":
			s.filter.VLAN, err = parseVLAN(value)
		case name == "tenant" && cmd.Flags().Lookup("tenant").Value.String() == value:
		default:
			err = fmt.Errorf("%q is not allowed", condition)
		}
		if err != nil {
			return fmt.Errorf("--where: %q: conditions are nas=NAME, vlan=1 to 4094, user=NAME, and tenant=NAME as --tenant says", condition)
		}
	}
	return nil
}

// String names the selection in words.
func (s *coaSelection) String() string {
	text := "all sessions"
	switch {
	case s.user != "":
		text = "user " + s.user
	case s.session != "":
		text = "session " + s.session
	}
	if s.where != "" {
		text += " where " + strings.Join(strings.Fields(s.where), " ")
	}
	return text
}

// sessions returns the open sessions that are meant. The name of a subscriber finds
// its sessions whatever they are called in accounting.
func (s *coaSelection) sessions(ctx context.Context, engine store.Engine, tenant string) ([]*linegate.Session, error) {
	filter := s.filter
	filter.Tenant = tenant
	switch {
	case s.session != "":
		filter.ID = s.session
		found, err := openSessions(ctx, engine, filter)
		if err != nil || len(found) > 0 {
			return found, err
		}
		filter.ID, filter.AcctSessionID = "", s.session
	case s.user != "":
		subscriber, err := unlessMissing(engine.Subscriber(ctx, tenant, s.user))
		if err != nil {
			return nil, err
		}
		if subscriber != nil {
			filter.SubscriberID = subscriber.ID
			found, err := openSessions(ctx, engine, filter)
			if err != nil || len(found) > 0 {
				return found, err
			}
		}
		filter.SubscriberID, filter.UserName = "", s.user
	}
	return openSessions(ctx, engine, filter)
}
