package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"linegate"
)

// Orders takes orders and tells how they stand.
type Orders interface {
	Submit(ctx context.Context, order linegate.Order) (id string, err error)
	List(ctx context.Context, tenant string, limit int) ([]linegate.OrderStanding, error)
	Show(ctx context.Context, id string) (linegate.OrderStanding, error)
	Retry(ctx context.Context, id string) error
	Cancel(ctx context.Context, id string) error
	GiveUp(ctx context.Context, id string) error
}

// Prefixes delegates prefixes.
type Prefixes interface {
	AllocatePrefix(ctx context.Context, claim linegate.AddressClaim) (linegate.Allocation, error)
}

const (
	mostOfBody = 1 << 20 // octets of a request
	mostOrders = 1000    // of one list
)

// requestLimit is how long a request may take, within what Serve allows for writing
// the answer. What takes longer is asked again under the same key.
const requestLimit = 25 * time.Second

// NewProvisioningHandler returns the routes of orders and of prefix delegation. It
// knows no user: whoever mounts it puts RequireToken in front. Every answer is JSON,
// an error {"error": "in words"}.
//
//	POST /api/netbox/allocate-ipv6-prefix
//	POST /api/provisioning/orders          202 with the order's id
//	GET  /api/provisioning/orders          newest first; ?tenant=
//	GET  /api/provisioning/orders/TENANT/KEY
//	POST /api/provisioning/orders/TENANT/KEY/{retry,cancel,give-up}
func NewProvisioningHandler(orders Orders, prefixes Prefixes) http.Handler {
	h := &provisioningHandler{orders, prefixes}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/netbox/allocate-ipv6-prefix", h.allocatePrefix)
	mux.HandleFunc("POST /api/provisioning/orders", h.submit)
	mux.HandleFunc("GET /api/provisioning/orders", h.list)
	mux.HandleFunc("GET /api/provisioning/orders/{tenant}/{key}", h.show)
	mux.HandleFunc("POST /api/provisioning/orders/{tenant}/{key}/{decision}", h.decide)
	mux.HandleFunc("/", noRoute)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestLimit)
		defer cancel()
		mux.ServeHTTP(w, r.WithContext(ctx))
	})
}

func noRoute(w http.ResponseWriter, r *http.Request) {
	failed(w, http.StatusNotFound, "there is no "+r.Method+" "+r.URL.Path)
}

type provisioningHandler struct {
	orders   Orders
	prefixes Prefixes
}

// prefixRequest asks for a delegated prefix. Key makes it repeatable; without one
// the subscriber and the length are it.
type prefixRequest struct {
	Tenant       string `json:"tenant"`
	SubscriberID string `json:"subscriber_id"`
	PrefixLength int    `json:"prefix_length"`
	Key          string `json:"key"`
}

func (p *prefixRequest) validate() (bad linegate.FieldErrors) {
	for field, value := range map[string]string{"tenant": p.Tenant, "subscriber_id": p.SubscriberID} {
		if value == "" {
			bad = append(bad, &linegate.FieldError{Field: field, Value: value, Allowed: "a name"})
		}
	}
	if p.PrefixLength < 1 || p.PrefixLength > 128 {
		bad = append(bad, &linegate.FieldError{Field: "prefix_length", Value: strconv.Itoa(p.PrefixLength), Allowed: "1 to 128"})
	}
	return bad
}

func (h *provisioningHandler) allocatePrefix(w http.ResponseWriter, r *http.Request) {
	var asked prefixRequest
	if !readJSON(w, r, &asked) {
		return
	}
	if bad := asked.validate(); len(bad) > 0 {
		fail(w, bad)
		return
	}
	key := asked.Key
	if key == "" {
		key = "api/" + asked.Tenant + "/" + asked.SubscriberID
	}
	held, err := h.prefixes.AllocatePrefix(r.Context(), linegate.AddressClaim{
		Key: key, Tenant: asked.Tenant, Username: asked.SubscriberID, Slot: linegate.SlotDelegatedPrefix, Length: asked.PrefixLength,
	})
	if err != nil {
		fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, held)
}

func (h *provisioningHandler) submit(w http.ResponseWriter, r *http.Request) {
	var order linegate.Order
	if !readJSON(w, r, &order) {
		return
	}
	order.Actor = cmp.Or(order.Actor, "api")
	id, err := h.orders.Submit(r.Context(), order)
	if err != nil {
		fail(w, err)
		return
	}
	writeJSON(w, http.StatusAccepted, map[string]string{"id": id})
}

func (h *provisioningHandler) list(w http.ResponseWriter, r *http.Request) {
	standings, err := h.orders.List(r.Context(), r.URL.Query().Get("tenant"), mostOrders)
	if err != nil {
		fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"orders": append([]linegate.OrderStanding{}, standings...)})
}

func (h *provisioningHandler) show(w http.ResponseWriter, r *http.Request) {
	standing, err := h.orders.Show(r.Context(), r.PathValue("tenant")+"/"+r.PathValue("key"))
	if err != nil {
		fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, standing)
}

func (h *provisioningHandler) decide(w http.ResponseWriter, r *http.Request) {
	decide, known := map[string]func(context.Context, string) error{
		"retry": h.orders.Retry, "cancel": h.orders.Cancel, "give-up": h.orders.GiveUp,
	}[r.PathValue("decision")]
	if !known {
		noRoute(w, r)
		return
	}
	if err := decide(r.Context(), r.PathValue("tenant")+"/"+r.PathValue("key")); err != nil {
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// readJSON reads the one value of a request's body. It answers and returns false
// when that is not what was asked for.
func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostOfBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		failed(w, http.StatusBadRequest, err.Error())
		return false
	}
	return true
}

// fail answers with the status that an error stands for.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var field *linegate.FieldError
	var fields linegate.FieldErrors
	switch {
	case errors.As(err, &field), errors.As(err, &fields):
		status = http.StatusBadRequest
	case errors.Is(err, linegate.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, linegate.ErrConflict), errors.Is(err, linegate.ErrExhausted), errors.Is(err, linegate.ErrRefused):
		status = http.StatusConflict
	case errors.Is(err, linegate.ErrTryAgain), errors.Is(err, linegate.ErrUnavailable), errors.Is(err, linegate.ErrOutcomeUnknown):
		status = http.StatusServiceUnavailable
	}
	failed(w, status, err.Error())
}

func failed(w http.ResponseWriter, status int, text string) {
	writeJSON(w, status, map[string]string{"error": text})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // an error means that the client is gone
}
