package aggregation

import (
	"regexp"
	"strconv"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
)

// includeExclude chooses terms. A nil one takes all.
type includeExclude struct {
	include, exclude     *regexp.Regexp
	includes, excludes   map[string]bool // of bytes
	includeN, excludeN   map[float64]bool
	partition, partCount int64
}

func parseIncludeExclude(p *params, r Resolver, col *Column) (*includeExclude, error) {
	in, okIn := p.get("include")
	ex, okEx := p.get("exclude")
	if !okIn && !okEx {
		return nil, nil
	}
	ie := &includeExclude{}
	var err error
	if okIn {
		if o, ok := in.(*xcontent.Object); ok {
			return ie, ie.parsePartition(p, o)
		}
		if ie.include, ie.includes, ie.includeN, err = parseTermChoice(p, r, "include", in, col); err != nil {
			return nil, err
		}
	}
	if okEx {
		ie.exclude, ie.excludes, ie.excludeN, err = parseTermChoice(p, r, "exclude", ex, col)
	}
	return ie, err
}

func (ie *includeExclude) parsePartition(p *params, o *xcontent.Object) error {
	sub := &params{agg: p.agg, typ: p.typ, o: o, used: map[string]bool{}}
	var err error
	if ie.partition, err = sub.integer("partition", -1); err != nil {
		return err
	}
	if ie.partCount, err = sub.integer("num_partitions", -1); err != nil {
		return err
	}
	if ie.partCount < 1 || ie.partition < 0 || ie.partition >= ie.partCount {
		return apierr.IllegalArgument("Missing [num_partitions] parameter for partition-based include")
	}
	return apierr.NotImplemented("aggregation [%s]: include by partition is not built in this server", p.agg)
}

func parseTermChoice(p *params, r Resolver, name string, v any, col *Column) (*regexp.Regexp, map[string]bool, map[float64]bool, error) {
	switch v := v.(type) {
	case string:
		if col != nil && col.Class != ClassBytes {
			return nil, nil, nil, apierr.IllegalArgument("Aggregation [%s] cannot support regular expression style include/exclude settings as they can only be applied to string fields. Use an array of values for include/exclude clauses", p.agg)
		}
		if err := r.CheckRegex(v); err != nil {
			return nil, nil, nil, err
		}
		re, err := regexp.Compile(`\A(?s:` + v + `)\z`)
		if err != nil {
			return nil, nil, nil, apierr.IllegalArgument("[%s] of aggregation [%s] is not a regular expression that this server understands: %v", name, p.agg, err)
		}
		return re, nil, nil, nil
	case []any:
		terms, nums := map[string]bool{}, map[float64]bool{}
		for _, e := range v {
			text, ok := scalarText(e)
			if !ok {
				return nil, nil, nil, apierr.Parsing("Array elements in include/exclude clauses should be string values")
			}
			if err := addChoice(col, text, terms, nums); err != nil {
				return nil, nil, nil, err
			}
		}
		return nil, terms, nums, nil
	}
	return nil, nil, nil, apierr.Parsing("Unrecognized token for a %s [%s]", name, describe(v))
}

func addChoice(col *Column, text string, terms map[string]bool, nums map[float64]bool) error {
	switch {
	case col == nil:
		terms[text] = true
	case col.Class == ClassBytes:
		b, err := col.Format.ParseBytes(text)
		if err != nil {
			return err
		}
		terms[string(b)] = true
	case col.Class == ClassDouble:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return apierr.IllegalArgument("For input string: \"%s\"", text)
		}
		nums[f] = true
	default:
		n, err := col.Format.ParseLong(text, false)
		if err != nil {
			return err
		}
		nums[float64(n)] = true
	}
	return nil
}

func (ie *includeExclude) acceptBytes(term []byte) bool {
	if ie == nil {
		return true
	}
	switch {
	case ie.include != nil && !ie.include.Match(term),
		ie.includes != nil && !ie.includes[string(term)],
		ie.exclude != nil && ie.exclude.Match(term),
		ie.excludes != nil && ie.excludes[string(term)]:
		return false
	}
	return true
}

func (ie *includeExclude) acceptInt(n int64) bool { return ie.acceptFloat(float64(n)) }

func (ie *includeExclude) acceptFloat(f float64) bool {
	if ie == nil {
		return true
	}
	return (ie.includeN == nil || ie.includeN[f]) && (ie.excludeN == nil || !ie.excludeN[f])
}
