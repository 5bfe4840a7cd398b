package main

import "errors"

// statusError is an error that ends the process with a status of its own.
type statusError struct {
	status int // 1 to 255
	error
}

func (e statusError) Unwrap() error { return e.error }

// exitStatus is what the process ends with: 0 for no error, 1 for one that asks
// for nothing else.
func exitStatus(err error) int {
	var wanted statusError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &wanted):
		return wanted.status
	}
	return 1
}
