// Package volthatest stands in for VOLTHA in tests: a core with its flow and meter
// tables (Core) and the REST interface of a controller (VGC). Both behave as the
// recorded exchanges in testdata/peers/voltha, refuse what the real ones refuse,
// keep state, and fail on demand. Nothing but tests imports it.
package volthatest
