package postgres

import (
	"database/sql"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func sqliteColumns(t *testing.T, path string) (columns []string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c `+
		`WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var column string
		require.NoError(t, rows.Scan(&column))
		columns = append(columns, column)
	}
	require.NoError(t, rows.Err())
	return columns
}

func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }
