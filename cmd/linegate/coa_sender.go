package main

import (
	"context"
	"errors"

	"linegate"
	"linegate/cmd/linegate/config"
	"linegate/coa"
	"linegate/store"
)

// coaOptions are what the configuration says about changes of live sessions.
func coaOptions(cfg config.Config) (coa.Options, error) {
	dialects, err := loadDialects(cfg)
	return coa.Options{
		Dialects: dialects,
		Source:   cfg.CoA.Source,
		Ports:    cfg.CoA.Ports,
		Retry:    coa.Retry{Overall: cfg.CoA.Timeout},
	}, err
}

// withSender runs fn with a sender that knows the NAS of the tenant.
func withSender(ctx context.Context, cfg config.Config, engine store.Engine, tenant string, fn func(*coa.Sender) error) error {
	nases, err := engine.NASes(ctx, tenant)
	if err != nil {
		return err
	}
	options, err := coaOptions(cfg)
	if err != nil {
		return err
	}
	sender := coa.New(options)
	defer sender.Close()
	return errors.Join(errors.Join(sender.SetNASes(nases)...), fn(sender))
}

// sessionTable is the store as the relay asks it.
type sessionTable struct{ engine store.Engine }

// EachOpenSession implements coa.Sessions.
func (t sessionTable) EachOpenSession(ctx context.Context, search coa.Search, fn func(*linegate.Session) error) error {
	return t.engine.EachSession(ctx, store.SessionFilter{
		Tenant: search.Tenant, Active: true,
		AcctSessionID: search.AcctSessionID, UserName: search.UserName, FramedIPv4: search.FramedIPv4,
	}, fn)
}

// storeJournal keeps the journal of one change of many sessions in the store.
type storeJournal struct {
	engine store.Engine
	key    string
}

// Record implements coa.Journal.
func (j storeJournal) Record(ctx context.Context, done []linegate.ChangeRecord) error {
	return j.engine.RecordChanges(ctx, j.key, done)
}
