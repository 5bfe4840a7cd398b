package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

const (
	// garbageRoom is how much garbage may gather between two collections, in octets:
	// a collection costs what is in use, whatever it finds.
	garbageRoom = 128 << 20
	// Bounds of what that is of the memory in use, in percent; Go's default is 100.
	leastGarbage, mostGarbage = 50, 400
)

// settleMemory is for when all subscribers are in memory: it gives back what reading
// them took, and sets the pace of the garbage collector by what stays, unless GOGC
// says how.
func settleMemory() {
	debug.FreeOSMemory()
	if os.Getenv("GOGC") != "" {
		return
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	debug.SetGCPercent(garbagePercent(stats.HeapAlloc))
}

// garbagePercent is GOGC for so many octets in use.
func garbagePercent(inUse uint64) int {
	return int(min(max(garbageRoom*100/max(inUse, 1), leastGarbage), mostGarbage))
}
