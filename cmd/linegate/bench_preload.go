package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"linegate"
	"linegate/radiusd/client"
	"linegate/store"
)

// newBenchPreloadCommand fills a store with open sessions, to measure what they
// cost those that begin later. It writes to the store directly.
func newBenchPreloadCommand(c *cli) *cobra.Command {
	var subscribers string
	var sessions int
	command := &cobra.Command{
		Use:    "preload",
		Short:  "Put open sessions into a store",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			subjects, _, err := readSubjects(subscribers)
			if err != nil {
				return err
			}
			return c.withTenant(cmd.Context(), func(engine store.Engine, tenant string) error {
				return preload(cmd.Context(), engine, tenant, subjects, sessions, time.Now())
			})
		},
	}
	command.Flags().StringVar(&subscribers, "subscribers", "", "CSV file of subscribers")
	command.Flags().IntVar(&sessions, "sessions", 1_000_000, "how many")
	_ = command.MarkFlagRequired("subscribers") // fails only for a flag that does not exist
	return command
}

// preloadBatch is how many sessions are recorded in one transaction.
const preloadBatch = 10_000

// preload records a Start of each session, of the subscribers in turn, on the
// tenant's first NAS.
func preload(ctx context.Context, engine store.Engine, tenant string, subjects []client.Subject, sessions int, now time.Time) error {
	servers, err := engine.NASes(ctx, tenant)
	if err != nil {
		return err
	}
	if len(servers) == 0 {
		return errors.New("the tenant has no NAS that sessions could be on")
	}
	nas := linegate.NASKey{Tenant: tenant, Name: servers[0].Name, Address: servers[0].Address.Addr()}
	events := make([]linegate.AccountingEvent, 0, preloadBatch)
	for number := range sessions {
		subject := &subjects[number%len(subjects)]
		events = append(events, linegate.AccountingEvent{
			NAS: nas, Status: linegate.AcctStart, At: now, ReceivedAt: now, AcctSessionID: "preload-" + strconv.Itoa(number),
			UserName: subject.UserName, FramedIPv4: subject.Address, ServiceVLAN: linegate.VLAN(1 + number%int(linegate.MaxVLAN)),
		})
		if len(events) == preloadBatch || number == sessions-1 {
			if err := engine.RecordAccounting(ctx, events); err != nil {
				return fmt.Errorf("session %d: %w", number, err)
			}
			events = events[:0]
		}
	}
	return nil
}
