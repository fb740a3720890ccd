package ingest

import (
	"html"
	"regexp"
	"strings"
)

// inline are the elements whose tags leave no line break behind.
var inline = map[string]bool{"a": true, "abbr": true, "acronym": true, "address": false, "b": true, "basefont": true, "bdo": true, "big": true, "cite": true, "code": true, "dfn": true, "em": true,
	"font": true, "i": true, "img": true, "input": true, "kbd": true, "label": true, "q": true, "s": true, "samp": true, "select": true, "small": true, "span": true, "strike": true, "strong": true,
	"sub": true, "sup": true, "textarea": true, "tt": true, "u": true, "var": true}

var (
	htmlTag    = regexp.MustCompile(`^</?([a-zA-Z_:][-a-zA-Z0-9_:.]*)(?:\s+(?:[^\s"'>=/]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'>]+))?|/))*\s*/?>`)
	htmlEntity = regexp.MustCompile(`^&(?:[a-zA-Z][a-zA-Z0-9]*|#[0-9]+|#[xX][0-9a-fA-F]+);?`)
)

// stripHTML takes the markup out of a text as Lucene's filter does: tags of blocks become line breaks, scripts, styles and comments
// go, entities are resolved. What is no markup stays.
func stripHTML(s string) string {
	if !strings.Contains(s, "<") || !strings.Contains(s, ">") {
		return s
	}
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, "<&")
		if i < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:i])
		s = s[i:]
		if s[0] == '&' {
			s = s[entity(&b, s):]
		} else {
			s = s[markup(&b, s):]
		}
	}
	return b.String()
}

// entity writes the character that s begins with, and returns how long its name was.
func entity(b *strings.Builder, s string) int {
	name := htmlEntity.FindString(s)
	text := html.UnescapeString(name)
	if name == "" || text == name {
		b.WriteByte('&')
		return 1
	}
	b.WriteString(strings.ReplaceAll(text, "\u00a0", " "))
	return len(name)
}

// markup leaves out the tag or the like that s begins with, and returns its length.
func markup(b *strings.Builder, s string) int {
	ends := func(start, end string) int {
		if !strings.HasPrefix(s, start) {
			return 0
		}
		if i := strings.Index(s[len(start):], end); i >= 0 {
			return len(start) + i + len(end)
		}
		return len(s)
	}
	if n := ends("<!--", "-->"); n > 0 {
		return n
	}
	if n := ends("<![CDATA[", "]]>"); n > 0 {
		b.WriteString(strings.TrimSuffix(s[len("<![CDATA["):n], "]]>"))
		return n
	}
	if n := ends("<?", ">"); n > 0 {
		return n
	}
	if n := ends("<!", ">"); n > 0 {
		b.WriteByte('\n')
		return n
	}
	m := htmlTag.FindStringSubmatch(s)
	if m == nil {
		b.WriteByte('<')
		return 1
	}
	name := strings.ToLower(m[1])
	n := len(m[0])
	if (name == "script" || name == "style") && !strings.HasPrefix(s, "</") && !strings.HasSuffix(m[0], "/>") {
		if end := strings.Index(strings.ToLower(s[n:]), "</"+name); end >= 0 {
			n += end
			if gt := strings.IndexByte(s[n:], '>'); gt >= 0 {
				n += gt + 1
			}
		} else {
			n = len(s)
		}
	}
	if !inline[name] {
		b.WriteByte('\n')
	}
	return n
}
