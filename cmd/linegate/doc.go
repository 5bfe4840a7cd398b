// Command linegate is the whole product in one binary: the daemon, and the
// tools that manage and explain it. This package wires the others together and
// talks to the operator; it never decides about a subscriber and never reads or
// writes a packet itself.
package main
