package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"linegate"
	"linegate/provisioning"
)

// orderColumns are the columns of a CSV of orders beside the properties of a
// subscriber.
var orderColumns = []string{"key", "ipv4", "ipv6", "framed_prefix", "delegated_prefix", "vlan_pool", "olt", "onu_serial", "onu_uni", "cpe_device", "allow_ipv4_only"}

func newProvisionImportCommand(c *cli) *cobra.Command {
	var parallel int
	command := &cobra.Command{
		Use:   "import ORDERS.csv",
		Short: "Provision a subscriber for every row of a CSV file",
		Long: "Provision a subscriber for every row of a CSV file, several at a time, and report those that could not\n" +
			"be. A row is an order of its own: it is done whole or not at all. Importing the file again does what is\n" +
			"missing; a row that was undone needs another key for that.\n\n" +
			"The header names the columns: username, the properties that `linegate profile import` knows, and\n" +
			strings.Join(orderColumns, ", ") + ".\nWithout a key, the username is it.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if parallel < 1 || parallel > 256 {
				return fmt.Errorf("--parallel: %q is not allowed: 1 to 256", strconv.Itoa(parallel))
			}
			return c.withWorks(cmd.Context(), func(w works) error {
				tenant, err := c.pickTenant(cmd.Context(), w.engine)
				if err != nil {
					return err
				}
				orders, err := readOrders(args[0], tenant)
				if err != nil {
					return err
				}
				ended, err := carryOutAll(cmd.Context(), w.desk, orders, parallel, cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				return c.reportOrders(cmd, ended)
			})
		},
	}
	command.Flags().IntVar(&parallel, "parallel", 8, "orders at a time, 1 to 256")
	return command
}

// readOrders reads a whole file, and refuses it whole when a row can't be ordered.
func readOrders(path, tenant string) ([]linegate.Order, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	rows := csv.NewReader(file)
	header, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("%s:1: header: %w", path, headerError(err))
	}
	var orders []linegate.Order
	var found []error
	for {
		cells, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return orders, errors.Join(found...)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		line, _ := rows.FieldPos(0)
		order, err := orderOfRow(header, cells, tenant)
		if err == nil {
			err = order.Validate()
		}
		if err != nil {
			found = append(found, fmt.Errorf("%s:%d: %w", path, line, err))
		}
		if len(found) == mostRowErrors {
			return nil, errors.Join(append(found, errors.New("there may be more"))...)
		}
		orders = append(orders, order)
	}
}

// orderOfRow reads one row; empty cells say nothing.
func orderOfRow(header, cells []string, tenant string) (linegate.Order, error) {
	order := linegate.Order{Kind: linegate.OrderProvision, Tenant: tenant, Actor: actor(), Set: map[string]string{}}
	for i, name := range header {
		if cells[i] == "" {
			continue
		}
		switch {
		case name == "username":
			order.Username = cells[i]
		case slices.Contains(orderColumns, name):
			if err := setWish(&order, name, cells[i]); err != nil {
				return order, err
			}
		default:
			order.Set[name] = cells[i]
		}
	}
	if order.Key == "" {
		order.Key = order.Username
	}
	return order, nil
}

// setWish reads one of orderColumns.
func setWish(order *linegate.Order, name, text string) error {
	number, notNumber := strconv.Atoi(text)
	truth, notTruth := strconv.ParseBool(text)
	wrong := func(allowed string) error { return &linegate.FieldError{Field: name, Value: text, Allowed: allowed} }
	switch name {
	case "key":
		order.Key = text
	case "vlan_pool":
		order.VLAN.Pool = text
	case "olt":
		order.VLAN.OLT = text
	case "onu_serial":
		order.ONU = orElseNew(order.ONU)
		order.ONU.Serial = text
		order.ONU.UNI = max(order.ONU.UNI, 1)
	case "onu_uni":
		if notNumber != nil || number < 1 || number > 255 {
			return wrong("1 to 255")
		}
		order.ONU = orElseNew(order.ONU)
		order.ONU.UNI = uint8(number)
	case "cpe_device":
		order.CPE = &linegate.CPEWish{Device: text}
	case "framed_prefix", "delegated_prefix":
		if notNumber != nil {
			return wrong("a prefix length, 1 to 128")
		}
		*map[string]*int{"framed_prefix": &order.Addresses.FramedPrefix, "delegated_prefix": &order.Addresses.DelegatedPrefix}[name] = number
	default:
		if notTruth != nil {
			return wrong("true, false")
		}
		*map[string]*bool{"ipv4": &order.Addresses.IPv4, "ipv6": &order.Addresses.IPv6, "allow_ipv4_only": &order.AllowIPv4Only}[name] = truth
	}
	return nil
}

func orElseNew[T any](value *T) *T {
	if value == nil {
		return new(T)
	}
	return value
}

// carryOutAll carries out orders, so many at a time, and returns how they ended in
// their order.
func carryOutAll(ctx context.Context, desk *provisioning.Desk, orders []linegate.Order, parallel int, progress io.Writer) ([]provisioning.Standing, error) {
	ended := make([]provisioning.Standing, len(orders))
	bar := newProgress(progress, "provisioning", int64(len(orders)))
	var mu sync.Mutex
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.SetLimit(parallel)
	for i, order := range orders {
		tasks.Go(func() error {
			id, err := desk.Submit(ctx, order)
			if errors.Is(err, linegate.ErrConflict) {
				ended[i] = provisioning.Standing{ID: provisioning.OrderID(order), Order: order, State: linegate.OrderUndone, Result: linegate.OrderResult{Error: err.Error()}}
				return nil
			}
			if err == nil {
				ended[i], err = desk.Await(ctx, id)
			}
			mu.Lock()
			defer mu.Unlock()
			_ = bar.Add(1)
			return err
		})
	}
	return ended, errors.Join(tasks.Wait(), bar.Finish())
}

// reportOrders lists what did not end as ordered, and counts all.
func (c *cli) reportOrders(cmd *cobra.Command, ended []provisioning.Standing) error {
	counts := map[linegate.OrderState]int{}
	rows := newListing(cmd.OutOrStdout(), c.output, "id", "username", "state", "stuck", "error")
	for _, standing := range ended {
		counts[standing.State]++
		if standing.State == linegate.OrderDone && c.output == formatTable {
			continue
		}
		if err := rows.add(standingRecord(standing)); err != nil {
			return err
		}
	}
	if err := rows.close(); err != nil {
		return err
	}
	if failed := len(ended) - counts[linegate.OrderDone]; failed > 0 {
		return fmt.Errorf("%d of %d orders are done, %d are not", counts[linegate.OrderDone], len(ended), failed)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%d orders are done\n", len(ended))
	return nil
}
