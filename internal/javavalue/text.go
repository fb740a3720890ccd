package javavalue

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

type bigInt = *big.Int

// TypeName is the name of the Java class that holds such a value.
func TypeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "java.lang.Boolean"
	case string:
		return "java.lang.String"
	case int32:
		return "java.lang.Integer"
	case int64:
		return "java.lang.Long"
	case float32:
		return "java.lang.Float"
	case float64:
		return "java.lang.Double"
	case *big.Int:
		return "java.math.BigInteger"
	case time.Time:
		return "java.time.ZonedDateTime"
	case *Object:
		return "java.util.HashMap"
	case *List:
		return "java.util.ArrayList"
	}
	return fmt.Sprintf("%T", v)
}

// String is Java's toString; null prints as "null".
func String(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case string:
		return v
	case int32:
		return strconv.FormatInt(int64(v), 10)
	case int64:
		return strconv.FormatInt(v, 10)
	case float32:
		return Float(float64(v), 32)
	case float64:
		return Float(v, 64)
	case *big.Int:
		return v.String()
	case time.Time:
		return Time(v)
	case *Object:
		var b strings.Builder
		b.WriteByte('{')
		for i, k := range v.HashedKeys() {
			if i > 0 {
				b.WriteString(", ")
			}
			e, _ := v.Get(k)
			b.WriteString(k + "=" + String(e))
		}
		return b.String() + "}"
	case *List:
		var b strings.Builder
		b.WriteByte('[')
		for i, e := range v.Items {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(String(e))
		}
		return b.String() + "]"
	}
	return fmt.Sprint(v)
}

// Time prints a time as Java's ZonedDateTime does: seconds and their fraction only where they are not 0, the fraction in groups
// of three digits.
func Time(t time.Time) string {
	s := t.Format("2006-01-02T15:04")
	if nanos := t.Nanosecond(); nanos != 0 || t.Second() != 0 {
		s += t.Format(":05")
		switch {
		case nanos == 0:
		case nanos%1e6 == 0:
			s += fmt.Sprintf(".%03d", nanos/1e6)
		case nanos%1e3 == 0:
			s += fmt.Sprintf(".%06d", nanos/1e3)
		default:
			s += fmt.Sprintf(".%09d", nanos)
		}
	}
	return s + t.Format("Z07:00")
}
