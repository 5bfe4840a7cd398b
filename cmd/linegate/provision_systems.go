package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"linegate"
	"linegate/cmd/linegate/config"
	"linegate/provisioning"
	"linegate/provisioning/genieacs"
	"linegate/provisioning/netbox"
	"linegate/provisioning/voltha"
)

// openNetBox returns nil where none is configured.
func openNetBox(cfg config.NetBox) (*netbox.Client, error) {
	if cfg.URL == "" {
		return nil, nil
	}
	token, err := os.ReadFile(cfg.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("provisioning.netbox.token_file: %w", err)
	}
	options := netbox.Options{URL: cfg.URL, Token: linegate.Secret(strings.TrimSpace(string(token)))}
	for _, pool := range cfg.Pools {
		options.Pools = append(options.Pools, netbox.Pool(pool))
	}
	return netbox.New(options)
}

// openONUs opens the configured VOLTHA, or returns nil where there is none.
func openONUs(c config.VOLTHA, logger *slog.Logger) (voltha.Client, error) {
	if c.Address == "" {
		return nil, nil
	}
	return voltha.Open(voltha.Config{
		Backend: voltha.Backend(c.Backend), Address: c.Address, TLS: c.TLS, TechProfile: c.TechProfile,
		Ready: c.Ready, Verify: c.Verify, Settle: c.Settle, Logger: logger,
	})
}

// openCPE opens the configured GenieACS, or returns nil where there is none. It
// returns the interface, in which a nil client would not be nil.
func openCPE(c config.GenieACS, logger *slog.Logger) (provisioning.CPE, error) {
	if c.URL == "" {
		return nil, nil
	}
	client, err := genieacs.Open(genieacs.Config{
		URL: c.URL, Username: c.Username, Password: c.Password, Token: c.Token,
		Models: c.Models, Expiry: c.Expiry, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	return client, nil
}
