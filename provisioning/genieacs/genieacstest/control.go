package genieacstest

import (
	"fmt"
	"maps"
	"time"
)

// Why no session comes about, as the server says it in the reason phrase.
const (
	Online           = ""
	OfflineRefused   = "Device is offline"
	OfflineNoSession = "Task queued but not processed"
	OfflineLogin     = "Connection request error: Incorrect connection request credentials"
)

// SetOffline takes a CPE off the net, or with Online back.
func (s *Server) SetOffline(id, why string) {
	s.with(id, func(c *CPE) { c.offline = why })
}

// SetOfflineFor takes a CPE off the net for so many calls; with the next it is back.
func (s *Server) SetOfflineFor(id, why string, calls int) {
	s.with(id, func(c *CPE) { c.offline, c.back = why, calls })
}

// Inform makes a CPE call in by itself: it runs all that waits.
func (s *Server) Inform(id string) {
	s.with(id, s.session)
}

// RetryFaults is what the server does by itself some minutes after a fault: it
// sends what failed once more, also when the task was replaced in between.
func (s *Server) RetryFaults(id string) {
	s.with(id, func(c *CPE) {
		kept := s.faults[:0]
		for _, f := range s.faults {
			if f.device != id || s.run(c, f.provisions, map[string]bool{}) != nil {
				kept = append(kept, f)
			}
		}
		s.faults = kept
	})
}

// Change changes a parameter of a CPE, or gives it one; nil takes it away.
func (s *Server) Change(id, path string, change func(*Parameter)) {
	s.with(id, func(c *CPE) {
		switch {
		case change == nil:
			delete(c.parameters, path)
		case c.parameters[path] == nil:
			c.parameters[path] = &Parameter{Value: "", Type: "xsd:string", Writable: true}
			fallthrough
		default:
			change(c.parameters[path])
		}
	})
}

// Value is what a CPE really has; nil when it has no such parameter.
func (s *Server) Value(id, path string) (value any) {
	s.with(id, func(c *CPE) {
		if p := c.parameters[resolve(c, path)]; p != nil {
			value = p.Value
		}
	})
	return value
}

// Values are all that a CPE really has.
func (s *Server) Values(id string) map[string]any {
	values := map[string]any{}
	s.with(id, func(c *CPE) {
		for path, p := range c.parameters {
			values[path] = p.Value
		}
	})
	return values
}

// FailSets makes so many of the next sets end with an internal error of the CPE.
func (s *Server) FailSets(id string, count int) {
	s.with(id, func(c *CPE) { c.internal = count })
}

// DropSessions makes a CPE leave so many of the next sessions before it answers.
func (s *Server) DropSessions(id string, count int) {
	s.with(id, func(c *CPE) { c.drops = count })
}

// Busy makes so many deletions be refused as while a device is in a session.
func (s *Server) Busy(count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = count
}

// AddCopies adds so many devices like one, with other serials, and returns their ids.
func (s *Server) AddCopies(id string, count int) (ids []string) {
	s.with(id, func(c *CPE) {
		for i := range count {
			serial := fmt.Sprintf("COPY%08d", i)
			copied := &CPE{
				id: c.about["_OUI"] + "-" + "Copy-" + serial, about: maps.Clone(c.about),
				parameters: map[string]*Parameter{}, cache: map[string]any{},
			}
			copied.about["_SerialNumber"] = serial
			for path, p := range c.parameters {
				own := *p
				copied.parameters[path] = &own
			}
			s.devices[copied.id] = copied
			s.inform(copied)
			ids = append(ids, copied.id)
		}
	})
	return ids
}

// SetSerial gives a device another serial.
func (s *Server) SetSerial(id, serial string) {
	s.with(id, func(c *CPE) { c.about["_SerialNumber"] = serial })
}

// Pending are the tasks that wait or failed, by their uniqueKey.
func (s *Server) Pending() (keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tasks {
		keys = append(keys, fmt.Sprint(t.fields["uniqueKey"]))
	}
	return keys
}

// Failed is the number of faults.
func (s *Server) Failed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.faults)
}

// Crashes says what was sent that ends the server's process.
func (s *Server) Crashes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.crashes...)
}

// Advance moves the server's clock.
func (s *Server) Advance(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(by)
}

func (s *Server) with(id string, do func(*CPE)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cpe := s.devices[id]
	if cpe == nil {
		panic("genieacstest: no device " + id)
	}
	do(cpe)
}
