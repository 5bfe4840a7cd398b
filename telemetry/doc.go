// Package telemetry holds what an operator sees of a running server: the
// metrics, the JSON log and the names of its events. Calls on the packet path
// wait for no output, and those that count do not allocate. The package never
// decides anything, never asks a store, and writes no password or secret.
package telemetry
