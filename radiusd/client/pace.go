package client

import "time"

// Pace is when new work begins, on all sockets together.
type Pace struct {
	Rate     float64       // a second; 0: as fast as the servers answer
	Duration time.Duration // after which nothing new begins
}

// pacer is one socket's part of a pace: the n-th piece of work of all is due at n
// divided by the rate, and belongs to the socket whose turn it is.
type pacer struct {
	Pace
	turn, sockets int // turn grows by the number of sockets with each piece
}

// next returns when the socket's next piece is due. What was due and could not
// begin, because nothing was answered, does not begin any more after the end.
func (p *pacer) next(elapsed time.Duration) time.Duration {
	if p.Rate == 0 {
		if elapsed >= p.Duration {
			return Never
		}
		return Now
	}
	due := time.Duration(float64(p.turn) / p.Rate * float64(time.Second))
	if due >= p.Duration || elapsed >= p.Duration+tick {
		return Never
	}
	return due
}

// take begins the piece that is due and returns its number among all sockets'.
func (p *pacer) take() int {
	number := p.turn
	p.turn += p.sockets
	return number
}
