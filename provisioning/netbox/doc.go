// Package netbox allocates addresses and prefixes in NetBox 3.0 to 4.7, and gives
// them back. What it allocates carries a key, so that asking again, also after a
// kill between call and answer, neither leaks nor doubles anything. It never
// touches an object that does not carry a key of ours or the subscriber's name,
// and never follows a redirect.
package netbox
