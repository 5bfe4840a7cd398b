package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"linegate"
	"linegate/coa"
)

// mostOutcomes is how many sessions are shown one by one.
const mostOutcomes = 20

// shownOutcomes keeps the outcomes that are shown: the first ones, and rather those
// that need somebody's attention.
type shownOutcomes struct {
	kept   []record
	failed int // at the front of kept
}

func (s *shownOutcomes) add(order coa.Order, outcome linegate.ChangeOutcome) {
	if outcome.Result.Final() {
		if len(s.kept) < mostOutcomes {
			s.kept = append(s.kept, outcomeRecord(order, outcome))
		}
		return
	}
	if s.failed == mostOutcomes {
		return
	}
	if len(s.kept) == mostOutcomes {
		s.kept = s.kept[:mostOutcomes-1]
	}
	s.kept = slices.Insert(s.kept, s.failed, outcomeRecord(order, outcome))
	s.failed++
}

func outcomeRecord(order coa.Order, outcome linegate.ChangeOutcome) record {
	session := order.Session
	cause := ""
	if outcome.Cause != 0 {
		cause = outcome.Cause.String()
	}
	return record{
		{"username", session.UserName}, {"nas", session.NAS.Name}, {"acct_session_id", session.AcctSessionID}, {"session_id", session.ID},
		{"kind", order.Kinds()}, {"outcome", outcome.Result}, {"cause", cause}, {"disconnected", outcome.Disconnected}, {"detail", outcome.Detail},
	}
}

// tallyRecord shows what became of all. passed are sessions that there was nothing
// to do for.
func tallyRecord(tally coa.Tally, passed int) record {
	causes := map[string]int{}
	for cause, count := range tally.Causes {
		causes[cause.String()] = count
	}
	r := record{}
	for _, result := range linegate.ChangeResults() {
		r = append(r, property{string(result), tally.Results[result]})
	}
	return append(r, property{"disconnected", tally.Disconnected}, property{"left", tally.Left + passed},
		property{"causes", causes}, property{"problems", emptyNotNil(tally.Problems)})
}

// showOutcomes prints the sessions, then the summary; as JSON or YAML one object.
func (c *cli) showOutcomes(cmd *cobra.Command, summary record, outcomes []record) error {
	out := cmd.OutOrStdout()
	if c.output != formatTable {
		return show(out, c.output, append(summary, property{"sessions", emptyNotNil(outcomes)}))
	}
	if len(outcomes) > 0 {
		rows := newListing(out, c.output, "username", "nas", "acct_session_id", "kind", "outcome", "cause", "detail")
		for _, outcome := range outcomes {
			if err := rows.add(outcome); err != nil {
				return err
			}
		}
		if err := rows.close(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out, summaryLine(summary))
	return err
}

// summaryLine puts the counts that are not 0 on a line, and problems on one each.
func summaryLine(summary record) string {
	line, problems := "", ""
	for _, p := range summary {
		switch value := p.value.(type) {
		case int:
			if value != 0 {
				line += fmt.Sprintf(", %d %s", value, p.name)
			}
		case float64:
			line += fmt.Sprintf(", %.3f s", value)
		case map[string]int:
			for _, cause := range slices.Sorted(maps.Keys(value)) {
				problems += fmt.Sprintf("\n  %d refused: %s", value[cause], cause)
			}
		case []string:
			for _, problem := range value {
				problems += "\n  " + problem
			}
		}
	}
	return line[2:] + problems
}

// statusNotAllDone is the exit status when some sessions were not changed.
const statusNotAllDone = 2

func notAllDone(tally coa.Tally, passed int) error {
	done := tally.Results[linegate.ChangeAcked] + tally.Results[linegate.ChangeGone]
	if done == tally.Total && passed == 0 {
		return nil
	}
	return statusError{statusNotAllDone, fmt.Errorf("%d of %d sessions were not changed", tally.Total-done+passed, tally.Total+passed)}
}
