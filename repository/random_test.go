package repository

import (
	"math/rand"
	"testing"

	"go.uber.org/goleak"

	"github.com/varve-search/varve/internal/testseed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func random(t testing.TB) *rand.Rand {
	return rand.New(rand.NewSource(testseed.Of(t)))
}
