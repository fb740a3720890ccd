package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// sameAnswers refuses to time a query that the two servers answer differently: what they count, the best score, the aggregations. Which of
// several hits of one score come first depends on how each server merged.
func sameAnswers(ours, peer *side, body string) error {
	var got [2]map[string]any
	for i, s := range []*side{ours, peer} {
		b, err := call(s, "POST", "/bench/_search", body)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		var r struct {
			Hits struct {
				Total    any `json:"total"`
				MaxScore any `json:"max_score"`
				Hits     []struct {
					Sort any `json:"sort"`
				}
			}
			Aggregations any
		}
		if err := json.Unmarshal(b, &r); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		got[i] = map[string]any{"total": r.Hits.Total, "max_score": r.Hits.MaxScore, "aggregations": r.Aggregations}
		var sorts []any
		for _, h := range r.Hits.Hits {
			sorts = append(sorts, h.Sort)
		}
		got[i]["sort"] = sorts
	}
	if !same(got[0], got[1]) {
		a, _ := json.Marshal(got[0])
		b, _ := json.Marshal(got[1])
		return fmt.Errorf("the answers differ: varve %.600s, opensearch %.600s", a, b)
	}
	return nil
}

// same compares JSON values; numbers may differ by rounding.
func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		o, ok := b.(map[string]any)
		if !ok || len(a) != len(o) {
			return false
		}
		for k, v := range a {
			if w, ok := o[k]; !ok || !same(v, w) {
				return false
			}
		}
		return true
	case []any:
		o, ok := b.([]any)
		return ok && slices.EqualFunc(a, o, same)
	case float64:
		o, ok := b.(float64)
		return ok && math.Abs(a-o) <= 1e-5*max(math.Abs(a), math.Abs(o))
	}
	return a == b
}
