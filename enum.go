package linegate

import (
	"slices"
	"strings"
)

// parseEnum returns text as one of the allowed values, or a FieldError that
// names the field and lists what is allowed. An empty text is the default.
func parseEnum[T ~string](field, text string, fallback T, allowed []T) (T, error) {
	if text == "" {
		return fallback, nil
	}
	value := T(strings.ToLower(text))
	if slices.Contains(allowed, value) {
		return value, nil
	}
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = string(a)
	}
	return fallback, &FieldError{Field: field, Value: text, Allowed: strings.Join(names, ", ")}
}
