package sqlite

import (
	"context"
	"errors"
	"time"

	"linegate"
	"linegate/store"
)

// MarkStale implements store.Engine.
func (s *Store) MarkStale(context.Context, time.Time, int) (int, error) {
	return 0, errors.ErrUnsupported
}

// Admit implements store.Engine.
func (s *Store) Admit(context.Context, linegate.Admission) (bool, error) {
	return false, errors.ErrUnsupported
}

// Retain implements store.Engine.
func (s *Store) Retain(context.Context, store.Retention) (store.Retained, error) {
	return store.Retained{}, errors.ErrUnsupported
}

// Subscribers implements store.Tx.
func (u *update) Subscribers(string, []string) (map[string]*linegate.Subscriber, error) {
	return nil, errors.ErrUnsupported
}

// PutSubscribers implements store.Tx.
func (u *update) PutSubscribers([]*linegate.Subscriber) ([]linegate.Outcome, error) {
	return nil, errors.ErrUnsupported
}
