package column

import (
	"encoding/json"
	"fmt"

	"linegate"
)

// Audit is what an entry changes and the keys it touches, each as JSON. Keys are any
// octets, which JSON text can't carry: they stand there as base64.
func Audit(entry *linegate.AuditEntry) (changes, keys string, err error) {
	octets := make([][]byte, len(entry.Keys))
	for i, key := range entry.Keys {
		octets[i] = []byte(key)
	}
	changesJSON, err := json.Marshal(entry.Changes)
	if err != nil {
		return "", "", fmt.Errorf("audit entry of %s: %w", entry.Name, err)
	}
	keysJSON, err := json.Marshal(octets)
	if err != nil {
		return "", "", fmt.Errorf("audit entry of %s: %w", entry.Name, err)
	}
	return string(changesJSON), string(keysJSON), nil
}

// ReadAudit reads what Audit wrote into an entry that has its revision.
func ReadAudit(entry *linegate.AuditEntry, changes, keys []byte) error {
	if err := json.Unmarshal(changes, &entry.Changes); err != nil {
		return fmt.Errorf("revision %d: changes: %w", entry.Revision, err)
	}
	var octets [][]byte
	if err := json.Unmarshal(keys, &octets); err != nil {
		return fmt.Errorf("revision %d: keys: %w", entry.Revision, err)
	}
	for _, key := range octets {
		entry.Keys = append(entry.Keys, linegate.Key(key))
	}
	return nil
}
