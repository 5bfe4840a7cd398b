package config

import (
	"net/url"
	"time"

	"linegate"
)

// VOLTHA says which one puts services on ONUs.
type VOLTHA struct {
	Backend     string // core or vgc
	Address     string // host:port of a core, URL of a controller; empty: none
	TLS         bool
	TechProfile uint16
	Ready       time.Duration
	Verify      time.Duration
	Settle      time.Duration
	CheckEvery  time.Duration // how often services are compared with what is there
}

// GenieACS says which one sets CPE.
type GenieACS struct {
	URL      string // empty: none
	Username string
	Password linegate.Secret
	Token    linegate.Secret
	Models   string
	Expiry   time.Duration
}

// equipmentKeys are those of the systems that ONUs and CPE are set through.
func equipmentKeys() []Key {
	return []Key{
		key("voltha.backend", "core", "core, vgc", "core: flows are written into a core without a controller; vgc: the controller that owns the core's flows is asked",
			func(c *Config, text string) bool {
				c.VOLTHA.Backend = text
				return text == "core" || text == "vgc"
			}),
		key("voltha.address", "", "HOST:PORT of a core (gRPC), http or https URL of a vgc (default: none)", "the VOLTHA that services are put on ONUs through",
			func(c *Config, text string) bool {
				c.VOLTHA.Address = text
				return text == "" || isAddress(text) || isURL(text)
			}),
		key("voltha.tls", "no", "yes, no", "whether the connection to a core is encrypted",
			func(c *Config, text string) bool {
				c.VOLTHA.TLS = text == "yes" || text == "true"
				return c.VOLTHA.TLS || text == "no" || text == "false"
			}),
		key("voltha.tech_profile", "64", "1 to 65535", "technology profile of services that name none",
			func(c *Config, text string) bool {
				value, ok := number(text, 1, 65535)
				c.VOLTHA.TechProfile = uint16(value)
				return ok
			}),
		durationKey("voltha.ready", "20s", time.Millisecond, 2*time.Minute, "1ms to 2m", "how long an ONU that isn't ready is waited for within one try",
			func(c *Config) *time.Duration { return &c.VOLTHA.Ready }),
		durationKey("voltha.verify", "30s", time.Millisecond, 2*time.Minute, "1ms to 2m", "how long flows may take until the ONU says that it has them",
			func(c *Config) *time.Duration { return &c.VOLTHA.Verify }),
		durationKey("voltha.settle", "3s", time.Millisecond, time.Minute, "1ms to 1m", "how long flows must stay listed to be believed; refusals came after up to 2 s",
			func(c *Config) *time.Duration { return &c.VOLTHA.Settle }),
		durationKey("voltha.check_every", "1m", time.Second, 24*time.Hour, "1s to 24h", "how often services on ONUs are compared with what VOLTHA has, and put back where it lost them",
			func(c *Config) *time.Duration { return &c.VOLTHA.CheckEvery }),
		key("genieacs.url", "", "an http or https URL (default: none)", "northbound interface of the GenieACS that sets CPE",
			func(c *Config, text string) bool { c.GenieACS.URL = text; return text == "" || isURL(text) }),
		key("genieacs.username", "", "a name (default: none)", "for a proxy in front of GenieACS that asks for a password",
			func(c *Config, text string) bool { c.GenieACS.Username = text; return true }),
		key("genieacs.password", "", "a password", "goes with genieacs.username; better in the environment than in the file",
			func(c *Config, text string) bool { c.GenieACS.Password = linegate.Secret(text); return true }),
		key("genieacs.token", "", "a token", "for a proxy in front of GenieACS that asks for a bearer token; better in the environment than in the file",
			func(c *Config, text string) bool { c.GenieACS.Token = linegate.Secret(text); return true }),
		key("genieacs.models", "", "a folder (default: none)", "rules for models of CPE in *.yaml, tried before the shipped ones",
			func(c *Config, text string) bool { c.GenieACS.Models = text; return true }),
		durationKey("genieacs.expiry", "168h", time.Minute, 365*24*time.Hour, "1m to 8760h", "how long GenieACS keeps what waits for a CPE that is off",
			func(c *Config) *time.Duration { return &c.GenieACS.Expiry }),
	}
}

func isURL(text string) bool {
	parsed, err := url.Parse(text)
	return err == nil && parsed.Host != "" && (parsed.Scheme == "http" || parsed.Scheme == "https")
}
