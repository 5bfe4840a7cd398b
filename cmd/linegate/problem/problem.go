// Package problem collects everything that is wrong with a file an operator
// wrote, each finding with its place, so that all of it can be mended in one go.
// It never decides what is wrong, never opens a file and never prints.
package problem

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"linegate"
)

// List is what is wrong with one file. The zero value with a File is ready for
// use. It is not safe for concurrent use.
type List struct {
	File string // as the operator named it
	Most int    // how many findings are kept and shown; 0: all

	found []finding
	more  int // findings beyond Most
}

type finding struct {
	line int
	text string
}

// Add notes a finding. A line of 0 means that it has none.
func (l *List) Add(line int, format string, args ...any) {
	if l.Most > 0 && len(l.found) >= l.Most {
		l.more++
		return
	}
	where := l.File
	if line > 0 {
		where += ":" + strconv.Itoa(line)
	}
	l.found = append(l.found, finding{line, where + ": " + fmt.Sprintf(format, args...)})
}

// AddElsewhere notes a finding that does not lie in the file: place says where.
// It comes after those of the file.
func (l *List) AddElsewhere(place, format string, args ...any) {
	l.found = append(l.found, finding{math.MaxInt, place + ": " + fmt.Sprintf(format, args...)})
}

// NotAllowed notes a value that a key can't have.
func (l *List) NotAllowed(line int, key, value, allowed string) {
	l.Add(line, "%s", (&linegate.FieldError{Field: key, Value: value, Allowed: allowed}).Error())
}

// Unknown notes a name that is none of those known at its place. what is the
// kind of name, e.g. "key" or "column"; prefix is the path that leads to it.
func (l *List) Unknown(line int, what, prefix, name string, known []string) {
	hint := "known here: " + strings.Join(known, ", ")
	if near, ok := Nearest(name, known); ok {
		hint = "did you mean " + prefix + near + "? " + hint
	}
	l.Add(line, "%s%s: unknown %s (%s)", prefix, name, what, hint)
}

// AddFields notes every linegate.FieldError within err under its key, and reports
// whether there was any; an error of another kind is left to the caller.
func (l *List) AddFields(line int, prefix string, err error) bool {
	var many linegate.FieldErrors
	if one := (*linegate.FieldError)(nil); errors.As(err, &one) {
		many = linegate.FieldErrors{one}
	} else if !errors.As(err, &many) {
		return false
	}
	for _, bad := range many {
		l.NotAllowed(line, prefix+bad.Field, bad.Value, bad.Allowed)
	}
	return true
}

// Len returns how many findings there are, those not kept included.
func (l *List) Len() int { return len(l.found) + l.more }

// Err returns nil when nothing was found, else an error with one finding a line
// in the order of the file.
func (l *List) Err() error {
	if l.Len() == 0 {
		return nil
	}
	slices.SortStableFunc(l.found, func(a, b finding) int { return cmp.Compare(a.line, b.line) })
	lines := make([]string, len(l.found), len(l.found)+1)
	for i, f := range l.found {
		lines[i] = f.text
	}
	if l.more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", l.more))
	}
	return errors.New(strings.Join(lines, "\n"))
}

// Nearest returns the word that name was probably meant to be: the one with the
// fewest edits, if they are few for its length.
func Nearest(name string, words []string) (nearest string, ok bool) {
	best := 1 + min(len(name), comparedOctets)/4
	for _, word := range words {
		if edits := distance(name, word); edits <= best && (!ok || edits < best) {
			nearest, best, ok = word, edits, true
		}
	}
	return nearest, ok
}

// comparedOctets is how much of a name counts, so that a huge one costs nothing.
const comparedOctets = 64

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that make b of a (restricted Damerau-Levenshtein).
func distance(a, b string) int {
	a, b = a[:min(len(a), comparedOctets)], b[:min(len(b), comparedOctets)]
	above, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			replace := row[j]
			if a[i] != b[j] {
				replace++
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, replace)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], above[j-1]+1)
			}
		}
		above, row, next = row, next, above
	}
	return row[len(b)]
}
