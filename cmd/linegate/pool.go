package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"linegate"
	"linegate/store"
)

func newPoolCommand(c *cli) *cobra.Command {
	return newGroup("pool", "Keep pools of VLANs that orders take from", []string{"pools"},
		newPoolListCommand(c), newPoolSetCommand(c), newPoolDeleteCommand(c), newPoolShowCommand(c), newPoolReserveCommand(c), newPoolReleaseCommand(c))
}

// withBook is withTenant for commands that work on what provisioning remembers.
func (c *cli) withBook(ctx context.Context, fn func(book store.Book, tenant string) error) error {
	return c.withTenant(ctx, func(engine store.Engine, tenant string) error {
		book, able := engine.(store.Book)
		if !able {
			return fmt.Errorf("the store can't keep pools")
		}
		return fn(book, tenant)
	})
}

func newPoolListCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List VLAN pools and how full they are", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withBook(cmd.Context(), func(book store.Book, tenant string) error {
				pools, err := book.VLANPools(cmd.Context(), tenant)
				if err != nil {
					return err
				}
				uses, err := book.VLANUse(cmd.Context())
				if err != nil {
					return err
				}
				used := map[[2]string]int{}
				for _, use := range uses {
					if use.Tenant == tenant {
						used[[2]string{use.OLT, use.Pool}] = use.Used
					}
				}
				rows := newListing(cmd.OutOrStdout(), c.output, "olt", "pool", "ranges", "used", "size")
				for _, pool := range pools {
					r := record{{"olt", pool.OLT}, {"pool", pool.Name}, {"ranges", rangeTexts(pool.Ranges)}, {"used", used[[2]string{pool.OLT, pool.Name}]}, {"size", pool.Size()}}
					if err := rows.add(r); err != nil {
						return err
					}
				}
				return rows.close()
			})
		},
	}
}

func newPoolSetCommand(c *cli) *cobra.Command {
	var olt string
	var ranges []string
	var capacity int
	command := &cobra.Command{
		Use:   "set NAME --olt OLT --range FIRST-LAST[:FIRST-LAST]",
		Short: "Make a VLAN pool, or change its ranges",
		Long: "Make a VLAN pool behind an OLT, or change its ranges. A range is of service VLANs, e.g. 100-199, or of\n" +
			"pairs with inner VLANs, e.g. 100-199:1-4094. Ranges are filled in their order. What services have of a\n" +
			"range that is taken away stays theirs.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pool := linegate.VLANPool{OLT: olt, Name: args[0]}
			for _, text := range ranges {
				parsed, err := parseRange(text, capacity)
				if err != nil {
					return err
				}
				pool.Ranges = append(pool.Ranges, parsed)
			}
			return c.withBook(cmd.Context(), func(book store.Book, tenant string) error {
				pool.Tenant = tenant
				if err := book.PutVLANPool(cmd.Context(), pool); err != nil {
					return err
				}
				return show(cmd.OutOrStdout(), c.output, record{{"olt", pool.OLT}, {"pool", pool.Name}, {"ranges", rangeTexts(pool.Ranges)}, {"size", pool.Size()}})
			})
		},
	}
	addOLT(command, &olt)
	command.Flags().StringArrayVar(&ranges, "range", nil, "service VLANs, or pairs; repeat it for more ranges")
	command.Flags().IntVar(&capacity, "capacity", 4000, "subscribers on one service VLAN, where there are no pairs")
	_ = command.MarkFlagRequired("range")
	return command
}

func addOLT(command *cobra.Command, olt *string) {
	command.Flags().StringVar(olt, "olt", "", "the OLT that the pool lies behind")
	_ = command.MarkFlagRequired("olt")
}

func newPoolDeleteCommand(c *cli) *cobra.Command {
	var olt string
	command := &cobra.Command{
		Use: "delete NAME --olt OLT", Short: "Delete a VLAN pool that nobody has anything of", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withBook(cmd.Context(), func(book store.Book, tenant string) error {
				return book.DeleteVLANPool(cmd.Context(), tenant, olt, args[0])
			})
		},
	}
	addOLT(command, &olt)
	return command
}

func newPoolShowCommand(c *cli) *cobra.Command {
	var olt string
	command := &cobra.Command{
		Use: "show NAME --olt OLT", Short: "Show who has which VLAN of a pool", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withBook(cmd.Context(), func(book store.Book, tenant string) error {
				rows := newListing(cmd.OutOrStdout(), c.output, "service_vlan", "inner_vlan", "key", "reserved")
				err := book.VLANAssignments(cmd.Context(), tenant, func(a linegate.VLANAssignment) error {
					if a.OLT != olt || a.Pool != args[0] {
						return nil
					}
					return rows.add(record{{"service_vlan", a.Outer}, {"inner_vlan", a.Inner}, {"key", a.Key}, {"reserved", a.Reserved}})
				})
				if err != nil {
					return err
				}
				return rows.close()
			})
		},
	}
	addOLT(command, &olt)
	return command
}

func newPoolReserveCommand(c *cli) *cobra.Command {
	var olt, name string
	command := &cobra.Command{
		Use: "reserve NAME VLAN[:INNER] --olt OLT --as WHAT", Short: "Keep a VLAN or a pair from being assigned", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			outer, inner, _ := strings.Cut(args[1], ":")
			pair, err := parsePair(outer, inner)
			if err != nil {
				return err
			}
			return c.withBook(cmd.Context(), func(book store.Book, tenant string) error {
				return book.ReserveVLAN(cmd.Context(), linegate.VLANAssignment{Key: reservationKey(tenant, name), Tenant: tenant, OLT: olt, Pool: args[0], VLANPair: pair})
			})
		},
	}
	addOLT(command, &olt)
	command.Flags().StringVar(&name, "as", "", "what it is kept for; its name")
	_ = command.MarkFlagRequired("as")
	return command
}

func newPoolReleaseCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use: "release WHAT", Short: "Take a reservation back", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withBook(cmd.Context(), func(book store.Book, tenant string) error {
				return book.UnassignVLAN(cmd.Context(), reservationKey(tenant, args[0]))
			})
		},
	}
}

// reservationKey can't be the key of a service.
func reservationKey(tenant, name string) string { return "reserved/" + tenant + "/" + name }

// rangeTexts are ranges as parseRange reads them.
func rangeTexts(ranges []linegate.VLANRange) (texts []string) {
	for _, r := range ranges {
		text := fmt.Sprintf("%d-%d", r.First, r.Last)
		if r.QinQ() {
			text += fmt.Sprintf(":%d-%d", r.InnerFirst, r.InnerLast)
		}
		texts = append(texts, text)
	}
	return texts
}

// parseRange reads e.g. 100-199 or 100-199:1-4094.
func parseRange(text string, capacity int) (r linegate.VLANRange, err error) {
	outer, inner, pairs := strings.Cut(text, ":")
	if r.First, r.Last, err = parseSpan(outer); err != nil {
		return r, err
	}
	if r.Capacity = capacity; pairs {
		r.Capacity = 0
		r.InnerFirst, r.InnerLast, err = parseSpan(inner)
	}
	return r, err
}

func parseSpan(text string) (first, last linegate.VLAN, err error) {
	low, high, several := strings.Cut(text, "-")
	if !several {
		high = low
	}
	pair, err := parsePair(low, high)
	return pair.Outer, pair.Inner, err
}

// parsePair reads two VLANs, the second of which may be missing.
func parsePair(first, second string) (pair linegate.VLANPair, err error) {
	for text, into := range map[*string]*linegate.VLAN{&first: &pair.Outer, &second: &pair.Inner} {
		if *text == "" && text == &second {
			continue
		}
		number, err := strconv.ParseUint(*text, 10, 16)
		if err != nil || number == 0 || number > uint64(linegate.MaxVLAN) {
			return pair, &linegate.FieldError{Field: "vlan", Value: *text, Allowed: "1 to 4094"}
		}
		*into = linegate.VLAN(number)
	}
	return pair, nil
}
