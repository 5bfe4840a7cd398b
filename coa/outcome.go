package coa

import (
	"fmt"

	"linegate"
	"linegate/radiusd/wire"
)

// outcomeOf reads a NAS's answer. uncertain tells that an earlier copy of the
// request may have been carried out without our hearing of it: a NAS that ends the
// session and is asked again then knows of none (RFC 5176 section 3.5, 503).
func outcomeOf(answer wire.Packet, uncertain bool) linegate.ChangeOutcome {
	cause := errorCause(answer)
	switch answer.Code() {
	case wire.DisconnectACK:
		if cause == linegate.CauseContextRemoved {
			return linegate.ChangeOutcome{Result: linegate.ChangeGone, Cause: cause, Detail: "the session had ended before; the NAS removed what was left of it"}
		}
		return linegate.ChangeOutcome{Result: linegate.ChangeAcked}
	case wire.CoAACK:
		return linegate.ChangeOutcome{Result: linegate.ChangeAcked}
	case wire.DisconnectNAK:
		if cause == linegate.CauseContextNotFound && uncertain {
			return linegate.ChangeOutcome{Result: linegate.ChangeGone, Cause: cause, Detail: "an earlier copy of the request ended the session"}
		}
	}
	return linegate.ChangeOutcome{Result: linegate.ChangeRefused, Cause: cause, Detail: explain(cause)}
}

// errorCause returns the first Error-Cause, 0 when there is none that can be read.
func errorCause(answer wire.Packet) linegate.ErrorCause {
	cause, _ := wire.Uint32(answer.Find(wire.ErrorCause))
	return linegate.ErrorCause(cause)
}

// explain says what a NAK means to whoever has to do something about it.
func explain(cause linegate.ErrorCause) string {
	switch {
	case cause == 0:
		return "the NAS says no and does not say why"
	case cause.BlamesDialect():
		return fmt.Sprintf("%s: the NAS does not take what the dialect says; it is the wrong dialect for this NAS, or the NAS is not set up for this", cause)
	case cause.Unsupported():
		return fmt.Sprintf("%s: the NAS can't do this", cause)
	case cause.Temporary():
		return fmt.Sprintf("%s: not now; the same request may succeed later", cause)
	case cause == linegate.CauseContextNotFound:
		return fmt.Sprintf("%s: the session has ended, or the NAS knows it by other attributes than the dialect sends", cause)
	case cause == linegate.CauseNASMismatch:
		return fmt.Sprintf("%s: the NAS takes the request to be for another one: its address or name is another than in its accounting", cause)
	}
	return cause.String()
}
