package linegate

// Secret is text that must never be printed: a shared secret or a cleartext
// password. Every formatter and encoder sees a placeholder instead.
type Secret string

const redacted = "(hidden)"

func (s Secret) String() string               { return redacted }
func (s Secret) GoString() string             { return redacted }
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Reveal returns the secret itself, for signing, sealing and comparing.
func (s Secret) Reveal() string { return string(s) }
