package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"linegate"
	"linegate/coa"
	"linegate/radiusd"
	"linegate/radiusd/wire"
)

// benchNASOptions are the flags of `linegate bench nas`.
type benchNASOptions struct {
	asking
	listen string
	nak    string
	cause  uint32
	loss   string
}

// newBenchNASCommand is the other end of `linegate bench coa`, of the relay, and of
// changes of many sessions.
func newBenchNASCommand(c *cli) *cobra.Command {
	var options benchNASOptions
	command := &cobra.Command{
		Use:   "nas",
		Short: "Answer changes of sessions, as a NAS would",
		Long: "Answer every CoA-Request and Disconnect-Request that proves itself, as fast as this machine can: a NAS\n" +
			"for `linegate bench coa`, for the relay and for `linegate coa`. It knows no sessions and ends none.\n" +
			"A copy of a request gets the same answer, from the address that was asked, so that one process on\n" +
			"0.0.0.0 is as many NAS as the machine has addresses (on Linux all of 127.0.0.0/8).\n" +
			"Ctrl-C ends it and shows what it has seen. Exit status: 0, or 1 when it can't listen.",
		Example: "  linegate bench nas --listen 0.0.0.0:3799 --secret testing123 --nak 1% --loss 1%",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			nas, err := options.build(cmd)
			if err != nil {
				return err
			}
			err = nas.serve(cmd.Context(), options.listen, func(bound string) {
				fmt.Fprintf(cmd.ErrOrStderr(), "answering on %s\n", bound)
			})
			if err != nil {
				return err
			}
			return show(cmd.OutOrStdout(), c.output, nas.record())
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.listen, "listen", demoCoA, "HOST:PORT to listen on")
	options.addSecretFlags(command)
	flags.StringVar(&options.nak, "nak", "0%", "share of requests to refuse, 0% to 100%")
	flags.Uint32Var(&options.cause, "nak-cause", 504, "Error-Cause to refuse with, 400 to 599")
	flags.StringVar(&options.loss, "loss", "0%", "share of datagrams to lose, 0% to 100%")
	return command
}

func (o *benchNASOptions) build(cmd *cobra.Command) (*benchNAS, error) {
	nas := &benchNAS{cause: linegate.ErrorCause(o.cause)}
	var err error
	if nas.signer, err = o.signer(cmd.InOrStdin()); err != nil {
		return nil, err
	}
	if nas.nak, err = parseShare("nak", o.nak); err != nil {
		return nil, err
	}
	if nas.loss, err = parseShare("loss", o.loss); err != nil {
		return nil, err
	}
	if o.cause < 400 || o.cause > 599 { // RFC 5176 section 3.5
		return nil, fmt.Errorf("--nak-cause: %d is not allowed: 400 to 599", o.cause)
	}
	return nas, nil
}

// benchNAS answers changes.
type benchNAS struct {
	signer    *wire.Signer
	nak, loss float64 // shares
	cause     linegate.ErrorCause

	received, lost, bad, acked, refused atomic.Uint64
}

// record is what was seen, each copy of a request counted.
func (n *benchNAS) record() record {
	return record{
		{"received", n.received.Load()}, {"acked", n.acked.Load()}, {"refused", n.refused.Load()},
		{"lost", n.lost.Load()}, {"bad_requests", n.bad.Load()},
	}
}

// nasReceiveBuffer holds what comes while all CPUs are busy, in octets.
const nasReceiveBuffer = 4 << 20

// serve answers until ctx ends. ready is told the address that was bound.
func (n *benchNAS) serve(ctx context.Context, address string, ready func(bound string)) error {
	conn, err := radiusd.ListenAlone(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetReadBuffer(nasReceiveBuffer) // the kernel may grant less: not worth failing for
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	ready(conn.LocalAddr().String())
	var loops errgroup.Group
	for range runtime.GOMAXPROCS(0) {
		loops.Go(func() error { return n.loop(conn) })
	}
	return loops.Wait()
}

// loop answers what it reads until the socket's deadline passes.
func (n *benchNAS) loop(conn *net.UDPConn) error {
	var datagram, space [wire.MaxPacketSize]byte
	var control [128]byte
	for {
		size, controls, _, from, err := conn.ReadMsgUDPAddrPort(datagram[:], control[:])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		if reply := n.answer(space[:0], datagram[:size]); reply != nil {
			source, _ := radiusd.ReadControl(control[:controls])
			_, _, _ = conn.WriteMsgUDPAddrPort(reply, source, from) // what can't be sent is lost, as datagrams may be
		}
	}
}

// answer makes the answer to a datagram in the space; nil: there is none. Whether a
// request is refused follows from its octets, so that a copy fares alike.
func (n *benchNAS) answer(space, datagram []byte) []byte {
	n.received.Add(1)
	if rand.Float64() < n.loss {
		n.lost.Add(1)
		return nil
	}
	request, err := wire.Parse(datagram)
	if err != nil || request.Code() != wire.CoARequest && request.Code() != wire.DisconnectRequest || n.signer.VerifyChange(request) != nil {
		n.bad.Add(1)
		return nil
	}
	cause, counter := coa.Acknowledged, &n.acked
	digest := request.Authenticator()
	if number, _ := wire.Uint32(digest[:4]); float64(number) < n.nak*(1<<32) {
		cause, counter = n.cause, &n.refused
	}
	reply, err := coa.Reply(space, n.signer, request, cause)
	if err != nil { // its Proxy-States leave no room
		n.bad.Add(1)
		return nil
	}
	counter.Add(1)
	return reply
}
