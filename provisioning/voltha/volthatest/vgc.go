package volthatest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"linegate/provisioning/peertest"
)

// VGC is the REST interface of a controller with one OLT, whose ports are known
// and configured. All its methods are safe for concurrent use.
type VGC struct {
	peertest.Faults
	server *httptest.Server

	mu          sync.Mutex
	ports       map[string]bool
	profiles    map[string]map[string]any
	subscribers map[string]*vgcSubscriber
	stuck       bool
}

type vgcSubscriber struct {
	tag    map[string]any // its one service
	active bool
}

// StartVGC starts a controller that knows the UNI ports of the recorded OLT.
func StartVGC(t testing.TB) *VGC {
	t.Helper()
	v := &VGC{ports: map[string]bool{}, profiles: map[string]map[string]any{}, subscribers: map[string]*vgcSubscriber{}}
	for onu := 1; onu <= 4; onu++ {
		for port := 1; port <= 4; port++ {
			v.ports[fmt.Sprintf("BBSM%08d-%d", onu, port)] = true
		}
	}
	v.server = httptest.NewServer(v)
	t.Cleanup(v.server.Close)
	return v
}

// URL is the address that a client is configured with.
func (v *VGC) URL() string { return v.server.URL }

// Subscribers are the ports that have one, with true where it is active.
func (v *VGC) Subscribers() map[string]bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	list := map[string]bool{}
	for port, subscriber := range v.subscribers {
		list[port] = subscriber.active
	}
	return list
}

// Deactivate switches a port's service off behind the client's back.
func (v *VGC) Deactivate(port string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.subscribers[port].active = false
}

// Stick makes activated services never get all of their flows, as with an ONU
// that is off.
func (v *VGC) Stick(stuck bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stuck = stuck
}

func (v *VGC) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/vgc/v1/"), "/")
	v.Serve(w, r, func() func(http.ResponseWriter) {
		status, answer := v.serve(r.Method, path, body)
		return func(w http.ResponseWriter) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, answer)
		}
	})
}

func (v *VGC) serve(method string, path []string, body []byte) (int, string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch key := method + " " + path[0]; {
	case key == "GET flow-status" && len(path) == 2:
		return reply(map[string]string{"FlowProvisionStatus": v.status(path[1])})
	case key == "GET programmed-subscribers":
		return reply(map[string]any{"subscribers": v.programmed()})
	case key == "GET profiles" && len(path) == 2:
		if profile, ok := v.profiles[path[1]]; ok {
			return reply(profile)
		}
		return http.StatusConflict, ""
	case key == "POST profiles" && len(path) == 2:
		return v.addProfile(path[1], body)
	case key == "DELETE profiles" && len(path) == 2:
		return v.deleteProfile(path[1])
	case key == "POST subscribers" && len(path) == 2:
		return v.addSubscriber(path[1], body)
	case key == "DELETE subscribers" && len(path) == 2:
		if v.subscribers[path[1]] == nil {
			return http.StatusBadRequest, "rpc error: code = NotFound desc = code = 9, desc = Service not found\n"
		}
		delete(v.subscribers, path[1])
		return http.StatusAccepted, ""
	case key == "POST services", key == "DELETE services":
		v.activate(path[1:], method == http.MethodPost)
		return http.StatusOK, ""
	}
	return http.StatusNotFound, "404 page not found\n"
}

func reply(answer any) (int, string) {
	text, err := json.Marshal(answer)
	if err != nil {
		return http.StatusInternalServerError, err.Error()
	}
	return http.StatusOK, string(text)
}

func (v *VGC) status(port string) string {
	switch s := v.subscribers[port]; {
	case s == nil:
		return "NOT_IN_CONTROLLER"
	case !s.active:
		return "DISABLED_IN_CONTROLLER"
	case v.stuck:
		return "FLOWS_PROVISIONED_PARTIALLY"
	}
	return "ALL_FLOWS_PROVISIONED"
}

func (v *VGC) programmed() []any {
	list := []any{}
	for _, subscriber := range v.subscribers {
		if subscriber.active {
			list = append(list, map[string]any{"location": "olt", "tagInfo": subscriber.tag})
		}
	}
	return list
}

// addProfile keeps what is there: the same profile again is taken and ignored.
func (v *VGC) addProfile(id string, body []byte) (int, string) {
	var profile map[string]any
	if err := json.Unmarshal(body, &profile); err != nil {
		return http.StatusConflict, err.Error() + "\n"
	}
	if v.profiles[id] == nil {
		v.profiles[id] = profile
	}
	return http.StatusOK, ""
}

func (v *VGC) deleteProfile(id string) (int, string) {
	for _, subscriber := range v.subscribers {
		if subscriber.tag["upstreamBandwidthProfile"] == id || subscriber.tag["downstreamBandwidthProfile"] == id {
			return http.StatusConflict, "service reference is not 0\n"
		}
	}
	delete(v.profiles, id)
	return http.StatusOK, ""
}

// addSubscriber answers every mistake with 200, as the real one does.
func (v *VGC) addSubscriber(port string, body []byte) (int, string) {
	var given struct {
		UniTagList []map[string]any `json:"uniTagList"`
	}
	if err := json.Unmarshal(body, &given); err != nil {
		return http.StatusConflict, "json: cannot unmarshal string into Go value of type nbi.SubscriberDeviceInfo\n"
	}
	if len(given.UniTagList) != 1 || !v.ports[port] || v.subscribers[port] != nil {
		return http.StatusOK, ""
	}
	tag := given.UniTagList[0]
	for _, name := range []string{"upstreamBandwidthProfile", "downstreamBandwidthProfile"} {
		if id, ok := tag[name].(string); !ok || v.profiles[id] == nil {
			return http.StatusOK, ""
		}
	}
	v.subscribers[port] = &vgcSubscriber{tag: tag}
	return http.StatusOK, ""
}

// activate takes a port, or a port with outer tag, inner tag and profile.
func (v *VGC) activate(path []string, on bool) {
	subscriber := v.subscribers[path[0]]
	if subscriber == nil {
		return
	}
	if len(path) == 4 {
		for i, name := range []string{"ponSTag", "ponCTag", "technologyProfileId"} {
			number, err := strconv.ParseFloat(path[i+1], 64)
			if err != nil || subscriber.tag[name] != number {
				return
			}
		}
	}
	subscriber.active = on
}
