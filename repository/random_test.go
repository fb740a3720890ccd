package repository

import (
	"flag"
	"math/rand"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var seedFlag = flag.Int64("seed", 0, "seed of the random tests; 0 takes the time")

func random(t testing.TB) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = time.Now().UnixNano()
	}
	t.Logf("seed %d (repeat with -seed)", seed)
	return rand.New(rand.NewSource(seed))
}
