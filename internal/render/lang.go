package render

import "strings"

// direction returns "rtl" for a BCP 47 tag of a language, or with a script,
// that is written from right to left, else "ltr".
func direction(tag string) string {
	parts := strings.FieldsFunc(strings.ToLower(tag), func(r rune) bool { return r == '-' || r == '_' })
	for i, part := range parts {
		switch {
		case i == 0:
			continue
		case len(part) != 4:
		case part == "arab" || part == "hebr" || part == "syrc" || part == "thaa" || part == "nkoo" || part == "adlm" || part == "rohg":
			return "rtl"
		default:
			return "ltr" // another script
		}
	}
	if len(parts) == 0 {
		return "ltr"
	}
	switch parts[0] {
	case "ar", "arc", "ckb", "dv", "fa", "he", "iw", "ji", "ks", "ps", "sd", "syr", "ug", "ur", "yi":
		return "rtl"
	}
	return "ltr"
}
