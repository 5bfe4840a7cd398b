package policy

import (
	"crypto/des"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDESIsTheStandards(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		key, block := random.Uint64(), random.Uint64()
		library, err := des.NewCipher(binary.BigEndian.AppendUint64(nil, key))
		require.NoError(t, err)
		var want [des.BlockSize]byte
		library.Encrypt(want[:], binary.BigEndian.AppendUint64(nil, block))
		require.Equal(t, binary.BigEndian.Uint64(want[:]), encryptDES(key, block), "%x under %x", block, key)
	}
}
