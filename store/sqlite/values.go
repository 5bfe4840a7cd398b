package sqlite

import (
	"database/sql"
	"fmt"
	"math"
	"reflect"

	"zombiezen.com/go/sqlite"
)

// bind gives a statement its arguments, one for each parameter.
func bind(statement *sqlite.Stmt, args []any) error {
	if wanted := statement.BindParamCount(); wanted != len(args) {
		return fmt.Errorf("%d arguments for %d parameters", len(args), wanted)
	}
	for i, arg := range args {
		if err := bindOne(statement, i+1, arg); err != nil {
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
	}
	return nil
}

// bindOne takes text, octets, numbers, bools and types made of them; nil octets are
// NULL.
func bindOne(statement *sqlite.Stmt, param int, arg any) error {
	switch arg := arg.(type) {
	case string:
		statement.BindText(param, arg)
		return nil
	case int64:
		statement.BindInt64(param, arg)
		return nil
	case []byte:
		if arg == nil {
			statement.BindNull(param)
		} else {
			statement.BindBytes(param, arg)
		}
		return nil
	case nil:
		statement.BindNull(param)
		return nil
	}
	switch value := reflect.ValueOf(arg); {
	case value.Kind() == reflect.String:
		statement.BindText(param, value.String())
	case value.Kind() == reflect.Bool:
		statement.BindBool(param, value.Bool())
	case value.CanInt():
		statement.BindInt64(param, value.Int())
	case value.CanUint() && value.Uint() <= math.MaxInt64:
		statement.BindInt64(param, int64(value.Uint()))
	default:
		return fmt.Errorf("%v of type %T fits no column", arg, arg)
	}
	return nil
}

// scanner is a row that was found.
type scanner interface{ Scan(columns ...any) error }

// into is for a row that is only stored.
func into(columns ...any) func(scanner) error {
	return func(row scanner) error { return row.Scan(columns...) }
}

// row is where a statement stands. It ends with the statement's next step.
type row struct{ statement *sqlite.Stmt }

// Scan stores each column where its pointer says, or hands it to a sql.Scanner.
// What a pointer can't hold as it is, is an error.
func (r row) Scan(columns ...any) error {
	if count := r.statement.ColumnCount(); count != len(columns) {
		return fmt.Errorf("%d columns for %d values", count, len(columns))
	}
	for i, column := range columns {
		if err := r.read(i, column); err != nil {
			return unavailable(fmt.Errorf("column %s: %w", r.statement.ColumnName(i), err))
		}
	}
	return nil
}

func (r row) read(i int, into any) error {
	kind := r.statement.ColumnType(i)
	switch into := into.(type) {
	case sql.Scanner:
		return into.Scan(r.value(i, kind))
	case *[]byte:
		if kind == sqlite.TypeText || kind == sqlite.TypeBlob {
			*into = r.octets(i)
			return nil
		}
	default:
		if r.set(reflect.ValueOf(into).Elem(), i, kind) {
			return nil
		}
	}
	return fmt.Errorf("%v does not fit %T", kind, into)
}

// value is a column as sql.Scanner takes it.
func (r row) value(i int, kind sqlite.ColumnType) any {
	switch kind {
	case sqlite.TypeInteger:
		return r.statement.ColumnInt64(i)
	case sqlite.TypeText:
		return r.statement.ColumnText(i)
	case sqlite.TypeBlob:
		return r.octets(i)
	case sqlite.TypeFloat:
		return r.statement.ColumnFloat(i)
	}
	return nil
}

func (r row) octets(i int) []byte {
	octets := make([]byte, r.statement.ColumnLen(i))
	r.statement.ColumnBytes(i, octets)
	return octets
}

// set stores a column in a variable, unless that can't hold it.
func (r row) set(variable reflect.Value, i int, kind sqlite.ColumnType) (fits bool) {
	if kind == sqlite.TypeText && variable.Kind() == reflect.String {
		variable.SetString(r.statement.ColumnText(i))
		return true
	}
	if kind != sqlite.TypeInteger {
		return false
	}
	switch number := r.statement.ColumnInt64(i); {
	case variable.CanInt() && !variable.OverflowInt(number):
		variable.SetInt(number)
	case variable.CanUint() && number >= 0 && !variable.OverflowUint(uint64(number)):
		variable.SetUint(uint64(number))
	case variable.Kind() == reflect.Bool && (number == 0 || number == 1):
		variable.SetBool(number == 1)
	default:
		return false
	}
	return true
}
