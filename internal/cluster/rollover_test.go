package cluster

import (
	"testing"
	"time"
)

func TestNextName(t *testing.T) {
	for name, want := range map[string]string{"logs-1": "logs-000002", "logs-000009": "logs-000010", "a-b-9999999": "a-b-10000000", "<logs-{now/d}-1>": "<logs-{now/d}-000002>"} {
		if got, err := nextName(name); err != nil || got != want {
			t.Errorf("after %s comes %s, %v; want %s", name, got, err, want)
		}
	}
	for _, name := range []string{"logs", "logs-", "logs-x", "logs-1x", "logs-99999999999", "<logs-{now/d}>", "<logs-{now"} {
		if got, err := nextName(name); err == nil {
			t.Errorf("after %s comes %s", name, got)
		}
	}
}

func TestRolloverCondition(t *testing.T) {
	for _, c := range []struct {
		RolloverCondition
		text string
		met  bool // of an index of two hours with 10 documents and 5000 bytes
	}{
		{RolloverCondition{Name: "max_docs", Value: 10}, "[max_docs: 10]", true},
		{RolloverCondition{Name: "max_docs", Value: 11}, "[max_docs: 11]", false},
		{RolloverCondition{Name: "max_age", Value: 90 * 60 * 1000}, "[max_age: 1.5h]", true},
		{RolloverCondition{Name: "max_age", Value: 7 * 24 * 3600 * 1000}, "[max_age: 7d]", false},
		{RolloverCondition{Name: "max_size", Value: 4999}, "[max_size: 4.8kb]", true},
		{RolloverCondition{Name: "max_size", Value: 5 << 30}, "[max_size: 5gb]", false},
	} {
		if got := c.String(); got != c.text {
			t.Errorf("%s, want %s", got, c.text)
		}
		if c.RolloverCondition.met(2*time.Hour, 10, 5000) != c.met {
			t.Errorf("%s is met: %v", c.text, !c.met)
		}
	}
}
