package voltha

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/provisioning/peertest"
	"linegate/provisioning/voltha/volthatest"
)

// site is a client with the fake controller that it speaks to.
type site struct {
	*volthatest.VGC
	client Client
	clock  *clock
	log    *strings.Builder
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{VGC: volthatest.StartVGC(t), clock: newClock(), log: &strings.Builder{}}
	client, err := Open(Config{
		Backend: BackendController, Address: s.URL(), Call: 3 * time.Second,
		Now: s.clock.Now, After: s.clock.After, Logger: slog.New(slog.NewJSONHandler(s.log, nil)),
	})
	require.NoError(t, err)
	s.client = client
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	return s
}

func (s *site) provision(t *testing.T, service linegate.ONUService) {
	t.Helper()
	result, err := s.client.Provision(t.Context(), service)
	require.NoError(t, err)
	require.True(t, result.Installed, result.Detail)
}

func (s *site) writes() (list []string) {
	for _, call := range s.Calls() {
		if !strings.HasPrefix(call, "GET") {
			list = append(list, call)
		}
	}
	return list
}

func TestTheFakeControllerAnswersAsTheRecordedOne(t *testing.T) {
	vgc := volthatest.StartVGC(t)
	for _, exchange := range volthatest.Recorded(t, "vgc.jsonl") {
		part := strings.Split(exchange.Path, "/")[3]
		if part == "flows" || part == "meters" || part == "devices" || part == "olt" {
			continue // not asked for by the client
		}
		request, err := http.NewRequestWithContext(t.Context(), exchange.Method, vgc.URL()+exchange.Path, bytes.NewReader(exchange.Request))
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, exchange.Status, response.StatusCode, exchange.Step)
		switch {
		case part == "flow-status":
			assert.JSONEq(t, string(exchange.Response), string(body), exchange.Step)
		case exchange.Status >= 400:
			var said string
			require.NoError(t, json.Unmarshal(exchange.Response, &said))
			if part != "profiles" || exchange.Method == http.MethodGet {
				assert.Equal(t, said, string(body), exchange.Step)
			}
		}
	}
}

func TestAControllerIsToldOfTheServiceAndBelievedByItsFlowStatus(t *testing.T) {
	s := newSite(t)
	s.provision(t, double("s1", serial, 900))
	assert.Equal(t, map[string]bool{"BBSM00000001-1": true}, s.Subscribers())
	assert.Equal(t, []string{
		"POST /vgc/v1/profiles/linegate-p100000-c50000-g0",
		"POST /vgc/v1/profiles/linegate-p200000-c100000-g0",
		"POST /vgc/v1/subscribers/BBSM00000001-1",
		"POST /vgc/v1/services/BBSM00000001-1/800/900/64",
	}, s.writes())
	assert.Contains(t, s.log.String(), "provisioned with IPv6 mode: pd")

	before := len(s.writes())
	s.provision(t, double("s1", serial, 900))
	assert.Len(t, s.writes(), before, "a repeat has nothing to do")
}

func TestAControllersServiceThatDiffersIsMadeAnew(t *testing.T) {
	was := double("s1", serial, 900)
	cases := map[string]func(*linegate.ONUService){
		"another inner tag": func(s *linegate.ONUService) { s.InnerVLAN = 901 },
		"no customer tag":   func(s *linegate.ONUService) { s.CustomerVLAN = 0 },
		"another rate":      func(s *linegate.ONUService) { s.Upstream = linegate.Bandwidth{GIR: 7000} },
		"any customer tag":  func(s *linegate.ONUService) { s.QinQ, s.Transparent, s.CustomerVLAN = false, true, 0 },
		"another ONU":       func(s *linegate.ONUService) { s.Serial = "BBSM00000002" },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.provision(t, was)
			wanted := was
			change(&wanted)
			_, err := s.client.Change(t.Context(), was, wanted)
			require.NoError(t, err)
			assert.Equal(t, map[string]bool{portName(&wanted): true}, s.Subscribers())
			found, err := s.client.Verify(t.Context(), wanted)
			require.NoError(t, err)
			assert.True(t, found.Installed, found.Detail)
			require.NoError(t, s.client.Remove(t.Context(), wanted))
			require.NoError(t, s.client.Remove(t.Context(), wanted))
			assert.Empty(t, s.Subscribers())
		})
	}
}

func TestMistakesThatAControllerAnswersWithOKAreFound(t *testing.T) {
	t.Run("the port is not known", func(t *testing.T) {
		s := newSite(t)
		_, err := s.client.Provision(t.Context(), double("s1", "BBSM000000FF", 900))
		require.ErrorIs(t, err, linegate.ErrTryAgain)
		assert.ErrorContains(t, err, "is the port known")
	})
	t.Run("not all flows get there, and what was made is deleted", func(t *testing.T) {
		s := newSite(t)
		s.Stick(true)
		start := s.clock.Now()
		_, err := s.client.Provision(t.Context(), double("s1", serial, 900))
		require.ErrorIs(t, err, linegate.ErrTryAgain)
		assert.ErrorContains(t, err, "FLOWS_PROVISIONED_PARTIALLY")
		assert.GreaterOrEqual(t, s.clock.Now().Sub(start), 30*time.Second)
		assert.Empty(t, s.Subscribers())
	})
	t.Run("the flows go away again", func(t *testing.T) {
		s := newSite(t)
		s.Inject(peertest.Fault{On: "flow-status", Skip: 3, Do: func() { s.Deactivate("BBSM00000001-1") }})
		_, err := s.client.Provision(t.Context(), double("s1", serial, 900))
		require.ErrorIs(t, err, linegate.ErrTryAgain)
		assert.Empty(t, s.Subscribers())
	})
	t.Run("a profile of the name has other rates", func(t *testing.T) {
		s := newSite(t)
		body := strings.NewReader(`{"id":"linegate-p100000-c50000-g0","pir":1}`)
		response, err := http.Post(s.URL()+"/vgc/v1/profiles/linegate-p100000-c50000-g0", "application/json", body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		_, err = s.client.Provision(t.Context(), double("s1", serial, 900))
		require.ErrorIs(t, err, linegate.ErrRefused)
		assert.ErrorContains(t, err, "has other rates")
	})
}

func TestAControllersPortThatOthersUseIsLeftAlone(t *testing.T) {
	s := newSite(t)
	s.provision(t, double("other", serial, 905))
	_, err := s.client.Provision(t.Context(), double("s1", serial, 900))
	require.ErrorIs(t, err, linegate.ErrRefused)
	assert.ErrorContains(t, err, "carries another service")
	require.NoError(t, s.client.Remove(t.Context(), double("s1", serial, 900)))
	assert.Equal(t, map[string]bool{"BBSM00000001-1": true}, s.Subscribers())
}

func TestAControllersServiceThatWasSwitchedOffIsSeenAndRepaired(t *testing.T) {
	s := newSite(t)
	s.provision(t, double("s1", serial, 900))
	s.Deactivate("BBSM00000001-1")
	findings, err := s.client.Check(t.Context(), []linegate.ONUService{double("s1", serial, 900)})
	require.NoError(t, err)
	assert.False(t, findings[0].Installed)
	assert.Contains(t, findings[0].Detail, "DISABLED_IN_CONTROLLER")
	s.provision(t, double("s1", serial, 900))
}

func TestAControllerMakesNoSingleTag(t *testing.T) {
	s := newSite(t)
	service := linegate.ONUService{ID: "s1", Serial: serial, UNI: 1, ServiceVLAN: 700}
	_, err := s.client.Provision(t.Context(), service)
	require.ErrorIs(t, err, linegate.ErrUnsupported)
	_, err = s.client.Describe(service)
	require.ErrorIs(t, err, linegate.ErrUnsupported)
	assert.Empty(t, s.Calls())
}

func TestAControllersDryRunNamesItsRequests(t *testing.T) {
	s := newSite(t)
	lines, err := s.client.Describe(linegate.ONUService{ID: "s1", Serial: serial, UNI: 1, ServiceVLAN: 600, Transparent: true})
	require.NoError(t, err)
	assert.Equal(t, []string{
		"POST /vgc/v1/profiles/linegate-p10000000-c0-g0",
		"POST /vgc/v1/profiles/linegate-p10000000-c0-g0",
		"POST /vgc/v1/subscribers/BBSM00000001-1 uniTagMatch 4096 ponCTag 4096 ponSTag 600",
		"POST /vgc/v1/services/BBSM00000001-1/600/4096/64",
	}, lines)
	lines, err = s.client.Describe(linegate.ONUService{ID: "s1", Serial: serial, UNI: 1, ServiceVLAN: 600, InnerVLAN: 5, QinQ: true})
	require.NoError(t, err)
	assert.Contains(t, lines[2], "uniTagMatch 4097", "a zero would be any tag, not none")
	assert.Empty(t, s.Calls())
}

func TestAFaultAtAnyRequestToAControllerLeavesAllOrNothing(t *testing.T) {
	kinds := map[string]peertest.Fault{
		"an error":             {Err: errors.New("busy")},
		"the answer is lost":   {Lost: true},
		"the connection broke": {},
	}
	for kind, fault := range kinds {
		for skip := range 9 {
			t.Run(fmt.Sprintf("%s at request %d", kind, skip+1), func(t *testing.T) {
				s := newSite(t)
				fault.Skip = skip
				s.Inject(fault)
				_, err := s.client.Provision(t.Context(), double("s1", serial, 900))
				if err != nil {
					assert.True(t, errors.Is(err, linegate.ErrTryAgain) || errors.Is(err, linegate.ErrOutcomeUnknown), err)
				}
				s.provision(t, double("s1", serial, 900))
				assert.Equal(t, map[string]bool{"BBSM00000001-1": true}, s.Subscribers())
			})
		}
	}
}

func TestAControllerThatHangsIsGivenUp(t *testing.T) {
	s := newSite(t)
	s.Inject(peertest.Fault{On: "POST /vgc/v1/services", Hang: true})
	_, err := s.client.Provision(t.Context(), double("s1", serial, 900))
	require.ErrorIs(t, err, linegate.ErrTryAgain, "what was made is deleted again")
	assert.Empty(t, s.Subscribers())
}

func TestAnUndoAtAControllerThatFailsIsAnUnknownOutcome(t *testing.T) {
	s := newSite(t)
	s.Stick(true)
	s.Inject(peertest.Fault{On: "DELETE"})
	_, err := s.client.Provision(t.Context(), double("s1", serial, 900))
	require.ErrorIs(t, err, linegate.ErrOutcomeUnknown)
}

func TestAControllersErrorsAreSorted(t *testing.T) {
	s := newSite(t)
	service := double("s1", serial, 900)
	s.Inject(peertest.Fault{Err: errors.New("starting")})
	_, err := s.client.Verify(t.Context(), service)
	require.ErrorIs(t, err, linegate.ErrTryAgain)
	assert.ErrorContains(t, err, "503 Service Unavailable starting")
	_, err = s.client.Check(t.Context(), []linegate.ONUService{{}})
	require.ErrorIs(t, err, linegate.ErrRefused)
	s.Inject(peertest.Fault{Times: 9}) // net/http asks again by itself
	require.ErrorIs(t, s.client.Remove(t.Context(), service), linegate.ErrTryAgain)
	_, err = s.client.Change(t.Context(), service, double("s2", serial, 900))
	require.ErrorIs(t, err, linegate.ErrRefused)
	nobody, err := Open(Config{Backend: BackendController, Address: "http://127.0.0.1:1/base"})
	require.NoError(t, err)
	require.ErrorIs(t, nobody.Remove(t.Context(), service), linegate.ErrTryAgain)
	assert.Equal(t, linegate.ErrTryAgain, statusError(http.StatusTooManyRequests))
	assert.Equal(t, linegate.ErrRefused, statusError(http.StatusMovedPermanently))
}

// FuzzControllerAnswer: whatever a controller says, a client must come to an end.
func FuzzControllerAnswer(f *testing.F) {
	f.Add([]byte(`{"FlowProvisionStatus":"ALL_FLOWS_PROVISIONED"}`), 200)
	f.Add([]byte(`{"subscribers":[{"tagInfo":{"serviceName":"s1","uniTagMatch":35}}]}`), 200)
	f.Add([]byte(`[]`), 409)
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		answer := func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(body))}, nil
		}
		now := newClock()
		client, err := openController(Config{Address: "http://vgc", Now: now.Now, After: now.After}.withDefaults())
		require.NoError(t, err)
		client.rest.client.Transport = roundTrip(answer)
		_, _ = client.Verify(t.Context(), double("s1", serial, 900))
		_, _ = client.Provision(t.Context(), double("s1", serial, 900))
		_ = client.Remove(t.Context(), double("s1", serial, 900))
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
