// Package volthapb is the generated code of voltha.proto, the part of VOLTHA's
// northbound API that provisioning needs. `make generate` makes it; nobody edits
// it, and it decides nothing.
package volthapb
