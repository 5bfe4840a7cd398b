package problem

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"linegate"
)

func TestFindingsStandInTheOrderOfTheFile(t *testing.T) {
	found := &List{File: "a.yaml"}
	assert.NoError(t, found.Err())
	found.AddElsewhere("LINEGATE_STORE", "bad")
	found.NotAllowed(9, "vlan", "4095", "1 to 4094")
	found.Add(2, "odd")
	found.Add(0, "all of it")
	assert.EqualError(t, found.Err(), "a.yaml: all of it\na.yaml:2: odd\n"+
		`a.yaml:9: vlan: "4095" is not allowed: 1 to 4094`+"\nLINEGATE_STORE: bad")
	assert.Equal(t, 4, found.Len())
}

func TestBeyondMostFindingsAreOnlyCounted(t *testing.T) {
	found := &List{File: "a.csv", Most: 2}
	for line := range 5 {
		found.Add(line+1, "bad")
	}
	assert.EqualError(t, found.Err(), "a.csv:1: bad\na.csv:2: bad\nand 3 more")
	assert.Equal(t, 5, found.Len())
}

func TestFieldErrorsAreNotedUnderTheirKey(t *testing.T) {
	one := &linegate.FieldError{Field: "vlan", Value: "5000", Allowed: "1 to 4094"}
	found := &List{File: "a"}
	assert.True(t, found.AddFields(1, "nas.", one))
	assert.True(t, found.AddFields(2, "", fmt.Errorf("wrapped: %w", linegate.FieldErrors{one, one})))
	assert.False(t, found.AddFields(3, "", errors.New("something else")))
	assert.False(t, found.AddFields(4, "", nil))
	assert.Equal(t, 3, found.Len())
	assert.ErrorContains(t, found.Err(), `a:1: nas.vlan: "5000" is not allowed: 1 to 4094`)
}

func TestNearestGuessesTyposAndNothingElse(t *testing.T) {
	words := []string{"auth", "acct", "username", "service_vlan"}
	for name, expected := range map[string]string{
		"auht": "auth", "acc": "acct", "user_name": "username", "servce_valn": "service_vlan", "AUTH": "", "colour": "", "": "",
		strings.Repeat("x", 1<<20): "",
	} {
		near, ok := Nearest(name, words)
		assert.Equal(t, expected, near, "%.20s", name)
		assert.Equal(t, expected != "", ok, "%.20s", name)
	}
}
