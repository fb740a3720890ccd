package oracletest

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// RunJava runs a Java source file with a version of Lucene on its class path and returns its standard output. Lucene 10
// runs on Java 21 or newer.
func RunJava(t testing.TB, version, source string, args ...string) []byte {
	t.Helper()
	Java(t)
	script := `
import sys, os
sys.path.insert(0, sys.argv[1])
import oracle_common as oc
v = sys.argv[2]
print(os.path.join(oc.jdk(21 if v.startswith("10.") else 17)[1], "bin", "java"))
print(oc.classpath("lucene.pom.xml", "lucene-" + v, {"lucene.version": v}))
`
	out, err := exec.Command("python3", "-c", script, filepath.Join(Shared(t), "oracle"), version).Output()
	if err != nil {
		t.Fatalf("find Lucene %s: %v", version, err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	java, cp := lines[len(lines)-2], lines[len(lines)-1]
	cmd := exec.Command(java, append([]string{"-Xmx900m", "-XX:+UseSerialGC", "-Djava.util.logging.config.file=/dev/null", "-cp", cp, source}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	res, err := cmd.Output()
	if err != nil {
		t.Fatalf("java %s %v: %v\n%s", source, args, err, stderr.Bytes())
	}
	return res
}
