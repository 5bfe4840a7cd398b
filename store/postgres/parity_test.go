package postgres

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

func sqliteColumns(t *testing.T, path string) (columns []string) {
	t.Helper()
	db, err := zombiezen.OpenConn(path, zombiezen.OpenReadWrite)
	require.NoError(t, err)
	defer db.Close()
	query := `SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c ` +
		`WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`
	require.NoError(t, sqlitex.Execute(db, query, &sqlitex.ExecOptions{ResultFunc: func(row *zombiezen.Stmt) error {
		columns = append(columns, row.ColumnText(0))
		return nil
	}}))
	return columns
}

func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }
