package javavalue

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/testseed"
)

func TestNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"5": "java.lang.Integer 5", "2147483648": "java.lang.Long 2147483648", "-2147483648": "java.lang.Integer -2147483648", "12345678901234567890": "java.math.BigInteger 12345678901234567890",
		"1.0": "java.lang.Double 1.0", "1e10": "java.lang.Double 1.0E10", "0.00001": "java.lang.Double 1.0E-5", "100.25": "java.lang.Double 100.25", "-0.0": "java.lang.Double -0.0",
		"9999999.5": "java.lang.Double 9999999.5", "12345678.9": "java.lang.Double 1.23456789E7", "1e400": "java.lang.Double Infinity",
	} {
		v, err := Decode([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := TypeName(v) + " " + String(v); got != want {
			t.Errorf("%s: %s, expected %s", text, got, want)
		}
	}
	if got := String(float32(0.1)); got != "0.1" {
		t.Errorf("a float prints as %s", got)
	}
}

func TestParseFloat(t *testing.T) {
	for text, want := range map[string]string{
		"1": "1.0", " 1.5\t": "1.5", "+1": "1.0", "-1.": "-1.0", ".5": "0.5", "1e3": "1000.0", "1E-5f": "1.0E-5", "2d": "2.0", "3F": "3.0", "-0": "-0.0", "1e400": "Infinity", "-1e400": "-Infinity",
		"NaN": "NaN", "+NaN": "NaN", "-NaN": "NaN", "Infinity": "Infinity", "+Infinity": "Infinity", "-Infinity": "-Infinity", "0x1p3": "8.0", "-0X1.8P1d": "-3.0", "0x.8p0": "0.5", "1e-400": "0.0",
	} {
		if f, err := ParseFloat(text, 64); err != nil || Float(f, 64) != want {
			t.Errorf("%q: %s, %v, expected %s", text, Float(f, 64), err, want)
		}
	}
	for _, text := range []string{"", " \n", "+", "d", ".", "1dd", "1_0", "0x1", "0x1_0p1", "1p3", "--1", "+-1", "inf", "Inf", "nan", "infinity", "Infinityd", "1 2", "1e", "0xp1", "１"} {
		want := fmt.Sprintf("For input string: \"%s\"", text)
		if strings.TrimSpace(text) == "" {
			want = "empty String"
		}
		if f, err := ParseFloat(text, 64); err == nil || err.Error() != want {
			t.Errorf("%q: %v, %v", text, f, err)
		}
	}
	for text, want := range map[string]string{" a\t": `For input string: "a"`, "1..2": "multiple points", ".0.x": "multiple points", "1x..": `For input string: "1x.."`, "0x..p1": `For input string: "0x..p1"`} {
		if f, err := ParseFloat(text, 64); err == nil || err.Error() != want {
			t.Errorf("%q: %v, %v", text, f, err)
		}
	}
	if f, err := ParseFloat("0.1", 32); err != nil || Float(f, 32) != "0.1" || f == 0.1 {
		t.Errorf("a float: %v, %v", f, err)
	}
}

func TestTime(t *testing.T) {
	for nanos, want := range map[int]string{0: "2020-01-02T03:04Z", 1e6: "2020-01-02T03:04:00.001Z", 1e3: "2020-01-02T03:04:00.000001Z", 1: "2020-01-02T03:04:00.000000001Z"} {
		if got := Time(time.Date(2020, 1, 2, 3, 4, 0, nanos, time.UTC)); got != want {
			t.Errorf("%d: %s, expected %s", nanos, got, want)
		}
	}
}

func TestEqual(t *testing.T) {
	a, b := NewObject("x", int32(1), "y", &List{Items: []any{"a", nil}}), NewObject("y", &List{Items: []any{"a", nil}}, "x", int32(1))
	if !Equal(a, b) || Equal(int32(1), int64(1)) || Equal(a, nil) || Equal(1.0, a) || !Equal(nil, nil) {
		t.Error("equality is not Java's")
	}
	c := Copy(a).(*Object)
	c.Put("x", int32(2))
	if Equal(a, c) {
		t.Error("a copy shares what it was made of")
	}
}

// TestObject compares an object with a map and the order of keys, through many changes.
func TestObject(t *testing.T) {
	seed := uint64(testseed.Of(t))
	rnd := rand.New(rand.NewPCG(seed, 1))
	o, m := &Object{}, map[string]int{}
	var order []string
	for i := range 20000 {
		k := fmt.Sprint(rnd.IntN(100))
		if rnd.IntN(3) > 0 {
			if _, ok := m[k]; !ok {
				order = append(order, k)
			}
			o.Put(k, i)
			m[k] = i
		} else {
			o.Remove(k)
			if _, ok := m[k]; ok {
				delete(m, k)
				for j := range order {
					if order[j] == k {
						order = append(order[:j], order[j+1:]...)
						break
					}
				}
			}
		}
		if o.Len() != len(m) {
			t.Fatalf("step %d: %d keys, expected %d", i, o.Len(), len(m))
		}
	}
	if got := fmt.Sprint(o.Keys()); got != fmt.Sprint(order) {
		t.Errorf("keys %s, expected %v", got, order)
	}
	for k, want := range m {
		if v, ok := o.Get(k); !ok || v != want {
			t.Errorf("%s is %v, expected %d", k, v, want)
		}
	}
}

func TestJSON(t *testing.T) {
	const text = `{"b":[1,2.5,null,true,"x"],"a":{"z":12345678901234567890}}`
	v, err := Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Append(&b, v); err != nil || b.String() != text {
		t.Errorf("%s %v", b.String(), err)
	}
	for _, bad := range []string{"", "{", "[1", `{"a":1,"a":2}`, "1 2", `{"a"`, "nul"} {
		if v, err := Decode([]byte(bad)); err == nil {
			t.Errorf("%s was read as %v", bad, v)
		}
	}
	b.Reset()
	if err := Append(&b, &List{Items: []any{math.Inf(1), float32(3.14)}}); err != nil || b.String() != `["Infinity",3.14]` {
		t.Errorf("%s %v", b.String(), err)
	}
}
