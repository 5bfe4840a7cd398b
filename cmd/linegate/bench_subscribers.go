package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"

	"github.com/spf13/cobra"

	"linegate"
)

// mostInvented is how many subscribers fit 100.64.0.0/10 (RFC 6598), rounded down.
const mostInvented = 4_000_000

func newBenchSubscribersCommand() *cobra.Command {
	var count int
	var seed uint64
	command := &cobra.Command{
		Use:     "subscribers",
		Short:   "Invent subscribers, as a CSV file for `profile import` and `bench auth`",
		Example: "  linegate bench subscribers --count 100000 > subs.csv\n  linegate profile import subs.csv",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if count < 1 || count > mostInvented {
				return fmt.Errorf("--count: %d is not allowed: 1 to %d", count, mostInvented)
			}
			return writeInvented(cmd.OutOrStdout(), count, seed)
		},
	}
	command.Flags().IntVar(&count, "count", 1000, fmt.Sprintf("how many, 1 to %d", mostInvented))
	command.Flags().Uint64Var(&seed, "seed", 1, "the same seed invents the same passwords")
	return command
}

// writeInvented writes subscribers with all columns of the exchange format. No two
// share a line, a MAC or an address.
func writeInvented(out io.Writer, count int, seed uint64) error {
	columns := fieldNames(false)
	rows := csv.NewWriter(out)
	if err := rows.Write(columns); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(seed, 0))
	cells := make([]string, len(columns))
	for i := range count {
		row := invented(i, random)
		for column, name := range columns {
			cells[column] = row[name]
		}
		if err := rows.Write(cells); err != nil {
			return err
		}
	}
	rows.Flush()
	return rows.Error()
}

// invented is the i-th subscriber: one ONT of 128 at each of 16 ports in 16 slots
// of an OLT. Every fourth is double-tagged; the IPv6 modes take turns.
func invented(i int, random *rand.Rand) map[string]string {
	row := map[string]string{
		"username":        fmt.Sprintf("sub%07d", i+1),
		"password":        fmt.Sprintf("%012x", random.Uint64()>>16),
		"circuit_id":      fmt.Sprintf("olt%d xpon 0/%d/%d/%d", i>>15+1, i>>11&15+1, i>>7&15+1, i&127+1),
		"remote_id":       fmt.Sprintf("ONT%08X", i+1),
		"mac":             fmt.Sprintf("02:00:%02x:%02x:%02x:%02x", i>>24, i>>16&255, i>>8&255, i&255),
		"option82_policy": string(linegate.Option82Enforce),
		"service_vlan":    fmt.Sprint(1 + i%int(linegate.MaxVLAN)),
		"static_ipv4":     netip.AddrFrom4([4]byte{100, byte(64 + i>>16), byte(i >> 8), byte(i)}).String(),
		"download_kbps":   "100000",
		"upload_kbps":     "20000",
		"status":          string(linegate.StatusActive),
	}
	if i%4 == 3 {
		row["inner_vlan"] = fmt.Sprint(1 + i/int(linegate.MaxVLAN)%int(linegate.MaxVLAN))
		row["qinq_enabled"] = "true"
	}
	modes := []linegate.IPv6AssignmentMode{linegate.IPv6None, linegate.IPv6SLAAC, linegate.IPv6Stateful, linegate.IPv6PD, linegate.IPv6DualStack}
	mode := modes[i%len(modes)]
	row["ipv6_assignment_mode"] = string(mode)
	address := [16]byte{0x20, 0x01, 0x0d, 0xb8, byte(i >> 16), byte(i >> 8), byte(i)} // 2001:db8::/32, a /56 for each
	if mode.GrantsPD() {
		row["delegated_ipv6_prefix"] = netip.PrefixFrom(netip.AddrFrom16(address), 56).String()
	}
	if mode == linegate.IPv6SLAAC {
		row["framed_ipv6_prefix"] = netip.PrefixFrom(netip.AddrFrom16(address), 64).String()
	}
	if mode == linegate.IPv6Stateful {
		address[15] = 1
		row["static_ipv6"] = netip.AddrFrom16(address).String()
	}
	return row
}
