package cluster

import (
	"strings"
	"unicode"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/state"
)

// maxNameBytes is the longest name of an index or alias.
const maxNameBytes = 255

// CheckIndexName refuses names that no index may have.
func CheckIndexName(name string) error { return checkName(name, true) }

// checkName is CheckIndexName; aliases may have capitals.
func checkName(name string, lower bool) error {
	switch {
	case name == "":
		return apierr.InvalidIndexName(name, "must not be empty")
	case strings.IndexFunc(name, func(r rune) bool { return strings.ContainsRune(`\/*?"<>|, `, r) }) >= 0:
		return apierr.InvalidIndexName(name, `must not contain the following characters [ , ", *, \, <, |, ,, >, /, ?]`)
	case strings.Contains(name, "#"):
		return apierr.InvalidIndexName(name, "must not contain '#'")
	case strings.Contains(name, ":"):
		return apierr.InvalidIndexName(name, "must not contain ':'")
	case name[0] == '_' || name[0] == '-' || name[0] == '+':
		return apierr.InvalidIndexName(name, "must not start with '_', '-', or '+'")
	case len(name) > maxNameBytes:
		return apierr.InvalidIndexName(name, "index name is too long, (255 > 255)")
	case name == "." || name == "..":
		return apierr.InvalidIndexName(name, "must not be '.' or '..'")
	case lower && strings.IndexFunc(name, unicode.IsUpper) >= 0:
		return apierr.InvalidIndexName(name, "must be lowercase")
	}
	return nil
}

// checkNewIndexName refuses names that cannot be given to a new index.
func checkNewIndexName(v *state.View, name string) error {
	if err := CheckIndexName(name); err != nil {
		return err
	}
	if ix := v.Index(name); ix != nil {
		return apierr.ResourceExists(name, ix.UUID)
	}
	if v.Names().HasAlias(name) {
		return apierr.InvalidIndexName(name, "already exists as alias")
	}
	return nil
}

// RoutingNumShards is how many parts a new index of n shards is divided into for routing, so that it can be split later.
func RoutingNumShards(n int) int {
	log2 := 0
	for 1<<log2 < n {
		log2++
	}
	return n << max(1, 10-log2)
}
