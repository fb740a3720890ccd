package mustache

import (
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/javavalue"
)

func model(t testing.TB, s string) *javavalue.Object {
	t.Helper()
	o, err := javavalue.DecodeObject([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

const values = `{"s":"a\"b","n":5,"f":1e10,"t":true,"no":false,"null":null,"list":[1,"x",{"k":2}],"empty":[],"o":{"k":"v","deep":{"d":1}},"a.b":"dotted","people":[{"name":"A"},{"name":"B","n":6}],"u":"a b/ü"}`

func TestRender(t *testing.T) {
	m := model(t, values)
	for _, c := range []struct{ template, want string }{
		{"plain", "plain"},
		{"{{s}} {{{s}}} {{&s}}", `a\"b a"b a"b`},
		{"{{n}} {{f}} {{t}} {{null}}|{{missing}}|", "5 1.0E10 true ||"},
		{"{{list}} {{list.1}} {{list.2.k}} {{list.size}} {{list.9}}|", "{0=1, 1=x, 2={k=2}} x 2 3 |"},
		{"{{o}} {{o.k}} {{o.deep.d}} {{o.nope.d}}|{{a.b}}", "{deep={d=1}, k=v} v 1 |dotted"},
		{"{{#people}}{{name}}{{n}},{{/people}}", "A5,B6,"},
		{"{{#list}}[{{.}}]{{/list}}", "[1][x][{k=2}]"},
		{"{{#o}}{{k}}{{/o}}{{#no}}x{{/no}}{{#empty}}x{{/empty}}{{#null}}x{{/null}}{{#missing}}x{{/missing}}", "v"},
		{"{{^o}}x{{/o}}{{^no}}a{{/no}}{{^empty}}b{{/empty}}{{^missing}}c{{/missing}}", "abc"},
		{"{{#toJson}}o{{/toJson}} {{#toJson}}list{{/toJson}} {{#tojson}}n{{/tojson}}", `{"k":"v","deep":{"d":1}} [1,"x",{"k":2}] 5`},
		{"{{#join}}list{{/join}} {{#join delimiter='; '}}list{{/join delimiter='; '}}", "1,x,{k=2} 1; x; {k=2}"},
		{"{{#url}}{{u}}{{/url}}", "a+b%2F%C3%BC"},
		{"a\n{{! alone }}\nb {{! within }} c", "a\nb  c"},
		{"{{#t}}\n x\n{{/t}}\ny", " x\ny"},
		{"{{=<% %>=}}<%n%> {{n}}", "5 {{n}}"},
	} {
		tpl, err := Parse(c.template, EscapeJSON)
		if err != nil {
			t.Errorf("%s: %v", c.template, err)
			continue
		}
		if got, err := tpl.Render(m); err != nil || got != c.want {
			t.Errorf("%s: %q %v, expected %q", c.template, got, err, c.want)
		}
	}
}

func TestEscapes(t *testing.T) {
	m := model(t, `{"s":"a\"\\\n\u0001é<"}`)
	for e, want := range map[Escape]string{EscapeJSON: `a\"\\\n\u0001é<`, EscapeNone: "a\"\\\n\x01é<", EscapeURL: "a%22%5C%0A%01%C3%A9%3C"} {
		tpl, err := Parse("{{s}}", e)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tpl.Render(m); err != nil || got != want {
			t.Errorf("escape %d: %q %v, expected %q", e, got, err, want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, s := range []string{"{{a", "{{#a}}", "{{#a}}{{/b}}", "{{/a}}", "{{}}", "{{>partial}}", "{{#join}}{{a}}{{b}}{{/join}}", "{{=x=}}", "{{{a}}", strings.Repeat("{{#a}}", 200)} {
		if _, err := Parse(s, EscapeJSON); err == nil {
			t.Errorf("%.40s was accepted", s)
		}
	}
}

func TestSectionsMultiply(t *testing.T) {
	tpl, err := Parse(strings.Repeat("{{#list}}", 50)+strings.Repeat("{{/list}}", 50), EscapeJSON)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tpl.Render(model(t, values)); err == nil {
		t.Error("3 to the power of 50 sections were rendered")
	}
}

func FuzzMustache(f *testing.F) {
	f.Add("{{#a}}{{b.0}}{{/a}}{{^c}}{{{d}}}{{/c}}{{#toJson}}o{{/toJson}}{{=<% %>=}}<%n%>")
	f.Fuzz(func(t *testing.T, s string) {
		if tpl, err := Parse(s, EscapeJSON); err == nil && len(s) < 1000 {
			_, _ = tpl.Render(model(t, values)) // it must not panic or hang
		}
	})
}
