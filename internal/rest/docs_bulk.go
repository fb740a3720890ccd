package rest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/coordinator"
	"github.com/varve-search/varve/internal/xcontent"
)

// bulk answers _bulk.
func (a *API) bulk(r *Request) (*Response, error) {
	start := time.Now()
	refresh, err := a.writeOptions(r)
	if err != nil {
		return nil, err
	}
	r.Ignore("batch_size", "batch_interval", "batch_interval_enabled", "type")
	def := coordinator.NewItem(coordinator.OpIndex, r.Param("index"), "")
	def.Routing = r.Param("routing")
	if def.Pipeline, err = pipelineParam(r); err != nil {
		return nil, err
	}
	if def.RequireAlias, err = r.Bool("require_alias", false); err != nil {
		return nil, err
	}
	sel := sourceParams(r)
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	items, sels, err := readBulk(r.Body, def, sel)
	if err != nil {
		return nil, err
	}
	for i := range items {
		items[i].Check = a.writable
	}
	results := a.Docs.Bulk(r.Context(), items, refresh)
	failed, ingested := false, false
	var ingestTook time.Duration
	list := make([]any, len(results))
	for i := range results {
		res := &results[i]
		ingested, ingestTook = ingested || res.Ingested, ingestTook+res.IngestTook
		var o *xcontent.Object
		if res.Err != nil {
			failed = true
			e := translate(res.Err)
			o = xcontent.Obj("_index", res.Index, "_id", nullable(res.ID), "status", apierr.StatusOf(e), "error", errorObject(e))
		} else {
			o = resultObject(res).Add("status", res.Status())
			if res.Get != nil && sels[i].wanted() {
				src, err := sels[i].apply(res.Get.Source)
				if err != nil {
					return nil, err
				}
				o.Add("get", xcontent.Obj("_seq_no", res.Get.SeqNo, "_primary_term", res.Get.PrimaryTerm, "found", true, "_source", src))
			}
		}
		list[i] = xcontent.Obj(items[i].Type.String(), o)
	}
	out := xcontent.Obj("took", time.Since(start).Milliseconds())
	if ingested {
		out.Add("ingest_took", ingestTook.Milliseconds())
	}
	return OK(out.Add("errors", failed).Add("items", list))
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// readBulk reads the lines of a bulk request.
func readBulk(body []byte, def coordinator.Item, defSel *sourceSelection) ([]coordinator.Item, []*sourceSelection, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil, apierr.New(http.StatusBadRequest, "parse_exception", "request body is required")
	}
	if body[len(body)-1] != '\n' {
		return nil, nil, apierr.IllegalArgument("The bulk request must be terminated by a newline [\\n]")
	}
	var items []coordinator.Item
	var sels []*sourceSelection
	for line := 1; len(body) > 0; line++ {
		var action []byte
		action, body = cutLine(body)
		if len(bytes.TrimSpace(action)) == 0 {
			continue
		}
		it, sel, err := readAction(action, line, def, defSel)
		if err != nil {
			return nil, nil, err
		}
		if it.Type != coordinator.OpDelete {
			if len(body) == 0 {
				return nil, nil, apierr.IllegalArgument("Malformed action/metadata line [%d], the request ends without the document of this action", line)
			}
			var source []byte
			source, body = cutLine(body)
			line++
			if it.Type == coordinator.OpUpdate {
				if sel, err = readBulkUpdate(source, line, &it, sel); err != nil {
					return nil, nil, err
				}
			} else {
				it.Source = source
			}
		}
		items, sels = append(items, it), append(sels, sel)
	}
	if len(items) == 0 {
		return nil, nil, apierr.Validation("no requests added")
	}
	return items, sels, nil
}

func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	line, rest = b[:i], b[i+1:]
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

var opTypes = map[string]coordinator.OpType{"index": coordinator.OpIndex, "create": coordinator.OpCreate, "update": coordinator.OpUpdate, "delete": coordinator.OpDelete}

func readAction(line []byte, n int, def coordinator.Item, sel *sourceSelection) (coordinator.Item, *sourceSelection, error) {
	it := def
	bad := func(format string, args ...any) (coordinator.Item, *sourceSelection, error) {
		return it, sel, apierr.IllegalArgument("Malformed action/metadata line [%d], "+format, append([]any{n}, args...)...)
	}
	v, err := xcontent.Decode(line)
	if err != nil {
		return it, sel, apierr.New(http.StatusBadRequest, "json_parse_exception", "the action of line [%d] is not JSON: %v", n, err)
	}
	o, ok := v.(*xcontent.Object)
	if !ok {
		return bad("expected START_OBJECT but found [%s]", jsonKind(v))
	}
	if o.Len() != 1 {
		return bad("expected FIELD_NAME but found [END_OBJECT]")
	}
	name := o.Members[0].Key
	if it.Type, ok = opTypes[name]; !ok {
		return bad("expected field [create], [delete], [index] or [update] but found [%s]", name)
	}
	meta, ok := o.Members[0].Value.(*xcontent.Object)
	if !ok {
		return bad("expected START_OBJECT or END_OBJECT but found [%s]", jsonKind(o.Members[0].Value))
	}
	for _, m := range meta.Members {
		if sel, err = readActionField(m, &it, sel); err != nil {
			if apierr.As(err) != nil && apierr.As(err).Type == "unknown" {
				return bad("expected a simple value for field [%s] but found [%s]", m.Key, jsonKind(m.Value))
			}
			return it, sel, err
		}
	}
	if it.Type == coordinator.OpIndex && it.ID == "" && it.IfSeqNo == -2 {
		it.Version = def.Version
	}
	return it, sel, checkConditions(&it)
}

var errComplexValue = apierr.New(http.StatusBadRequest, "unknown", "not a simple value")

func readActionField(m xcontent.Member, it *coordinator.Item, sel *sourceSelection) (*sourceSelection, error) {
	if m.Key == "_source" {
		return sourceValue(m.Value)
	}
	text, simple := textOf(m.Value)
	if _, isBool := m.Value.(bool); !simple && !isBool && m.Value != nil {
		return sel, errComplexValue
	}
	number := func() (int64, error) {
		n, err := json.Number(text).Int64()
		if err != nil {
			return 0, apierr.IllegalArgument("Failed to parse [%s] of a bulk action: [%s]", m.Key, text)
		}
		return n, nil
	}
	var err error
	switch m.Key {
	case "_index":
		it.Index = text
	case "_id":
		it.ID = text
		if m.Value != nil && text == "" {
			return sel, apierr.IllegalArgument("if _id is specified it must not be empty")
		}
	case "routing", "_routing":
		it.Routing = text
	case "version", "_version":
		it.Version, err = number()
	case "version_type", "_version_type":
		it.VersionType, err = versionType(text)
	case "if_seq_no":
		it.IfSeqNo, err = number()
	case "if_primary_term":
		it.IfPrimaryTerm, err = number()
	case "retry_on_conflict":
		var n int64
		n, err = number()
		it.Update = &coordinator.Update{RetryOnConflict: int(n)}
	case "require_alias":
		it.RequireAlias, err = boolean(m.Key, m.Value)
	case "op_type":
		switch text {
		case "create":
			it.Type = coordinator.OpCreate
		case "index":
		default:
			return sel, apierr.IllegalArgument("opType must be 'create' or 'index', found: [%s]", text)
		}
	case "pipeline":
		if text == "" && m.Value != nil {
			err = errEmptyPipeline
		}
		it.Pipeline = text
	default:
		return sel, apierr.IllegalArgument("Action/metadata line [1] contains an unknown parameter [%s]", m.Key)
	}
	return sel, err
}

func readBulkUpdate(source []byte, n int, it *coordinator.Item, sel *sourceSelection) (*sourceSelection, error) {
	v, err := xcontent.Decode(source)
	if err != nil {
		return sel, apierr.New(http.StatusBadRequest, "json_parse_exception", "the update of line [%d] is not JSON: %v", n, err)
	}
	o, ok := v.(*xcontent.Object)
	if !ok {
		return sel, apierr.IllegalArgument("Malformed update of line [%d], expected START_OBJECT but found [%s]", n, jsonKind(v))
	}
	body, err := readUpdate(o)
	if err != nil {
		return sel, err
	}
	retry := 0
	if it.Update != nil {
		retry = it.Update.RetryOnConflict
	}
	it.Update = &body.Update
	it.Update.RetryOnConflict = retry
	if body.source != nil {
		sel = body.source
	}
	it.Update.WantSource = sel.wanted()
	return sel, nil
}
