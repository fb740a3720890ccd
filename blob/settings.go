package blob

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings are named texts that describe a repository or a store's client. Every method that reads one
// refuses what it cannot understand with an error of kind KindInvalid that names the setting.
type Settings map[string]string

// SettingError is the error of a setting, of kind KindInvalid.
func SettingError(name, format string, args ...any) error {
	return &Error{Op: "read setting", Name: name, Kind: KindInvalid, Err: fmt.Errorf(format, args...)}
}

// Bool returns a setting that is "true" or "false".
func (s Settings) Bool(name string, def bool) (bool, error) {
	switch v, ok := s[name]; {
	case !ok:
		return def, nil
	case v == "true":
		return true, nil
	case v == "false":
		return false, nil
	default:
		return false, SettingError(name, "[%s] is neither true nor false", v)
	}
}

// Int returns a whole number from lo to hi.
func (s Settings) Int(name string, def, lo, hi int) (int, error) {
	v, ok := s[name]
	if !ok {
		return def, nil
	}
	n, err := strconv.Atoi(strings.TrimSpace(v))
	if err != nil {
		return 0, SettingError(name, "[%s] is not a whole number", v)
	}
	if n < lo || n > hi {
		return 0, SettingError(name, "[%s] must be from %d to %d", v, lo, hi)
	}
	return n, nil
}

// sizeUnits are in the order in which they must be tried: the longer suffix first.
var sizeUnits = []struct {
	suffix string
	factor int64
}{
	{"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30}, {"tb", 1 << 40}, {"pb", 1 << 50},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40}, {"p", 1 << 50}, {"b", 1},
}

// Bytes returns a size such as "16mb", from lo to hi bytes. "0" and "-1" need no unit where they are allowed.
func (s Settings) Bytes(name string, def, lo, hi int64) (int64, error) {
	v, ok := s[name]
	if !ok {
		return def, nil
	}
	text := strings.ToLower(strings.TrimSpace(v))
	switch {
	case text == "0" && lo <= 0:
		return 0, nil
	case text == "-1" && lo < 0:
		return -1, nil
	}
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/u.factor {
			break
		}
		if n *= u.factor; n < lo || n > hi {
			return 0, SettingError(name, "[%s] must be from %s to %s", v, sizeText(lo), sizeText(hi))
		}
		return n, nil
	}
	return 0, SettingError(name, "[%s] is not a size such as 16mb", v)
}

// sizeText renders a size with the largest unit that leaves no rest.
func sizeText(n int64) string {
	for i := 4; i >= 0; i-- {
		if u := sizeUnits[i]; n >= u.factor && n%u.factor == 0 {
			return strconv.FormatInt(n/u.factor, 10) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10) + "b"
}

// Duration returns a time such as "50s", over zero.
func (s Settings) Duration(name string, def time.Duration) (time.Duration, error) {
	v, ok := s[name]
	if !ok {
		return def, nil
	}
	text := strings.TrimSpace(v)
	for _, u := range []struct {
		suffix string
		unit   time.Duration
	}{{"nanos", 1}, {"micros", time.Microsecond}, {"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}} {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err == nil && n > 0 && n <= math.MaxInt64/int64(u.unit) {
			return time.Duration(n) * u.unit, nil
		}
	}
	return 0, SettingError(name, "[%s] is not a time such as 50s", v)
}

// OneOf returns a setting that is one of the values, in whatever case.
func (s Settings) OneOf(name, def string, values ...string) (string, error) {
	v, ok := s[name]
	if !ok {
		return def, nil
	}
	i := slices.IndexFunc(values, func(w string) bool { return strings.EqualFold(v, w) })
	if i < 0 {
		return "", SettingError(name, "[%s] is none of %s", v, strings.Join(values, ", "))
	}
	return values[i], nil
}

// BasePath returns the path in the setting base_path, without slashes at its ends.
func (s Settings) BasePath() (string, error) {
	p := strings.Trim(s["base_path"], "/")
	if err := CheckPath(p); err != nil {
		var e *Error
		errors.As(err, &e)
		return "", SettingError("base_path", "[%s]: %w", p, e.Err)
	}
	return p, nil
}
