package repotool

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/varve-search/varve/internal/xcontent"
)

// catLine writes documents as lines of {"_id":…,"_routing":…,"_source":…}.
type catLine struct {
	line   bytes.Buffer
	source bytes.Buffer
}

// write writes the document that d holds, with a source that was filtered or is d's own. A name of the index adds
// "_index".
func (c *catLine) write(w *bufio.Writer, index string, d *docReader, source []byte) error {
	id, err := decodeID(d.id)
	if err != nil {
		return err
	}
	c.line.Reset()
	c.line.WriteByte('{')
	if index != "" {
		c.line.WriteString(`"_index":`)
		if err := appendText(&c.line, index); err != nil {
			return err
		}
		c.line.WriteByte(',')
	}
	c.line.WriteString(`"_id":`)
	if err := appendText(&c.line, id); err != nil {
		return err
	}
	if d.hasRouting {
		c.line.WriteString(`,"_routing":`)
		if err := appendText(&c.line, string(d.routing)); err != nil {
			return err
		}
	}
	if source != nil {
		c.line.WriteString(`,"_source":`)
		c.line.Write(source)
	}
	c.line.WriteString("}\n")
	_, err = w.Write(c.line.Bytes())
	return err
}

// compact returns the source of a document as one line of JSON, valid until the next call; nil if it has none. A client
// may have sent it as SMILE, and it is kept so.
func (c *catLine) compact(d *docReader) ([]byte, error) {
	if !d.hasSource {
		return nil, nil
	}
	c.source.Reset()
	source, err := xcontent.Source(d.source)
	if err != nil {
		return nil, err
	}
	if err := json.Compact(&c.source, source); err != nil {
		return nil, fmt.Errorf("the _source: %w", err)
	}
	return c.source.Bytes(), nil
}
