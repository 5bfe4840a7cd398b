// Package genieacs sets the WAN side of subscribers' CPE through the northbound
// interface of GenieACS (1.2). Which parameters a model has is data: rules in YAML.
// It believes a value when the device itself has said it in a session of its own,
// never because the server answered OK. It sends nothing that was not validated: an
// invalid task ends the server's process. It never touches the connection that the
// device is managed through, unless the rule allows it.
package genieacs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"linegate"
)

// Config says where GenieACS is and how to speak to it. Zero fields have the
// defaults that stand beside them.
type Config struct {
	URL string // of the northbound interface, http or https, with or without a path
	// GenieACS itself asks for nothing; a proxy in front of it may. Either a token
	// or a name with a password.
	Username string
	Password linegate.Secret
	Token    linegate.Secret

	Models string        // folder with rules of the operator, tried before ours; empty: none
	Call   time.Duration // one request; default 200 s: the server may wait for a lock, the CPE and its session
	Answer time.Duration // how long the server waits for a CPE that was called; default 4 s, its own default
	Expiry time.Duration // how long what waits for a CPE is kept; default 7 days

	Transport http.RoundTripper // default http.DefaultTransport
	Logger    *slog.Logger      // default: nothing is logged
	// After is for the pause before a CPE that is busy is asked again; default time.After.
	After func(time.Duration) <-chan time.Time
}

// Client sets parameters of CPE. It is safe for concurrent use, but not for one
// device at the same time.
type Client struct {
	config Config
	nbi    nbi
	rules  []Rule
}

// Open reads the rules and returns a client. It asks the server nothing yet.
func Open(config Config) (*Client, error) {
	base, err := url.Parse(config.URL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("genieacs url: %q is not allowed: an http or https URL", config.URL)
	}
	config = config.withDefaults()
	rules, err := LoadRules(config.Models)
	if err != nil {
		return nil, err
	}
	return &Client{config: config, rules: rules, nbi: newNBI(config, deviceInfo(rules))}, nil
}

func (c Config) withDefaults() Config {
	setDefault(&c.Call, 200*time.Second)
	setDefault(&c.Answer, 4*time.Second)
	setDefault(&c.Expiry, 7*24*time.Hour)
	c.URL = strings.TrimRight(c.URL, "/")
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.After == nil {
		c.After = time.After
	}
	return c
}

func setDefault(field *time.Duration, value time.Duration) {
	if *field == 0 {
		*field = value
	}
}

// work is what is to be done on one device.
type work struct {
	service  string
	device   device
	rule     *Rule
	writes   []write
	warnings []string
}

func (w *work) result(state linegate.CPEState, detail string) linegate.CPEResult {
	return linegate.CPEResult{State: state, Device: w.device.ID, Warnings: w.warnings, Detail: detail}
}

// Plan says what Apply would write and changes nothing. A device that is not known
// is linegate.ErrNotFound; one whose rule has no path for what is required is
// linegate.ErrUnsupported.
func (c *Client) Plan(ctx context.Context, wanted linegate.CPESettings) (linegate.CPEPlan, error) {
	w, err := c.prepare(ctx, &wanted)
	if err != nil {
		return linegate.CPEPlan{}, cpeError(&wanted, err)
	}
	plan := linegate.CPEPlan{Device: w.device.ID, Model: w.rule.Name, Warnings: w.warnings}
	for _, item := range w.writes {
		plan.Writes = append(plan.Writes, item.shown())
	}
	return plan, nil
}

// Apply writes the settings in one session and reads them back in another. What an
// earlier call left waiting is deleted first: the server would send it once more.
func (c *Client) Apply(ctx context.Context, wanted linegate.CPESettings) (linegate.CPEResult, error) {
	w, err := c.prepare(ctx, &wanted)
	if err != nil {
		return linegate.CPEResult{}, cpeError(&wanted, err)
	}
	result, err := c.apply(ctx, w)
	if err != nil {
		return linegate.CPEResult{}, cpeError(&wanted, err)
	}
	for _, warning := range w.warnings {
		c.config.Logger.LogAttrs(ctx, slog.LevelWarn, warning, slog.String("event", EventCPEWarning),
			slog.String("service_id", w.service), slog.String("device", w.device.ID))
	}
	return result, nil
}

// EventCPEWarning is logged when a CPE can't do all that was wanted of it.
const EventCPEWarning = "cpe_warning"

func (c *Client) apply(ctx context.Context, w *work) (linegate.CPEResult, error) {
	if err := c.clear(ctx, w); err != nil {
		return linegate.CPEResult{}, err
	}
	if len(w.writes) == 0 {
		return w.result(linegate.CPEApplied, "nothing to set"), nil
	}
	waits, err := c.set(ctx, w)
	if err != nil || waits != "" {
		return w.result(linegate.CPEWaiting, waits), err
	}
	result, err := c.confirm(ctx, w)
	if final(err) {
		return result, c.takeBack(ctx, w, err)
	}
	return result, unknown(err)
}

// final reports whether the device will say the same again.
func final(err error) bool {
	return errors.Is(err, linegate.ErrUnsupported) || errors.Is(err, linegate.ErrRefused)
}

// unknown is for what failed after something was changed: the kind of the error
// would say that nothing was done.
func unknown(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", linegate.ErrOutcomeUnknown, err)
}

// set sends the values, at most 32 in a task: as many go into one message to the
// CPE, which takes all of them or none. waits says why they wait; empty: they were sent.
func (c *Client) set(ctx context.Context, w *work) (waits string, err error) {
	for i, part := range parts(w.writes) {
		task := provisionsTask(w.service, i, part, c.config.Expiry)
		if waits != "" {
			err = c.nbi.queue(ctx, w.device.ID, task) // in order, behind the one that waits
		} else {
			waits, err = c.run(ctx, w, task)
		}
		switch {
		case err == nil:
		case i == 0:
			return "", err
		case final(err):
			return "", c.takeBack(ctx, w, err)
		default:
			return "", unknown(err)
		}
	}
	return waits, nil
}

// run sends a task and calls the CPE. It deletes a task that the CPE refused, which
// would be tried again by itself and put old values over new ones.
func (c *Client) run(ctx context.Context, w *work, task task) (waits string, err error) {
	done, err := c.nbi.post(ctx, w.device.ID, task, c.config.Answer)
	if err != nil || done.ran {
		return "", err
	}
	failed, err := c.nbi.faultOf(ctx, w.device.ID, done.id)
	if err != nil {
		return "", unknown(err)
	}
	if failed != nil {
		return "", c.discard(ctx, done.id, failed)
	}
	pending, err := c.nbi.tasks(ctx, w.device.ID, w.service)
	if err != nil {
		return "", unknown(err)
	}
	if !has(pending, done.id) {
		return "", nil // it ran while the answer was on its way
	}
	return done.why, nil
}

// confirm makes the CPE tell its values in a session of their own and compares.
func (c *Client) confirm(ctx context.Context, w *work) (linegate.CPEResult, error) {
	names := readable(w.writes)
	if len(names) == 0 {
		return w.result(linegate.CPEApplied, "sent; nothing of it can be read back"), nil
	}
	task := readTask(w.service, names, c.config.Expiry)
	done, err := c.nbi.post(ctx, w.device.ID, task, c.config.Answer)
	if err != nil {
		return linegate.CPEResult{}, err
	}
	if !done.ran {
		if err := c.deleteTask(ctx, done.id); err != nil {
			return linegate.CPEResult{}, err
		}
		return w.result(linegate.CPEWaiting, "sent, and not read back yet: "+done.why), nil
	}
	tree, err := c.nbi.parameters(ctx, w.device.ID, names)
	if err != nil {
		return linegate.CPEResult{}, err
	}
	if err := compare(tree, w.writes, done.at); err != nil {
		return linegate.CPEResult{}, err
	}
	return w.result(linegate.CPEApplied, fmt.Sprintf("%d values read back from the device", len(names))), nil
}

// Await looks how settings that wait stand. It calls the CPE; what waits is sent
// with the session that it opens then.
func (c *Client) Await(ctx context.Context, wanted linegate.CPESettings) (linegate.CPEResult, error) {
	w, err := c.prepare(ctx, &wanted)
	if err != nil {
		return linegate.CPEResult{}, cpeError(&wanted, err)
	}
	result, err := c.await(ctx, w)
	if err != nil {
		return linegate.CPEResult{}, cpeError(&wanted, err)
	}
	return result, nil
}

func (c *Client) await(ctx context.Context, w *work) (linegate.CPEResult, error) {
	pending, err := c.nbi.tasks(ctx, w.device.ID, w.service)
	if err != nil {
		return linegate.CPEResult{}, err
	}
	for _, task := range pending {
		failed, err := c.nbi.faultOf(ctx, w.device.ID, task.ID)
		if err != nil {
			return linegate.CPEResult{}, err
		}
		if failed != nil {
			return linegate.CPEResult{}, c.discard(ctx, task.ID, failed)
		}
	}
	if len(pending) > 0 {
		if err := c.nbi.call(ctx, w.device.ID); err != nil {
			return linegate.CPEResult{}, err
		}
		return w.result(linegate.CPEWaiting, "waits for the next inform of the device"), nil
	}
	return c.confirm(ctx, w)
}

// Remove deletes what waits and writes what the rule calls the unprovisioned state.
// A device that nobody knows any more has nothing to be taken back.
func (c *Client) Remove(ctx context.Context, settings linegate.CPESettings) (linegate.CPEResult, error) {
	found, rule, err := c.identify(ctx, &settings)
	if errors.Is(err, linegate.ErrNotFound) {
		return linegate.CPEResult{State: linegate.CPEApplied, Detail: "the device is not known"}, nil
	}
	if err != nil {
		return linegate.CPEResult{}, cpeError(&settings, err)
	}
	w := &work{service: settings.ServiceID, device: found, rule: rule, writes: rule.reset(&settings)}
	result, err := c.apply(ctx, w)
	if err != nil {
		return linegate.CPEResult{}, cpeError(&settings, err)
	}
	return result, nil
}

// takeBack puts the unprovisioned state where only a part of the settings is in
// force, and returns why.
func (c *Client) takeBack(ctx context.Context, w *work, cause error) error {
	back := w.rule.resetOf(w.writes)
	if len(back) == 0 {
		return cause
	}
	task := provisionsTask(w.service, 0, back[:min(len(back), perMessage)], c.config.Expiry)
	if _, err := c.run(ctx, w, task); err != nil {
		return fmt.Errorf("%w: %s; taking back: %s", linegate.ErrOutcomeUnknown, cause, err)
	}
	return cause
}

// clear deletes tasks of the service, and faults of anybody's tasks that would
// write the same parameters again later.
func (c *Client) clear(ctx context.Context, w *work) error {
	pending, err := c.nbi.tasks(ctx, w.device.ID, w.service)
	if err != nil {
		return err
	}
	for _, task := range pending {
		if err := c.deleteTask(ctx, task.ID); err != nil {
			return err
		}
	}
	faults, err := c.nbi.faults(ctx, w.device.ID)
	if err != nil {
		return err
	}
	for _, fault := range faults {
		if fault.writes(w.writes) {
			if err := c.again(ctx, func() error { return c.nbi.deleteFault(ctx, fault.ID) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// discard deletes a task that failed and returns why it did.
func (c *Client) discard(ctx context.Context, task string, failed *fault) error {
	if err := c.deleteTask(ctx, task); err != nil {
		return fmt.Errorf("%w: %s; the task stays: %s", linegate.ErrOutcomeUnknown, failed.err(), err)
	}
	return failed.err()
}

func (c *Client) deleteTask(ctx context.Context, id string) error {
	return c.again(ctx, func() error { return c.nbi.deleteTask(ctx, id) })
}

// again repeats what the server refuses while the CPE is in a session.
func (c *Client) again(ctx context.Context, do func() error) error {
	const tries = 5
	for try := 1; ; try++ {
		err := do()
		if !errors.Is(err, errInSession) || try == tries {
			return err
		}
		select {
		case <-c.config.After(time.Duration(try) * time.Second):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", linegate.ErrTryAgain, ctx.Err())
		}
	}
}

// prepare finds the device and its rule, and makes the writes.
func (c *Client) prepare(ctx context.Context, wanted *linegate.CPESettings) (*work, error) {
	found, rule, err := c.identify(ctx, wanted)
	if err != nil {
		return nil, err
	}
	w := &work{service: wanted.ServiceID, device: found, rule: rule}
	w.writes, w.warnings, err = rule.writes(wanted)
	if err != nil {
		return nil, err
	}
	return w, rule.guard(&found, w.writes)
}

func (c *Client) identify(ctx context.Context, wanted *linegate.CPESettings) (device, *Rule, error) {
	if err := validate(wanted); err != nil {
		return device{}, nil, err
	}
	found, err := c.nbi.find(ctx, wanted.Device)
	if err != nil {
		return device{}, nil, err
	}
	for i := range c.rules {
		if c.rules[i].matches(&found) {
			return found, &c.rules[i], nil
		}
	}
	return device{}, nil, fmt.Errorf("%w: no rule for model %q of OUI %s", linegate.ErrUnsupported, found.model(), found.OUI)
}

func cpeError(settings *linegate.CPESettings, err error) error {
	return fmt.Errorf("cpe %s: %w", settings.Device, err)
}
