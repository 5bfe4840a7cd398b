package wire

import "golang.org/x/sys/cpu"

// sideBySide says whether block8 works here.
var sideBySide = cpu.X86.HasAVX2

// block8 takes one block of each of eight messages into their states (RFC 1321 section
// 3.4). constants are those of the 64 steps, eight times each.
//
//go:noescape
func block8(state *[4]lane8, words *[16]lane8, constants *[64]lane8)
