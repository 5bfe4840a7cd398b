package main

import (
	"log/slog"

	"linegate/cmd/linegate/config"
	"linegate/provisioning"
	"linegate/provisioning/genieacs"
	"linegate/provisioning/voltha"
)

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
