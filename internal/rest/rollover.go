package rest

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeRollover(rt *Router) {
	rt.Handle("POST", "/{index}/_rollover", a.rollover)
	rt.Handle("POST", "/{index}/_rollover/{new_index}", a.rollover)
}

func (a *API) rollover(r *Request) (*Response, error) {
	timeout, err := a.timeouts(r)
	if err != nil {
		return nil, err
	}
	r.Ignore("include_type_name")
	req := cluster.RolloverRequest{Target: r.Param("index"), NewIndex: r.Param("new_index"), Timeout: timeout}
	if req.DryRun, err = r.Bool("dry_run", false); err != nil {
		return nil, err
	}
	body, err := r.object()
	if err != nil {
		return nil, err
	}
	if err := readRollover(&req, body); err != nil {
		return nil, err
	}
	def, err := parseActive(req.Create.Settings.GetOr("index.write.wait_for_active_shards", "1"), 1)
	if err != nil {
		return nil, err
	}
	if req.WaitFor, err = waitForActive(r, def); err != nil {
		return nil, err
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	res, err := a.Node.Rollover(r.Context(), req)
	if err != nil {
		return nil, err
	}
	conditions := &xcontent.Object{}
	for i, c := range req.Conditions {
		conditions.Add(c.String(), res.Met[i])
	}
	return OK(xcontent.Obj("acknowledged", res.Acknowledged, "shards_acknowledged", res.ShardsAcknowledged, "old_index", res.OldIndex, "new_index", res.NewIndex,
		"rolled_over", res.RolledOver, "dry_run", req.DryRun, "conditions", conditions))
}

func readRollover(req *cluster.RolloverRequest, body *xcontent.Object) (err error) {
	if body == nil {
		return nil
	}
	for _, m := range body.Members {
		o, ok := m.Value.(*xcontent.Object)
		switch m.Key {
		case "conditions", "settings", "mappings", "aliases":
			if !ok {
				return apierr.XContentParse("[rollover] %s doesn't support values of type: %s", m.Key, jsonKind(m.Value))
			}
		default:
			return apierr.XContentParse("[rollover] unknown field [%s]", m.Key)
		}
		switch m.Key {
		case "conditions":
			req.Conditions, err = readConditions(o)
		case "settings":
			var s settings.Settings
			s, err = settingsOf(o, m.Key)
			req.Create.Settings = cluster.Normalize(s)
		case "mappings":
			if o.Len() == 1 && o.Members[0].Key == "_doc" {
				err = apierr.IllegalArgument("The mapping definition cannot be nested under a type")
			} else if o.Len() > 0 {
				req.Create.Mapping, err = mappingOf(o)
			}
		case "aliases":
			req.Create.Aliases, err = aliasesOf(o)
		}
		if err != nil {
			return failedField("rollover", m.Key, err)
		}
	}
	return nil
}

// failedField is the error of a field that could not be parsed; the innermost error of OpenSearch's own kind is the root.
func failedField(object, field string, cause error) error {
	e := apierr.XContentParse("[%s] failed to parse field [%s]", object, field).Because(cause)
	if c := apierr.As(cause); c != nil && c.Type != "illegal_argument_exception" {
		e.RootCauses = []error{c}
		if len(c.RootCauses) > 0 {
			e.RootCauses = c.RootCauses
		}
	}
	return e
}

func readConditions(o *xcontent.Object) ([]cluster.RolloverCondition, error) {
	var out []cluster.RolloverCondition
	for _, m := range o.Members {
		c := cluster.RolloverCondition{Name: m.Key}
		text, isText := m.Value.(string)
		number, isNumber := m.Value.(json.Number)
		c.Text = text
		var err error
		switch m.Key {
		case "max_docs":
			if isNumber {
				text = number.String()
			}
			if !isText && !isNumber {
				return nil, apierr.XContentParse("[conditions] max_docs doesn't support values of type: %s", jsonKind(m.Value))
			}
			if c.Value, err = json.Number(text).Int64(); err != nil {
				err = apierr.IllegalArgument("For input string: %q", text)
			}
		case "max_age", "max_size":
			if !isText {
				return nil, apierr.XContentParse("[conditions] %s doesn't support values of type: %s", m.Key, jsonKind(m.Value))
			}
			if m.Key == "max_size" {
				if c.Value, err = settings.ParseBytes(text, m.Key); err != nil {
					err = apierr.New(http.StatusBadRequest, "parse_exception", "%v", err)
				}
				break
			}
			var d time.Duration
			if d, err = settings.ParseDuration(text, m.Key); err != nil {
				err = apierr.IllegalArgument("%v", err)
			}
			c.Value = d.Milliseconds()
		default:
			s := "[conditions] unknown field [" + m.Key + "]"
			if near := nearest(m.Key, []string{"max_age", "max_docs", "max_size"}); len(near) == 1 {
				s += " did you mean [" + near[0] + "]?"
			} else if len(near) > 1 {
				s += " did you mean any of [" + strings.Join(near, ", ") + "]?"
			}
			return nil, apierr.XContentParse("%s", s)
		}
		if err != nil {
			return nil, failedField("conditions", m.Key, err)
		}
		out = append(out, c)
	}
	return out, nil
}
