package linegate

import (
	"regexp"
	"strconv"
	"strings"
)

// CredentialKind is how a subscriber's password is held.
type CredentialKind string

const (
	CredentialNone      CredentialKind = ""          // IPoE: the line alone identifies
	CredentialCleartext CredentialKind = "cleartext" // any method; sealed at rest
	CredentialBcrypt    CredentialKind = "bcrypt"    // PAP only
	CredentialArgon2id  CredentialKind = "argon2id"  // PAP only
)

// Credential is a subscriber's stored password.
type Credential struct {
	Kind  CredentialKind
	Value Secret // the password, or the hash in its usual text form
}

// Hashed reports whether only a slow one-way check is possible.
func (c Credential) Hashed() bool {
	return c.Kind == CredentialBcrypt || c.Kind == CredentialArgon2id
}

var (
	bcryptRule = regexp.MustCompile(`^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$`)
	argon2Rule = regexp.MustCompile(`^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}$`)
)

// damagedHash is how hashes begin that people store, whole or cut.
var damagedHash = regexp.MustCompile(`^\$(2[abxy]?|argon2(id?|d)|[156y]|scrypt|pbkdf2[^$]*)\$`)

// Limits on stored hashes, so that one subscriber can't stall the server.
const (
	maxBcryptCost   = 14
	maxArgon2Memory = 256 * 1024 // KiB
	maxArgon2Passes = 10
	maxPassword     = 128 // octets, as User-Password carries (RFC 2865 section 5.2)
)

// ParseCredential recognises a bcrypt or argon2id hash by its form and takes
// everything else as the password itself; empty is CredentialNone. A password
// that looks like a hash is given as {cleartext}PASSWORD.
func ParseCredential(text string) (Credential, error) {
	if text == "" {
		return Credential{}, nil
	}
	if cost := bcryptRule.FindStringSubmatch(text); cost != nil {
		if atoi(cost[1]) < 4 || atoi(cost[1]) > maxBcryptCost {
			return Credential{}, &FieldError{Field: "password", Value: "bcrypt cost " + cost[1], Allowed: "cost 4 to 14"}
		}
		return Credential{Kind: CredentialBcrypt, Value: Secret(text)}, nil
	}
	if parts := argon2Rule.FindStringSubmatch(text); parts != nil {
		memory, passes, lanes := atoi(parts[1]), atoi(parts[2]), atoi(parts[3])
		if memory < 8*lanes || memory > maxArgon2Memory || passes < 1 || passes > maxArgon2Passes || lanes < 1 || lanes > 16 {
			return Credential{}, &FieldError{Field: "password", Value: "argon2id m=" + parts[1] + ",t=" + parts[2] + ",p=" + parts[3],
				Allowed: "m 8·p to 262144 KiB, t 1 to 10, p 1 to 16"}
		}
		return Credential{Kind: CredentialArgon2id, Value: Secret(text)}, nil
	}
	if damagedHash.MatchString(text) {
		return Credential{}, &FieldError{Field: "password", Value: redacted,
			Allowed: "a whole bcrypt or argon2id hash; for a password that only looks like one, {cleartext}PASSWORD"}
	}
	password := strings.TrimPrefix(text, "{cleartext}")
	if len(password) == 0 || len(password) > maxPassword {
		return Credential{}, &FieldError{Field: "password", Value: redacted, Allowed: "1 to 128 octets"}
	}
	return Credential{Kind: CredentialCleartext, Value: Secret(password)}, nil
}

// atoi is for digits that a pattern has already bounded.
func atoi(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}
