package telemetry

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"linegate"
)

// Limits on packet_dropped lines, so that a flood of bad packets floods neither
// the log nor the memory.
const (
	dropLogInterval = 10 * time.Second
	dropLogSources  = 1024 // pairs of reason and source told apart; the rest share one line per reason
)

// DropLog writes a packet_dropped line for the first packet of a reason and
// source address, and then at most one in ten seconds, with the number of
// packets that got no line in between. Safe for concurrent use.
type DropLog struct {
	logger *slog.Logger
	now    func() time.Time

	mu      sync.Mutex
	windows map[dropKey]*dropWindow
	swept   time.Time // when windows that had ended were last forgotten
}

// dropKey has the zero address for what all other sources share.
type dropKey struct {
	reason Drop
	source netip.Addr
}

type dropWindow struct {
	ends       time.Time
	suppressed int
}

// NewDropLog returns a DropLog that takes the time from now.
func NewDropLog(logger *slog.Logger, now func() time.Time) *DropLog {
	return &DropLog{logger: logger, now: now, windows: map[dropKey]*dropWindow{}}
}

// Dropped writes the event, or counts it for the next line. source is zero when
// there is none, nas is nil when the source is no known NAS, cause may be nil.
func (d *DropLog) Dropped(ctx context.Context, reason Drop, source netip.AddrPort, nas *linegate.NAS, cause error) {
	suppressed, due := d.admit(dropKey{reason, source.Addr()})
	if !due {
		return
	}
	attrs := []slog.Attr{
		slog.String("reason", string(reason)),
		slog.Int("suppressed", suppressed),
	}
	if source.IsValid() {
		attrs = append(attrs, slog.String("source", source.String()))
	}
	if nas != nil {
		attrs = append(attrs, slog.String("tenant_id", nas.Tenant), slog.String("nas", nas.Name))
	}
	if cause != nil {
		attrs = append(attrs, slog.String("cause", cause.Error()))
	}
	log(ctx, d.logger, slog.LevelWarn, EventPacketDropped, attrs...)
}

// admit reports whether a line is due, and how many packets it stands for
// beside its own.
func (d *DropLog) admit(key dropKey) (suppressed int, due bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	window := d.window(key, now)
	if now.Before(window.ends) {
		window.suppressed++
		return 0, false
	}
	suppressed = window.suppressed
	*window = dropWindow{ends: now.Add(dropLogInterval)}
	return suppressed, true
}

// window finds or makes the window of a key; when there are too many, the one
// that its reason shares.
func (d *DropLog) window(key dropKey, now time.Time) *dropWindow {
	if window, known := d.windows[key]; known {
		return window
	}
	if len(d.windows) >= dropLogSources {
		d.sweep(now)
	}
	if len(d.windows) >= dropLogSources {
		key = dropKey{reason: key.reason}
	}
	return d.ensure(key)
}

// ensure returns the key's window, a new one when there is none.
func (d *DropLog) ensure(key dropKey) *dropWindow {
	window, known := d.windows[key]
	if !known {
		window = &dropWindow{}
		d.windows[key] = window
	}
	return window
}

// sweep forgets the windows that have ended, at most once in their length. What
// they suppressed goes to the line that their reason shares.
func (d *DropLog) sweep(now time.Time) {
	if now.Sub(d.swept) < dropLogInterval {
		return
	}
	d.swept = now
	for key, window := range d.windows {
		if now.Before(window.ends) || !key.source.IsValid() {
			continue
		}
		delete(d.windows, key)
		if window.suppressed > 0 {
			d.ensure(dropKey{reason: key.reason}).suppressed += window.suppressed
		}
	}
}
