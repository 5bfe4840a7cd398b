package sqlite_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"linegate"
	"linegate/store"
)

func TestAnAdmissionWaitsNoLongerThanItsContextForAnotherProcess(t *testing.T) {
	folder := t.TempDir()
	other, s := open(t, folder), open(t, folder)
	importing, done := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- other.Update(context.WithoutCancel(t.Context()), "import", func(tx store.Tx) error {
			_, err := tx.PutTenant(linegate.Tenant{Name: "demo"})
			close(importing)
			<-done
			return errors.Join(err, errors.New("taken back"))
		})
	}()
	<-importing
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := s.Admit(ctx, linegate.Admission{SubscriberID: "alice", Limit: 1, At: began, Hold: time.Minute})
	assert.ErrorIs(t, err, linegate.ErrUnavailable)
	assert.Less(t, time.Since(began), 20*time.Second, "the busy timeout is 30 s")
	close(done)
	assert.ErrorContains(t, <-ended, "taken back")
}
