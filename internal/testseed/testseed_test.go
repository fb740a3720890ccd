package testseed

import "testing"

func TestOf(t *testing.T) {
	defer func(was int64) { *given = was }(*given)
	*given = 0
	t.Setenv("VARVE_SEED", "5")
	if got := Of(t); got != 5 {
		t.Errorf("%d with VARVE_SEED=5", got)
	}
	*given = 6
	if got := Of(t); got != 6 {
		t.Errorf("%d with -seed 6 and VARVE_SEED=5", got)
	}
	*given = 0
	t.Setenv("VARVE_SEED", "")
	if a, b := Of(t), Of(t); a == 0 || a == b {
		t.Errorf("%d and %d without either", a, b)
	}
}
