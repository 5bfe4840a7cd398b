package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"linegate"
	"linegate/cmd/linegate/config"
	"linegate/radiusd"
	"linegate/store"
	"linegate/telemetry"
)

func newServeCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the RADIUS server",
		Long: "Run the RADIUS server until SIGTERM or SIGINT, then answer what is under way and stop.\n\n" +
			"SIGHUP reads the configuration again; NAS, subscribers and profiles need no signal, they are\n" +
			"followed in the store.",
		Example: "  linegate serve --config configs/demo.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			return serve(cmd.Context(), cfg, cmd.OutOrStdout())
		},
	}
}

// serve opens the store and the log, and runs the daemon until ctx ends.
func serve(ctx context.Context, cfg config.Config, out io.Writer) (err error) {
	level := &slog.LevelVar{}
	level.Set(cfg.Log.Level)
	logger, err := telemetry.NewLogger(telemetry.LogOptions{Level: level, File: cfg.Log.File})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logger.Close()) }()

	engine, sealer, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	away, err := firstLook(ctx, engine, cfg, out)
	if err != nil {
		return err
	}

	d, err := newDaemon(ctx, cfg, engine, sealer, away, logger, level)
	if err != nil {
		return err
	}
	d.banner(out)
	return d.run(ctx)
}

// firstLook makes the store ready, if that takes no longer than a start may wait. away
// is why it is not, nil when it is; then the daemon does it when it can, and answers
// from the snapshot meanwhile: a migration of a large store may take minutes.
func firstLook(ctx context.Context, engine store.Engine, cfg config.Config, out io.Writer) (away, err error) {
	ctx, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	err = makeReady(ctx, engine, cfg, out)
	if errors.Is(err, linegate.ErrUnavailable) {
		return err, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", storeName(cfg.Store), err)
	}
	return nil, nil
}

// makeReady checks the store and migrates it, and fills it when it is empty.
func makeReady(ctx context.Context, engine store.Engine, cfg config.Config, out io.Writer) error {
	if err := prepareStore(ctx, engine); err != nil {
		return err
	}
	return applyOnFirstStart(ctx, engine, cfg, out)
}

// applyOnFirstStart fills a store that nothing was ever written to.
func applyOnFirstStart(ctx context.Context, engine store.Engine, cfg config.Config, out io.Writer) error {
	path := cfg.ApplyOnFirstStart
	revision, err := engine.Revision(ctx)
	if err != nil || path == "" || revision > 0 {
		return err
	}
	report, err := applyFile(ctx, engine, applyOptions{path: path, actor: actor(), cfg: cfg})
	if err != nil {
		return fmt.Errorf("apply_on_first_start: %w", err)
	}
	_, err = fmt.Fprintf(out, "The store was empty: %d objects applied from %s.\n", len(report), path)
	return err
}

// banner tells where the server listens, and how to try it with the demo data.
func (d *daemon) banner(out io.Writer) {
	fmt.Fprintf(out, "Linegate %s\n", buildVersion())
	fmt.Fprintf(out, "  auth   %s\n", joined(d.server.Addresses(radiusd.AuthPort)))
	fmt.Fprintf(out, "  acct   %s\n", joined(d.server.Addresses(radiusd.AcctPort)))
	if len(d.live.sockets) > 0 {
		fmt.Fprintf(out, "  coa    %s\n", joined(d.live.addresses()))
	}
	if d.http != nil {
		fmt.Fprintf(out, "  http   http://%s/  (metrics, healthz, readyz)\n", d.http.Addr())
	}
	if d.api != nil {
		fmt.Fprintf(out, "  api    http://%s/api/\n", d.api.listener.Addr())
	}
	fmt.Fprintf(out, "  store  %s\n", storeName(d.cfg.Store))
	if d.cfg.ApplyOnFirstStart != "" {
		fmt.Fprintf(out, "Try it, from this machine:\n"+
			`  echo 'User-Name=alice,User-Password=secretpw,ADSL-Agent-Circuit-Id="olt1 xpon 0/1/1",ADSL-Agent-Remote-Id=ONT1' | radclient %s auth testing123`+"\n",
			reachable(d.server.Addresses(radiusd.AuthPort)[0]))
	}
}

// reachable is how a client on this machine reaches an address: a wildcard is
// none to send to.
func reachable(address netip.AddrPort) netip.AddrPort {
	if address.Addr().IsUnspecified() {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), address.Port())
	}
	return address
}

func joined[T fmt.Stringer](addresses []T) string {
	texts := make([]string, len(addresses))
	for i, address := range addresses {
		texts[i] = address.String()
	}
	return strings.Join(texts, " ")
}

func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// onHangup calls reload at each SIGHUP until ctx ends.
func onHangup(ctx context.Context, reload func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		select {
		case <-hangups:
			reload()
		case <-ctx.Done():
			return
		}
	}
}
