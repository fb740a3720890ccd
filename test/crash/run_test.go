package crash

import (
	"os/exec"
	"testing"

	"github.com/varve-search/varve/internal/servertest"
)

// runVarve runs the binary and returns what it printed.
func runVarve(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.Command(servertest.Binary(t), args...).CombinedOutput()
	return string(out), err
}
