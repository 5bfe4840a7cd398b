package coa

import (
	"fmt"

	"linegate"
	"linegate/radiusd/wire"
)

// outcomeOf reads a NAS's answer. uncertain tells that an earlier copy of the
// request may have been carried out without our hearing of it: a NAS that ends the
// session and is asked again then knows of none (RFC 5176 section 3.5, 503). spoken
// is the name of the NAS's dialect.
func outcomeOf(answer wire.Packet, uncertain bool, spoken string) linegate.ChangeOutcome {
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
	return linegate.ChangeOutcome{Result: linegate.ChangeRefused, Cause: cause, Detail: explain(cause, spoken)}
}

// errorCause returns the first Error-Cause, 0 when there is none that can be read.
func errorCause(answer wire.Packet) linegate.ErrorCause {
	cause, _ := wire.Uint32(answer.Find(wire.ErrorCause))
	return linegate.ErrorCause(cause)
}

// explain says what a NAK means to whoever has to do something about it.
func explain(cause linegate.ErrorCause, spoken string) string {
	switch {
	case cause == 0:
		return "the NAS does not say why"
	case cause.BlamesDialect():
		return fmt.Sprintf("the NAS does not take what the dialect %s says: it is the wrong dialect for this NAS, or the NAS is not set up for this", spoken)
	case cause.Unsupported():
		return "the NAS can't do this"
	case cause.Temporary():
		return "not now: the same request may succeed later"
	case cause == linegate.CauseContextNotFound:
		return "the session has ended, or the NAS knows it by other attributes than the dialect sends"
	case cause == linegate.CauseNASMismatch:
		return "the NAS takes the request to be for another one: its address or name is another than in its accounting"
	}
	return ""
}
