package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// The hook before a slot reads what the slot would carry.
func TestBeforeSlotReads(t *testing.T) {
	t.Parallel()
	p := place{t: t, dir: t.TempDir()}
	p.write("config.yaml", `publication: {title: Test, url: "https://news.example.com"}
mail: {from: news@example.com, transport: folder}
schedule: {cron: "0 9 * * *"}
hooks: {before_slot: cat > call; echo no route >&2; exit 1}
`)
	p.thread(0)
	_, pub := p.visit()
	planned, err := pub.publisher.Upcoming(t.Context(), time.Now(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := pub.hooks().BeforeSlot(t.Context(), planned[0].Slot); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("the hook: %v", err)
	}
	var call struct {
		Hook   string
		Issues []struct {
			Slot, Title string
			Due         time.Time
			Threads     []string
			URLs        []string
		}
	}
	if err := json.Unmarshal([]byte(p.read("call")), &call); err != nil {
		t.Fatal(err)
	}
	if i := call.Issues; call.Hook != "before_slot" || len(i) != 1 || i[0].Title != "Part 0" || i[0].Slot != planned[0].Key || !i[0].Due.Equal(planned[0].Due) || strings.Join(i[0].URLs, " ") != "https://news.example.com/threads/part-0/" {
		t.Errorf("read: %+v", call)
	}
}
