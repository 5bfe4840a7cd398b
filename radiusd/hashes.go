package radiusd

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/dgraph-io/ristretto/v2"

	"linegate"
	"linegate/policy"
)

// hashes checks PAP passwords against slow password hashes, a few at a time, and
// remembers the verdicts under a keyed hash, so that a subscriber costs the slow
// check once and not at each login. The key lives only in this process.
type hashes struct {
	key        [32]byte
	workers    chan struct{}
	remembered *ristretto.Cache[[]byte, rememberedVerdict]
}

// rememberedVerdict repeats the key it stands under, because ristretto compares
// hashes of keys only.
type rememberedVerdict struct {
	mac     [sha256.Size]byte
	verdict linegate.HashVerdict
}

// How many verdicts are kept, and how long: a wrong one is kept as well, because
// a CPE with an old password comes back every few seconds.
const (
	rememberedVerdicts = 100_000
	rightVerdictLife   = time.Hour
	wrongVerdictLife   = time.Minute
)

// newHashes lets so many checks run at a time, at least one.
func newHashes(workers int) (*hashes, error) {
	h := &hashes{workers: make(chan struct{}, max(1, workers))}
	_, _ = rand.Read(h.key[:]) // never fails, says crypto/rand
	var err error
	h.remembered, err = ristretto.NewCache(&ristretto.Config[[]byte, rememberedVerdict]{
		NumCounters: 10 * rememberedVerdicts, MaxCost: rememberedVerdicts, BufferItems: 64, IgnoreInternalCost: true,
	})
	if err != nil {
		return nil, fmt.Errorf("password verdicts: %w", err)
	}
	return h, nil
}

func (h *hashes) close() { h.remembered.Close() }

// mac identifies the pair of stored hash and tried password.
func (h *hashes) mac(credential linegate.Credential, password []byte) (sum [sha256.Size]byte) {
	keyed := hmac.New(sha256.New, h.key[:])
	stored := sha256.Sum256([]byte(credential.Value.Reveal()))
	keyed.Write(stored[:])
	keyed.Write(password)
	return [sha256.Size]byte(keyed.Sum(nil))
}

// recall returns a remembered verdict, HashUnchecked when there is none.
func (h *hashes) recall(credential linegate.Credential, password []byte) linegate.HashVerdict {
	mac := h.mac(credential, password)
	if known, ok := h.remembered.Get(mac[:]); ok && hmac.Equal(known.mac[:], mac[:]) {
		return known.verdict
	}
	return linegate.HashUnchecked
}

// check returns the verdict, remembered or made now. It waits for a free worker
// until ctx ends, and is then linegate.ErrOverloaded.
func (h *hashes) check(ctx context.Context, credential linegate.Credential, password []byte) (linegate.HashVerdict, error) {
	select {
	case h.workers <- struct{}{}:
	case <-ctx.Done():
		return linegate.HashUnchecked, fmt.Errorf("password hash: no free worker: %w", linegate.ErrOverloaded)
	}
	defer func() { <-h.workers }()
	if verdict := h.recall(credential, password); verdict != linegate.HashUnchecked {
		return verdict, nil
	}
	verdict, life := policy.VerifyHash(credential, password), wrongVerdictLife
	if verdict == linegate.HashRight {
		life = rightVerdictLife
	}
	mac := h.mac(credential, password)
	h.remembered.SetWithTTL(mac[:], rememberedVerdict{mac: mac, verdict: verdict}, 1, life)
	return verdict, nil
}
