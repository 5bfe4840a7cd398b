package netbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"linegate"
)

// Options are what a Client needs; zero fields have the defaults named.
type Options struct {
	URL   string // of NetBox, without /api
	Token linegate.Secret
	Pools []Pool
	// Field is the custom field that holds keys, SubscriberField the one that holds
	// whose an object is, Tag the slug that all objects of ours carry; linegate_key,
	// linegate_subscriber, linegate.
	Field           string
	SubscriberField string
	Tag             string
	// Timeout is that of one request; 130 s, since NetBox itself gives up after 120 s.
	Timeout time.Duration
	// Concurrency is how many requests are under way at a time; 4: NetBox makes all
	// allocations of a kind one after the other.
	Concurrency int
	Transport   http.RoundTripper // nil: http.DefaultTransport
	// Observe is told of every finished request, by the name of what was asked; nil:
	// nobody is told. It must not block.
	Observe func(call string, took time.Duration, err error)
}

// Pool is a parent that addresses or prefixes are taken from. A tenant's pools of
// a slot are tried in their order, then those of all tenants.
type Pool struct {
	Tenant string // empty: of all tenants
	Slot   linegate.AddressSlot
	Prefix netip.Prefix
	VRF    string // name; empty: the global table
	Length int    // of the prefixes that the pool is for; for its gauges
}

// Client speaks to one NetBox. It is safe for concurrent use.
type Client struct {
	options Options
	base    string
	http    *http.Client
	slots   chan struct{}
	keys    keyed

	mu    sync.Mutex
	ready *server // nil until the server was looked at
}

// server is what was found out about the server.
type server struct {
	version version
	unique  bool // a key is refused the second time by the server itself
	parents map[Pool]int64
}

// New returns a client; it asks nothing yet.
func New(options Options) (*Client, error) {
	at, err := url.Parse(options.URL)
	if err != nil || at.Host == "" || (at.Scheme != "http" && at.Scheme != "https") {
		return nil, &linegate.FieldError{Field: "url", Value: options.URL, Allowed: "http://HOST or https://HOST, without /api"}
	}
	orElse(&options.Field, "linegate_key")
	orElse(&options.SubscriberField, "linegate_subscriber")
	orElse(&options.Tag, "linegate")
	orElse(&options.Timeout, 130*time.Second)
	orElse(&options.Concurrency, 4)
	return &Client{
		options: options, base: strings.TrimSuffix(options.URL, "/"), slots: make(chan struct{}, options.Concurrency),
		// A redirect from http to https would turn a POST into a GET.
		http: &http.Client{Transport: options.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

func orElse[T comparable](field *T, fallback T) {
	var zero T
	if *field == zero {
		*field = fallback
	}
}

// keepOfError is how much of an error's body is read: a proxy's page may be long.
const keepOfError = 2 << 10

// mostOfReply bounds what a reply may hold.
const mostOfReply = 32 << 20

// reply is what the server said.
type reply struct {
	status int
	etag   string
	body   []byte
}

// call is one request. Path has a trailing slash: without, a write is redirected or
// not found.
type call struct {
	method  string
	path    string
	query   url.Values
	body    any
	ifMatch string
}

// do makes a request and puts what went wrong into linegate's words. into may be nil.
func (c *Client) do(ctx context.Context, ask call, into any) (reply, error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return reply{}, fmt.Errorf("%w: %w", linegate.ErrTryAgain, context.Cause(ctx))
	}
	began := time.Now()
	answer, err := c.exchange(ctx, ask)
	<-c.slots
	if err == nil {
		err = ask.verdict(answer)
	}
	if err == nil && into != nil && answer.status != http.StatusNoContent {
		if err = json.Unmarshal(answer.body, into); err != nil {
			err = fmt.Errorf("%w: the reply is not what an API says: %w", linegate.ErrOutcomeUnknown, err)
		}
	}
	if c.options.Observe != nil {
		c.options.Observe(ask.name(), time.Since(began), err)
	}
	if err != nil {
		err = fmt.Errorf("netbox: %s %s: %w", ask.method, ask.path, err)
	}
	return answer, err
}

// name is the call without ids, for metrics.
func (k call) name() string {
	parts := strings.Split(strings.Trim(strings.TrimPrefix(k.path, "/api/"), "/"), "/")
	for i, part := range parts {
		if strings.Trim(part, "0123456789") == "" {
			parts[i] = "id"
		}
	}
	return k.method + " " + strings.Join(parts, "/")
}

func (c *Client) exchange(ctx context.Context, ask call) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	request, err := c.request(ctx, ask)
	if err != nil {
		return reply{}, err
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return reply{}, ask.unanswered(err)
	}
	defer answer.Body.Close()
	limit := int64(mostOfReply)
	if answer.StatusCode >= 400 {
		limit = keepOfError
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, limit))
	if err != nil {
		return reply{}, ask.unanswered(err)
	}
	return reply{answer.StatusCode, answer.Header.Get("ETag"), body}, nil
}

func (c *Client) request(ctx context.Context, ask call) (*http.Request, error) {
	var body io.Reader
	if ask.body != nil {
		text, err := json.Marshal(ask.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	at := c.base + ask.path
	if len(ask.query) > 0 {
		at += "?" + ask.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, ask.method, at, body)
	if err != nil {
		return nil, err
	}
	request.GetBody = nil // a request that may have been read is never sent again
	request.Header.Set("Authorization", authorization(c.options.Token.Reveal()))
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if ask.ifMatch != "" {
		request.Header.Set("If-Match", ask.ifMatch)
	}
	return request, nil
}

// authorization writes a token of version 1, or one of version 2 (NetBox 4.5).
func authorization(token string) string {
	if strings.HasPrefix(token, "nbt_") {
		return "Bearer " + token
	}
	return "Token " + token
}

// unanswered tells whether a request without an answer may have been carried out.
func (k call) unanswered(err error) error {
	var op *net.OpError
	if k.method == http.MethodGet || errors.As(err, &op) && op.Op == "dial" {
		return fmt.Errorf("%w: %w", linegate.ErrTryAgain, err)
	}
	return fmt.Errorf("%w: %w", linegate.ErrOutcomeUnknown, err)
}

// verdict puts a status into linegate's words.
func (k call) verdict(answer reply) error {
	var kind error
	switch status := answer.status; {
	case status >= 200 && status < 300:
		return nil
	case status >= 300 && status < 400:
		kind = linegate.ErrRefused
		answer.body = []byte("redirected: give the URL that NetBox itself has, with its scheme")
	case status == http.StatusNotFound:
		kind = linegate.ErrNotFound
	case status == http.StatusPreconditionFailed:
		kind = errChanged
	case status == http.StatusConflict && k.allocates():
		kind = linegate.ErrExhausted
	case status == http.StatusTooManyRequests, status >= 500 && k.method == http.MethodGet:
		kind = linegate.ErrTryAgain
	case status >= 500, status == http.StatusRequestTimeout:
		kind = linegate.ErrOutcomeUnknown
	default:
		kind = linegate.ErrRefused
	}
	return fmt.Errorf("%w: status %d: %s", kind, answer.status, said(answer.body))
}

// errChanged: somebody changed the object since it was read.
var errChanged = fmt.Errorf("changed meanwhile: %w", linegate.ErrTryAgain)

// allocates reports whether the call is one of those that find what is free.
func (k call) allocates() bool {
	return k.method == http.MethodPost && strings.Contains(k.path, "/available-")
}

// said is the server's reason in one line: an object, a list of them, or a
// proxy's page.
func said(body []byte) string {
	text := strings.Join(strings.Fields(string(body)), " ")
	if text == "" {
		return "no reason given"
	}
	return text
}

// list calls fn for every object of a list. It pages by itself: what the server
// names as the next page holds the server's idea of its own name.
func list[T any](ctx context.Context, c *Client, path string, query url.Values, fn func(T) error) error {
	for offset := 0; ; {
		query.Set("limit", "500")
		query.Set("offset", fmt.Sprint(offset))
		var page struct {
			Count   int `json:"count"`
			Results []T `json:"results"`
		}
		if _, err := c.do(ctx, call{method: http.MethodGet, path: path, query: query}, &page); err != nil {
			return err
		}
		for _, object := range page.Results {
			if err := fn(object); err != nil {
				return err
			}
		}
		offset += len(page.Results)
		if len(page.Results) == 0 || offset >= page.Count {
			return nil
		}
	}
}

// keyed is a mutex for each key. The zero value is ready to use.
type keyed struct {
	mu    sync.Mutex
	taken map[string]chan struct{}
}

// take waits for the key and returns what gives it back.
func (k *keyed) take(ctx context.Context, key string) (func(), error) {
	for {
		k.mu.Lock()
		if k.taken == nil {
			k.taken = map[string]chan struct{}{}
		}
		other, busy := k.taken[key]
		if !busy {
			done := make(chan struct{})
			k.taken[key] = done
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				defer k.mu.Unlock()
				delete(k.taken, key)
				close(done)
			}, nil
		}
		k.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", linegate.ErrTryAgain, context.Cause(ctx))
		}
	}
}
