package ingest

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/javavalue"
	"github.com/varve-search/varve/internal/settings"
)

// builders read the configurations of processors, by type.
var builders map[string]func(c *config, s *step) error

func init() { // foreach needs the table itself
	builders = map[string]func(c *config, s *step) error{
		"append": buildAppend, "convert": buildConvert, "copy": buildCopy, "csv": buildCSV, "date": buildDate, "date_index_name": buildDateIndexName,
		"dissect": buildDissect, "dot_expander": buildDotExpander, "drop": buildDrop, "fail": buildFail, "fingerprint": buildFingerprint, "foreach": buildForeach,
		"grok": buildGrok, "join": buildJoin, "json": buildJSON, "kv": buildKV, "pipeline": buildPipeline, "remove": buildRemove,
		"remove_by_pattern": buildRemoveByPattern, "rename": buildRename, "set": buildSet, "sort": buildSort, "split": buildSplit,
		"script": buildScript, "community_id": buildCommunityID,

		"gsub":       buildGsub,
		"bytes":      onTextField(bytesOf),
		"html_strip": onTextField(func(s string) (any, error) { return stripHTML(s), nil }),
		"lowercase":  onTextField(func(s string) (any, error) { return strings.ToLower(s), nil }),
		"uppercase":  onTextField(func(s string) (any, error) { return strings.ToUpper(strings.ReplaceAll(s, "ß", "SS")), nil }),
		"trim":       onTextField(func(s string) (any, error) { return javaTrim(s), nil }),
		"urldecode":  onTextField(urlDecode),
	}
}

// Types are the processors that pipelines may use, sorted.
func Types() []string {
	var types []string
	for _, t := range slices.Sorted(maps.Keys(builders)) {
		if t != "script" && t != "community_id" {
			types = append(types, t)
		}
	}
	return types
}

func buildScript(c *config, _ *step) error {
	for _, k := range []string{"id", "source", "inline", "lang", "params", "options"} {
		c.o.Remove(k)
	}
	return apierr.NotImplemented("scripts are not run in this server: a pipeline with a [script] processor cannot be stored. Use other processors, such as set, convert or gsub")
}

func buildCommunityID(*config, *step) error {
	return apierr.NotImplemented("the processor [community_id] is not built in this server")
}

// onTextField builds a processor that changes a text, or each text of a list.
func onTextField(change func(string) (any, error)) func(c *config, s *step) error {
	return func(c *config, s *step) error {
		field, target, ignoreMissing, err := c.field()
		if err != nil {
			return err
		}
		s.run = textChange(field, target, ignoreMissing, change)
		return nil
	}
}

func textChange(field, target string, ignoreMissing bool, change func(string) (any, error)) func(*run, *Document) (bool, error) {
	return func(_ *run, d *Document) (bool, error) {
		v, err := d.getOr(field, ignoreMissing)
		if err != nil {
			return false, err
		}
		var out any
		switch v := v.(type) {
		case nil:
			if ignoreMissing {
				return true, nil
			}
			return false, illegalArgument("field [%s] is null, cannot process it.", field)
		case string:
			if out, err = change(v); err != nil {
				return false, err
			}
		case *list:
			l := &list{Items: make([]any, len(v.Items))}
			for i, e := range v.Items {
				text, ok := e.(string)
				if e == nil {
					return false, nullPointerPlain()
				}
				if !ok {
					return false, illegalArgument("value [%s] of type [%s] in list field [%s] cannot be cast to [java.lang.String]", javavalue.String(e), javavalue.TypeName(e), field)
				}
				if l.Items[i], err = change(text); err != nil {
					return false, err
				}
			}
			out = l
		default:
			return false, illegalArgument("field [%s] of type [%s] cannot be cast to [java.lang.String]", field, javavalue.TypeName(v))
		}
		return true, d.set(target, out)
	}
}

func buildGsub(c *config, s *step) error {
	field, target, ignoreMissing, err := c.field()
	if err != nil {
		return err
	}
	source, err := c.text("pattern")
	if err != nil {
		return err
	}
	replacement, err := c.text("replacement")
	if err != nil {
		return err
	}
	p, err := compileRegex(source, javaRegex)
	if err != nil {
		return c.fault("pattern", "Invalid regex pattern. %v", err)
	}
	s.run = textChange(field, target, ignoreMissing, func(text string) (any, error) { return p.replaceAll(text, replacement) })
	return nil
}

func bytesOf(s string) (any, error) {
	n, err := settings.ParseBytes(s, "Ingest Field")
	if err != nil {
		e := apierr.New(http.StatusBadRequest, "parse_exception", "%v", err)
		if digits := strings.TrimRight(strings.ToLower(s), "bkmgtp"); strings.Contains(e.Reason, "Fractional") {
			return nil, e.Because(numberFormat(digits))
		}
		return nil, e
	}
	return n, nil
}

// urlDecode is Java's URLDecoder.
func urlDecode(s string) (any, error) {
	if !strings.ContainsAny(s, "%+") {
		return s, nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(s) {
				return nil, illegalArgument("URLDecoder: Incomplete trailing escape (%%) pattern")
			}
			hi, okHi := hexDigit(s[i+1])
			lo, okLo := hexDigit(s[i+2])
			if !okHi || !okLo {
				at := 0
				if okHi {
					at = 1
				}
				pair := s[i+1 : i+3]
				return nil, illegalArgument("URLDecoder: Illegal hex characters in escape (%%) pattern - Error at index %d in: \"%s\"", at, pair)
			}
			out = append(out, hi<<4|lo)
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return strings.ToValidUTF8(string(out), "\uFFFD"), nil
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
