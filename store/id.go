package store

import "github.com/google/uuid"

// NewID returns a fresh UUIDv7 (RFC 9562 section 5.7) in its 36-character form:
// never given twice, and ordered by the time it was made, so that an index over
// IDs grows at its end.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }
