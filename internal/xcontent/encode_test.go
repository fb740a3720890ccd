package xcontent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"testing"
)

// TestAppend compares with encoding/json, value by value and within lists and objects.
func TestAppend(t *testing.T) {
	values := []any{
		nil, true, false, "", "plain", "with \"quotes\" and \\", "a\nb\x01", "<&>", "é\u2028\U0001F600", "bad \xff utf", 0, -5, int32(7), int64(math.MinInt64),
		uint64(math.MaxUint64), 1.5, 1e30, float32(0.1), json.Number("12.50"), json.RawMessage(`{"a":[1,2]}`), json.RawMessage(nil), []any{}, []any(nil), []string{"x", "y"},
		[]string(nil), map[string]any{"b": 1, "a": []any{nil, "z"}}, map[string]any(nil), struct {
			A int `json:"a"`
		}{3}, []int{1, 2},
	}
	check := func(v any, what string) {
		t.Helper()
		var got, want bytes.Buffer
		if err := Append(&got, v); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		if got.String()+"\n" != want.String() {
			t.Errorf("%s: %s, not %s", what, got.String(), want.String())
		}
	}
	for _, v := range values {
		check(v, fmt.Sprintf("%T", v))
		check([]any{v, v}, "a list")
		check(map[string]any{"k": v, "<l>": []any{v}}, "a map")
	}
	o := Obj("z", 1, "a", Obj("x", []*Object{Obj(), nil}), "raw", json.RawMessage("{ \"as\" : \"it is\" }"))
	var b bytes.Buffer
	b.WriteString("before ")
	if err := Append(&b, o); err != nil {
		t.Fatal(err)
	}
	if want := `before {"z":1,"a":{"x":[{},null]},"raw":{ "as" : "it is" }}`; b.String() != want {
		t.Errorf("%s, not %s", b.String(), want)
	}
	if err := Append(&b, Obj("bad", math.NaN())); err == nil {
		t.Error("a number that JSON does not have was written")
	}
}
