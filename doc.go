// Package linegate holds the nouns of a broadband RADIUS server: tenants, NAS,
// subscribers and their network profiles, requests, decisions, grants, sessions
// and accounting events, and every type that crosses an interface between
// packages. It does no IO and imports nothing else of Linegate.
package linegate
