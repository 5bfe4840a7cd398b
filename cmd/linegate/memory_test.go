package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestGarbageGetsRoomWithinBounds(t *testing.T) {
	for inUse, percent := range map[uint64]int{0: 400, 16 << 20: 400, 64 << 20: 200, 128 << 20: 100, 1 << 30: 50} {
		assert.Equal(t, percent, garbagePercent(inUse), "%d octets", inUse)
	}
}
