// Package dialect is how each NAS vendor says it: the line coming in, the grant
// and the change going out. A dialect is a YAML file that is compiled when it is
// loaded; code is only for grammars. The package reads and writes packets and
// decides nothing.
package dialect

import (
	"linegate"
	"linegate/dictionary"
)

// Dialect reads the access line out of requests, and writes grants into replies
// and changes into requests of ours. It is immutable and safe for concurrent use.
type Dialect struct {
	name   string
	about  string
	source string // the file it is from, for people
	text   string // of the file
	names  *dictionary.Dictionary

	line       *lineReader
	carriers   []carrier // as line was compiled from
	tellsVLANs bool

	topics   [topicCount]phrase
	identity []statement
	changes  map[linegate.ChangeKind]change
	traits   CoATraits
}

// phrase is how a dialect says one topic.
type phrase struct {
	statements  []statement
	unsupported string // why it can't be said; empty: it can
}

// Name is what a NAS entry calls the dialect.
func (d *Dialect) Name() string { return d.name }

// About says in a line which boxes speak the dialect.
func (d *Dialect) About() string { return d.about }

// Source is the file that the dialect is from; shipped: one that comes with
// Linegate.
func (d *Dialect) Source() string { return d.source }

// Text is the dialect's file as it was read.
func (d *Dialect) Text() string { return d.text }

// Builtin returns the shipped dialects by name. pen is the private enterprise
// number under which our own attributes are sent, 1 to 16777215; 0 stands for
// dictionary.DocumentationPEN.
func Builtin(pen uint32) map[string]*Dialect {
	dialects, err := Load(pen, "")
	if err != nil {
		panic("shipped dialects: " + err.Error()) // a test loads them all
	}
	return dialects
}
