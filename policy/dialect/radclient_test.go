package dialect_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/dictionary"
	"linegate/policy/dialect"
	"linegate/radiusd/wire"
)

// otherPEN keeps our own attributes apart from those of a dialect that lives under
// the number for documentation as well.
const otherPEN = 64999

// radclient encodes every attribute that a dialect grants or changes by itself, from
// the text of it and our dictionary: the octets must be ours.
func TestRadclientEncodesEveryAttributeOfEveryDialectAsWeDo(t *testing.T) {
	folder := shippedDictionary(t)
	names, err := dictionary.Standard(otherPEN)
	require.NoError(t, err)
	for name, spoken := range dialect.Builtin(otherPEN) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours := everythingSaid(spoken)
			input := &strings.Builder{}
			for attribute := range packetWith(t, ours).Attributes() {
				for _, pair := range names.Read(attribute.Type, attribute.Value) {
					require.NotContains(t, pair.Name(), "Attr-", "an attribute without a name")
					fmt.Fprintln(input, strings.Replace(pair.String(), " = ", " += ", 1))
				}
			}
			assert.Equal(t, lines(t, names, ours), lines(t, names, radclientEncodes(t, folder, input.String())), "as text")
			assert.Equal(t, fmt.Sprintf("% x", ours), fmt.Sprintf("% x", radclientEncodes(t, folder, input.String())))
		})
	}
}

// everythingSaid is a full grant, and all changes that the dialect can make.
func everythingSaid(spoken *dialect.Dialect) []byte {
	grant := goldenGrants()["full"]
	octets := spoken.AppendGrant(nil, &grant)
	session := goldenSession()
	octets = spoken.AppendIdentity(octets, session)
	for _, kind := range linegate.ChangeKinds() {
		if longer, _, err := spoken.AppendChange(octets, goldenChanges()[string(kind)], session); err == nil {
			octets = longer
		}
	}
	return octets
}

func lines(t *testing.T, names *dictionary.Dictionary, octets []byte) (all []string) {
	t.Helper()
	for attribute := range packetWith(t, octets).Attributes() {
		all = append(all, names.Format(attribute.Type, attribute.Value))
	}
	return all
}

// shippedDictionary copies our dictionary to where radclient reads it, with our own
// attributes under otherPEN.
func shippedDictionary(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(folder, os.DirFS("../../dictionary/data")))
	own := filepath.Join(folder, "linegate.dictionary")
	text, err := os.ReadFile(own)
	require.NoError(t, err)
	changed := strings.Replace(string(text), fmt.Sprint("VENDOR Linegate ", documentationPEN), fmt.Sprint("VENDOR Linegate ", otherPEN), 1)
	require.NotEqual(t, string(text), changed)
	require.NoError(t, os.WriteFile(own, []byte(changed), 0o600))
	return folder
}

// radclientEncodes has the real radclient send attributes and returns the octets
// that arrive behind the header.
func radclientEncodes(t *testing.T, folder, attributes string) []byte {
	t.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer socket.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	output := &strings.Builder{}
	radclient := exec.CommandContext(ctx, "radclient", "-r", "1", "-t", "30", "-D", folder, socket.LocalAddr().String(), "auth", "testing123")
	radclient.Stdin, radclient.Stdout, radclient.Stderr = strings.NewReader(attributes), output, output
	require.NoError(t, radclient.Start(), "`make tools` installs radclient")
	ended := make(chan error, 1)
	go func() {
		ended <- radclient.Wait()
		_ = socket.SetReadDeadline(time.Unix(1, 0)) // it will send nothing more
	}()
	defer func() {
		cancel() // it waits for an answer that never comes
		<-ended
	}()
	buffer := make([]byte, wire.MaxPacketSize)
	n, err := socket.Read(buffer)
	if err != nil {
		cancel()
		require.NoError(t, err, "radclient sent nothing for:\n%s", attributes)
	}
	packet, err := wire.Parse(buffer[:n])
	require.NoError(t, err)
	return packet.Raw()[wire.HeaderSize:]
}
