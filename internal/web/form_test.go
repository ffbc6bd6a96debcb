package web

import (
	"bytes"
	"errors"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestForm posts what browsers and others post.
func TestForm(t *testing.T) {
	var parts bytes.Buffer
	mw := multipart.NewWriter(&parts)
	_ = mw.WriteField("email", "jo@example.com")
	_ = mw.Close()
	for _, test := range []struct {
		name, kind, body string
		want             url.Values
	}{
		{"fields", "application/x-www-form-urlencoded", "email=jo%40example.com&tags=a&tags=b", url.Values{"email": {"jo@example.com"}, "tags": {"a", "b"}}},
		{"parts", mw.FormDataContentType(), parts.String(), url.Values{"email": {"jo@example.com"}}},
		{"a broken field", "application/x-www-form-urlencoded", "a=%zz&b=1", url.Values{"b": {"1"}}},
		{"another kind", "application/json", `{"email":"jo@example.com"}`, url.Values{}},
		{"no kind", "", "List-Unsubscribe=One-Click", url.Values{}},
		{"parts without a bound", "multipart/form-data", "x", url.Values{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/subscribe?email=other@example.com&%zz", strings.NewReader(test.body))
			r.Header.Set("Content-Type", test.kind)
			got, err := new(server).form(httptest.NewRecorder(), r)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFormTooLong(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/subscribe", strings.NewReader("a="+strings.Repeat("x", maxForm)))
	_, err := new(server).form(httptest.NewRecorder(), r)
	if !errors.Is(err, errBody) || status(err) != http.StatusRequestEntityTooLarge {
		t.Errorf("form = %v, status %d", err, status(err))
	}
}
