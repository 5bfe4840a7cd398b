// Package coa changes live sessions: it says a Change in the words of the session's
// NAS, sends it until it is answered (RFC 5176, RFC 5080), and tells what became of
// it; and it relays the CoA and Disconnect requests of other systems. It never
// decides what a subscriber may have, and never writes the session table: the
// NAS's accounting does.
package coa
