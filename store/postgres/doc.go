// Package postgres keeps Linegate's data in a PostgreSQL that many nodes share,
// version 13 or later; its replication and fail-over are PostgreSQL's own. It never
// decides anything about a subscriber, and never writes a password or a shared
// secret in clear.
//
// What waits for what: writers of Update go one after another, so that revisions
// commit in their order; batches of accounting go one after another for each NAS;
// admissions go one after another for each subscriber. Nothing else waits for a lock,
// and locks are taken in one order, so that nodes never block each other for good.
package postgres
