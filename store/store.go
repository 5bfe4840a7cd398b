// Package store is the contract between Linegate and what keeps its data. The
// engines (sqlite, postgres) fulfil it, storetest proves that they do, cache stands in
// front of them and ledger groups their commits. The package never decides
// anything about a subscriber and never sees a packet.
package store

import (
	"context"
	"net/netip"
	"time"

	"linegate"
)

// Engine keeps tenants, NAS, subscribers, sessions and the audit trail. All
// methods are safe for concurrent use and honour ctx. When the data can't be
// reached they return an error that is linegate.ErrUnavailable; a missing thing
// is linegate.ErrNotFound.
type Engine interface {
	// Lookup finds by key. Nobody is the zero Lookup, not an error.
	Lookup(ctx context.Context, key linegate.Key) (linegate.Lookup, error)
	// Subscriber returns the one with that username (in any notation of a MAC).
	Subscriber(ctx context.Context, tenant, username string) (*linegate.Subscriber, error)
	// EachSubscriber calls fn for every subscriber, in order of username, in one
	// consistent view. An empty tenant means all tenants. It keeps no more than a
	// page in memory, and stops at fn's first error and returns it.
	EachSubscriber(ctx context.Context, tenant string, fn func(*linegate.Subscriber) error) error
	// CountSubscribers counts those of a tenant, or of all when it is empty.
	CountSubscribers(ctx context.Context, tenant string) (int, error)
	Tenants(ctx context.Context) ([]linegate.Tenant, error)
	// NASes returns those of a tenant, or of all when it is empty, by tenant and name.
	NASes(ctx context.Context, tenant string) ([]linegate.NAS, error)

	// Update runs fn in one transaction that commits when fn returns nil and
	// leaves no trace otherwise. actor goes into the audit trail.
	Update(ctx context.Context, actor string, fn func(Tx) error) error

	// Audit returns what was written about a subscriber, oldest first, deleted
	// ones included.
	Audit(ctx context.Context, tenant, username string) ([]linegate.AuditEntry, error)
	// Feed returns entries with a revision above after, in order, at most limit.
	Feed(ctx context.Context, after int64, limit int) ([]linegate.AuditEntry, error)
	// Revision returns the newest revision, 0 when nothing was ever written.
	Revision(ctx context.Context) (int64, error)
	// Changed waits until somebody, in this process or another, may have written
	// after the call began, at the latest until ctx ends. It is only a hint.
	Changed(ctx context.Context) error

	// RecordAccounting makes all events durable in one transaction and updates the
	// sessions they belong to. Recording an event again changes nothing.
	RecordAccounting(ctx context.Context, events []linegate.AccountingEvent) error
	// EachSession calls fn for the sessions that the filter lets through, newest
	// start first.
	EachSession(ctx context.Context, filter SessionFilter, fn func(*linegate.Session) error) error
	// MarkStale closes the open sessions that said nothing for so many of their
	// interim intervals before now: each ends when it was last heard of, with
	// linegate.CauseStale, and a later Interim revives it. Sessions without an
	// interval are left alone. It returns how many it closed.
	MarkStale(ctx context.Context, now time.Time, intervals int) (int, error)
	// Admit decides, in one transaction that no other node's overlaps, whether a
	// subscriber with a session limit may begin one more, and holds its place for
	// Admission.Hold. See linegate.Admission for what counts.
	Admit(ctx context.Context, admission linegate.Admission) (admitted bool, err error)
	// Retain drops what is older than the retention says, a bounded amount at a
	// time, until nothing is left to drop or ctx ends.
	Retain(ctx context.Context, retention Retention) (Retained, error)
	// CountAccounting returns how many accounting events are recorded.
	CountAccounting(ctx context.Context) (int, error)
	// ActiveByVLAN counts open sessions by tenant and service VLAN.
	ActiveByVLAN(ctx context.Context) ([]VLANCount, error)

	// RecordValidations adds to the bookkeeping of Option 82 checks, in one
	// transaction. It makes no new revision. Unknown subscribers are passed over.
	RecordValidations(ctx context.Context, checks []ValidationRecord) error
	// LearnNAS keeps what was learned about a NAS; it does nothing when the NAS is
	// gone or its state is no longer Auto.
	LearnNAS(ctx context.Context, tenant, name string, learned linegate.Tristate) error

	// BeginChanges opens the journal of a change of many sessions under a key, or the
	// one there is. first is true once among all callers on all nodes; known is what
	// the first of them said that the key is for. Journals are kept for 30 days.
	BeginChanges(ctx context.Context, key, what string) (first bool, known string, err error)
	// RecordChanges notes in an open journal what became of sessions; of several
	// records of a session the last counts.
	RecordChanges(ctx context.Context, key string, done []linegate.ChangeRecord) error
	// EachChangeRecord calls fn for each session of a journal, in order of its id. A
	// key without a journal has none.
	EachChangeRecord(ctx context.Context, key string, fn func(linegate.ChangeRecord) error) error

	// ID is the store's own, made with its first migration: it tells one store from
	// another under the same address, and a restored backup from none.
	ID(ctx context.Context) (string, error)

	Close() error
}

// Tx is the writing side of an Engine, within Update. Puts normalise and
// validate what they are given, compare it with what is stored and write only
// a difference; each write makes an audit entry in the same transaction.
type Tx interface {
	// PutTenant makes or changes the tenant with that name.
	PutTenant(linegate.Tenant) (linegate.Outcome, error)
	// PutNAS makes or changes the NAS with that tenant and name. An address that
	// another NAS has, of whatever tenant, is linegate.ErrConflict; a tenant that
	// does not exist is linegate.ErrNotFound. Learned is kept from the stored NAS
	// unless secret, address or RequireMessageAuthenticator changes.
	PutNAS(linegate.NAS) (linegate.Outcome, error)
	DeleteNAS(tenant, name string) error
	// NAS returns the stored one.
	NAS(tenant, name string) (linegate.NAS, error)
	// PutSubscriber makes or changes the subscriber with that tenant and username.
	// ID, Revision and Validation of what it is given do not count.
	PutSubscriber(*linegate.Subscriber) (linegate.Outcome, error)
	// DeleteSubscriber removes softly: the name is free again, requests find
	// nobody, and the audit trail stays.
	DeleteSubscriber(tenant, username string) error
	Subscriber(tenant, username string) (*linegate.Subscriber, error)
	// Subscribers returns those of the names that exist, by
	// linegate.ComparableUsername; for a bulk, where asking one by one would be slow.
	Subscribers(tenant string, usernames []string) (map[string]*linegate.Subscriber, error)
	// PutSubscribers is PutSubscriber for many, in their order. The names must
	// differ. On an error nothing of the transaction may be committed; a
	// *BulkError says which one is at fault.
	PutSubscribers([]*linegate.Subscriber) ([]linegate.Outcome, error)
}

// BulkError says at which index of a bulk the error happened.
type BulkError struct {
	Index int
	Err   error
}

func (e *BulkError) Error() string { return e.Err.Error() }
func (e *BulkError) Unwrap() error { return e.Err }

// Retention says how long what is no longer needed is kept; a zero time keeps all.
type Retention struct {
	EventsBefore   time.Time // accounting events that happened before are dropped
	SessionsBefore time.Time // sessions that ended before are dropped; open ones never are
}

// Retained counts what a Retain dropped.
type Retained struct {
	Events   int64
	Sessions int64
}

// SessionFilter narrows a list of sessions; zero fields let everything through.
type SessionFilter struct {
	Tenant        string
	Active        bool // only open ones
	UserName      string
	NAS           string        // name
	VLAN          linegate.VLAN // service VLAN
	ID            string        // the session's own
	AcctSessionID string
	SubscriberID  string
	FramedIPv4    netip.Addr
	Limit         int // 0: no limit
}

// VLANCount is how many sessions of a tenant are open on a VLAN.
type VLANCount struct {
	Tenant string
	VLAN   linegate.VLAN
	Count  int
}

// ValidationRecord is what became of one subscriber's Option 82 checks since the
// last record.
type ValidationRecord struct {
	SubscriberID string
	LastAt       time.Time
	LastResult   linegate.Option82Result
	Mismatches   int64 // to add
}
