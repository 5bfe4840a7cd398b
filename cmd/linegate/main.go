package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"unicode"
)

// printable shows control characters instead of sending them to a terminal: an
// error may quote what came from a file or the network.
func printable(text string) string {
	var shown strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) || r == '\n' || r == '\t' {
			shown.WriteRune(r)
		} else {
			fmt.Fprintf(&shown, "\\x%02x", r)
		}
	}
	return shown.String()
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "linegate:", printable(err.Error()))
	}
	os.Exit(exitStatus(err))
}
