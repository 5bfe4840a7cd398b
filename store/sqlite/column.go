package sqlite

import "strings"

// scanner is a *sql.Row or *sql.Rows.
type scanner interface{ Scan(columns ...any) error }

// insertInto writes one row; columns are parted by commas.
func insertInto(table, columns string) string {
	return "INSERT INTO " + table + " (" + columns + ") VALUES (" + marks(columns) + ")"
}

// updateByID sets the columns of the row whose id follows their values.
func updateByID(table, columns string) string {
	return "UPDATE " + table + " SET (" + columns + ") = (" + marks(columns) + ") WHERE id = ?"
}

// marks returns a placeholder for each column.
func marks(columns string) string { return "?" + strings.Repeat(", ?", strings.Count(columns, ",")) }
