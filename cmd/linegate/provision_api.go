package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"linegate"
	"linegate/api"
	"linegate/cmd/linegate/config"
	"linegate/provisioning"
)

// orderAPI is where other systems give orders over HTTP.
type orderAPI struct {
	listener net.Listener
	token    linegate.Secret
}

// leastToken is how many characters a token has at least: fewer could be guessed.
const leastToken = 16

// openAPI opens the address of the API, or returns nil where none is configured.
func openAPI(ctx context.Context, cfg config.API) (*orderAPI, error) {
	if cfg.Address == "" {
		return nil, nil
	}
	token, err := readSecret(nil, cfg.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("api.token_file: %w", err)
	}
	if len(token) < leastToken {
		return nil, fmt.Errorf("api.token_file: %s: a token has %d characters or more, e.g. of `openssl rand -hex 32`", cfg.TokenFile, leastToken)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("listen for api: %w", err)
	}
	return &orderAPI{listener, token}, nil
}

// serve answers until ctx ends. It begins when orders can be taken: whoever asks
// before waits.
func (a *orderAPI) serve(ctx context.Context, p *provisioner) error {
	desk, err := p.awaitDesk(ctx)
	if err != nil {
		return a.listener.Close() // ctx has ended
	}
	handler := api.RequireToken(a.token, api.NewProvisioningHandler(desk, prefixes{p.Options}))
	return errors.Join(api.Serve(ctx, a.listener, handler, p.daemon.logger.Logger), desk.Close())
}

// awaitDesk opens a desk as soon as there are orders, here or in another process.
func (p *provisioner) awaitDesk(ctx context.Context) (*provisioning.Desk, error) {
	for {
		desk, err := p.openDesk(ctx)
		if err == nil || ctx.Err() != nil {
			return desk, err
		}
		wait(ctx, retryInterval)
	}
}

// prefixes delegates prefixes apart from orders.
type prefixes struct{ provisioning.Options }

// AllocatePrefix implements api.Prefixes.
func (p prefixes) AllocatePrefix(ctx context.Context, claim linegate.AddressClaim) (linegate.Allocation, error) {
	return provisioning.AllocatePrefix(ctx, p.Options, claim)
}
