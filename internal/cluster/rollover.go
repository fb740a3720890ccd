package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
)

// RolloverRequest describes a rollover of an alias or a data stream.
type RolloverRequest struct {
	Target     string
	NewIndex   string // of an alias; "" counts up the number at the end of the old one's name
	Conditions []RolloverCondition
	DryRun     bool
	// Create is what the new index of an alias is to have; Name and ProvidedName do not matter.
	Create  CreateRequest
	WaitFor int // active copies of each shard of the new index
	Timeout time.Duration
}

// RolloverCondition is max_age, max_docs or max_size. One that is met is enough.
type RolloverCondition struct {
	Name  string // max_age, max_docs, max_size
	Value int64  // milliseconds, documents, bytes
	Text  string // as it was asked for
}

// String renders the condition as answers name it.
func (c RolloverCondition) String() string {
	text := strconv.FormatInt(c.Value, 10)
	switch c.Name {
	case "max_age":
		text = settings.FormatDuration(time.Duration(c.Value) * time.Millisecond)
	case "max_size":
		text = settings.FormatBytes(c.Value)
	}
	return "[" + c.Name + ": " + text + "]"
}

// met tells whether an index of this age with so many documents and bytes fulfils the condition.
func (c RolloverCondition) met(age time.Duration, docs, bytes int64) bool {
	switch c.Name {
	case "max_age":
		return c.Value <= age.Milliseconds()
	case "max_docs":
		return c.Value <= docs
	default:
		return c.Value <= bytes
	}
}

// RolloverResult is what a rollover came to.
type RolloverResult struct {
	OldIndex, NewIndex               string
	Met                              []bool // in the order of the conditions
	RolledOver                       bool
	Acknowledged, ShardsAcknowledged bool
}

// Rollover gives an alias or a data stream a new index that takes its writes, if there are no conditions or one of them is met.
func (n *Node) Rollover(ctx context.Context, req RolloverRequest) (*RolloverResult, error) {
	v := n.store.View()
	if err := checkRollover(v, &req); err != nil {
		return nil, err
	}
	plan, err := planRollover(v, &req)
	if err != nil {
		return nil, err
	}
	res := &RolloverResult{OldIndex: plan.old, NewIndex: plan.name}
	var met []RolloverCondition
	docs, bytes := n.primaries(plan.old)
	age := time.Since(time.UnixMilli(v.Index(plan.old).CreationDate))
	for _, c := range req.Conditions {
		ok := c.met(age, docs, bytes)
		res.Met = append(res.Met, ok)
		if ok {
			met = append(met, c)
		}
	}
	if req.DryRun || len(req.Conditions) > 0 && len(met) == 0 {
		return res, nil
	}
	var made *state.Index
	err = n.store.Update(ctx, func(tx *state.Tx) (err error) {
		if err := checkRollover(tx.View, &req); err != nil {
			return err
		}
		now, err := planRollover(tx.View, &req)
		if err != nil {
			return err
		}
		if now.old != plan.old {
			return apierr.New(500, "exception", "Concurrent modification of alias [%s] during rollover", req.Target)
		}
		if now.stream != nil {
			made, err = n.rollStream(tx, now)
		} else {
			made, err = n.rollAlias(tx, now, &req)
		}
		if err != nil {
			return err
		}
		if err := noteRollover(tx, now.old, req.Target, met); err != nil {
			return err
		}
		return CheckStreams(tx.View)
	})
	if err != nil {
		return nil, err
	}
	res.RolledOver, res.Acknowledged, res.NewIndex = true, true, made.Name
	res.ShardsAcknowledged, err = n.WaitFor(ctx, req.Timeout, func(v *state.View) bool { return activeCopies(v, made.UUID, req.WaitFor) })
	return res, err
}

// primaries returns how many documents and bytes an index has.
func (n *Node) primaries(index string) (docs, bytes int64) {
	ix := n.Index(index)
	if ix == nil {
		return 0, 0
	}
	for _, sh := range ix.Shards() {
		if st, err := sh.Stats(); err == nil { // a shard that is closed meanwhile counts as empty
			docs, bytes = docs+st.Docs, bytes+st.Bytes
		}
	}
	return docs, bytes
}

// checkRollover refuses targets that cannot be rolled over.
func checkRollover(v *state.View, req *RolloverRequest) error {
	lookup := v.Names()
	switch name := req.Target; {
	case lookup.HasStream(name):
		if req.NewIndex != "" {
			return apierr.IllegalArgument("new index name may not be specified when rolling over a data stream")
		}
		if len(req.Create.Settings) > 0 || len(req.Create.Aliases) > 0 || len(req.Create.Mapping) > 0 {
			return apierr.IllegalArgument("aliases, mappings, and index settings may not be specified when rolling over a data stream")
		}
	case lookup.HasAlias(name):
		if lookup.AliasWriteIndex(name) == "" {
			return apierr.IllegalArgument("rollover target [%s] does not point to a write index", name)
		}
	case lookup.HasIndex(name):
		return apierr.IllegalArgument("rollover target is a [concrete index] but one of [alias,data_stream] was expected")
	default:
		return apierr.IllegalArgument("rollover target [%s] does not exist", name)
	}
	return nil
}

// rolloverPlan is what a rollover is going to do.
type rolloverPlan struct {
	stream         *state.DataStream // nil for an alias
	old, name      string
	unresolvedName string // with date math
}

func planRollover(v *state.View, req *RolloverRequest) (*rolloverPlan, error) {
	if stream := v.DataStream(req.Target); stream != nil {
		if _, err := streamTemplate(v, stream.Name); err != nil {
			return nil, err
		}
		p := &rolloverPlan{stream: stream, old: stream.WriteIndex(), name: state.BackingIndex(stream.Name, stream.Generation+1)}
		p.unresolvedName = p.name
		return p, checkNewIndexName(v, p.name)
	}
	p := &rolloverPlan{old: v.Names().AliasWriteIndex(req.Target), unresolvedName: req.NewIndex}
	var err error
	if p.unresolvedName == "" {
		old := v.Index(p.old)
		provided := old.ProvidedName
		if provided == "" {
			provided = old.Name
		}
		if p.unresolvedName, err = nextName(provided); err != nil {
			return nil, err
		}
	}
	if p.name, err = wildcard.DateMath(p.unresolvedName, time.Now()); err != nil {
		return nil, apierr.IllegalArgument("%v", err)
	}
	if err := checkNewIndexName(v, p.name); err != nil {
		return nil, err
	}
	return p, checkTemplateAlias(v, p.name, req.Target, req.Create.Settings.GetOr("index.hidden", "false") == "true")
}

// numbered is the name of an index that can be counted up.
var numbered = regexp.MustCompile(`^.*-\d+$`)

// nextName counts up the number at the end of an index's name, which may be date math.
func nextName(name string) (string, error) {
	resolved, err := wildcard.DateMath(name, time.Now())
	if err != nil {
		return "", apierr.IllegalArgument("%v", err)
	}
	at := strings.LastIndexByte(name, '-')
	if !numbered.MatchString(resolved) || at < 0 {
		return "", apierr.IllegalArgument(`index name [%s] does not match pattern '^.*-\d+$'`, name)
	}
	digits, end := name[at+1:], ""
	if resolved != name {
		digits, end = strings.TrimSuffix(digits, ">"), ">"
	}
	count, err := strconv.ParseInt(digits, 10, 32)
	if err != nil {
		return "", apierr.IllegalArgument("the number at the end of the index name [%s] cannot be counted up: %v", name, err)
	}
	return fmt.Sprintf("%s-%06d%s", name[:at], count+1, end), nil
}

// checkTemplateAlias refuses a new index to which a template gives the alias: it would stand for two indices.
func checkTemplateAlias(v *state.View, index, alias string, hidden bool) error {
	refuse := func(aliases map[string]AliasJSON, template string) error {
		if _, ok := aliases[alias]; !ok {
			return nil
		}
		return apierr.IllegalArgument("Rollover alias [%s] can point to multiple indices, found duplicated alias [[%s]] in index template [%s]",
			alias, strings.Join(slices.Sorted(maps.Keys(aliases)), ", "), template)
	}
	old, err := matchingLegacy(v, index, hidden)
	if err != nil {
		return err
	}
	for _, t := range old {
		if err := refuse(t.t.Aliases, t.name); err != nil {
			return err
		}
	}
	name, t, err := FindIndexTemplate(v, index, hidden)
	if err != nil || t == nil {
		return err
	}
	for _, c := range t.ComposedOf {
		if rec := v.ComponentTemplate(c); rec != nil {
			ct, err := ParseTemplate(rec.Body)
			if err != nil {
				return err
			}
			if err := refuse(ct.content().Aliases, name); err != nil {
				return err
			}
		}
	}
	return refuse(t.content().Aliases, name)
}

func (n *Node) rollStream(tx *state.Tx, p *rolloverPlan) (*state.Index, error) {
	stream := p.stream.Clone()
	stream.Generation++
	return n.backingIndex(tx, stream)
}

// rollAlias makes the new index and moves the alias to it; an explicit write index keeps the alias for reading.
func (n *Node) rollAlias(tx *state.Tx, p *rolloverPlan, req *RolloverRequest) (*state.Index, error) {
	create := req.Create
	create.Name, create.ProvidedName = p.name, p.unresolvedName
	if err := checkNewSettings(create.Settings); err != nil {
		return nil, err
	}
	full, err := WithTemplates(tx.View, create)
	if err != nil {
		return nil, err
	}
	ix, err := n.buildIndex(tx.View, full)
	if err != nil {
		return nil, err
	}
	n.putIndex(tx, ix)
	alias := tx.Index(p.old).Aliases[req.Target]
	next, last := alias, alias
	actions := []AliasAction{{Add: true, Index: ix.Name, Alias: req.Target}, {Remove: true, Index: p.old, Alias: req.Target}}
	if alias.IsWriteIndex != nil && *alias.IsWriteIndex {
		yes, no := true, false
		next.IsWriteIndex, last.IsWriteIndex = &yes, &no
		actions[1] = AliasAction{Add: true, Index: p.old, Alias: req.Target, Settings: last}
	} else {
		next.IsWriteIndex = nil
	}
	actions[0].Settings = next
	return ix, applyAliases(tx, actions)
}

// noteRollover writes into the old index when and why it was rolled over.
func noteRollover(tx *state.Tx, index, target string, met []RolloverCondition) error {
	ix := tx.Index(index).Clone()
	infos := map[string]json.RawMessage{}
	if len(ix.RolloverInfo) > 0 && string(ix.RolloverInfo) != "null" {
		if err := json.Unmarshal(ix.RolloverInfo, &infos); err != nil {
			return fmt.Errorf("the rollover info of index [%s]: %w", index, err)
		}
	}
	conditions := map[string]any{}
	for _, c := range met {
		conditions[c.Name] = c.Text
		if c.Name == "max_docs" {
			conditions[c.Name] = c.Value
		}
	}
	one, err := json.Marshal(map[string]any{"met_conditions": conditions, "time": time.Now().UnixMilli()})
	if err != nil {
		return err
	}
	infos[target] = one
	if ix.RolloverInfo, err = json.Marshal(infos); err != nil {
		return err
	}
	ix.Version++
	tx.Put(ix)
	return nil
}
