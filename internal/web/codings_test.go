package web

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestChoose(t *testing.T) {
	list := []representation{{}, {coding: "br"}, {coding: "zstd"}, {coding: "gzip"}} // the shortest first
	for accept, want := range map[string]string{
		"none":                          "",
		"":                              "",
		"gzip":                          "gzip",
		"x-gzip":                        "gzip",
		"GZIP":                          "gzip",
		"gzip, deflate":                 "gzip",
		"deflate":                       "",
		"gzip, deflate, br, zstd":       "br",
		"br;q=0.5, gzip":                "gzip",
		"br ; Q=0.5 ,\tgzip;q=0.50":     "br",
		"br;q=0, gzip;q=0.001":          "gzip",
		"*":                             "br",
		"*;q=0.5, zstd":                 "zstd",
		"*;q=0":                         "",
		"br;q=0, *":                     "zstd",
		"identity":                      "",
		"identity, gzip":                "gzip",
		"identity;q=1, gzip;q=0.5":      "",
		"identity;q=0.5, gzip;q=0.5":    "gzip",
		"gzip;q=0, identity;q=0, *;q=0": "",
		"gzip;q=2":                      "",
		"gzip;q=-1":                     "",
		"gzip;q=NaN":                    "",
		"gzip;q=":                       "",
		"gzip;x=1":                      "",
		";;,,q=1,":                      "",
	} {
		header := []string{accept}
		if accept == "none" {
			header = nil
		}
		if got := choose(list, header).coding; got != want {
			t.Errorf("Accept-Encoding %q chooses %q, want %q", accept, got, want)
		}
	}
	if got := choose(list, []string{"br;q=0.1", "zstd"}).coding; got != "zstd" {
		t.Errorf("two fields choose %q", got)
	}
}

func FuzzChoose(f *testing.F) {
	f.Add("gzip, br;q=0.5, *;q=0")
	list := []representation{{}, {coding: "br"}, {coding: "gzip"}}
	f.Fuzz(func(t *testing.T, accept string) {
		got := choose(list, []string{accept}).coding
		if got != "" && !strings.Contains(strings.ToLower(accept), got) && !strings.Contains(accept, "*") {
			t.Errorf("%q chooses %s", accept, got)
		}
	})
}

func FuzzMatches(f *testing.F) {
	for _, seed := range []string{`"a", W/"b" ,"c"`, `*`, `"`, `W/`, `"a"x"tag"`, ",,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		if matches([]string{list}, `"tag"`, false) && !strings.Contains(list, `"tag"`) && !strings.Contains(list, "*") {
			t.Errorf("%q holds the tag", list)
		}
		if matches([]string{list}, `"tag"`, true) && !matches([]string{list}, `"tag"`, false) {
			t.Errorf("%q matches strongly and not weakly", list)
		}
	})
}

func TestCondition(t *testing.T) {
	at := time.Date(2024, 3, 4, 9, 0, 0, 0, time.UTC)
	date := func(d time.Duration) string { return at.Add(d).Format(http.TimeFormat) }
	r := &representation{etag: []string{`"a"`}}
	for _, tt := range []struct {
		headers []string
		want    int
	}{
		{nil, 200},
		{[]string{"If-None-Match", `"b", W/"a"`}, 304},
		{[]string{"If-None-Match", `"b"`, "If-None-Match", `"a"`}, 304},
		{[]string{"If-None-Match", `"b", a, "a"`}, 200}, // unreadable from there
		{[]string{"If-None-Match", `"b"`, "If-Modified-Since", date(0)}, 200},
		{[]string{"If-None-Match", `"a"`, "If-Modified-Since", date(-time.Hour)}, 304},
		{[]string{"If-Modified-Since", date(0)}, 304},
		{[]string{"If-Modified-Since", at.Format(time.RFC850)}, 304},
		{[]string{"If-Modified-Since", date(-time.Second)}, 200},
		{[]string{"If-Match", `"a"`}, 200},
		{[]string{"If-Match", `*`}, 200},
		{[]string{"If-Match", `W/"a"`}, 412},
		{[]string{"If-Match", `"a"`, "If-None-Match", `"a"`}, 304},
		{[]string{"If-Match", `"b"`, "If-None-Match", `"a"`}, 412},
		{[]string{"If-Unmodified-Since", date(-time.Second)}, 412},
		{[]string{"If-Unmodified-Since", date(0)}, 200},
		{[]string{"If-Match", `"a"`, "If-Unmodified-Since", date(-time.Second)}, 200},
	} {
		h := make(http.Header)
		for i := 0; i < len(tt.headers); i += 2 {
			h.Add(tt.headers[i], tt.headers[i+1])
		}
		if got := condition(h, r, at, []string{date(0)}); got != tt.want {
			t.Errorf("%v gives %d, want %d", tt.headers, got, tt.want)
		}
	}
}

func TestHotIsBounded(t *testing.T) {
	var h hot
	for i := range 100 {
		name := strings.Repeat("x", i+1)
		f := &file{list: []representation{{body: make([]byte, 1<<20)}}}
		h.keep(name, f)
		f.used.Store(i%2 == 0)
	}
	var sum int
	for _, f := range h.files {
		sum += f.size
	}
	if sum != h.size || sum > maxHotSum || sum < maxHotSum/2 {
		t.Errorf("%d bytes of %d files are kept, counted as %d", sum, len(h.files), h.size)
	}
}
