package coa

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestAnswersAreKeptForTheirTimeAndTheirNumber(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	key := func(identifier uint8) answerKey { return answerKey{identifier: identifier} }
	kept := newAnswers(2, time.Minute)
	fresh := func(identifier uint8) bool {
		fresh, _ := kept.begin(key(identifier), at)
		return fresh
	}
	assert.True(t, fresh(1))
	assert.False(t, fresh(1), "under way")
	kept.finish(key(1), []byte("one"), at)
	_, reply := kept.begin(key(1), at.Add(59*time.Second))
	assert.Equal(t, "one", string(reply))
	again, reply := kept.begin(key(1), at.Add(time.Minute))
	assert.True(t, again, "its time is over")
	assert.Nil(t, reply)

	assert.True(t, fresh(2))
	kept.forget(key(2))
	assert.True(t, fresh(2), "it got no answer")
	assert.True(t, fresh(3), "the oldest makes room")
	assert.False(t, fresh(2))
	assert.True(t, fresh(1))
	assert.Len(t, kept.byKey, 2)

	kept.finish(key(9), nil, at) // made room while it was worked on
	kept.forget(key(9))
	assert.Len(t, kept.byKey, 2)
	kept.finish(key(1), []byte("one"), at)
	kept.forget(key(1))
	assert.False(t, fresh(1), "an answer is not forgotten")
}
