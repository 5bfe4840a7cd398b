package provisioning

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"

	"linegate"
)

// Desk takes orders and tells how they stand. It carries nothing out: an Engine
// does, in this process or in another. It is safe for concurrent use.
type Desk struct {
	client  dbos.Client
	sealing *sealing
	book    Book
	owned   bool // the client is ours to close
}

// OpenDesk opens a desk on a store that had an Engine before.
func OpenDesk(ctx context.Context, database string, book Book, sealer Sealer) (*Desk, error) {
	sealing := newSealing(sealer)
	client, err := dbos.NewClient(ctx, dbos.ClientConfig{
		AppName: applicationName, DatabaseURL: database, Serializer: sealing, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, fmt.Errorf("workflows in %s: %w", database, err)
	}
	return &Desk{client: client, sealing: sealing, book: book, owned: true}, nil
}

// Close gives the desk up. One that belongs to an Engine ends with that.
func (d *Desk) Close() error {
	if !d.owned {
		return nil
	}
	return dbos.Shutdown(d.client, shutdownTimeout)
}

// OrderID is what an order is called everywhere else: tenant, slash and key.
func OrderID(order linegate.Order) string { return order.Tenant + "/" + order.Key }

// Submit takes an order and returns its id. The same order given again is taken
// once; another one under the same key is linegate.ErrConflict.
func (d *Desk) Submit(_ context.Context, order linegate.Order) (id string, err error) {
	if err := order.Validate(); err != nil {
		return "", err
	}
	text, err := encode(order)
	if err != nil {
		return "", err
	}
	id = OrderID(order)
	_, err = dbos.Enqueue[string](d.client, orderQueue, string(order.Kind), text,
		dbos.WithEnqueueWorkflowID(id), dbos.WithEnqueueApplicationVersion(applicationVersion))
	if err != nil && !errors.Is(err, dbos.ErrUnexpectedWorkflow) {
		return "", fmt.Errorf("order %s: %w", id, err)
	}
	taken, err := d.order(id)
	if err != nil {
		return "", err
	}
	if !sameOrder(taken, order) {
		return "", fmt.Errorf("order %s: the key was used before, for another order: %w", id, linegate.ErrConflict)
	}
	return id, nil
}

// sameOrder compares what is ordered; who gave it again does not matter.
func sameOrder(a, b linegate.Order) bool {
	a.Actor, b.Actor = "", ""
	return fmt.Sprint(flat(a)) == fmt.Sprint(flat(b))
}

// flat replaces what an order points to by its value, so that orders compare.
func flat(o linegate.Order) []any {
	parts := []any{}
	if o.ONU != nil {
		parts = append(parts, *o.ONU)
	}
	if o.CPE != nil {
		parts = append(parts, *o.CPE)
	}
	o.ONU, o.CPE = nil, nil
	return append(parts, o)
}

// order returns what was ordered.
func (d *Desk) order(id string) (order linegate.Order, err error) {
	status, err := d.status(id, true)
	if err != nil {
		return order, err
	}
	return d.orderOf(status)
}

func (d *Desk) orderOf(status dbos.WorkflowStatus) (order linegate.Order, err error) {
	text, err := d.text(status.Input)
	if err != nil {
		return order, fmt.Errorf("order %s: %w", status.ID, err)
	}
	if err := decode([]byte(text), &order); err != nil {
		return order, fmt.Errorf("order %s: %w", status.ID, err)
	}
	return order, nil
}

func (d *Desk) status(id string, whole bool) (dbos.WorkflowStatus, error) {
	found, err := dbos.ListWorkflows(d.client, dbos.WithFilterWorkflowIDs(id), dbos.WithFilterLoadInput(whole), dbos.WithFilterLoadOutput(whole))
	if err != nil {
		return dbos.WorkflowStatus{}, fmt.Errorf("order %s: %w", id, err)
	}
	if len(found) == 0 {
		return dbos.WorkflowStatus{}, fmt.Errorf("order %s: %w", id, linegate.ErrNotFound)
	}
	return found[0], nil
}

// text is a recorded string, however the record gives it.
func (d *Desk) text(recorded any) (string, error) {
	switch value := recorded.(type) {
	case string:
		return value, nil
	case *string:
		if value == nil {
			return "", errors.New("nothing is recorded")
		}
		plain, err := d.sealing.Decode(value)
		if err != nil {
			return "", err
		}
		return d.text(plain)
	}
	return "", fmt.Errorf("the record holds %T", recorded)
}

// Standing is how an order stands, StepRecord one of its steps.
type (
	Standing   = linegate.OrderStanding
	StepRecord = linegate.OrderStep
)

// List returns how orders stand, newest first, at most limit; of a tenant, or of
// all when it is empty.
func (d *Desk) List(_ context.Context, tenant string, limit int) ([]Standing, error) {
	filters := []dbos.ListWorkflowsOption{
		dbos.WithFilterLimit(limit), dbos.WithFilterSortDesc(), dbos.WithFilterLoadInput(true), dbos.WithFilterLoadOutput(true),
		dbos.WithFilterName(kindNames()...),
	}
	if tenant != "" {
		filters = append(filters, dbos.WithFilterWorkflowIDPrefix(tenant+"/"))
	}
	found, err := dbos.ListWorkflows(d.client, filters...)
	if err != nil {
		return nil, fmt.Errorf("orders: %w", err)
	}
	standings := make([]Standing, len(found))
	for i, status := range found {
		if standings[i], err = d.standing(status); err != nil {
			return nil, err
		}
	}
	return standings, nil
}

func kindNames() []string {
	names := make([]string, 0, 5)
	for _, kind := range linegate.OrderKinds() {
		names = append(names, string(kind))
	}
	return names
}

// Show returns how an order stands, with the steps that were made.
func (d *Desk) Show(_ context.Context, id string) (Standing, error) {
	status, err := d.status(id, true)
	if err != nil {
		return Standing{}, err
	}
	standing, err := d.standing(status)
	if err != nil {
		return Standing{}, err
	}
	steps, err := dbos.GetWorkflowSteps(d.client, id)
	if err != nil {
		return Standing{}, fmt.Errorf("order %s: %w", id, err)
	}
	for _, step := range steps {
		if strings.HasPrefix(step.StepName, "DBOS.") {
			continue
		}
		record := StepRecord{Name: step.StepName, Began: step.StartedAt, Completed: step.CompletedAt}
		if text, err := d.text(step.Output); err == nil {
			var made outcome
			if decode([]byte(text), &made) == nil && made.Failure != nil {
				record.Error = made.Failure.Text
			}
		}
		standing.Steps = append(standing.Steps, record)
	}
	return standing, nil
}

func (d *Desk) standing(status dbos.WorkflowStatus) (Standing, error) {
	standing := Standing{ID: status.ID, Begun: status.CreatedAt, Updated: status.UpdatedAt}
	var err error
	if standing.Order, err = d.orderOf(status); err != nil {
		return standing, err
	}
	delete(standing.Order.Set, "password")
	if status.Status == dbos.WorkflowStatusSuccess {
		text, err := d.text(status.Output)
		if err == nil {
			err = decode([]byte(text), &standing.Result)
		}
		if err != nil {
			return standing, fmt.Errorf("order %s: result: %w", status.ID, err)
		}
		standing.State = standing.Result.State
		return standing, nil
	}
	standing.State = linegate.OrderRunning
	if status.Status == dbos.WorkflowStatusEnqueued || status.Status == dbos.WorkflowStatusDelayed {
		standing.State = linegate.OrderQueued // also one that was stuck and is being taken up
	}
	if standing.Stuck, err = d.stuck(status.ID); err != nil {
		return standing, err
	}
	if status.Error != nil {
		standing.Stuck = status.Error.Error()
	}
	if standing.Stuck != "" {
		standing.State = linegate.OrderStuck
	}
	return standing, nil
}

// stuck returns what an order waits for, empty when for nothing.
func (d *Desk) stuck(id string) (string, error) {
	text, err := dbos.GetEvent[string](d.client, id, eventStuck, 0)
	if errors.Is(err, dbos.ErrTimeout) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("order %s: %w", id, err)
	}
	return text, nil
}

// Retry makes a step that can't be done be tried again at once.
func (d *Desk) Retry(ctx context.Context, id string) error { return d.decide(ctx, id, decideRetry) }

// GiveUp makes an order go on without the step that can't be done: what it would
// have done or undone is left as it is, and told in the result.
func (d *Desk) GiveUp(ctx context.Context, id string) error { return d.decide(ctx, id, decideGiveUp) }

// Cancel makes an order that is under way undo itself.
func (d *Desk) Cancel(ctx context.Context, id string) error {
	if err := d.book.AskCancel(ctx, id); err != nil {
		return fmt.Errorf("order %s: it is not under way: %w", id, err)
	}
	standing, err := d.Show(ctx, id)
	if err != nil || standing.State != linegate.OrderStuck {
		return err
	}
	return d.decide(ctx, id, decideCancel)
}

func (d *Desk) decide(ctx context.Context, id string, choice decision) error {
	standing, err := d.Show(ctx, id)
	if err != nil {
		return err
	}
	if standing.State != linegate.OrderStuck {
		return fmt.Errorf("order %s: it is %s and waits for no decision: %w", id, standing.State, linegate.ErrConflict)
	}
	if err := dbos.Send(d.client, id, string(choice), topicDecision); err != nil {
		return fmt.Errorf("order %s: %w", id, err)
	}
	return nil
}

// settled are the states in which an order stays until somebody does something.
func settled() []linegate.OrderState {
	return []linegate.OrderState{linegate.OrderStuck, linegate.OrderDone, linegate.OrderUndone, linegate.OrderLeftovers}
}

// Await returns how an order stands as soon as it ended or is stuck.
func (d *Desk) Await(ctx context.Context, id string) (Standing, error) {
	ticker := time.NewTicker(awaitInterval)
	defer ticker.Stop()
	for {
		status, err := d.status(id, true)
		if err != nil {
			return Standing{}, err
		}
		standing, err := d.standing(status)
		if err != nil || slices.Contains(settled(), standing.State) {
			return standing, err
		}
		select {
		case <-ctx.Done():
			return standing, context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

const awaitInterval = 50 * time.Millisecond

// AwaitAfter is Await for an order that was just decided about: it does not return
// the state from before, in which so many steps were made.
func (d *Desk) AwaitAfter(ctx context.Context, id string, steps int) (Standing, error) {
	ticker := time.NewTicker(awaitInterval)
	defer ticker.Stop()
	for {
		standing, err := d.Show(ctx, id)
		moved := standing.State != linegate.OrderStuck || len(standing.Steps) != steps
		if err != nil || moved && slices.Contains(settled(), standing.State) {
			return standing, err
		}
		select {
		case <-ctx.Done():
			return standing, context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// Open returns the ids of orders that did not end, oldest first; of a tenant, or of
// all when it is empty.
func (d *Desk) Open(_ context.Context, tenant string) (ids []string, err error) {
	filters := []dbos.ListWorkflowsOption{
		dbos.WithFilterStatus(dbos.WorkflowStatusEnqueued, dbos.WorkflowStatusPending, dbos.WorkflowStatusDelayed),
		dbos.WithFilterName(kindNames()...),
	}
	if tenant != "" {
		filters = append(filters, dbos.WithFilterWorkflowIDPrefix(tenant+"/"))
	}
	found, err := dbos.ListWorkflows(d.client, filters...)
	if err != nil {
		return nil, fmt.Errorf("orders: %w", err)
	}
	for _, status := range found {
		ids = append(ids, status.ID)
	}
	return ids, nil
}
