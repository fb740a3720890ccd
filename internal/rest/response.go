package rest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"

	"gopkg.in/yaml.v3"

	"github.com/varve-search/varve/internal/xcontent"
)

// Response is the answer to a request: a value that is rendered as JSON (or YAML), or plain text.
type Response struct {
	Status  int
	Body    any    // rendered as JSON; json.RawMessage stands as it is
	Text    string // answered as text/plain when Body is nil
	Headers map[string]string
	// Stream, if it is set, writes JSON as it comes about, after the status was sent: its error breaks the answer off.
	Stream func(w io.Writer) error
	// NoContent answers the status alone, as HEAD does.
	NoContent bool
	whole     bool // filter_path takes nothing away: an error is shown in full
}

// OK answers 200 with a body.
func OK(body any) (*Response, error) { return &Response{Status: http.StatusOK, Body: body}, nil }

// Acknowledged answers {"acknowledged":true}.
func Acknowledged() (*Response, error) { return OK(xcontent.Obj("acknowledged", true)) }

// Exists answers 200 or 404 without a body.
func Exists(yes bool) (*Response, error) {
	if yes {
		return &Response{Status: http.StatusOK, NoContent: true}, nil
	}
	return &Response{Status: http.StatusNotFound, NoContent: true}, nil
}

// encode renders a body as the request wants it; whole disregards filter_path.
func encode(r *Request, body any, whole bool) (data []byte, contentType string, err error) {
	var b bytes.Buffer
	if err := xcontent.Append(&b, body); err != nil {
		return nil, "", err
	}
	data = b.Bytes()
	if fp := r.params["filter_path"]; fp != "" && !whole {
		if f := parsePathFilter(fp); f != nil {
			v, err := xcontent.Decode(data)
			if err != nil {
				return nil, "", err
			}
			b.Reset()
			if err := xcontent.Append(&b, f.apply(v)); err != nil {
				return nil, "", err
			}
			data = b.Bytes()
		}
	}
	if r.params["format"] == "yaml" || r.HTTP.Header.Get("Accept") == "application/yaml" {
		var n yaml.Node
		if err := yaml.Unmarshal(data, &n); err != nil {
			return nil, "", err
		}
		blockStyle(&n)
		out, err := yaml.Marshal(&n)
		return append([]byte("---\n"), out...), "application/yaml", err
	}
	if v, ok := r.params["pretty"]; ok && v != "false" {
		var p bytes.Buffer
		if err := json.Indent(&p, data, "", "  "); err != nil {
			return nil, "", err
		}
		p.WriteByte('\n')
		data = p.Bytes()
	}
	return data, "application/json; charset=UTF-8", nil
}

// blockStyle makes YAML that came from JSON look like YAML.
func blockStyle(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode {
		n.Style = 0
	}
	for _, c := range n.Content {
		blockStyle(c)
	}
}
