package peers

// Row is one comparison, with what it has to come to.
type Row struct {
	Name    string // for --rows
	Work    string // what is compared, in words
	Figure  string // the measurement it is about
	Against string // the one it is compared with; empty: the figure alone counts
	// Less tells that Figure has to be so many times less than Against; else it may
	// be so many times as much.
	Less  bool
	Limit float64
	Unit  string // of a figure that is compared with nothing
}

// rows are the comparisons in the order of the table.
func rows() []Row {
	return []Row{
		{Name: "echo", Work: "accept (PAP, Option 82), beside a batched echo", Figure: accept, Against: echoed, Limit: 1.6},
		{Name: "users", Work: "accept, beside FreeRADIUS with a users file", Figure: accept, Against: acceptUsers, Less: true, Limit: 5},
		{Name: "sql", Work: "accept, beside FreeRADIUS with PostgreSQL", Figure: accept, Against: acceptSQL, Less: true, Limit: 50},
		{Name: "chap", Work: "accept by CHAP, beside PAP", Figure: acceptCHAP, Against: accept, Limit: 1.3},
		{Name: "mschapv2", Work: "accept by MS-CHAPv2, beside PAP", Figure: acceptMSCHAPv2, Against: accept, Limit: 2},
		{Name: "reject", Work: "reject of a wrong line, beside an accept", Figure: reject, Against: accept, Limit: 1.5},
		{Name: "flood", Work: "accepts a second beside as many accepts, beside a flood of wrong lines", Figure: besideAccepts, Against: besideRejects, Limit: 1.1},
		{Name: "acct-sqlite", Work: "accounting in SQLite, beside FreeRADIUS with PostgreSQL", Figure: acctSQLite, Against: acctSQL, Less: true, Limit: 10},
		{Name: "acct-postgres", Work: "accounting in PostgreSQL, beside FreeRADIUS with it", Figure: acctPostgres, Against: acctSQL, Less: true, Limit: 10},
		{Name: "call-sqlite", Work: "call in SQLite, beside FreeRADIUS with PostgreSQL", Figure: callSQLite, Against: callSQL, Less: true, Limit: 10},
		{Name: "call-postgres", Work: "call in PostgreSQL, beside FreeRADIUS with it", Figure: callPostgres, Against: callSQL, Less: true, Limit: 10},
		{Name: "preloaded", Work: "call with many sessions in SQLite, beside one with none", Figure: callPreloaded, Against: callSQLite, Limit: 1.15},
		{Name: "p50", Work: "latency at half of FreeRADIUS's maximum, P50", Figure: p50, Against: p50Users, Limit: 1},
		{Name: "p99", Work: "the same, P99", Figure: p99, Against: p99Users, Limit: 1},
		{Name: "p99-idle", Work: "P99 of Linegate at that rate", Figure: p99, Limit: 1000, Unit: "us"},
		{Name: "memory", Work: "memory for each of many subscribers", Figure: memory, Limit: 700, Unit: "bytes"},
		{Name: "start-sqlite", Work: "start to first answer with many in SQLite", Figure: startSQLite, Limit: 5, Unit: "s"},
		{Name: "start-postgres", Work: "start to first answer with many in PostgreSQL", Figure: startPostgres, Limit: 5, Unit: "s"},
		{Name: "overload", Work: "answers for a second of CPU at the maximum, beside three times that", Figure: goodputFull, Against: goodputOver, Limit: 1 / 0.9},
		{Name: "size", Work: "accept with many subscribers, beside few", Figure: acceptMany, Against: acceptFew, Limit: 1.3},
	}
}

// RowNames are the names that a selection can have.
func RowNames() (names []string) {
	for _, row := range rows() {
		names = append(names, row.Name)
	}
	return names
}

// The measurements, by the name they have in the report.
const (
	echoed         = "echo"
	accept         = "accept"
	acceptCHAP     = "accept CHAP"
	acceptMSCHAPv2 = "accept MS-CHAPv2"
	reject         = "reject"
	acceptUsers    = "accept FR users"
	acceptSQL      = "accept FR sql"
	acceptFew      = "accept few"
	acceptMany     = "accept many"
	besideAccepts  = "accepts beside accepts"
	besideRejects  = "accepts beside rejects"
	acctSQLite     = "acct SQLite"
	acctPostgres   = "acct PostgreSQL"
	acctSQL        = "acct FR sql"
	callSQLite     = "call SQLite"
	callPostgres   = "call PostgreSQL"
	callSQL        = "call FR sql"
	callPreloaded  = "call preloaded"
	p50            = "P50"
	p99            = "P99"
	p50Users       = "P50 FR users"
	p99Users       = "P99 FR users"
	memory         = "memory"
	startSQLite    = "start SQLite"
	startPostgres  = "start PostgreSQL"
	goodputFull    = "goodput full"
	goodputOver    = "goodput over"
)
