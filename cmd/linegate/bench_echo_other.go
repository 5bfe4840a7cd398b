//go:build !linux

package main

import (
	"context"
	"errors"
)

// serveEcho needs calls that only Linux has.
func serveEcho(context.Context, string, func(string)) error {
	return errors.New("bench echo: it needs Linux, which moves many datagrams with one call")
}
