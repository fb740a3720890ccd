package mustache

import (
	"fmt"
	"regexp"
	"strings"
)

// Escape is what {{name}} does to a text.
type Escape int

// The escapes, by the content type of the template.
const (
	EscapeJSON Escape = iota // the default
	EscapeNone               // text/plain
	EscapeURL                // application/x-www-form-urlencoded
)

// maxDepth is how deeply sections may be nested.
const maxDepth = 100

type kind int

const (
	text kind = iota
	variable
	raw
	section
	inverted
	toJSON
	join
	urlEncode
)

type node struct {
	kind kind
	text string // text, or name
	join string // the delimiter of join
	body []node
}

// Template is a compiled template. It is immutable.
type Template struct {
	nodes  []node
	escape Escape
}

var joinFunction = regexp.MustCompile(`^join delimiter='(.*)'$`)

// Parse compiles a template.
func Parse(source string, escape Escape) (*Template, error) {
	p := &parser{s: source, open: "{{", close: "}}"}
	nodes, err := p.nodes("", 0)
	if err != nil {
		return nil, err
	}
	return &Template{nodes: nodes, escape: escape}, nil
}

type parser struct {
	s           string
	i           int
	open, close string
}

func (p *parser) line() int { return 1 + strings.Count(p.s[:p.i], "\n") }

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf(format+" @[query-template:%d]", append(args, p.line())...)
}

// nodes reads up to the end of the section, or of the text.
func (p *parser) nodes(until string, depth int) ([]node, error) {
	if depth > maxDepth {
		return nil, p.errorf("sections are nested more than %d deep", maxDepth)
	}
	var list []node
	for {
		at := strings.Index(p.s[p.i:], p.open)
		if at < 0 {
			if until != "" {
				return nil, p.errorf("Failed to close '%s' tag", until)
			}
			if p.i < len(p.s) {
				list = append(list, node{kind: text, text: p.s[p.i:]})
			}
			p.i = len(p.s)
			return list, nil
		}
		start := p.i
		p.i += at
		tagStart := p.i
		sigil, name, err := p.tag()
		if err != nil {
			return nil, err
		}
		before := p.s[start:tagStart]
		if strings.IndexByte("#^/!=", sigil) >= 0 {
			before = p.standalone(start, tagStart)
		}
		if before != "" {
			list = append(list, node{kind: text, text: before})
		}
		switch sigil {
		case '!', '=':
		case '/':
			if name != until {
				return nil, p.errorf("Mismatched start/end tags: %s != %s in query-template:%d", orNone(until), name, p.line())
			}
			return list, nil
		case '#', '^':
			body, err := p.nodes(name, depth+1)
			if err != nil {
				return nil, err
			}
			n, err := p.section(sigil, name, body)
			if err != nil {
				return nil, err
			}
			list = append(list, n)
		case '>', '<', '$':
			return nil, p.errorf("partials are not supported: [%s]", name)
		case '{', '&':
			list = append(list, node{kind: raw, text: name})
		default:
			list = append(list, node{kind: variable, text: name})
		}
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// tag reads one tag and leaves the place after it.
func (p *parser) tag() (sigil byte, name string, err error) {
	body := p.s[p.i+len(p.open):]
	end := p.close
	if strings.HasPrefix(body, "{") && p.open == "{{" {
		end = "}" + p.close
	}
	if strings.HasPrefix(body, "=") {
		end = "=" + p.close
		n := strings.Index(body[1:], end)
		if n < 0 {
			return 0, "", p.errorf("Improperly closed variable")
		}
		delims := strings.Fields(body[1 : 1+n])
		if len(delims) != 2 {
			return 0, "", p.errorf("Invalid delimiter string: %s", body[:n+1])
		}
		p.i += len(p.open) + 1 + n + len(end)
		p.open, p.close = delims[0], delims[1]
		return '=', "", nil
	}
	n := strings.Index(body, end)
	if n < 0 {
		return 0, "", p.errorf("Improperly closed variable")
	}
	p.i += len(p.open) + n + len(end)
	name = strings.TrimSpace(body[:n])
	if name == "" {
		return 0, "", p.errorf("Empty mustache")
	}
	if strings.IndexByte("#^/!>&{<$", name[0]) >= 0 {
		return name[0], strings.TrimSpace(name[1:]), nil
	}
	return 0, name, nil
}

// standalone returns the text before a tag; a tag that is alone on its line takes the line with it.
func (p *parser) standalone(start, tagStart int) string {
	before := p.s[start:tagStart]
	lineStart := strings.LastIndexByte(p.s[:tagStart], '\n') + 1
	if lineStart < start && start != 0 || strings.TrimLeft(p.s[lineStart:tagStart], " \t") != "" {
		return before
	}
	rest := p.s[p.i:]
	blank := len(rest) - len(strings.TrimLeft(rest, " \t"))
	switch after := rest[blank:]; {
	case strings.HasPrefix(after, "\r\n"):
		p.i += blank + 2
	case strings.HasPrefix(after, "\n"):
		p.i += blank + 1
	default:
		return before
	}
	return p.s[start:lineStart]
}

func (p *parser) section(sigil byte, name string, body []node) (node, error) {
	if sigil == '^' {
		return node{kind: inverted, text: name, body: body}, nil
	}
	k, delimiter := section, ","
	switch {
	case strings.EqualFold(name, "toJson"):
		k = toJSON
	case strings.EqualFold(name, "join"):
		k = join
	case strings.EqualFold(name, "url"):
		return node{kind: urlEncode, body: body}, nil
	default:
		if m := joinFunction.FindStringSubmatch(name); m != nil {
			k, delimiter = join, m[1]
		}
	}
	if k == section {
		return node{kind: section, text: name, body: body}, nil
	}
	if len(body) != 1 || body[0].kind > raw {
		return node{}, p.errorf("Mustache function [%s] must contain one and only one identifier", name)
	}
	return node{kind: k, text: strings.TrimSpace(body[0].text), join: delimiter, body: body}, nil
}
