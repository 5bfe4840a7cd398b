// Package provisioning sets a subscriber's service up, changes it and takes it
// down: each workflow is one file that reads top to bottom. What was done is
// undone when a step can't be done, and a process that is killed goes on where
// it stopped. The package knows no foreign system by itself and never touches a
// packet: it speaks through the interfaces in ports.go.
package provisioning
