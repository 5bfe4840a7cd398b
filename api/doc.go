// Package api serves Linegate's HTTP side: metrics, liveness and readiness, and
// apart from them orders of provisioning. It reads what it is handed through small interfaces and
// functions, never opens a store or a socket of its own, and never shows a
// password or a secret.
package api
