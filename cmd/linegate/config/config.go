// Package config reads the one configuration file and the LINEGATE_* variables
// that override it. It names every mistake with its place. It never opens the
// store, a socket or a log, and never looks up a host name.
package config

import (
	"log/slog"
	"net/netip"
	"time"

	"linegate"
)

// Config is every setting of the server, defaults filled in. The keys, their
// ranges and their meaning are in Keys.
type Config struct {
	File    string // where it was read from; empty: defaults and environment only
	Listen  Listen
	Store   string // sqlite:PATH or postgres://…
	KeyFile string // key that seals passwords and secrets; made on first start
	// Snapshot is a file that a copy of subscribers and NAS is kept in; empty: none.
	Snapshot   string
	Log        Log
	Policy     linegate.Settings
	VendorPEN  uint32 // of the vendor space that our own attributes live in
	Dialects   string // folder of the operator's own dialects and dictionary; empty: none
	Cache      Cache
	Auth       Auth
	Accounting Accounting
	Retention  Retention
	CoA        CoA
	// Provisioning is what orders work with.
	Provisioning Provisioning
	VOLTHA       VOLTHA
	GenieACS     GenieACS
	API          API
	// ApplyOnFirstStart is a file for `linegate apply`, applied when the store is
	// empty; empty: none.
	ApplyOnFirstStart string
}

// Listen holds addresses as net.Listen takes them; a port of 0 picks a free one.
type Listen struct {
	Auth []string
	Acct []string
	CoA  []string
	HTTP string // empty: no HTTP
}

// API says where other systems may give orders over HTTP.
type API struct {
	Address   string // empty: nowhere
	TokenFile string
}

// Log says what is logged and where to.
type Log struct {
	Level              slog.Level
	File               string // besides standard error; empty: none
	Option82Validation Option82Logging
}

// Option82Logging says which Option 82 checks make an event.
type Option82Logging string

const (
	LogAllChecks Option82Logging = "all"       // every check
	LogUnmatched Option82Logging = "unmatched" // all but matches; default
)

// Cache bounds the cache in front of the store.
type Cache struct {
	MaxBytes    int64
	NegativeTTL time.Duration // how long a name that nobody has is remembered
	FailStatic  time.Duration // how long memory answers while the store is away; 0: until it is back
}

// Auth bounds what answering an Access-Request may take.
type Auth struct {
	ReplyCacheTTL     time.Duration // how long a reply is kept for retransmissions (RFC 5080 section 2.2.2)
	ReplyCacheEntries int           // per socket
	Sockets           int           // per listen address
	Pending           int           // requests that wait for the store
	HashWorkers       int           // slow password hashes at a time
}

// CoA says how live sessions are changed, and who may ask for it over RADIUS.
type CoA struct {
	Source       netip.Addr    // that requests to the NAS are sent from; zero: the kernel chooses
	Ports        int           // source ports at a time; each takes 256 requests of a NAS in 300 s
	Timeout      time.Duration // after which a NAS counts as silent
	Clients      []CoAClient   // of the relay
	ReplayWindow time.Duration // how far an Event-Timestamp may lie from now; 0: any
	Pending      int           // requests of clients under way
}

// CoAClient is a system that may send CoA and Disconnect requests to the relay. It
// reaches the sessions of one tenant. Secret or SecretFile is set.
type CoAClient struct {
	Address    netip.Prefix
	Tenant     string
	Secret     linegate.Secret
	SecretFile string
}

// Accounting bounds what waits to be recorded, and how long a session may be silent.
type Accounting struct {
	Queue          int    // events
	StaleIntervals int    // interim intervals; 0: sessions never go stale
	Spool          string // folder for what waits while the store is away; empty: none
	SpoolMaxBytes  int64
}

// Retention says for how long records are kept; 0: for ever.
type Retention struct {
	Events   time.Duration // accounting as it came
	Sessions time.Duration // after their end
}
