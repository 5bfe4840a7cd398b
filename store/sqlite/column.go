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

// writeSession is updateByID for a session that nobody else has written: the version that
// it gets comes before its id, and the one that it has after it.
func writeSession(columns string) string {
	return updateByID("sessions", columns+", version") + " AND version = ?"
}

// marks returns a placeholder for each column.
func marks(columns string) string { return "?" + strings.Repeat(", ?", strings.Count(columns, ",")) }
