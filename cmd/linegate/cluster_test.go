package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/radiusd/client"
	"linegate/radiusd/wire"
	"linegate/store"
	"linegate/store/postgres"
	"linegate/store/postgres/pgtest"
)

// twoNodes are two servers on one PostgreSQL that a test may harm.
type twoNodes struct {
	*testing.T
	postgres *pgtest.Server
	dsn      string
	key      string // path of the file that both nodes seal with
	nodes    [2]*instance
	// auth and acct are where the nodes listen, which stays the same when they are
	// started again.
	auth, acct [2]string
}

const knownSubscribers = 200

// startTwoNodes starts both, and waits until each can start again without the
// database.
func startTwoNodes(t *testing.T, server *pgtest.Server) *twoNodes {
	c := &twoNodes{T: t, postgres: server}
	c.dsn, c.key = c.postgres.Database(t), filepath.Join(t.TempDir(), "linegate.key")
	for i := range c.nodes {
		node := newInstance(t)
		node.env = append(node.env,
			"LINEGATE_STORE="+c.dsn, "LINEGATE_KEY_FILE="+c.key, "LINEGATE_LOG_OPTION82_VALIDATION=unmatched",
			"LINEGATE_SNAPSHOT="+filepath.Join(node.folder, "snapshot"),
			"LINEGATE_ACCOUNTING_SPOOL="+filepath.Join(node.folder, "spool"))
		node.run()
		node.env = append(node.env, "LINEGATE_LISTEN_AUTH="+node.auth, "LINEGATE_LISTEN_ACCT="+node.acct)
		c.nodes[i], c.auth[i], c.acct[i] = node, node.auth, node.acct
	}
	rows := &strings.Builder{}
	fmt.Fprintln(rows, "username,password,circuit_id,option82_policy,service_vlan")
	for i := range knownSubscribers {
		fmt.Fprintf(rows, "sub%d,secretpw,line %d,enforce,%d\n", i, i, 100+i)
	}
	csv := filepath.Join(c.nodes[0].folder, "subscribers.csv")
	require.NoError(t, os.WriteFile(csv, []byte(rows.String()), 0o600))
	c.nodes[0].cli("profile", "import", csv)
	for i, node := range c.nodes {
		node.within(time.Minute, func() bool { return c.login(i, knownSubscribers-1, 3*time.Second) == nil }, "the import is followed")
		node.within(time.Minute, func() bool {
			info, err := os.Stat(filepath.Join(node.folder, "snapshot"))
			return err == nil && info.Size() > 40*knownSubscribers
		}, "a snapshot with the import")
	}
	return c
}

var (
	errRefused = errors.New("a known subscriber was refused")
	signer     = wire.NewSigner("testing123")
)

// login asks a node for a known subscriber from the own line; nil is an accept.
func (c *twoNodes) login(node, number int, patience time.Duration) error {
	line := wire.AppendVendorAttribute(nil, 3561, 1, fmt.Appendf(nil, "line %d", number))
	return c.loginAs(node, fmt.Sprintf("sub%d", number), line, patience)
}

func (c *twoNodes) loginAs(node int, name string, line []byte, patience time.Duration) error {
	builder := client.Builder{Signer: signer, Random: rand.Reader}
	request, err := builder.Access(nil, 1, &client.Login{UserName: name, Password: "secretpw", Method: client.MethodPAP, Attributes: line})
	if err != nil {
		return err
	}
	server := client.Server{Address: c.auth[node], Signer: signer, Timeout: patience, Tries: 1}
	answer, err := server.Exchange(c.Context(), request)
	if err == nil && answer.Packet.Code() != wire.AccessAccept {
		err = fmt.Errorf("%s: %s: %w", name, answer.Packet.Code(), errRefused)
	}
	return err
}

// open opens the nodes' store beside them.
func (c *twoNodes) open() store.Engine {
	sealer, err := store.OpenKeyFile(c.key)
	require.NoError(c, err)
	engine, err := postgres.Open(c.Context(), c.dsn, sealer, postgres.Options{})
	require.NoError(c, err)
	c.Cleanup(func() { assert.NoError(c, engine.Close()) })
	return engine
}

func TestWhatIsChangedThroughOneNodeIsEnforcedOnTheOther(t *testing.T) {
	c := startTwoNodes(t, pgtest.Shared(t))
	first, second := c.nodes[0], c.nodes[1]
	engine := c.open()
	var took []time.Duration
	for change := range 20 {
		status, accepted := linegate.StatusSuspended, false
		if change%2 == 1 {
			status, accepted = linegate.StatusActive, true
		}
		require.NoError(t, engine.Update(t.Context(), "test", func(tx store.Tx) error {
			subscriber, err := tx.Subscriber("demo", "sub7")
			if err != nil {
				return err
			}
			subscriber.Status = status
			_, err = tx.PutSubscriber(subscriber)
			return err
		}))
		committed := time.Now()
		require.Eventually(t, func() bool { return (c.login(1, 7, 3*time.Second) == nil) == accepted }, 20*time.Second, time.Millisecond)
		took = append(took, time.Since(committed))
	}
	slices.Sort(took)
	t.Logf("a change is enforced after %s at the median, %s at most", took[len(took)/2], took[len(took)-1])

	first.cli("profile", "set", "sub8", "--circuit-id", "another line")
	second.within(20*time.Second, func() bool { return errors.Is(c.login(1, 8, 3*time.Second), errRefused) }, "the command's change")
	first.cli("nas", "add", "late", "--address", "127.0.0.2", "--secret", "0123456789abcdef")
	second.within(20*time.Second, func() bool {
		_, metrics := second.get("/metrics")
		return strings.Contains(metrics, `radius_nas_message_authenticator{nas="late",tenant_id="demo"}`)
	}, "the new NAS")
}

func TestASessionThatBeginsOnOneNodeAndEndsOnTheOtherIsOne(t *testing.T) {
	c := startTwoNodes(t, pgtest.Shared(t))
	first, second := c.nodes[0], c.nodes[1]
	assert.Contains(t, first.radclient(first.acct, "acct", `Acct-Status-Type=Start,Acct-Session-Id=roaming,User-Name=sub3`), "Accounting-Response")
	assert.Contains(t, second.radclient(second.acct, "acct", `Acct-Status-Type=Start,Acct-Session-Id=roaming,User-Name=sub3`), "Accounting-Response", "the NAS asked its second server, too")
	assert.Contains(t, second.radclient(second.acct, "acct", `Acct-Status-Type=Interim-Update,Acct-Session-Id=roaming,User-Name=sub3,Acct-Session-Time=1,Acct-Input-Octets=7,Framed-IPv6-Prefix=2001:db8::/64`), "Accounting-Response")
	assert.Contains(t, second.radclient(second.acct, "acct", `Acct-Status-Type=Stop,Acct-Session-Id=roaming,User-Name=sub3,Acct-Session-Time=2,Acct-Input-Octets=9,Acct-Terminate-Cause=User-Request`), "Accounting-Response")

	engine := c.open()
	var sessions []*linegate.Session
	require.NoError(t, engine.EachSession(t.Context(), store.SessionFilter{}, func(s *linegate.Session) error {
		sessions = append(sessions, s)
		return nil
	}))
	require.Len(t, sessions, 1)
	assert.False(t, sessions[0].Open())
	assert.EqualValues(t, 9, sessions[0].InputOctets)
	assert.EqualValues(t, 103, sessions[0].ServiceVLAN)
	assert.Equal(t, "2001:db8::/64", sessions[0].FramedIPv6Prefix.String())
	recorded, err := engine.CountAccounting(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 3, recorded)
	assert.Contains(t, second.cli("session", "list", "--user", "sub3"), "sub3")
}
