package provisioning

import (
	"encoding/base64"
	"fmt"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
)

// sealedRow is what everything that is written about orders is sealed for.
const sealedRow = "provisioning"

// sealing writes orders and the outcome of steps in a form that nobody reads
// without the key: they hold passwords.
type sealing struct {
	sealer Sealer
	plain  dbos.Serializer[any]
}

func newSealing(sealer Sealer) *sealing { return &sealing{sealer, dbos.NewGobSerializer()} }

// Name implements dbos.Serializer.
func (s *sealing) Name() string { return "linegate_sealed" }

// Encode implements dbos.Serializer.
func (s *sealing) Encode(value any) (*string, error) {
	plain, err := s.plain.Encode(value)
	if err != nil {
		return nil, err
	}
	sealed := base64.StdEncoding.EncodeToString(s.sealer.Seal(sealedRow, *plain))
	return &sealed, nil
}

// Decode implements dbos.Serializer.
func (s *sealing) Decode(text *string) (any, error) {
	if text == nil {
		return s.plain.Decode(nil)
	}
	sealed, err := base64.StdEncoding.DecodeString(*text)
	if err != nil {
		return nil, fmt.Errorf("sealed record: %w", err)
	}
	plain, err := s.sealer.Open(sealedRow, sealed)
	if err != nil {
		return nil, fmt.Errorf("sealed record: %w", err)
	}
	return s.plain.Decode(&plain)
}
