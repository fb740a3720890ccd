package snapshot

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/varve-search/varve/internal/apierr"
)

// replaceAll replaces every match of a pattern as Java's String.replaceAll does: in the replacement $1 stands for a group, and
// an empty match may follow another match at once (Go's own replacing leaves those out).
func replaceAll(name, pattern, replacement string) (string, error) {
	bad := func(err error) error {
		return apierr.New(http.StatusBadRequest, "pattern_syntax_exception", "%v in the pattern [%s]", err, pattern)
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return "", bad(err)
	}
	if !utf8.ValidString(name) {
		return "", apierr.IllegalArgument("the name %q is not UTF-8 and cannot be renamed", name)
	}
	var out strings.Builder
	for at := 0; at <= len(name); {
		var m []int
		if at == 0 {
			m = re.FindStringSubmatchIndex(name)
		} else if m, err = findFrom(name, pattern, at); err != nil {
			return "", bad(err)
		}
		if m == nil {
			out.WriteString(name[at:])
			break
		}
		out.WriteString(name[at:m[0]])
		if err := appendReplacement(&out, name, m, replacement); err != nil {
			return "", err
		}
		at = m[1]
		if m[0] == m[1] { // go on behind the next character
			if at == len(name) {
				break
			}
			_, n := utf8.DecodeRuneInString(name[at:])
			out.WriteString(name[at : at+n])
			at += n
		}
	}
	return out.String(), nil
}

// findFrom finds the first match that begins at an offset or behind it, anchors still meaning the whole name.
func findFrom(name, pattern string, at int) ([]int, error) {
	re, err := regexp.Compile(fmt.Sprintf(`\A(?s:.{%d})(?s:.*?)(%s)`, utf8.RuneCountInString(name[:at]), pattern))
	if err != nil {
		return nil, err
	}
	m := re.FindStringSubmatchIndex(name)
	if m == nil {
		return nil, nil
	}
	return m[2:], nil
}

// appendReplacement writes a replacement, in which $1 stands for a group and a backslash takes the next character as it is.
func appendReplacement(out *strings.Builder, name string, m []int, replacement string) error {
	for i := 0; i < len(replacement); i++ {
		switch c := replacement[i]; {
		case c == '\\' && i+1 < len(replacement):
			i++
			out.WriteByte(replacement[i])
		case c == '$' && i+1 < len(replacement) && replacement[i+1] >= '0' && replacement[i+1] <= '9':
			i++
			group := int(replacement[i] - '0')
			if group >= len(m)/2 {
				return apierr.New(http.StatusBadRequest, "index_out_of_bounds_exception", "No group %d", group)
			}
			for i+1 < len(replacement) && replacement[i+1] >= '0' && replacement[i+1] <= '9' { // as many digits as there are groups
				next := group*10 + int(replacement[i+1]-'0')
				if next >= len(m)/2 {
					break
				}
				group, i = next, i+1
			}
			if m[2*group] >= 0 {
				out.WriteString(name[m[2*group]:m[2*group+1]])
			}
		case c == '$' || c == '\\':
			return apierr.IllegalArgument("Illegal group reference in the replacement [%s]", replacement)
		default:
			out.WriteByte(c)
		}
	}
	return nil
}
