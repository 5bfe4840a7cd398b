package radiusd

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"
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
	mu         sync.Mutex
	underWay   map[linegate.Secret]bool // stored hashes that are being checked or wait for it
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
	h := &hashes{workers: make(chan struct{}, max(1, workers)), underWay: make(map[linegate.Secret]bool)}
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

func (h *hashes) enter(hash linegate.Secret) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.underWay[hash] {
		return false
	}
	h.underWay[hash] = true
	return true
}

func (h *hashes) leave(hash linegate.Secret) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.underWay, hash)
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
// until ctx ends, and is then linegate.ErrOverloaded. So it is at once when the
// same subscriber's hash is being checked already: whoever tries passwords waits
// in line with himself, not before everybody else.
func (h *hashes) check(ctx context.Context, credential linegate.Credential, password []byte) (linegate.HashVerdict, error) {
	if !h.enter(credential.Value) {
		return linegate.HashUnchecked, fmt.Errorf("password hash: being checked already: %w", linegate.ErrOverloaded)
	}
	defer h.leave(credential.Value)
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
