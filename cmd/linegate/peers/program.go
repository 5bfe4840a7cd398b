package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// program is a process in the foreground that can be started again.
type program struct {
	path   string
	args   []string
	folder string
	log    string              // path of the file that it prints to
	owner  *syscall.Credential // nil: ours
	end    syscall.Signal      // that it ends by

	command *exec.Cmd
	ended   chan struct{} // closed when the process is gone
	failure error         // then: how it ended
}

// patience is how long a program may take to begin or to end.
const patience = 3 * time.Minute

// start runs the program until ctx ends or stop is called.
func (p *program) start(ctx context.Context) error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own
	p.command = exec.CommandContext(ctx, p.path, p.args...)
	p.command.Dir, p.command.Stdout, p.command.Stderr = p.folder, log, log
	p.command.SysProcAttr = &syscall.SysProcAttr{Credential: p.owner, Setpgid: true}
	p.command.Cancel = func() error { return p.command.Process.Signal(p.end) }
	p.command.WaitDelay = patience
	if err := p.command.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	p.ended = ended
	go func() { // stop waits for it
		p.failure = p.command.Wait()
		close(ended)
	}()
	return nil
}

func (p *program) pid() int { return p.command.Process.Pid }

// stop ends the process, if there is one, and waits for it.
func (p *program) stop() error {
	if p.command == nil || p.command.Process == nil {
		return nil
	}
	if err := p.command.Process.Signal(p.end); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.command.Process.Kill()
		<-p.ended
		return fmt.Errorf("%s: did not end within %s", p.path, patience)
	}
	return nil
}

// await calls check until it succeeds. It fails when the program has ended or when
// patience is over.
func (p *program) await(ctx context.Context, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended (%v): %s", p.path, p.failure, p.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w: %s", p.path, err, p.lastWords())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// lastWords is the end of what the program printed.
func (p *program) lastWords() string {
	said, _ := os.ReadFile(p.log)
	return string(bytes.TrimSpace(said[max(0, len(said)-2000):]))
}

// logged succeeds when the text is in what the program printed.
func (p *program) logged(text string) func(context.Context) error {
	return func(context.Context) error {
		said, err := os.ReadFile(p.log)
		if err == nil && !bytes.Contains(said, []byte(text)) {
			err = fmt.Errorf("%q is not in its log", text)
		}
		return err
	}
}
