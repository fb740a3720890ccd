package settings

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Get returns the text of a setting; false where it is not set. A list is shown as Java shows one.
func (s Settings) Get(name string) (string, bool) {
	switch v := s[name].(type) {
	case string:
		return v, true
	case []string:
		return "[" + strings.Join(v, ", ") + "]", true
	}
	return "", false
}

// GetOr returns the text of a setting, or def where it is not set.
func (s Settings) GetOr(name, def string) string {
	if v, ok := s.Get(name); ok {
		return v
	}
	return def
}

// List returns a setting as a list; a text is split at commas.
func (s Settings) List(name string) []string {
	switch v := s[name].(type) {
	case []string:
		return v
	case string:
		return splitList(v)
	}
	return nil
}

func splitList(v string) []string {
	if v = strings.TrimSpace(v); v == "" {
		return nil
	}
	if v[0] == '[' {
		var list []string
		if json.Unmarshal([]byte(v), &list) == nil {
			return list
		}
	}
	list := strings.Split(v, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// Bool returns a setting as a boolean, def where it is not set.
func (s Settings) Bool(name string, def bool) (bool, error) {
	v, ok := s.Get(name)
	if !ok {
		return def, nil
	}
	return ParseBool(v)
}

// Int returns a setting as a 32-bit integer, def where it is not set.
func (s Settings) Int(name string, def int) (int, error) {
	v, ok := s.Get(name)
	if !ok {
		return def, nil
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		return 0, parseError(v, name)
	}
	return int(n), nil
}

// Int64 returns a setting as a 64-bit integer, def where it is not set.
func (s Settings) Int64(name string, def int64) (int64, error) {
	v, ok := s.Get(name)
	if !ok {
		return def, nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, parseError(v, name)
	}
	return n, nil
}

// Float returns a setting as a number, def where it is not set.
func (s Settings) Float(name string, def float64) (float64, error) {
	v, ok := s.Get(name)
	if !ok {
		return def, nil
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return 0, parseError(v, name)
	}
	return n, nil
}

// Bytes returns a size such as "1gb" in bytes, def where it is not set.
func (s Settings) Bytes(name string, def int64) (int64, error) {
	v, ok := s.Get(name)
	if !ok {
		return def, nil
	}
	return ParseBytes(v, name)
}

// Duration returns a time such as "30s", def where it is not set. "-1" is -1 ms: switched off.
func (s Settings) Duration(name string, def time.Duration) (time.Duration, error) {
	v, ok := s.Get(name)
	if !ok {
		return def, nil
	}
	return ParseDuration(v, name)
}

func parseError(value, name string) error {
	return fmt.Errorf("Failed to parse value [%s] for setting [%s]", value, name) //nolint:staticcheck // OpenSearch's text
}

// ParseBool accepts exactly "true" and "false".
func ParseBool(v string) (bool, error) {
	switch v {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("Failed to parse value [%s] as only [true] or [false] are allowed.", v) //nolint:staticcheck,revive // OpenSearch's text
}

var byteUnits = []struct {
	suffix string
	factor int64
}{
	{"k", 1 << 10}, {"kb", 1 << 10}, {"m", 1 << 20}, {"mb", 1 << 20}, {"g", 1 << 30}, {"gb", 1 << 30},
	{"t", 1 << 40}, {"tb", 1 << 40}, {"p", 1 << 50}, {"pb", 1 << 50}, {"b", 1},
}

// ParseBytes parses a size with its unit. "-1" and "0" need none.
func ParseBytes(v, name string) (int64, error) {
	s := strings.ToLower(strings.TrimSpace(v))
	if s == "-1" || s == "0" {
		n, _ := strconv.ParseInt(s, 10, 64)
		return n, nil
	}
	for _, u := range byteUnits {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		digits = strings.TrimSpace(digits)
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			if _, ferr := strconv.ParseFloat(digits, 64); ferr == nil {
				return 0, fmt.Errorf("Failed to parse bytes value [%s]. Fractional bytes values have been deprecated since Legacy 6.2. Use non-fractional bytes values instead: found for setting [%s]", v, name) //nolint:staticcheck // OpenSearch's text
			}
			return 0, fmt.Errorf("failed to parse [%s]", v)
		}
		if n < -1 || n == -1 && u.factor != 1 || n > math.MaxInt64/u.factor {
			return 0, fmt.Errorf("failed to parse setting [%s] with value [%s] as a size in bytes", name, v)
		}
		return n * u.factor, nil
	}
	return 0, fmt.Errorf("failed to parse setting [%s] with value [%s] as a size in bytes: unit is missing or unrecognized", name, v)
}

// FormatBytes renders a size as OpenSearch's human-readable fields do: one decimal, if any.
func FormatBytes(n int64) string {
	for i := len(byteUnits) - 2; i > 0; i -= 2 {
		if u := byteUnits[i]; n >= u.factor {
			return oneDecimal(float64(n)/float64(u.factor)) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10) + "b"
}

// oneDecimal cuts after the first decimal, as OpenSearch does.
func oneDecimal(v float64) string {
	whole := math.Floor(v)
	if tenth := int64(math.Floor(v*10)) - int64(whole)*10; tenth != 0 {
		return fmt.Sprintf("%d.%d", int64(whole), tenth)
	}
	return strconv.FormatInt(int64(whole), 10)
}

var timeUnits = []struct {
	suffix string
	factor time.Duration
}{
	{"nanos", time.Nanosecond}, {"micros", time.Microsecond}, {"ms", time.Millisecond}, {"s", time.Second},
	{"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour},
}

// ParseDuration parses a time with its unit. "-1" and "0" need none; longer times than Go's 292 years
// become that.
func ParseDuration(v, name string) (time.Duration, error) {
	s := strings.TrimSpace(v)
	switch {
	case s == "-1":
		return -time.Millisecond, nil
	case s != "" && strings.Trim(s, "0") == "":
		return 0, nil
	}
	lower := strings.ToLower(s)
	for _, u := range timeUnits {
		text := lower
		if u.suffix == "m" {
			text = s // M is not a minute
		}
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil {
			if _, ferr := strconv.ParseFloat(strings.TrimSpace(digits), 64); ferr == nil {
				return 0, fmt.Errorf("failed to parse [%s], fractional time values are not supported", v)
			}
			return 0, fmt.Errorf("failed to parse [%s]", v)
		}
		if n < -1 {
			return 0, fmt.Errorf("failed to parse setting [%s] with value [%s] as a time value: negative durations are not supported", name, v)
		}
		if n > math.MaxInt64/int64(u.factor) {
			return math.MaxInt64, nil
		}
		return time.Duration(n) * u.factor, nil
	}
	return 0, fmt.Errorf("failed to parse setting [%s] with value [%s] as a time value: unit is missing or unrecognized", name, v)
}

// FormatDuration renders a time as OpenSearch's human-readable fields do: the largest unit that fits,
// with one decimal, if any.
func FormatDuration(d time.Duration) string {
	if d < 0 {
		return strconv.FormatInt(d.Milliseconds(), 10)
	}
	if d == 0 {
		return "0s"
	}
	for i := len(timeUnits) - 1; i > 0; i-- {
		if u := timeUnits[i]; d >= u.factor {
			return oneDecimal(float64(d)/float64(u.factor)) + u.suffix
		}
	}
	return strconv.FormatInt(int64(d), 10) + "nanos"
}
