package ingest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dlclark/regexp2/v2"
)

// The limits of one match.
const (
	matchTime  = time.Second // as OpenSearch's watchdog for grok
	matchStack = 4 << 20     // slots of the backtracking stack
	maxPattern = 1 << 18     // bytes of an expression, grok's patterns put in: what compiles it takes memory and stack by its length
)

// flavor is a dialect of regular expressions.
type flavor int

const (
	javaRegex flavor = iota // java.util.regex
	onigRegex               // Oniguruma with Ruby's syntax, which grok uses
)

// pattern is a compiled regular expression.
type pattern struct {
	re    *regexp2.Regexp
	names []string // of Oniguruma's named groups, in order; group i is called gi in re
}

// compileRegex translates an expression for the engine and compiles it.
func compileRegex(source string, f flavor) (*pattern, error) {
	if len(source) > maxPattern {
		return nil, fmt.Errorf("an expression of %d bytes, more than %d", len(source), maxPattern)
	}
	tr := &translator{s: source, flavor: f}
	if err := tr.run(); err != nil {
		return nil, err
	}
	// RE2 makes \d, \w, \s and \b ASCII, as in both dialects.
	opts := []regexp2.CompileOption{regexp2.OptionMaxBacktrackingStackSize(matchStack), regexp2.RE2}
	if f == onigRegex {
		opts = append(opts, regexp2.Multiline)
		if len(tr.names) > 0 {
			opts = append(opts, regexp2.ExplicitCapture)
		}
	}
	re, err := safeCompile(tr.out.String(), opts)
	if err != nil {
		return nil, err
	}
	re.MatchTimeout = matchTime
	return &pattern{re: re, names: tr.names}, nil
}

// safeCompile turns a panic of the engine's parser into an error: expressions come from users.
func safeCompile(s string, opts []regexp2.CompileOption) (re *regexp2.Regexp, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the expression cannot be compiled: %v", p)
		}
	}()
	return regexp2.Compile(s, opts...)
}

// find returns the first match, nil if there is none.
func (p *pattern) find(s string) (*regexp2.Match, error) {
	m, err := p.re.FindStringMatch(s)
	return m, matchError(err)
}

func matchError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, regexp2.ErrBacktrackingStackLimit):
		return illegalState("the regular expression needs more than [%d] steps back", matchStack)
	}
	return illegalState("regular expression matching was interrupted after [%d] ms", matchTime.Milliseconds())
}

// matches calls fn for each match, with its places in runes.
func (p *pattern) matches(runes []rune, fn func(m *regexp2.Match) error) error {
	m, err := p.re.FindRunesMatch(runes)
	for m != nil && err == nil {
		if err := fn(m); err != nil {
			return err
		}
		m, err = p.re.FindNextMatch(m)
	}
	return matchError(err)
}

// replaceAll is Java's Matcher.replaceAll.
func (p *pattern) replaceAll(s, replacement string) (string, error) {
	var b strings.Builder
	runes := []rune(s)
	at := 0
	err := p.matches(runes, func(m *regexp2.Match) error {
		b.WriteString(string(runes[at:m.RuneIndex]))
		at = m.RuneIndex + m.RuneLength
		return expand(&b, m, replacement)
	})
	if err != nil {
		return "", err
	}
	b.WriteString(string(runes[at:]))
	return b.String(), nil
}

// expand writes a replacement: $1 and ${name} are groups, a backslash quotes.
func expand(b *strings.Builder, m *regexp2.Match, r string) error {
	for i := 0; i < len(r); i++ {
		switch {
		case r[i] == '\\':
			i++
			if i == len(r) {
				return illegalArgument("character to be escaped is missing")
			}
			b.WriteByte(r[i])
		case r[i] != '$':
			b.WriteByte(r[i])
		case i+1 == len(r):
			return illegalArgument("Illegal group reference: group index is missing")
		case r[i+1] == '{':
			name, _, ok := strings.Cut(r[i+2:], "}")
			if !ok {
				return illegalArgument("named capturing group is missing trailing '}'")
			}
			if name != "" && name[0] >= '0' && name[0] <= '9' {
				return illegalArgument("capturing group name {%s} starts with digit character", name)
			}
			g := m.GroupByName(name)
			if g == nil {
				return illegalArgument("No group with name {%s}", name)
			}
			writeGroup(b, g)
			i += len(name) + 2
		default:
			d := r[i+1]
			if d < '0' || d > '9' {
				return illegalArgument("Illegal group reference")
			}
			n := int(d - '0')
			if n >= m.GroupCount() {
				return outOfGroups(n)
			}
			for i++; i+1 < len(r) && r[i+1] >= '0' && r[i+1] <= '9'; i++ {
				next := n*10 + int(r[i+1]-'0')
				if next >= m.GroupCount() {
					break
				}
				n = next
			}
			writeGroup(b, m.GroupByNumber(n))
		}
	}
	return nil
}

func writeGroup(b *strings.Builder, g *regexp2.Group) {
	if g != nil && len(g.Captures) > 0 {
		b.WriteString(g.String())
	}
}

// split is Java's Pattern.split: without a limit empty parts at the end are left out, a negative limit keeps them.
func (p *pattern) split(s string, limit int) ([]string, error) {
	var parts []string
	runes := []rune(s)
	at := 0
	full := errors.New("enough")
	err := p.matches(runes, func(m *regexp2.Match) error {
		if limit > 0 && len(parts) == limit-1 {
			return full
		}
		end := m.RuneIndex + m.RuneLength
		if at == 0 && m.RuneIndex == 0 && end == 0 {
			return nil // an empty match at the start makes no part
		}
		parts = append(parts, string(runes[at:m.RuneIndex]))
		at = end
		return nil
	})
	if err != nil && !errors.Is(err, full) {
		return nil, err
	}
	if at == 0 && len(parts) == 0 {
		return []string{s}, nil
	}
	parts = append(parts, string(runes[at:]))
	if limit == 0 {
		for len(parts) > 0 && parts[len(parts)-1] == "" {
			parts = parts[:len(parts)-1]
		}
	}
	return parts, nil
}

// translator rewrites an expression for the engine.
type translator struct {
	s      string
	i      int
	flavor flavor
	out    strings.Builder
	names  []string
}

func refuse(what string) error {
	return fmt.Errorf("%s is not supported in regular expressions of this server", what)
}

func (t *translator) run() error {
	for t.i < len(t.s) {
		var err error
		switch c := t.s[t.i]; {
		case c == '\\':
			err = t.escape(false)
		case c == '[':
			err = t.class()
		case c == '(' && strings.HasPrefix(t.s[t.i:], "(?"):
			err = t.group()
		case c == '{' && t.flavor == onigRegex && strings.HasPrefix(t.s[t.i:], "{,"):
			t.out.WriteString("{0,")
			t.i += 2
		default:
			t.out.WriteByte(c)
			t.i++
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// group translates what begins with "(?": names and flags.
func (t *translator) group() error {
	rest := t.s[t.i+2:]
	end := byte('>')
	switch {
	case strings.HasPrefix(rest, "<=") || strings.HasPrefix(rest, "<!"):
		t.out.WriteString("(?" + rest[:2])
		t.i += 4
		return nil
	case strings.HasPrefix(rest, "'") && t.flavor == onigRegex:
		end = '\''
	case strings.HasPrefix(rest, "<"):
	case strings.HasPrefix(rest, "~") || strings.HasPrefix(rest, "("):
		return refuse("the group (?" + rest[:1])
	default:
		return t.flags(rest)
	}
	n := strings.IndexByte(rest[1:], end)
	if n <= 0 {
		return fmt.Errorf("group name is empty or has no end")
	}
	name := rest[1 : 1+n]
	t.i += 2 + n + 2
	if t.flavor == javaRegex {
		t.out.WriteString("(?<" + name + ">")
		return nil
	}
	t.out.WriteString("(?<g" + strconv.Itoa(len(t.names)) + ">")
	t.names = append(t.names, name)
	return nil
}

// flags translates (?i), (?i:…) and other groups without a name. Ruby's m is what others call s.
func (t *translator) flags(rest string) error {
	n := 0
	for n < len(rest) && (rest[n] == '-' || rest[n] >= 'a' && rest[n] <= 'z' || rest[n] >= 'A' && rest[n] <= 'Z') {
		n++
	}
	t.i += 2 + n
	t.out.WriteString("(?")
	for _, c := range rest[:n] {
		switch {
		case c == 'm' && t.flavor == onigRegex:
			c = 's'
		case c == 'u' && t.flavor == javaRegex:
			continue // the engine folds beyond ASCII anyway
		case !strings.ContainsRune("imsx-", c):
			return refuse("the flag (?" + string(c) + ")")
		}
		t.out.WriteRune(c)
	}
	return nil
}

const (
	lineBreaks  = `\n\x0B\f\r\x85\u2028\u2029`
	horizontals = ` \t\xA0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000`
)

// posix are the classes that Java calls \p{Alpha} and Oniguruma [:alpha:]; Java's are ASCII.
var posix = map[string][2]string{
	"lower": {"a-z", `\p{Ll}`}, "upper": {"A-Z", `\p{Lu}`}, "ascii": {`\x00-\x7F`, `\x00-\x7F`}, "alpha": {"a-zA-Z", `\p{L}\p{M}`},
	"digit": {"0-9", `\p{Nd}`}, "alnum": {"a-zA-Z0-9", `\p{L}\p{M}\p{Nd}`}, "punct": {"!-/:-@\\[-`{-~", `\p{P}$+<=>^` + "`" + `|~`}, "graph": {"!-~", `\p{L}\p{M}\p{N}\p{P}\p{S}`},
	"print": {" -~", `\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}`}, "blank": {` \t`, `\p{Zs}\t`}, "cntrl": {`\x00-\x1F\x7F`, `\p{Cc}`}, "xdigit": {"0-9a-fA-F", "0-9a-fA-F"},
	"space": {`\t\n\x0B\f\r `, `\s`}, "word": {`\w`, `\w`},
}

// escape translates a backslash and what follows it.
func (t *translator) escape(inClass bool) error {
	if t.i+1 >= len(t.s) {
		return errors.New("the expression ends with a backslash")
	}
	c := t.s[t.i+1]
	put := func(set string, negated bool) {
		switch {
		case negated:
			t.out.WriteString("[^" + set + "]")
		case inClass:
			t.out.WriteString(set)
		default:
			t.out.WriteString("[" + set + "]")
		}
		t.i += 2
	}
	java := t.flavor == javaRegex
	switch {
	case c == 'Q' && java && !inClass:
		text, _, _ := strings.Cut(t.s[t.i+2:], `\E`)
		t.out.WriteString(regexp2.Escape(text))
		t.i = min(len(t.s), t.i+2+len(text)+2)
	case c == 'h' && java:
		put(horizontals, false)
	case c == 'h':
		put("0-9a-fA-F", false)
	case c == 'H' && !inClass && java:
		put(horizontals, true)
	case c == 'H' && !inClass:
		put("0-9a-fA-F", true)
	case c == 'v' && java:
		put(lineBreaks, false)
	case c == 'R' && !inClass:
		t.out.WriteString(`(?>\r\n|[` + lineBreaks + `])`)
		t.i += 2
	case c == 'H' || c == 'X' || c == 'N' || c == 'g' || c == 'K' || c == 'V':
		return refuse(`\` + string(c))
	case c == 'k' && !java:
		return t.backReference()
	case c == 'x' && strings.HasPrefix(t.s[t.i+2:], "{"):
		hex, _, ok := strings.Cut(t.s[t.i+3:], "}")
		n, err := strconv.ParseInt(hex, 16, 32)
		if !ok || err != nil || n > 0x10FFFF {
			return errors.New("a hexadecimal escape that is none")
		}
		t.out.WriteString(regexp2.Escape(string(rune(n))))
		t.i += 4 + len(hex)
	case c == 'p' || c == 'P':
		return t.property(c == 'P', inClass)
	default:
		t.out.WriteString(t.s[t.i : t.i+2])
		t.i += 2
	}
	return nil
}

// backReference translates \k<name> to the first group of that name.
func (t *translator) backReference() error {
	rest := t.s[t.i+2:]
	if !strings.HasPrefix(rest, "<") {
		return refuse(`\k without a name`)
	}
	name, _, _ := strings.Cut(rest[1:], ">")
	for i, n := range t.names {
		if n == name {
			t.out.WriteString(`\k<g` + strconv.Itoa(i) + ">")
			t.i += 2 + len(name) + 2
			return nil
		}
	}
	return fmt.Errorf("undefined name <%s> reference", name)
}

// property translates \p{…}.
func (t *translator) property(negated, inClass bool) error {
	rest := t.s[t.i+2:]
	name, length := "", 0
	switch {
	case strings.HasPrefix(rest, "{"):
		var ok bool
		if name, _, ok = strings.Cut(rest[1:], "}"); !ok {
			return errors.New("Unclosed character family")
		}
		length = len(name) + 2
	case rest != "":
		name, length = rest[:1], 1
	default:
		return errors.New("the expression ends in \\p")
	}
	if n, ok := strings.CutPrefix(name, "^"); ok {
		name, negated = n, !negated
	}
	t.i += 2 + length
	which := 0
	if t.flavor == onigRegex {
		which = 1
	}
	if set, ok := posix[strings.ToLower(name)]; ok && (which == 1 || name != strings.ToLower(name)) {
		switch {
		case negated && inClass:
			return refuse("a negated POSIX class within a class")
		case negated:
			t.out.WriteString("[^" + set[which] + "]")
		case inClass:
			t.out.WriteString(set[which])
		default:
			t.out.WriteString("[" + set[which] + "]")
		}
		return nil
	}
	if strings.HasPrefix(name, "java") {
		return refuse(`\p{` + name + "}")
	}
	p := `\p{`
	if negated {
		p = `\P{`
	}
	t.out.WriteString(p + strings.TrimPrefix(name, "Is") + "}")
	return nil
}

// class translates a class in brackets.
func (t *translator) class() error {
	t.out.WriteByte('[')
	t.i++
	negated := t.i < len(t.s) && t.s[t.i] == '^'
	if negated {
		t.out.WriteByte('^')
		t.i++
	}
	first, inner := true, 0
	for t.i < len(t.s) {
		switch c := t.s[t.i]; {
		case c == ']' && (!first || t.flavor == javaRegex):
			t.i++
			if inner > 0 {
				inner--
				break
			}
			t.out.WriteByte(']')
			return nil
		case c == ']':
			t.out.WriteString(`\]`)
			t.i++
		case c == '\\':
			if err := t.escape(true); err != nil {
				return err
			}
		case c == '[' && t.flavor == onigRegex && strings.HasPrefix(t.s[t.i:], "[:"):
			name, _, ok := strings.Cut(t.s[t.i+2:], ":]")
			set, known := posix[name]
			if !ok || !known {
				return refuse("the class [:" + name + ":]")
			}
			t.out.WriteString(set[1])
			t.i += len(name) + 4
		case c == '[' && t.flavor == javaRegex && !negated && !strings.HasPrefix(t.s[t.i:], "[^"):
			inner++ // a union
			t.i++
		case c == '[':
			return refuse("a class within a class")
		case c == '&' && strings.HasPrefix(t.s[t.i:], "&&"):
			return refuse("the intersection of classes (&&)")
		default:
			t.out.WriteByte(c)
			t.i++
		}
		first = false
	}
	return errors.New("Unclosed character class")
}
