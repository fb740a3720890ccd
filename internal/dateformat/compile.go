package dateformat

import (
	"errors"
	"fmt"
	"strings"
)

// compile returns the pattern of a named format or of a Java pattern.
func compile(spec string) (*pattern, error) {
	if spec == "" {
		return nil, errors.New("No date pattern provided")
	}
	if p := namedFormat(spec); p != nil {
		return p, nil
	}
	spec = strings.TrimPrefix(spec, "8") // what Elasticsearch 6 wrote before java.time patterns
	list, rest, err := compileJava(spec, 0)
	if err != nil {
		return nil, err
	}
	if rest != "" {
		return nil, errors.New("Pattern invalid as it contains ] without previous [")
	}
	return &pattern{read: list, print: list}, nil
}

const maxDepth = 16

// compileJava reads a pattern up to the "]" that closes its group, if depth is not 0.
func compileJava(s string, depth int) (list []element, rest string, err error) {
	if depth > maxDepth {
		return nil, "", errors.New("optional sections are nested too deeply")
	}
	for s != "" {
		ch := s[0]
		switch {
		case ch == '\'':
			text, after, ok := quoted(s)
			if !ok {
				return nil, "", errors.New("Pattern ends with an incomplete string literal: " + s)
			}
			list, s = append(list, element{kind: literal, text: text}), after
		case ch == '[':
			var group []element
			if group, s, err = compileJava(s[1:], depth+1); err != nil {
				return nil, "", err
			}
			list = append(list, element{kind: optional, group: group})
		case ch == ']':
			if depth == 0 {
				return list, s, nil
			}
			return list, s[1:], nil
		case ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z':
			n := 1
			for n < len(s) && s[n] == ch {
				n++
			}
			e, err := letter(ch, n)
			if err != nil {
				return nil, "", err
			}
			list, s = append(list, e), s[n:]
		case strings.IndexByte("{}#", ch) >= 0:
			return nil, "", fmt.Errorf("Pattern includes reserved character: '%c'", ch)
		default:
			n := strings.IndexFunc(s[1:], func(r rune) bool {
				return r == '\'' || r == '[' || r == ']' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("{}#", r)
			})
			if n < 0 {
				n = len(s) - 1
			}
			list, s = append(list, element{kind: literal, text: s[:n+1]}), s[n+1:]
		}
	}
	adjacent(list)
	return list, "", nil
}

// quoted reads a literal in quotes; two quotes stand for one.
func quoted(s string) (text, rest string, ok bool) {
	if strings.HasPrefix(s, "''") {
		return "'", s[2:], true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		return b.String(), s[i+1:], true
	}
	return "", "", false
}

// letter returns the element that n times the letter ch stands for.
func letter(ch byte, n int) (element, error) {
	num := func(k kind, widest int) (element, error) {
		if n > widest {
			return element{}, fmt.Errorf("Too many pattern letters: %c", ch)
		}
		if n == 1 {
			return element{kind: k, min: 1, max: widest}, nil
		}
		return element{kind: k, min: n, max: n}, nil
	}
	yearOf := func(k kind) (element, error) {
		switch {
		case n == 2:
			return element{kind: k, min: 2, max: 2}, nil
		case n < 4:
			return element{kind: k, min: n, max: 9}, nil
		case n == 4:
			return element{kind: k, min: 4, max: 9}, nil
		}
		return element{kind: k, min: n, max: 9}, nil
	}
	switch ch {
	case 'y', 'u':
		return yearOf(year)
	case 'Y':
		return yearOf(weekYear)
	case 'M', 'L':
		if n > 2 {
			return element{kind: monthText, min: n}, nil
		}
		return num(month, 2)
	case 'd':
		return num(day, 2)
	case 'D':
		return num(yearDay, 3)
	case 'w':
		return num(week, 2)
	case 'e', 'c':
		if n > 2 {
			return element{kind: dayText, min: n}, nil
		}
		return element{kind: weekDay, min: n, max: n}, nil
	case 'E':
		return element{kind: dayText, min: n}, nil
	case 'Q', 'q':
		return num(quarter, 2)
	case 'H':
		return num(hour, 2)
	case 'h':
		return num(hour12, 2)
	case 'k':
		return num(hour24, 2)
	case 'K':
		return num(hour11, 2)
	case 'm':
		return num(minute, 2)
	case 's':
		return num(second, 2)
	case 'S':
		if n > 9 {
			return element{}, fmt.Errorf("The maximum width must be from 1 to 9 inclusive but was %d", n)
		}
		return element{kind: nano, min: n, max: n}, nil
	case 'n':
		return element{kind: milli, min: n, max: 9}, nil
	case 'a':
		return element{kind: ampm}, nil
	case 'G':
		return element{kind: era}, nil
	case 'Z', 'X', 'x':
		if n > 5 {
			return element{}, fmt.Errorf("Too many pattern letters: %c", ch)
		}
		return element{kind: zoneOffset, text: strings.Repeat(string(ch), n)}, nil
	case 'V', 'z', 'v', 'O':
		return element{kind: zoneName}, nil
	}
	return element{}, fmt.Errorf("Unknown pattern letter: %c", ch)
}

// adjacent bounds a year that digits follow directly, as in yyyyMMdd, to its own width.
func adjacent(list []element) {
	for i := 0; i+1 < len(list); i++ {
		e, next := &list[i], &list[i+1]
		if (e.kind == year || e.kind == weekYear) && e.max > 4 && next.kind != literal && next.kind != optional && next.max > 0 {
			e.max = max(e.min, 4)
		}
	}
}
