package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
)

// putAll stores subscribers in one bulk.
func (e engine) putAll(t *testing.T, subs ...*linegate.Subscriber) (outcomes []linegate.Outcome) {
	t.Helper()
	e.update(t, func(tx store.Tx) (err error) {
		outcomes, err = tx.PutSubscribers(subs)
		return err
	})
	return outcomes
}

// told returns the feed after a revision, without what must differ.
func (e engine) told(t *testing.T, after int64) []linegate.AuditEntry {
	t.Helper()
	entries, err := e.Feed(within(t), after, 1000)
	require.NoError(t, err)
	for i := range entries {
		entry := &entries[i]
		for k, key := range entry.Keys {
			tenant, by, value := key.Split()
			require.Equal(t, entry.Tenant, tenant)
			entry.Keys[k] = linegate.NewKey("", by, value)
		}
		entry.Revision, entry.At, entry.ID, entry.Tenant = 0, epoch, "", ""
	}
	return entries
}

func testBulk(t *testing.T, e engine) {
	e.tenants(t, "single", "bulk")
	revision := func() int64 {
		revision, err := e.Revision(within(t))
		require.NoError(t, err)
		return revision
	}

	t.Run("a bulk does what single puts do", func(t *testing.T) {
		moved := func(tenant string) *linegate.Subscriber {
			sub := full(tenant, "known")
			sub.Profile.CircuitID, sub.Credential.Value = "moved", "other"
			return sub
		}
		list := func(tenant string) []*linegate.Subscriber {
			return []*linegate.Subscriber{moved(tenant), full(tenant, "new"), plain(tenant, "02-00-00-00-0A-BB"),
				plain(tenant, "same"), plain(tenant, "returns"), onLine(tenant, "line", "\x00\xff")}
		}
		for _, tenant := range []string{"single", "bulk"} {
			e.put(t, full(tenant, "known"))
			e.put(t, plain(tenant, "same"))
			e.put(t, plain(tenant, "returns"))
			e.delete(t, tenant, "returns")
			e.put(t, plain(tenant, "02:00:00:00:0a:bb"))
		}
		before := revision()
		var want []linegate.Outcome
		for _, sub := range list("single") {
			want = append(want, e.put(t, sub))
		}
		between := revision()
		assert.Equal(t, want, e.putAll(t, list("bulk")...))
		single := e.told(t, before)
		half := len(single) / 2
		assert.Equal(t, single[:half], single[half:])
		assert.Len(t, e.told(t, between), half)
		for _, sub := range list("bulk") {
			one, other := e.get(t, "single", sub.Username), e.get(t, "bulk", sub.Username)
			assert.Positive(t, other.Revision)
			assert.Len(t, other.ID, 36)
			one.ID, one.Revision, one.Tenant = other.ID, other.Revision, other.Tenant
			assert.Equal(t, one, other)
		}
	})
	t.Run("a changed one keeps its ID and bookkeeping", func(t *testing.T) {
		before := e.get(t, "bulk", "known")
		require.NoError(t, e.RecordValidations(within(t), []store.ValidationRecord{
			{SubscriberID: before.ID, LastAt: epoch, LastResult: linegate.Option82Mismatch, Mismatches: 3}}))
		assert.Equal(t, []linegate.Outcome{linegate.Changed}, e.putAll(t, full("bulk", "known")))
		after := e.get(t, "bulk", "known")
		assert.Equal(t, before.ID, after.ID)
		assert.Equal(t, int64(3), after.Validation.MismatchCount)
	})
	t.Run("what was given is not changed by putting it", func(t *testing.T) {
		given := &linegate.Subscriber{Tenant: "bulk", Username: "untouched", Profile: &linegate.NetworkProfile{CircuitID: "line"}}
		copied := given.Clone()
		e.putAll(t, given)
		assert.Equal(t, copied, given)
	})
	t.Run("an empty bulk does nothing", func(t *testing.T) {
		before := revision()
		assert.Empty(t, e.putAll(t))
		assert.Equal(t, before, revision())
	})
	t.Run("thousands in one bulk and in one question", func(t *testing.T) {
		const many = 1500
		subs, names := make([]*linegate.Subscriber, many), make([]string, many)
		for i := range subs {
			names[i] = fmt.Sprintf("user%04d", i)
			subs[i] = plain("bulk", names[i])
		}
		outcomes := e.putAll(t, subs...)
		require.Len(t, outcomes, many)
		e.update(t, func(tx store.Tx) error {
			found, err := tx.Subscribers("bulk", append(names, "nobody"))
			require.NoError(t, err)
			assert.Len(t, found, many)
			again, err := tx.PutSubscribers(subs)
			require.NoError(t, err)
			assert.Equal(t, linegate.Unchanged, again[many-1])
			return nil
		})
	})
	testBulkQuestions(t, e)
	testBulkErrors(t, e)
}

func testBulkQuestions(t *testing.T, e engine) {
	t.Run("names are found in any notation, and nobody is left out", func(t *testing.T) {
		e.update(t, func(tx store.Tx) error {
			found, err := tx.Subscribers("bulk", []string{"known", "nobody", "0200.0000.0abb"})
			require.NoError(t, err)
			require.Len(t, found, 2)
			assert.Equal(t, e.get(t, "bulk", "known"), found["known"])
			assert.Equal(t, "02-00-00-00-0A-BB", found[linegate.ComparableUsername("0200.0000.0abb")].Username)
			none, err := tx.Subscribers("bulk", nil)
			assert.Empty(t, none)
			return err
		})
	})
	t.Run("a transaction sees its own writes", func(t *testing.T) {
		e.update(t, func(tx store.Tx) error {
			ask := func() *linegate.Subscriber {
				found, err := tx.Subscribers("bulk", []string{"fresh"})
				require.NoError(t, err)
				return found["fresh"]
			}
			assert.Nil(t, ask())
			_, err := tx.PutSubscribers([]*linegate.Subscriber{plain("bulk", "fresh")})
			require.NoError(t, err)
			assert.NotNil(t, ask())
			changed := plain("bulk", "fresh")
			changed.Status = linegate.StatusSuspended
			outcome, err := tx.PutSubscriber(changed)
			require.NoError(t, err)
			assert.Equal(t, linegate.Changed, outcome)
			assert.Equal(t, linegate.StatusSuspended, ask().Status)
			outcomes, err := tx.PutSubscribers([]*linegate.Subscriber{plain("bulk", "fresh")})
			require.NoError(t, err)
			assert.Equal(t, []linegate.Outcome{linegate.Changed}, outcomes)
			require.NoError(t, tx.DeleteSubscriber("bulk", "fresh"))
			assert.Nil(t, ask())
			outcomes, err = tx.PutSubscribers([]*linegate.Subscriber{plain("bulk", "fresh")})
			assert.Equal(t, []linegate.Outcome{linegate.Created}, outcomes)
			return err
		})
	})
	t.Run("writes of one transaction are compared with one another, asked for or not", func(t *testing.T) {
		suspended := plain("bulk", "swift")
		suspended.Status = linegate.StatusSuspended
		e.update(t, func(tx store.Tx) error {
			for _, step := range []struct {
				sub  *linegate.Subscriber
				want linegate.Outcome
			}{{plain("bulk", "swift"), linegate.Created}, {suspended, linegate.Changed}, {suspended, linegate.Unchanged}, {plain("bulk", "swift"), linegate.Changed}} {
				outcome, err := tx.PutSubscriber(step.sub)
				require.NoError(t, err)
				assert.Equal(t, step.want, outcome)
			}
			for _, want := range []linegate.Outcome{linegate.Changed, linegate.Unchanged} {
				outcomes, err := tx.PutSubscribers([]*linegate.Subscriber{suspended})
				require.NoError(t, err)
				assert.Equal(t, []linegate.Outcome{want}, outcomes)
			}
			require.NoError(t, tx.DeleteSubscriber("bulk", "swift"))
			assert.ErrorIs(t, tx.DeleteSubscriber("bulk", "swift"), linegate.ErrNotFound)
			outcomes, err := tx.PutSubscribers([]*linegate.Subscriber{suspended})
			assert.Equal(t, []linegate.Outcome{linegate.Created}, outcomes)
			return err
		})
	})
	t.Run("what was found may be changed and put back", func(t *testing.T) {
		e.update(t, func(tx store.Tx) error {
			found, err := tx.Subscribers("bulk", []string{"known"})
			require.NoError(t, err)
			sub := found["known"]
			sub.Profile.ServiceVLAN = 777
			outcomes, err := tx.PutSubscribers([]*linegate.Subscriber{sub})
			assert.Equal(t, []linegate.Outcome{linegate.Changed}, outcomes)
			return err
		})
		assert.Equal(t, linegate.VLAN(777), e.get(t, "bulk", "known").Profile.ServiceVLAN)
	})
}

func testBulkErrors(t *testing.T, e engine) {
	bad := plain("bulk", "bad")
	bad.Profile = &linegate.NetworkProfile{InnerVLAN: 5}
	for name, test := range map[string]struct {
		subs  []*linegate.Subscriber
		index int
		check func(t *testing.T, err error)
	}{
		"one that contradicts itself": {[]*linegate.Subscriber{plain("bulk", "x1"), plain("bulk", "x2"), bad, plain("bulk", "x3")}, 2,
			func(t *testing.T, err error) {
				var fields linegate.FieldErrors
				require.ErrorAs(t, err, &fields)
				assert.Equal(t, "inner_vlan", fields[0].Field)
			}},
		"one of a tenant that does not exist": {[]*linegate.Subscriber{plain("bulk", "x1"), plain("nobody", "x2")}, 1,
			func(t *testing.T, err error) { assert.ErrorIs(t, err, linegate.ErrNotFound) }},
		"a name that comes twice": {[]*linegate.Subscriber{plain("bulk", "02-00-00-00-0A-CC"), plain("bulk", "x1"), plain("bulk", "0200.0000.0acc")}, 2,
			func(t *testing.T, err error) { assert.ErrorIs(t, err, linegate.ErrConflict) }},
	} {
		t.Run(name+" is named by its index, and nothing is written", func(t *testing.T) {
			before := e.told(t, 0)
			put := func(tx store.Tx) error {
				_, err := tx.PutSubscriber(plain("bulk", "first"))
				require.NoError(t, err)
				_, err = tx.PutSubscribers(test.subs)
				return err
			}
			err := e.Update(within(t), "ann@desk", put)
			var at *store.BulkError
			require.ErrorAs(t, err, &at)
			assert.Equal(t, test.index, at.Index)
			assert.True(t, strings.Contains(at.Error(), test.subs[test.index].Username) || strings.Contains(at.Error(), test.subs[test.index].Tenant), at.Error())
			test.check(t, err)

			err = e.Update(within(t), "ann@desk", func(tx store.Tx) error { _ = put(tx); return nil })
			assert.Error(t, err, "even when the caller looks away")
			assert.Equal(t, before, e.told(t, 0))
		})
	}
}
