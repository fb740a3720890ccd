package xcontent

import (
	"bytes"
	"fmt"

	"github.com/varve-search/varve/repository/smile"
)

// Source returns the _source of a document as JSON. An index keeps it as the client sent it, which of one that a real node wrote
// may be SMILE; JSON stands as it is. CBOR and YAML are refused.
func Source(b []byte) ([]byte, error) {
	if bytes.HasPrefix(b, []byte(":)\n")) {
		v, err := smile.Decode(b, smile.Limits{})
		if err != nil {
			return nil, fmt.Errorf("the _source: %w", err)
		}
		return smile.AppendJSON(nil, v)
	}
	if text := bytes.TrimLeft(b, " \t\r\n"); len(text) == 0 || text[0] != '{' {
		return nil, fmt.Errorf("the _source is neither JSON nor SMILE: it begins with %.8q", b)
	}
	return b, nil
}
