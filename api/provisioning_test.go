package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

// book keeps orders in memory; err is what everything ends with.
type book struct {
	orders  []linegate.OrderStanding
	decided []string
	claim   linegate.AddressClaim
	err     error
}

func (b *book) Submit(_ context.Context, o linegate.Order) (string, error) {
	if err := o.Validate(); err != nil {
		return "", err
	}
	b.orders = append(b.orders, linegate.OrderStanding{ID: o.Tenant + "/" + o.Key, Order: o, State: linegate.OrderQueued})
	return o.Tenant + "/" + o.Key, b.err
}

func (b *book) List(context.Context, string, int) ([]linegate.OrderStanding, error) {
	return b.orders, b.err
}

func (b *book) Show(_ context.Context, id string) (linegate.OrderStanding, error) {
	for _, standing := range b.orders {
		if standing.ID == id {
			return standing, b.err
		}
	}
	return linegate.OrderStanding{}, linegate.ErrNotFound
}

func (b *book) decide(what, id string) error {
	b.decided = append(b.decided, what+" "+id)
	return b.err
}

func (b *book) Retry(_ context.Context, id string) error  { return b.decide("retry", id) }
func (b *book) Cancel(_ context.Context, id string) error { return b.decide("cancel", id) }
func (b *book) GiveUp(_ context.Context, id string) error { return b.decide("give up", id) }

func (b *book) AllocatePrefix(_ context.Context, claim linegate.AddressClaim) (linegate.Allocation, error) {
	b.claim = claim
	return linegate.Allocation{Key: claim.Key, Slot: claim.Slot, Prefix: netip.MustParsePrefix("2001:db8:100::/56"), ID: 7}, b.err
}

func call(b *book, method, path, body string) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	NewProvisioningHandler(b, b).ServeHTTP(answer, httptest.NewRequest(method, path, strings.NewReader(body)))
	return answer
}

func TestOrdersAreTakenShownAndDecidedAbout(t *testing.T) {
	b := &book{}
	answer := call(b, http.MethodPost, "/api/provisioning/orders",
		`{"key":"1","kind":"provision","tenant":"acme","username":"alice","profile":{"circuit_id":"c"},"addresses":{"ipv4":true,"delegated_prefix":56},"onu":{"serial":"ABCD12345678","uni":1}}`)
	require.Equal(t, http.StatusAccepted, answer.Code, answer.Body)
	assert.JSONEq(t, `{"id":"acme/1"}`, answer.Body.String())
	assert.Equal(t, linegate.AddressWishes{IPv4: true, DelegatedPrefix: 56}, b.orders[0].Order.Addresses)
	assert.Equal(t, "c", b.orders[0].Order.Set["circuit_id"])
	assert.Equal(t, uint8(1), b.orders[0].Order.ONU.UNI)
	assert.Equal(t, "api", b.orders[0].Order.Actor)

	answer = call(b, http.MethodGet, "/api/provisioning/orders/acme/1", "")
	require.Equal(t, http.StatusOK, answer.Code)
	var shown map[string]any
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &shown))
	assert.Equal(t, "queued", shown["state"])
	assert.Contains(t, call(b, http.MethodGet, "/api/provisioning/orders?tenant=acme", "").Body.String(), `"orders":[{`)
	for _, decision := range []string{"retry", "cancel", "give-up"} {
		assert.Equal(t, http.StatusAccepted, call(b, http.MethodPost, "/api/provisioning/orders/acme/1/"+decision, "").Code)
	}
	assert.Equal(t, []string{"retry acme/1", "cancel acme/1", "give up acme/1"}, b.decided)
	assert.Equal(t, http.StatusNotFound, call(b, http.MethodPost, "/api/provisioning/orders/acme/1/forget", "").Code)
	assert.Equal(t, http.StatusNotFound, call(b, http.MethodGet, "/api/provisioning/orders/acme/9", "").Code)
}

func TestAPrefixIsAllocatedForASubscriber(t *testing.T) {
	b := &book{}
	answer := call(b, http.MethodPost, "/api/netbox/allocate-ipv6-prefix", `{"tenant":"acme","subscriber_id":"alice","prefix_length":56}`)
	require.Equal(t, http.StatusOK, answer.Code)
	assert.Contains(t, answer.Body.String(), `"prefix":"2001:db8:100::/56"`)
	assert.Equal(t, "api/acme/alice", b.claim.Key)
	assert.Equal(t, 56, b.claim.Length)
	for _, body := range []string{`{}`, `{"tenant":"acme","subscriber_id":"alice","prefix_length":129}`, `{"colour":1}`, `[`} {
		assert.Equal(t, http.StatusBadRequest, call(b, http.MethodPost, "/api/netbox/allocate-ipv6-prefix", body).Code, body)
	}
}

func TestErrorsHaveTheStatusThatTheyStandFor(t *testing.T) {
	for err, status := range map[error]int{
		linegate.ErrExhausted: http.StatusConflict, linegate.ErrConflict: http.StatusConflict, linegate.ErrTryAgain: http.StatusServiceUnavailable,
		linegate.ErrOutcomeUnknown: http.StatusServiceUnavailable, fmt.Errorf("odd"): http.StatusInternalServerError,
	} {
		b := &book{err: err, orders: []linegate.OrderStanding{{ID: "acme/1"}}}
		assert.Equal(t, status, call(b, http.MethodPost, "/api/netbox/allocate-ipv6-prefix", `{"tenant":"a","subscriber_id":"b","prefix_length":56}`).Code)
		assert.Equal(t, status, call(b, http.MethodPost, "/api/provisioning/orders/acme/1/retry", "").Code)
		assert.Equal(t, status, call(b, http.MethodGet, "/api/provisioning/orders", "").Code)
	}
	assert.Equal(t, http.StatusBadRequest, call(&book{}, http.MethodPost, "/api/provisioning/orders", `{"key":"1"}`).Code)
}

func TestNobodyGetsInWithoutTheToken(t *testing.T) {
	guarded := RequireToken("0123456789abcdef", NewProvisioningHandler(&book{}, &book{}))
	for header, status := range map[string]int{
		"": http.StatusUnauthorized, "Bearer": http.StatusUnauthorized, "Bearer 0123456789abcdee": http.StatusUnauthorized,
		"Basic 0123456789abcdef": http.StatusUnauthorized, "Bearer 0123456789abcdef ": http.StatusUnauthorized,
		"Bearer 0123456789abcdef": http.StatusOK, "bearer 0123456789abcdef": http.StatusOK,
	} {
		request := httptest.NewRequest(http.MethodGet, "/api/provisioning/orders", nil)
		request.Header.Set("Authorization", header)
		answer := httptest.NewRecorder()
		guarded.ServeHTTP(answer, request)
		assert.Equal(t, status, answer.Code, header)
		assert.Equal(t, "application/json", answer.Header().Get("Content-Type"))
		assert.Equal(t, status == http.StatusUnauthorized, answer.Header().Get("WWW-Authenticate") == "Bearer")
	}
}

func TestWhatIsNoRouteIsToldInJSON(t *testing.T) {
	for _, path := range []string{"/", "/metrics", "/api/provisioning/orders/acme/1"} {
		answer := call(&book{}, http.MethodPut, path, "")
		assert.Equal(t, http.StatusNotFound, answer.Code)
		assert.JSONEq(t, `{"error":"there is no PUT `+path+`"}`, answer.Body.String())
	}
	long := `{"key":"` + strings.Repeat("x", mostOfBody) + `"}`
	assert.Contains(t, call(&book{}, http.MethodPost, "/api/provisioning/orders", long).Body.String(), "too large")
}
