package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// newHub stands for a WebSub hub: what it is told of stands in the channel.
func newHub(t *testing.T, code *atomic.Int64) (address string, told <-chan string) {
	list := make(chan string, 100)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.PostFormValue("hub.mode") != "publish" || !strings.HasPrefix(r.UserAgent(), "Threadmill/") {
			t.Errorf("the hub does not understand %s %v from %s", r.Method, r.PostForm, r.UserAgent())
		}
		for _, topic := range r.PostForm["hub.url"] {
			list <- topic
		}
		w.WriteHeader(int(code.Load()))
	}))
	t.Cleanup(h.Close)
	return h.URL + "/", list
}

var topics = []string{"https://news.example.com/atom.xml", "https://news.example.com/feed.json", "https://news.example.com/feed.xml"}

// three waits until a hub is told of all feeds.
func three(t *testing.T, told <-chan string) {
	t.Helper()
	list := []string{<-told, <-told, <-told}
	slices.Sort(list)
	if diff := cmp.Diff(topics, list); diff != "" {
		t.Error(diff)
	}
}

// get fetches a file of the site as a hub does.
func (d *daemon) get(path string) (*http.Response, string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.web+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return res, string(body)
}

// A hub hears of each issue once its feeds are live, and finds in them, and in
// the headers where there are any, itself and exactly one self.
func TestHubHearsOfIssues(t *testing.T) {
	onEach(t, func(t *testing.T, database string) {
		var code atomic.Int64
		code.Store(http.StatusAccepted)
		hub, told := newHub(t, &code)
		p := newPlace(t, newRelay(t), 2, 1, database+"\nfeeds: {hub: \""+hub+"\"}")
		p.edit(`listen: "off"`, `listen: "127.0.0.1:0"`)
		d := p.startDaemon()
		three(t, told) // the site without an issue
		for i := range 2 {
			p.publish()
			three(t, told)
			for _, topic := range topics {
				res, body := d.get(strings.TrimPrefix(topic, "https://news.example.com/"))
				if !strings.Contains(body, fmt.Sprint("part number ", i)) {
					t.Errorf("%s is not live", topic)
				}
				if strings.HasSuffix(topic, ".json") {
					checkJSONLinks(t, body, topic, hub)
				} else if strings.Count(body, `rel="self"`) != 1 || !strings.Contains(body, hub) || !strings.Contains(body, `rel="hub"`) {
					t.Errorf("links of %s: %.1000s", topic, body)
				}
				if links := strings.Join(res.Header.Values("Link"), ", "); links != "" &&
					(strings.Count(links, `rel="self"`) != 1 || !strings.Contains(links, "<"+topic+`>; rel="self"`) || !strings.Contains(links, "<"+hub+`>; rel="hub"`)) {
					t.Errorf("Link of %s: %s", topic, links)
				}
			}
			d.stop() // what was told is not told again
			d = p.startDaemon()
		}
		p.run("build")
		d.stop()
		if n := len(told); n != 0 {
			t.Errorf("the hub was told of %d feeds that it knew", n)
		}
	})
}

func checkJSONLinks(t *testing.T, body, self, hub string) {
	t.Helper()
	var f struct {
		FeedURL string              `json:"feed_url"`
		Hubs    []map[string]string `json:"hubs"`
	}
	if err := json.Unmarshal([]byte(body), &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Hubs) != 1 || f.Hubs[0]["url"] != hub || f.FeedURL != self {
		t.Errorf("%+v", f)
	}
}

// A hub that refuses stops no mail; the status says so, and a later publish
// tells it what it missed.
func TestHubRefuses(t *testing.T) {
	t.Parallel()
	var code atomic.Int64
	code.Store(http.StatusServiceUnavailable)
	hub, told := newHub(t, &code)
	p := newPlace(t, newRelay(t), 2, 1, "feeds: {hub: [\""+hub+"\"]}")
	if r := p.publish(); r.Sent != 1 {
		t.Errorf("%+v", r)
	}
	if <-told == "" || len(told) != 0 {
		t.Error("more than one try")
	}
	if out := p.run("status"); !strings.Contains(out, "Hub           "+hub+" refuses since ") || !strings.Contains(out, "503 Service Unavailable") {
		t.Error(out)
	}
	code.Store(http.StatusNoContent)
	p.run("publish") // not yet: nothing is new
	if len(told) != 0 {
		t.Error("tried again at once")
	}
	p.publish()
	three(t, told)
	if out := p.run("status"); strings.Contains(out, "Hub") {
		t.Error(out)
	}
}

// What an issue carries is found once it is out, and not after it was withdrawn.
func TestSearchOfDaemon(t *testing.T) {
	onEach(t, func(t *testing.T, database string) {
		p := newPlace(t, newRelay(t), 2, 1, database)
		p.edit(`listen: "off"`, `listen: "127.0.0.1:0"`)
		d := p.startDaemon()
		defer d.stop()
		finds := func(title string, want bool) {
			t.Helper()
			until(t, fmt.Sprintf("%s found: %v", title, want), func() bool {
				_, body := d.get("search?q=how+num")
				return strings.Contains(body, ">"+title+"<") == want
			})
		}
		first := p.publish()
		finds("Part 0", true)
		if _, body := d.get("search?q=how"); strings.Contains(body, "Part 1") {
			t.Error("a thread is found that is not out")
		}
		if _, body := d.get(""); strings.Contains(body, `role="search"`) && !strings.Contains(body, "https://news.example.com/search") {
			t.Error("the form leads elsewhere")
		}
		p.run("issues", "withdraw", fmt.Sprint(first.Issue))
		finds("Part 0", false)
	})
}
