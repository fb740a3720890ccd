package testseed

import (
	"flag"
	"os"
	"strconv"
	"testing"
	"time"
)

var given = flag.Int64("seed", 0, "seed of the random tests; 0 takes that of the environment's VARVE_SEED, and the time where that is not set")

// Of returns the seed of a random test, and prints how to repeat it. The checks of a change set VARVE_SEED from its
// code (.ci/run), so that the same code always gets the same answer; whoever runs a test without it tries something new.
func Of(t testing.TB) int64 {
	t.Helper()
	seed := *given
	if env := os.Getenv("VARVE_SEED"); seed == 0 && env != "" {
		var err error
		if seed, err = strconv.ParseInt(env, 10, 64); err != nil || seed == 0 {
			t.Fatalf("VARVE_SEED is [%s], which is not a number other than 0", env)
		}
	}
	if seed == 0 {
		seed = time.Now().UnixNano()
	}
	t.Logf("repeat with -seed %d", seed)
	return seed
}
