package rest

import (
	"encoding/json"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/xcontent"
)

// reloadSecure reads the key store of this node anew. The password, if it is not the one of before, is in the body.
func (a *API) reloadSecure(r *Request) (*Response, error) {
	r.Ignore("timeout")
	var body struct {
		Password string `json:"secure_settings_password"`
	}
	if len(r.Body) > 0 {
		if err := json.Unmarshal(r.Body, &body); err != nil {
			return nil, apierr.Parsing("the request body is not a JSON object with the text [secure_settings_password]")
		}
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	return OK(a.nodesAnswer(a.pickNodes(r.List("node_id")), func(n *state.Node) *xcontent.Object {
		o := xcontent.Obj("name", n.Name)
		if n.ID != a.Store.NodeID() {
			return o.Add("reload_exception", xcontent.Obj("type", "not_implemented_exception", "reason", "send this request to the node itself"))
		}
		if err := a.Snapshots.ReloadSecrets(body.Password); err != nil {
			o.Add("reload_exception", xcontent.Obj("type", "security_exception", "reason", err.Error()))
		}
		return o
	}))
}
