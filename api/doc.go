// Package api serves Linegate's HTTP side: metrics, liveness and readiness now,
// the admin API later. It reads what it is handed through small interfaces and
// functions, never opens a store or a socket of its own, and never shows a
// password or a secret.
package api
