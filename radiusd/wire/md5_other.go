//go:build !amd64

package wire

// sideBySide says whether block8 works here.
const sideBySide = false

func block8(*[4]lane8, *[16]lane8, *[64]lane8) { panic("wire: no vector unit") }
