package analysis

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPattern bounds regular expressions, in bytes: what compiles them takes memory and stack by their length.
const maxPattern = 1 << 16

// compileJavaRegex translates a java.util.regex pattern into Go's syntax. What Go's engine cannot do
// (look-around, back references, possessive quantifiers, class intersections) is refused.
func compileJavaRegex(pattern, flags string) (*regexp.Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("a regular expression of %d bytes, more than %d", len(pattern), maxPattern)
	}
	tr := regexTranslator{pattern: pattern}
	inline, literal := "", false
	for _, f := range strings.Split(flags, "|") {
		switch f {
		case "":
		case "CASE_INSENSITIVE":
			inline += "i"
		case "MULTILINE":
			inline += "m"
		case "DOTALL":
			tr.dotAll = true
		case "UNIX_LINES":
			tr.unixLines = true
		case "UNICODE_CASE":
		case "LITERAL":
			literal = true
		case "COMMENTS", "CANON_EQ", "UNICODE_CHARACTER_CLASS", "UNICODE_CHAR_CLASS":
			return nil, fmt.Errorf("regular expression flag [%s] is not supported by Varve", f)
		default:
			return nil, fmt.Errorf("Unknown regex flag [%s]", f)
		}
	}
	var expr string
	if literal {
		expr = regexp.QuoteMeta(pattern)
	} else {
		var err error
		if expr, err = tr.translate(); err != nil {
			return nil, err
		}
	}
	if inline != "" {
		expr = "(?" + inline + ":" + expr + ")"
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("regular expression [%s]: %w", pattern, err)
	}
	return re, nil
}

type regexTranslator struct {
	pattern   string
	pos       int
	out       strings.Builder
	dotAll    bool
	unixLines bool
}

func (tr *regexTranslator) refuse(what string) error {
	return fmt.Errorf("regular expression [%s] uses %s, which is not supported by Varve", tr.pattern, what)
}

func (tr *regexTranslator) translate() (string, error) {
	for tr.pos < len(tr.pattern) {
		rest := tr.pattern[tr.pos:]
		c := rest[0]
		var err error
		switch {
		case c == '\\':
			err = tr.escape(false)
		case c == '[':
			tr.out.WriteByte('[')
			tr.pos++
			err = tr.class()
		case c == '.':
			tr.pos++
			switch {
			case tr.dotAll:
				tr.out.WriteString(`(?s:.)`)
			case tr.unixLines:
				tr.out.WriteString(`[^\n]`)
			default:
				tr.out.WriteString(`[^\n\r\x{85}\x{2028}\x{2029}]`)
			}
		case strings.HasPrefix(rest, "(?"):
			err = tr.group()
		case (c == '*' || c == '+' || c == '?' || c == '}') && len(rest) > 1 && rest[1] == '+':
			err = tr.refuse("a possessive quantifier")
		default:
			_, w := utf8.DecodeRuneInString(rest)
			tr.out.WriteString(rest[:w])
			tr.pos += w
		}
		if err != nil {
			return "", err
		}
	}
	return tr.out.String(), nil
}

func (tr *regexTranslator) group() error {
	rest := tr.pattern[tr.pos:]
	for prefix, what := range map[string]string{"(?=": "look-ahead", "(?!": "look-ahead", "(?<=": "look-behind", "(?<!": "look-behind", "(?>": "an atomic group"} {
		if strings.HasPrefix(rest, prefix) {
			return tr.refuse(what)
		}
	}
	if strings.HasPrefix(rest, "(?<") || strings.HasPrefix(rest, "(?:") {
		tr.out.WriteString("(?")
		tr.pos += 2
		return nil
	}
	end := strings.IndexAny(rest, ":)")
	if end < 0 {
		return fmt.Errorf("regular expression [%s]: unclosed group", tr.pattern)
	}
	flags, off := "", false
	for _, f := range rest[2:end] {
		switch f {
		case '-':
			off = true
			flags += "-"
		case 'i', 'm':
			flags += string(f)
		case 's':
			tr.dotAll = !off
			flags += "s"
		case 'd':
			tr.unixLines = !off
		case 'u':
		default:
			return tr.refuse("the flag " + string(f))
		}
	}
	tr.pos += end + 1
	if strings.Trim(flags, "-") == "" {
		if rest[end] == ':' {
			tr.out.WriteString("(?:")
		}
		return nil
	}
	tr.out.WriteString("(?" + flags + rest[end:end+1])
	return nil
}

// class translates up to the closing bracket; the opening one was written. Nested classes become part
// of the outer one.
func (tr *regexTranslator) class() error {
	if strings.HasPrefix(tr.pattern[tr.pos:], "^") {
		tr.out.WriteByte('^')
		tr.pos++
	}
	for first, depth := true, 0; tr.pos < len(tr.pattern); first = false {
		rest := tr.pattern[tr.pos:]
		switch {
		case strings.HasPrefix(rest, "&&"):
			return tr.refuse("a class intersection")
		case rest[0] == '[':
			if strings.HasPrefix(rest, "[^") {
				return tr.refuse("a negated class within a class")
			}
			depth++
			tr.pos++
		case rest[0] == ']' && !first:
			tr.pos++
			if depth == 0 {
				tr.out.WriteByte(']')
				return nil
			}
			depth--
		case rest[0] == ']':
			tr.out.WriteString(`\]`)
			tr.pos++
		case rest[0] == '\\':
			if err := tr.escape(true); err != nil {
				return err
			}
		default:
			_, w := utf8.DecodeRuneInString(rest)
			tr.out.WriteString(rest[:w])
			tr.pos += w
		}
	}
	return fmt.Errorf("regular expression [%s]: Unclosed character class", tr.pattern)
}

var posixClasses = map[string]string{
	"Lower": `a-z`, "Upper": `A-Z`, "ASCII": `\x00-\x7F`, "Alpha": `a-zA-Z`, "Digit": `0-9`, "Alnum": `0-9a-zA-Z`,
	"Punct": `!-/:-@\[-` + "`" + `{-~`, "Graph": `!-~`, "Print": ` -~`, "Blank": ` \t`, "Cntrl": `\x00-\x1F\x7F`,
	"XDigit": `0-9a-fA-F`, "Space": ` \t\n\x0B\f\r`, "javaLowerCase": `\p{Ll}`, "javaUpperCase": `\p{Lu}`,
	"IsLowercase": `\p{Ll}`, "IsUppercase": `\p{Lu}`, "IsLetter": `\p{L}`, "IsDigit": `\p{Nd}`, "IsPunctuation": `\p{P}`,
	"javaLetter": `\p{L}`, "javaDigit": `\p{Nd}`, "javaLetterOrDigit": `\p{L}\p{Nd}`, "IsIdeographic": `\p{Han}`,
	"IsWhite_Space": `\t-\r \x{85}\x{A0}\p{Z}`,
}

var negatedPosix = map[string]string{"Space": `\x00-\x08\x0E-\x1F!-\x{10FFFF}`}

// escape translates one backslash sequence.
func (tr *regexTranslator) escape(inClass bool) error {
	rest := tr.pattern[tr.pos:]
	if len(rest) < 2 {
		return fmt.Errorf("regular expression [%s]: a backslash at the end", tr.pattern)
	}
	emit := func(set, negated string, n int) error {
		tr.pos += n
		switch {
		case inClass && negated != "":
			tr.out.WriteString(negated)
		case inClass:
			tr.out.WriteString(set)
		case negated != "":
			tr.out.WriteString("[^" + set + "]")
		default:
			tr.out.WriteString("[" + set + "]")
		}
		return nil
	}
	const vertical = `\n\x0B\f\r\x{85}\x{2028}\x{2029}`
	const horizontal = ` \t\x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}`
	switch c := rest[1]; {
	case c == 's':
		return emit(posixClasses["Space"], "", 2)
	case c == 'S':
		return emit(posixClasses["Space"], negatedPosix["Space"], 2)
	case c == 'v':
		return emit(vertical, "", 2)
	case c == 'h':
		return emit(horizontal, "", 2)
	case c == 'e':
		tr.pos += 2
		tr.out.WriteString(`\x1B`)
	case c == 'u' && len(rest) >= 6:
		n, err := strconv.ParseUint(rest[2:6], 16, 32)
		if err != nil {
			return fmt.Errorf("regular expression [%s]: Illegal Unicode escape sequence", tr.pattern)
		}
		tr.pos += 6
		fmt.Fprintf(&tr.out, `\x{%X}`, n)
	case c == 'p' || c == 'P':
		return tr.property(c == 'P', inClass, emit)
	case c == 'Q':
		end := strings.Index(rest[2:], `\E`)
		quoted := rest[2:]
		if end >= 0 {
			quoted = rest[2 : 2+end]
			tr.pos += end + 4
		} else {
			tr.pos = len(tr.pattern)
		}
		tr.out.WriteString(regexp.QuoteMeta(quoted))
	case c >= '1' && c <= '9' || c == 'k':
		return tr.refuse("a back reference")
	case c == 'x' || c == 'd' || c == 'D' || c == 'w' || c == 'W' || c == 't' || c == 'n' || c == 'r' || c == 'f' || c == 'a' ||
		!inClass && (c == 'b' || c == 'B' || c == 'A' || c == 'z'):
		tr.out.WriteString(rest[:2])
		tr.pos += 2
	case c == 'Z':
		tr.pos += 2
		tr.out.WriteString(`\z`)
	case c|0x20 >= 'a' && c|0x20 <= 'z' || c == '0':
		return tr.refuse(`the escape \` + string(c))
	default:
		r, w := utf8.DecodeRuneInString(rest[1:])
		tr.pos += 1 + w
		if r == '-' || r == '^' || r == ']' {
			tr.out.WriteString(`\` + string(r))
		} else {
			tr.out.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return nil
}

func (tr *regexTranslator) property(negated, inClass bool, emit func(string, string, int) error) error {
	rest := tr.pattern[tr.pos:]
	name, n := "", 0
	if len(rest) > 2 && rest[2] == '{' {
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return fmt.Errorf("regular expression [%s]: Unclosed character family", tr.pattern)
		}
		name, n = rest[3:end], end+1
	} else if len(rest) > 2 {
		name, n = rest[2:3], 3
	}
	if set, ok := posixClasses[name]; ok {
		if !negated {
			return emit(set, "", n)
		}
		if inClass {
			return tr.refuse(`\P{` + name + "} within a class")
		}
		tr.pos += n
		tr.out.WriteString("[^" + set + "]")
		return nil
	}
	for _, prefix := range []string{"Is", "general_category=", "gc=", "script=", "sc=", ""} {
		bare, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		_, isCategory := unicode.Categories[bare]
		_, isScript := unicode.Scripts[bare]
		if isCategory || isScript {
			p := `\p{`
			if negated {
				p = `\P{`
			}
			tr.pos += n
			tr.out.WriteString(p + bare + "}")
			return nil
		}
	}
	return tr.refuse(`\p{` + name + "}")
}

// replacement is a java.util.regex replacement text: $1 and ${name} stand for groups.
type replacement struct {
	parts []replacementPart
}

type replacementPart struct {
	literal string
	group   int // -1 for a literal
}

func parseReplacement(s string, re *regexp.Regexp) (*replacement, error) {
	r := &replacement{}
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			r.parts = append(r.parts, replacementPart{literal: lit.String(), group: -1})
			lit.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			if i++; i == len(s) {
				return nil, fmt.Errorf("character to be escaped is missing")
			}
			lit.WriteByte(s[i])
		case c != '$':
			lit.WriteByte(c)
		case i+1 < len(s) && s[i+1] == '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return nil, fmt.Errorf("named capturing group is missing trailing '}'")
			}
			name := s[i+2 : i+end]
			g := re.SubexpIndex(name)
			if g < 0 {
				return nil, fmt.Errorf("No group with name {%s}", name)
			}
			flush()
			r.parts = append(r.parts, replacementPart{group: g})
			i += end
		case i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
			i++
			g := int(s[i] - '0')
			if g > re.NumSubexp() {
				return nil, fmt.Errorf("No group %d", g)
			}
			for i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' && g*10+int(s[i+1]-'0') <= re.NumSubexp() {
				i++
				g = g*10 + int(s[i]-'0')
			}
			flush()
			r.parts = append(r.parts, replacementPart{group: g})
		default:
			return nil, fmt.Errorf("Illegal group reference")
		}
	}
	flush()
	return r, nil
}

func (r *replacement) append(dst, text []byte, match []int) []byte {
	for _, p := range r.parts {
		switch {
		case p.group < 0:
			dst = append(dst, p.literal...)
		case match[2*p.group] >= 0:
			dst = append(dst, text[match[2*p.group]:match[2*p.group+1]]...)
		}
	}
	return dst
}
