package store

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// Sealer encrypts what must not stand in a database in clear: passwords and NAS
// secrets. The cipher is XChaCha20-Poly1305, so that what was sealed can't be
// changed unnoticed. It is safe for concurrent use.
type Sealer struct {
	aead    cipher.AEAD
	keyFile string
}

// KeyFile returns the path of the file the key was read from.
func (s *Sealer) KeyFile() string { return s.keyFile }

// Seal encrypts text for the row that is named, e.g. "subscriber/<id>". The same
// text never looks the same twice.
func (s *Sealer) Seal(row, text string) []byte {
	nonce := make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+len(text)+chacha20poly1305.Overhead)
	rand.Read(nonce)
	return s.aead.Seal(nonce, nonce, []byte(text), []byte(row))
}

// Open returns the text that Seal was given for the same row. It fails when the
// key is another, or when the sealed octets were changed or belong to another row.
func (s *Sealer) Open(row string, sealed []byte) (string, error) {
	if len(sealed) < chacha20poly1305.NonceSizeX {
		return "", fmt.Errorf("sealed value of %s: only %d octets", row, len(sealed))
	}
	nonce, ciphertext := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	text, err := s.aead.Open(nil, nonce, ciphertext, []byte(row))
	if err != nil {
		return "", fmt.Errorf("sealed value of %s: not made with the key in %s, or altered: %w", row, s.keyFile, err)
	}
	return string(text), nil
}

// OpenKeyFile reads the key from path: 32 octets as base64 or hex digits on one
// line. When there is no such file it makes one that only its owner can read;
// processes that race for this all get the same key. A file that others than its
// owner may read, or that holds no key, is an error.
func OpenKeyFile(path string) (*Sealer, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKeyFile(path); err != nil {
			return nil, fmt.Errorf("key file %s: %w", path, err)
		}
		info, err = os.Stat(path)
	}
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("key file %s: mode is %04o, others than its owner can reach it: run chmod 600 %s",
			path, info.Mode().Perm(), path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	key, err := decodeKey(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return &Sealer{aead: aead, keyFile: path}, nil
}

// decodeKey reads the key's text forms. 64 hex digits are also base64, but of 48
// octets, so the length decides.
func decodeKey(text string) ([]byte, error) {
	if len(text) == hex.EncodedLen(chacha20poly1305.KeySize) {
		if key, err := hex.DecodeString(text); err == nil {
			return key, nil
		}
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != chacha20poly1305.KeySize {
		return nil, errors.New("holds no key: 32 octets as base64 or hex digits are needed")
	}
	return key, nil
}

// makeKeyFile puts a fresh key at path unless there is one by then. The file is
// written under another name and linked, so that nobody sees a part of it and
// the first of several writers wins.
func makeKeyFile(path string) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	draft, err := os.CreateTemp(folder, ".key-*") // O_EXCL, mode 0600
	if err != nil {
		return fmt.Errorf("make draft: %w", err)
	}
	defer os.Remove(draft.Name())
	if err := writeKey(draft); err != nil {
		return err
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("put in place: %w", err)
	}
	return SyncFolder(folder)
}

// writeKey writes a fresh key to the draft, makes it durable and closes it.
func writeKey(draft *os.File) error {
	key := make([]byte, chacha20poly1305.KeySize)
	rand.Read(key)
	_, err := fmt.Fprintln(draft, base64.StdEncoding.EncodeToString(key))
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return fmt.Errorf("write draft: %w", err)
	}
	return nil
}

// SyncFolder makes the names in a folder durable: those of new, renamed and removed
// files.
func SyncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}
