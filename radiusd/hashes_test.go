package radiusd

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"linegate"
)

func hashOf(t *testing.T, password string) linegate.Credential {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	require.NoError(t, err)
	credential, err := linegate.ParseCredential(string(hash))
	require.NoError(t, err)
	return credential
}

// Whoever floods one subscriber with passwords must not fill the line for all.
func TestOneSubscriberHasOneCheckAtATime(t *testing.T) {
	h, err := newHashes(1)
	require.NoError(t, err)
	defer h.close()
	flooded, other := hashOf(t, "secretpw"), hashOf(t, "secretpw")
	require.True(t, h.enter(flooded.Value), "a check is under way")

	_, err = h.check(t.Context(), flooded, []byte("guess"))
	assert.ErrorIs(t, err, linegate.ErrOverloaded)
	verdict, err := h.check(t.Context(), other, []byte("secretpw"))
	assert.NoError(t, err)
	assert.Equal(t, linegate.HashRight, verdict, "somebody else is checked meanwhile")

	h.leave(flooded.Value)
	verdict, err = h.check(t.Context(), flooded, []byte("guess"))
	assert.NoError(t, err)
	assert.Equal(t, linegate.HashWrong, verdict)
	h.remembered.Wait()
	assert.Equal(t, linegate.HashWrong, h.recall(flooded, []byte("guess")))
	assert.Equal(t, linegate.HashUnchecked, h.recall(flooded, []byte("another")))
}
