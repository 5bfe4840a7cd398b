package config

import (
	"log/slog"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"linegate"
)

// Key is one setting: its name in the file, with dots between the levels, and
// all there is to know about it.
type Key struct {
	Name    string
	Default string   // as it would be written; lists with commas
	Allowed string   // what may be written, in words
	About   string   // what it is for, in one line
	List    bool     // takes several values; with commas in the environment
	Parts   []string // that a value consists of, as keys of a mapping, or PART=VALUE parted by blanks; none: a single text
	// set reads the texts of a value, exactly one unless the key takes a list. It
	// returns the first one that is not allowed and false, or true.
	set func(c *Config, texts []string) (bad string, ok bool)
}

// Env returns the environment variable that overrides the key.
func (k Key) Env() string { return "LINEGATE_" + strings.ToUpper(envReplacer.Replace(k.Name)) }

var envReplacer = strings.NewReplacer(".", "_", "-", "_")

// Keys returns all settings in the order of the example. This table is the only
// place where a setting gets its name, default and range.
func Keys() []Key {
	return slices.Concat(serverKeys(), provisioningKeys(), equipmentKeys())
}

func serverKeys() []Key {
	return []Key{
		addressesKey("listen.auth", ":1812", "where Access-Requests are received, over UDP",
			func(c *Config) *[]string { return &c.Listen.Auth }),
		addressesKey("listen.acct", ":1813", "where Accounting-Requests are received, over UDP",
			func(c *Config) *[]string { return &c.Listen.Acct }),
		addressesKey("listen.coa", "", "where CoA and Disconnect requests of other systems are received, over UDP",
			func(c *Config) *[]string { return &c.Listen.CoA }),
		key("listen.http", "127.0.0.1:9812", "HOST:PORT, [IPv6]:PORT or :PORT; off", "health and metrics, over TCP",
			func(c *Config, text string) bool {
				if c.Listen.HTTP = text; text == "off" {
					c.Listen.HTTP = ""
					return true
				}
				return isAddress(text)
			}),
		storeKey(),
		key("key_file", "", "a path (default: that of the SQLite file with .key at its end)",
			"the key that seals passwords and secrets in the store; made on first start with mode 0600; back it up apart from the store",
			func(c *Config, text string) bool { c.KeyFile = text; return true }),
		key("snapshot", "", "a path, or off (default: /var/lib/linegate/linegate.snapshot with PostgreSQL, off with SQLite)",
			"a sealed copy of all subscribers and NAS, to start from while the store is away; written after changes, mode 0600",
			func(c *Config, text string) bool { c.Snapshot = text; return true }),
		key("log.level", "info", "debug, info, warn, error", "the least severe events that are logged",
			func(c *Config, text string) bool {
				level, known := logLevels[text]
				c.Log.Level = level
				return known
			}),
		key("log.file", "", "a path (default: standard error only)", "a file for the log as well; rotated at 10 MB, 5 old ones are kept",
			func(c *Config, text string) bool { c.Log.File = text; return true }),
		key("log.option82_validation", "unmatched", "all, unmatched", "which Option 82 checks make an event; matches are most of them",
			func(c *Config, text string) bool {
				c.Log.Option82Validation = Option82Logging(text)
				return text == string(LogAllChecks) || text == string(LogUnmatched)
			}),
		key("policy.no_profile", "accept", "accept, reject", "what becomes of valid credentials without a network profile",
			func(c *Config, text string) (ok bool) {
				policy, err := linegate.ParseNoProfilePolicy(text)
				c.Policy.NoProfile = policy
				return err == nil
			}),
		secondsKey("policy.session_timeout", "0", time.Second, 365*24*time.Hour, "0, or 1s to 8760h in whole seconds",
			"Session-Timeout for profiles that name none; 0: not sent",
			func(c *Config) *uint32 { return &c.Policy.SessionTimeout }),
		secondsKey("policy.acct_interim_interval", "10m", time.Minute, 24*time.Hour, "0, or 60s to 24h in whole seconds",
			"Acct-Interim-Interval for profiles that name none; 0: not sent",
			func(c *Config) *uint32 { return &c.Policy.AcctInterimInterval }),
		key("vendor_pen", "32473", "1 to 16777215", "private enterprise number of the vendor space that our own attributes live in",
			func(c *Config, text string) bool {
				number, ok := number(text, 1, 1<<24-1)
				c.VendorPEN = uint32(number)
				return ok
			}),
		key("dialects", "", "a folder (default: none)", "dialects of your own as NAME.yaml, which take the place of shipped ones, and a file named dictionary with more attributes",
			func(c *Config, text string) bool { c.Dialects = text; return true }),
		key("cache.max_bytes", "512MiB", "1MiB to 1TiB, as octets or with KiB, MiB, GiB, TiB", "memory for subscribers held in front of the store",
			func(c *Config, text string) (ok bool) {
				c.Cache.MaxBytes, ok = octets(text, 1<<20, 1<<40)
				return ok
			}),
		durationKey("cache.negative_ttl", "10s", time.Second, 5*time.Minute, "1s to 5m", "how long a name that nobody has is remembered",
			func(c *Config) *time.Duration { return &c.Cache.NegativeTTL }),
		key("cache.fail_static", "0", "0, or 1s to 8760h", "how long memory answers for known subscribers while the store is away; 0: until it is back",
			func(c *Config, text string) bool {
				limit, err := time.ParseDuration(text)
				c.Cache.FailStatic = limit
				return err == nil && (limit == 0 || limit >= time.Second && limit <= 365*24*time.Hour)
			}),
		durationKey("auth.reply_cache_ttl", "5s", 5*time.Second, 30*time.Second, "5s to 30s", "how long a reply is kept for retransmissions (RFC 5080)",
			func(c *Config) *time.Duration { return &c.Auth.ReplyCacheTTL }),
		countKey("auth.reply_cache_entries", "65536", 1024, 1<<22, "replies kept for retransmissions, for each socket",
			func(c *Config) *int { return &c.Auth.ReplyCacheEntries }),
		autoKey("auth.sockets", runtime.GOMAXPROCS(0), 1, 256, "number of CPUs", "sockets for each listen address; the kernel spreads clients over them",
			func(c *Config) *int { return &c.Auth.Sockets }),
		countKey("auth.pending", "4096", 1, 1<<20, "requests that may wait for the store; more are dropped and counted",
			func(c *Config) *int { return &c.Auth.Pending }),
		autoKey("auth.hash_workers", max(1, runtime.GOMAXPROCS(0)/2), 1, 256, "half of the CPUs", "bcrypt and argon2id passwords that are checked at a time",
			func(c *Config) *int { return &c.Auth.HashWorkers }),
		countKey("accounting.queue", "65536", 64, 1<<22, "accounting events that may wait to be recorded; more are dropped, so that the NAS sends them again",
			func(c *Config) *int { return &c.Accounting.Queue }),
		countKey("accounting.stale_intervals", "3", 0, 1000, "interim intervals that a session may be silent before it counts as over, with the cause Stale; 0: for ever",
			func(c *Config) *int { return &c.Accounting.StaleIntervals }),
		key("accounting.spool", "", "a path; off (default: SQLite's with .spool at its end)",
			"a folder on a local disk, for this server alone, that keeps accounting while the store is away; beside PostgreSQL the default is /var/lib/linegate/spool",
			func(c *Config, text string) bool { c.Accounting.Spool = text; return true }),
		key("accounting.spool_max_bytes", "1GiB", "16MiB to 1TiB, as octets or with KiB, MiB, GiB, TiB",
			"what that folder may take; when it is full, no accounting is acknowledged until the store is back",
			func(c *Config, text string) (ok bool) {
				c.Accounting.SpoolMaxBytes, ok = octets(text, 16<<20, 1<<40)
				return ok
			}),
		daysKey("retention.events", "90d", "how long accounting is kept as it came; 0: for ever",
			func(c *Config) *time.Duration { return &c.Retention.Events }),
		daysKey("retention.sessions", "400d", "how long sessions are kept after their end; 0: for ever",
			func(c *Config) *time.Duration { return &c.Retention.Sessions }),
		key("coa.source", "", "an address of this machine (default: the kernel chooses)", "where requests to the NAS are sent from; NAS take them from known addresses only",
			func(c *Config, text string) (ok bool) {
				c.CoA.Source, ok = sourceAddress(text)
				return ok
			}),
		countKey("coa.ports", "256", 1, 4096, "source ports at a time; each takes 256 requests to a NAS in 300 s (RFC 5176 section 6.3)",
			func(c *Config) *int { return &c.CoA.Ports }),
		durationKey("coa.timeout", "30s", time.Second, time.Minute, "1s to 60s", "after how long, and up to 4 retransmissions, a NAS counts as silent (RFC 5080)",
			func(c *Config) *time.Duration { return &c.CoA.Timeout }),
		clientsKey(),
		durationKey("coa.replay_window", "300s", 0, time.Hour, "0s to 1h", "how far the Event-Timestamp of a client's request may lie from now; 0s: any",
			func(c *Config) *time.Duration { return &c.CoA.ReplayWindow }),
		countKey("coa.pending", "1024", 1, 1<<16, "requests of clients that may wait for a NAS; more are dropped and counted",
			func(c *Config) *int { return &c.CoA.Pending }),
		key("api.address", "", "HOST:PORT, [IPv6]:PORT or :PORT (default: none)", "where other systems give orders over HTTP; see docs/provisioning.md",
			func(c *Config, text string) bool { c.API.Address = text; return text == "" || isAddress(text) }),
		key("api.token_file", "", "a path", "a file with the token, of 16 characters or more, that every request to api.address has to bring",
			func(c *Config, text string) bool { c.API.TokenFile = text; return true }),
		key("apply_on_first_start", "", "a path (default: none)", "a file for `linegate apply` that serve applies when the store is empty",
			func(c *Config, text string) bool { c.ApplyOnFirstStart = text; return true }),
	}
}

var logLevels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

// key is a setting with a single value.
func key(name, fallback, allowed, about string, set func(*Config, string) bool) Key {
	return Key{name, fallback, allowed, about, false, nil, func(c *Config, texts []string) (string, bool) {
		return texts[0], set(c, texts[0])
	}}
}

// storeKey differs from others in that a bad value is not repeated whole: it may
// hold a password.
func storeKey() Key {
	k := key("store", "sqlite:/var/lib/linegate/linegate.db", "sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE",
		"where subscribers, sessions and the audit trail are kept; a relative PATH begins at the working directory",
		func(c *Config, text string) bool {
			c.Store = text
			path, embedded := strings.CutPrefix(text, "sqlite:")
			return embedded && path != "" || strings.HasPrefix(text, "postgres://") && len(text) > len("postgres://")
		})
	set := k.set
	k.set = func(c *Config, texts []string) (string, bool) {
		bad, ok := set(c, texts)
		if start, _, cut := strings.Cut(bad, ":"); cut {
			bad = start + ":…"
		}
		return bad, ok
	}
	return k
}

// addressesKey is a setting that takes one listen address or several.
func addressesKey(name, fallback, about string, at func(*Config) *[]string) Key {
	const allowed = "HOST:PORT, [IPv6]:PORT or :PORT, one or a list; [] for none"
	return Key{name, fallback, allowed, about, true, nil, func(c *Config, texts []string) (string, bool) {
		for _, text := range texts {
			if !isAddress(text) {
				return text, false
			}
		}
		*at(c) = texts
		return "", true
	}}
}

// clientsKey is a list of clients of the relay. A bad one is shown without its
// secret.
func clientsKey() Key {
	return Key{
		Name: "coa.clients", List: true, Parts: []string{"address", "tenant", "secret", "secret_file"},
		Allowed: "of each address (or a prefix), tenant, and secret or secret_file",
		About:   "systems that may send CoA and Disconnect requests to listen.coa, and whose sessions they reach; see docs/coa.md",
		set: func(c *Config, texts []string) (string, bool) {
			c.CoA.Clients = nil
			for _, text := range texts {
				client, ok := parseClient(text)
				if !ok {
					return shownClient(text), false
				}
				c.CoA.Clients = append(c.CoA.Clients, client)
			}
			return "", true
		},
	}
}

func countKey(name, fallback string, least, most int, about string, at func(*Config) *int) Key {
	return key(name, fallback, strconv.Itoa(least)+" to "+strconv.Itoa(most), about, func(c *Config, text string) bool {
		value, ok := number(text, uint64(least), uint64(most))
		*at(c) = int(value)
		return ok
	})
}

// autoKey is a count whose default depends on the machine.
func autoKey(name string, automatic, least, most int, meaning, about string, at func(*Config) *int) Key {
	k := countKey(name, "auto", least, most, about, at)
	k.Allowed += ", or auto: " + meaning
	count := k.set
	k.set = func(c *Config, texts []string) (string, bool) {
		if texts[0] == "auto" {
			*at(c) = automatic
			return "", true
		}
		return count(c, texts)
	}
	return k
}

func durationKey(name, fallback string, least, most time.Duration, allowed, about string, at func(*Config) *time.Duration) Key {
	return key(name, fallback, allowed, about, func(c *Config, text string) bool {
		value, err := time.ParseDuration(text)
		*at(c) = value
		return err == nil && value >= least && value <= most
	})
}

// daysKey is how long something is kept, a day or more; 0 is for ever.
func daysKey(name, fallback, about string, at func(*Config) *time.Duration) Key {
	return key(name, fallback, "0, or 1d to 36500d; also in hours, e.g. 36h", about, func(c *Config, text string) bool {
		value, ok := days(text)
		*at(c) = value
		return ok && (value == 0 || value >= day && value <= 36500*day)
	})
}

// secondsKey is a duration that goes into a packet as whole seconds; 0 means that
// it is not sent.
func secondsKey(name, fallback string, least, most time.Duration, allowed, about string, at func(*Config) *uint32) Key {
	return key(name, fallback, allowed, about, func(c *Config, text string) bool {
		value, err := time.ParseDuration(text)
		*at(c) = uint32(value / time.Second)
		return err == nil && value%time.Second == 0 && (value == 0 || value >= least && value <= most)
	})
}
