package store_test

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate/store"
)

func openKey(t *testing.T, path string) *store.Sealer {
	t.Helper()
	sealer, err := store.OpenKeyFile(path)
	require.NoError(t, err)
	return sealer
}

func TestSealedTextOpensOnlyForItsRowAndKey(t *testing.T) {
	folder := t.TempDir()
	sealer, other := openKey(t, filepath.Join(folder, "key")), openKey(t, filepath.Join(folder, "other"))
	for _, text := range []string{"", "secretpw", "nul \x00 and \xff", strings.Repeat("long", 1000)} {
		sealed := sealer.Seal("subscriber/1", text)
		opened, err := sealer.Open("subscriber/1", sealed)
		require.NoError(t, err)
		assert.Equal(t, text, opened)

		_, err = sealer.Open("subscriber/2", sealed)
		assert.ErrorContains(t, err, "subscriber/2")
		_, err = other.Open("subscriber/1", sealed)
		assert.ErrorContains(t, err, other.KeyFile())
		for i := range sealed[:min(len(sealed), 64)] {
			altered := append([]byte(nil), sealed...)
			altered[i] ^= 1
			_, err = sealer.Open("subscriber/1", altered)
			assert.Error(t, err, "octet %d", i)
		}
	}
}

func TestSealedTextHidesTheTextAndIsNeverTheSame(t *testing.T) {
	sealer := openKey(t, filepath.Join(t.TempDir(), "key"))
	first, second := sealer.Seal("row", "secretpw"), sealer.Seal("row", "secretpw")
	assert.NotContains(t, string(first), "secretpw")
	assert.NotEqual(t, first, second)
}

func FuzzSealedTextOfAnyOctetsIsRefused(f *testing.F) {
	sealer, err := store.OpenKeyFile(filepath.Join(f.TempDir(), "key"))
	require.NoError(f, err)
	f.Add("subscriber/1", []byte{})
	f.Add("subscriber/1", make([]byte, 23))
	f.Add("nas/demo/bng", make([]byte, 64))
	f.Fuzz(func(t *testing.T, row string, sealed []byte) {
		_, err := sealer.Open(row, sealed)
		assert.Error(t, err)
	})
}

func TestKeyFileIsMadeOnceForItsOwnerAlone(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "folder")
	path := filepath.Join(folder, "key")
	sealed := openKey(t, path).Seal("row", "text")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	opened, err := openKey(t, path).Open("row", sealed)
	require.NoError(t, err)
	assert.Equal(t, "text", opened)
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, files, 1, "no draft stays behind")
}

func TestProcessesThatRaceForTheKeyFileGetOneKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	sealers := make([]*store.Sealer, 16)
	var racers sync.WaitGroup
	for i := range sealers {
		racers.Go(func() { sealers[i], _ = store.OpenKeyFile(path) })
	}
	racers.Wait()
	require.NotNil(t, sealers[0])
	sealed := sealers[0].Seal("row", "text")
	for i, sealer := range sealers {
		require.NotNil(t, sealer, i)
		_, err := sealer.Open("row", sealed)
		assert.NoError(t, err, i)
	}
}

func TestKeyFileForms(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	for name, test := range map[string]struct {
		content string
		mode    os.FileMode
		problem string // empty: it opens
	}{
		"base64 opens":                        {base64.StdEncoding.EncodeToString(key) + "\n", 0o600, ""},
		"hex opens":                           {hex.EncodeToString(key) + "\n", 0o600, ""},
		"hex in capitals opens, owner only":   {strings.ToUpper(hex.EncodeToString(key)), 0o400, ""},
		"an empty file is refused":            {"", 0o600, "32 octets"},
		"a short key is refused":              {base64.StdEncoding.EncodeToString(key[:31]), 0o600, "32 octets"},
		"a long key is refused":               {base64.StdEncoding.EncodeToString(append(key, 0)), 0o600, "32 octets"},
		"64 characters of base64 are refused": {strings.Repeat("zzzz", 16), 0o600, "32 octets"},
		"other text is refused":               {"not a key", 0o600, "32 octets"},
		"a file the group can read":           {hex.EncodeToString(key), 0o640, "chmod 600"},
		"a file all can read":                 {hex.EncodeToString(key), 0o604, "chmod 600"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key")
			require.NoError(t, os.WriteFile(path, []byte(test.content), test.mode))
			_, err := store.OpenKeyFile(path)
			if test.problem == "" {
				require.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, test.problem)
			assert.ErrorContains(t, err, path)
		})
	}
}

func TestKeyFileThatCanNotBeMadeSaysWhere(t *testing.T) {
	folder := t.TempDir()
	blocker := filepath.Join(folder, "file")
	require.NoError(t, os.WriteFile(blocker, nil, 0o600))
	_, err := store.OpenKeyFile(filepath.Join(blocker, "key"))
	assert.ErrorContains(t, err, blocker)
	_, err = store.OpenKeyFile(folder)
	assert.Error(t, err, "a folder is no key file")
	require.NoError(t, os.Chmod(folder, 0o700))
	_, err = store.OpenKeyFile(folder)
	assert.Error(t, err, "a folder for its owner alone neither")

	dangling := filepath.Join(folder, "link")
	require.NoError(t, os.Symlink(filepath.Join(folder, "nowhere"), dangling))
	_, err = store.OpenKeyFile(dangling)
	assert.ErrorContains(t, err, dangling)
	_, err = store.OpenKeyFile(filepath.Join(dangling, "key"))
	assert.ErrorContains(t, err, dangling)
}

func TestIDsAreUniqueAndInOrderOfMaking(t *testing.T) {
	last := ""
	for range 1000 {
		id := store.NewID()
		require.Len(t, id, 36)
		require.Greater(t, id, last)
		last = id
	}
}
