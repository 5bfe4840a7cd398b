package sqlite

import "strings"

// insertInto writes one row; columns are parted by commas.
func insertInto(table, columns string) string {
	return "INSERT INTO " + table + " (" + columns + ") VALUES (" + marks(columns) + ")"
}

// updateByID sets the columns of the row whose id follows their values.
func updateByID(table, columns string) string {
	return "UPDATE " + table + " SET (" + columns + ") = (" + marks(columns) + ") WHERE id = ?"
}

// writeSession sets the columns of the session whose id and version follow their values,
// unless others have written it.
func writeSession(columns string) string {
	return "UPDATE sessions SET (" + columns + ", version) = (" + marks(columns) + ", version + 1) WHERE id = ? AND version = ?"
}

// marks returns a placeholder for each column.
func marks(columns string) string { return "?" + strings.Repeat(", ?", strings.Count(columns, ",")) }
