package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/provisioning/genieacs/genieacstest"
	"linegate/provisioning/netbox"
	"linegate/provisioning/netbox/netboxtest"
	"linegate/provisioning/voltha/volthatest"
)

// netBox is where an instance gets addresses: a real server if the environment
// names one, else a fake.
type netBox struct {
	url, token string
	pools      []string // as the configuration has them
	client     *netbox.Client
}

func newNetBox(t *testing.T) netBox {
	t.Helper()
	n := rand.IntN(1 << 15)
	b := netBox{url: os.Getenv("LINEGATE_TEST_NETBOX_URL"), token: os.Getenv("LINEGATE_TEST_NETBOX_TOKEN")}
	if b.url == "" {
		server := netboxtest.New([3]int{4, 7, 3})
		t.Cleanup(server.Close)
		b.url, b.token = server.URL(), netboxtest.Token1
	}
	b.pools = []string{
		fmt.Sprintf("ipv4 10.%d.%d.0/24", n>>8, n&0xff), fmt.Sprintf("ipv6 2001:db8:%x:1::/64", n),
		fmt.Sprintf("delegated_prefix 2001:db8:%x:8000::/52 length=56", n),
	}
	for _, pool := range b.pools {
		b.post(t, strings.Fields(pool)[1])
	}
	var err error
	b.client, err = netbox.New(netbox.Options{URL: b.url, Token: linegate.Secret(b.token)})
	require.NoError(t, err)
	return b
}

// post makes a parent prefix.
func (b netBox) post(t *testing.T, prefix string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"prefix": prefix, "status": "container"})
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/api/ipam/prefixes/", bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Token "+b.token)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusCreated, answer.StatusCode)
}

// holds counts what is held for services whose key begins so.
func (b netBox) holds(t *testing.T, service string) (count int) {
	t.Helper()
	require.NoError(t, b.client.Managed(t.Context(), func(a linegate.Allocation) error {
		if strings.HasPrefix(a.Key, service+"/") {
			count++
		}
		return nil
	}))
	return count
}

// provisionedInstance is a server that is not started yet, with a NetBox.
func provisionedInstance(t *testing.T, more ...string) (*instance, netBox) {
	t.Helper()
	s, b := newInstance(t), newNetBox(t)
	token := filepath.Join(s.folder, "netbox.token")
	require.NoError(t, os.WriteFile(token, []byte(b.token+"\n"), 0o600))
	s.env = append(s.env, "LINEGATE_PROVISIONING_NETBOX_URL="+b.url, "LINEGATE_PROVISIONING_NETBOX_TOKEN_FILE="+token,
		"LINEGATE_PROVISIONING_NETBOX_POOLS="+strings.Join(b.pools, ","))
	s.env = append(s.env, more...)
	s.run()
	return s, b
}

var orderKey = regexp.MustCompile(`(?m)^key: .*$`)

// order writes an order like the shipped example, with another key and kind.
func (s *instance) order(kind, key string) string {
	text, err := os.ReadFile("../../testdata/order.yaml")
	require.NoError(s, err)
	if kind != "provision" {
		text = []byte("key: x\nusername: fiber-4711\nkind: " + kind + "\n")
	}
	return s.file(kind+".yaml", orderKey.ReplaceAllString(string(text), "key: "+key))
}

func TestAnOrderEndsInAnAcceptWithTheAllocatedAddresses(t *testing.T) {
	s, b := provisionedInstance(t)
	file := s.order("provision", "crm-1")
	preview := s.cli("provision", "subscriber", "-f", file, "--dry-run")
	assert.Contains(t, preview, "allocate a /56 for delegated_prefix")
	assert.NotContains(t, preview, "secretpw")
	assert.Contains(t, s.cli("provision", "list"), "ID")

	var done struct {
		State   string `json:"state"`
		Service string `json:"service_id"`
		IPv4    string `json:"ipv4_address"`
		IPv6    string `json:"ipv6_address"`
		Prefix  string `json:"ipv6_delegated_prefix"`
		Source  string `json:"source"`
	}
	require.NoError(t, json.Unmarshal([]byte(s.cli("provision", "subscriber", "-f", file, "-o", "json")), &done))
	assert.Equal(t, "done", done.State)
	assert.Equal(t, "dynamic", done.Source)
	assert.Equal(t, 3, b.holds(t, done.Service))
	login := `User-Name=fiber-4711,User-Password=secretpw,ADSL-Agent-Circuit-Id="olt1 xpon 0/1/47"`
	s.within(30*time.Second, func() bool { return strings.Contains(s.login(login), "Access-Accept") }, "the server follows")
	answer := s.login(login)
	assert.Contains(t, answer, "Framed-IP-Address = "+done.IPv4)
	assert.Contains(t, answer, "Delegated-IPv6-Prefix = "+done.Prefix)
	assert.Contains(t, answer, "Framed-IPv6-Address = "+done.IPv6)
	assert.Contains(t, s.cli("provision", "show", "demo/crm-1"), "activate RADIUS account")
	assert.Contains(t, s.cli("provision", "list"), "fiber-4711")

	s.cli("provision", "subscriber", "-f", file) // the same again changes nothing
	assert.Equal(t, 3, b.holds(t, done.Service))
	s.cli("provision", "subscriber", "-f", s.order("suspend", "crm-2"))
	s.within(30*time.Second, func() bool { return strings.Contains(s.login(login), "Access-Reject") }, "suspended")
	s.cli("provision", "subscriber", "-f", s.order("resume", "crm-3"))
	s.within(30*time.Second, func() bool { return strings.Contains(s.login(login), "Access-Accept") }, "resumed")
	s.cli("provision", "subscriber", "-f", s.order("deprovision", "crm-4"))
	s.within(30*time.Second, func() bool { return strings.Contains(s.login(login), "Access-Reject") }, "deprovisioned")
	assert.Zero(t, b.holds(t, done.Service))
	assert.Contains(t, s.refused("provision", "subscriber", "-f", s.order("resume", "crm-5")), "has no service to resume")
	assert.Contains(t, s.cli("provision", "reconcile"), "KEY")
}

func TestOrdersAreImportedFromCSV(t *testing.T) {
	s, b := provisionedInstance(t)
	rows := []string{"username,password,circuit_id,service_vlan,ipv4,delegated_prefix"}
	for i := range 20 {
		rows = append(rows, fmt.Sprintf("bulk%02d,secretpw,olt9 0/1/%d,%d,true,60", i, i, 900+i))
	}
	file := s.file("orders.csv", strings.Join(rows, "\n"))
	held := func() (count int) {
		require.NoError(t, b.client.Managed(t.Context(), func(linegate.Allocation) error { count++; return nil }))
		return count
	}
	before := held()
	s.cli("provision", "import", file)
	assert.Equal(t, before+40, held())
	s.cli("provision", "import", file, "--parallel", "3")
	assert.Equal(t, before+40, held(), "the same again changes nothing")
	bad := s.file("bad.csv", rows[0]+",colour\n"+rows[1]+",red\nx,y,z,0,maybe,77,\n")
	refused := s.refused("provision", "import", bad)
	assert.Contains(t, refused, "bad.csv:2: colour")
	assert.Contains(t, refused, "bad.csv:3: ")
}

// The process that carries an order out is killed; the next command takes it up.
func TestAKilledCommandIsTakenUpByTheNext(t *testing.T) {
	if os.Getenv("LINEGATE_TEST_NETBOX_URL") != "" {
		t.Setenv("LINEGATE_TEST_NETBOX_URL", "") // only a fake can be made to wait
	}
	server := netboxtest.New([3]int{4, 7, 3})
	t.Cleanup(server.Close)
	reached, release := make(chan struct{}, 8), make(chan struct{})
	t.Setenv("LINEGATE_TEST_NETBOX_URL", server.URL())
	t.Setenv("LINEGATE_TEST_NETBOX_TOKEN", netboxtest.Token1)
	s, b := provisionedInstance(t)
	s.stop() // else it would be the server that carries the order out
	server.SetAfter(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/available-") {
			reached <- struct{}{}
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
		return false
	})
	command := exec.Command(s.path, "provision", "subscriber", "-f", s.order("provision", "crm-9"))
	command.Dir, command.Env = s.folder, s.env
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	require.NoError(t, command.Start())
	select {
	case <-reached:
	case <-time.After(20 * time.Second):
		require.NoError(t, command.Process.Kill())
		require.Fail(t, "NetBox was not asked", "%v: %s", command.Wait(), said.String())
	}
	require.NoError(t, command.Process.Kill())
	_ = command.Wait() // killed
	close(release)
	resumed := s.cli("provision", "resume")
	assert.Contains(t, resumed, "demo/crm-9")
	assert.Contains(t, resumed, "done")
	held := 0
	require.NoError(t, b.client.Managed(t.Context(), func(linegate.Allocation) error { held++; return nil }))
	assert.Equal(t, 3, held, "nothing is held twice")
}

func TestOrdersThatCanNotBeReadAreRefusedByName(t *testing.T) {
	for text, want := range map[string]string{
		"key: x\nusernam: y\n":                     "line 2: field usernam not found",
		"key: x\nusername: y\nprofile: {mac: [1]}": "mac: one value is expected",
		"key: x\ncpe: {device: d, dns: [here]}":    `cpe.dns: "here" is not allowed: an IP address`,
		"key: [x]":                                 "line 1",
	} {
		_, err := readOrder(strings.NewReader(text), "-", "demo")
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "main.")
	}
	order, err := readOrder(strings.NewReader("key: x\nusername: y\nprofile: {service_vlan: 10, static_ipv4: null, qinq_enabled: true}\nonu: {serial: ABCD12345678, uni: 1, committed: {download_kbps: 7}}\n"), "-", "demo")
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"service_vlan": "10", "static_ipv4": "", "qinq_enabled": "true"}, order.Set)
	assert.Equal(t, uint32(7), order.ONU.CIR.DownloadKbps)
	assert.Equal(t, linegate.OrderProvision, order.Kind)
}

// The recorded network: an ONU and a CPE that the fakes know.
const equippedOrder = `
key: all-1
username: full-1
profile: {password: secretpw, circuit_id: olt1 xpon 0/1/1, service_vlan: 800, inner_vlan: 900, qinq_enabled: true, download_kbps: 100000, upload_kbps: 20000}
addresses: {ipv4: true, delegated_prefix: 56}
onu: {serial: BBSM00000001, uni: 1}
cpe: {device: XR500-0001, without_qinq: true}
`

func TestAnOrderReachesNetBoxVOLTHAAndGenieACS(t *testing.T) {
	core, acs := volthatest.StartCore(t, nil), genieacstest.Start(t)
	s, b := provisionedInstance(t, "LINEGATE_VOLTHA_ADDRESS="+core.Address(), "LINEGATE_VOLTHA_SETTLE=200ms", "LINEGATE_GENIEACS_URL="+acs.URL())
	file := s.file("full.yaml", equippedOrder)
	preview := s.cli("provision", "subscriber", "-f", file, "--dry-run")
	assert.Contains(t, preview, "BBSM00000001 port 1: service VLAN 800, inner VLAN 900")
	assert.Empty(t, core.Flows())

	var done struct {
		State   string `json:"state"`
		Service string `json:"service_id"`
	}
	require.NoError(t, json.Unmarshal([]byte(s.cli("provision", "subscriber", "-f", file, "-o", "json")), &done))
	assert.Equal(t, "done", done.State)
	assert.Len(t, core.Wire(), 4, "the four flows of QinQ")
	assert.Equal(t, 2, b.holds(t, done.Service))
	s.cli("provision", "subscriber", "-f", s.file("down.yaml", "key: all-2\nusername: full-1\nkind: deprovision\n"))
	assert.Empty(t, core.Flows())
	assert.Empty(t, core.Crashes())
	assert.Empty(t, acs.Crashes())
	assert.Zero(t, b.holds(t, done.Service))
}

// The core forgets its flows, an ONU its own; the server puts them back.
func TestTheServerKeepsServicesOnTheirONUs(t *testing.T) {
	core := volthatest.StartCore(t, nil)
	s := startServer(t, "LINEGATE_VOLTHA_ADDRESS="+core.Address(), "LINEGATE_VOLTHA_SETTLE=200ms", "LINEGATE_VOLTHA_CHECK_EVERY=1s")
	s.cli("provision", "subscriber", "-f", s.file("on.yaml", "key: k1\nusername: kept\nprofile: {circuit_id: c, service_vlan: 800, inner_vlan: 900, qinq_enabled: true}\nonu: {serial: BBSM00000001, uni: 1}\n"))
	require.Len(t, core.Flows(), 4)
	repaired := func(times string) func() bool {
		return func() bool {
			_, metrics := s.get("/metrics")
			return strings.Contains(metrics, `voltha_onu_repairs_total{success="true",tenant_id="demo"} `+times+"\n")
		}
	}

	core.Restart()
	s.within(60*time.Second, repaired("1"), "the keeper repairs")
	assert.Len(t, core.Flows(), 4)
	core.RebootONU("BBSM00000001")
	s.within(60*time.Second, repaired("2"), "the keeper repairs again")
	assert.Len(t, core.Wire(), 4)
	assert.Contains(t, s.cli("provision", "reconcile"), "KEY")
	assert.Empty(t, core.Crashes())

	s.stop() // nobody keeps now
	require.Len(t, s.log.events(s, "onu_repaired"), 2)
	core.Restart()
	assert.Contains(t, s.cli("provision", "reconcile"), "not in force on ONU BBSM00000001")
	core.PowerOff("BBSM00000001")
	assert.Contains(t, s.cli("provision", "reconcile"), "ONU BBSM00000001 is off or unknown")
	assert.Empty(t, core.Flows())
}

func TestAServerShowsVLANPoolsInNetBox(t *testing.T) {
	s, b := provisionedInstance(t, "LINEGATE_PROVISIONING_NETBOX_MIRROR_VLANS=true")
	s.cli("pool", "set", "internet", "--olt", "olt-1", "--range", "700-799:1-4094")
	s.cli("provision", "subscriber", "-f", s.file("v.yaml", "key: v1\nusername: pooled\nprofile: {circuit_id: c}\nvlan: {pool: internet, olt: olt-1}\n"))
	s.stop()
	s.run() // it compares when it begins, and then every minute
	s.within(60*time.Second, func() bool {
		return strings.Contains(strings.Join(s.log.all(), "\n"), "VLAN pools were mirrored to NetBox")
	}, "mirrored")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/api/ipam/vlans/", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Token "+b.token)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"internet-700"`)
	assert.Contains(t, string(text), "Linegate: 1 services, 0 reserved")
}
