package main

import (
	"linegate"
	"linegate/dictionary"
	"linegate/radiusd/wire"
)

// causeNames knows the terminate causes by name (RFC 2866 section 5.10).
type causeNames struct{ names *dictionary.Dictionary }

func readCauseNames() (causeNames, error) {
	names, err := dictionary.Standard(dictionary.DocumentationPEN)
	return causeNames{names}, err
}

// of returns a cause in a word, or as its number where it has none; 0 is empty.
func (c causeNames) of(cause uint32) string {
	switch cause {
	case 0:
		return ""
	case linegate.CauseStale:
		return "Stale"
	}
	attribute := wire.AppendInteger(nil, wire.AcctTerminateCause, cause)
	return c.names.Read(attribute[0], attribute[2:])[0].Text()
}
