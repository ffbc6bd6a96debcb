package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"threadmill/internal/deliver"
	"threadmill/internal/newsletter"
	"threadmill/internal/operator"
	"threadmill/internal/publish"
)

const (
	// threadsLook, diskLook and doubtLook are how often the holder of the lock
	// looks for faults that nobody meets by working.
	threadsLook = 20 * time.Second
	diskLook    = time.Minute
	doubtLook   = 2 * time.Second
)

// faults are the events of the warnings that hold no mail by themselves; any
// other is held_by_fault.
func faults() map[string]string {
	return map[string]string{
		publish.WarningSlot:              "slot_failed",
		publish.WarningReview:            "slot_failed",
		publish.WarningBeforeSlot:        newsletter.EventHookFailed,
		publish.WarningAfterIssue:        newsletter.EventHookFailed,
		newsletter.WarningSlotEmpty:      newsletter.WarningSlotEmpty,
		newsletter.WarningThreadsLow:     newsletter.WarningThreadsLow,
		newsletter.WarningThreadBroken:   newsletter.WarningThreadBroken,
		newsletter.WarningThreadExpiring: newsletter.WarningThreadExpiring,
		newsletter.WarningInDoubt:        newsletter.WarningInDoubt,
		newsletter.WarningDiskLow:        newsletter.WarningDiskLow,
		newsletter.WarningBlamed:         newsletter.WarningBlamed,
		newsletter.WarningBackup:         newsletter.WarningBackup,
		newsletter.WarningBounces:        newsletter.WarningBounces,
		newsletter.WarningComplaints:     newsletter.WarningComplaints,
	}
}

// operator makes the one who hears of faults; mail to them goes through sender.
func (p *publication) operator(sender *deliver.Sender) *operator.Operator {
	return operator.New(operator.Options{
		Store:       p.store,
		Publication: p.facts.Title,
		From:        p.letterhead().From,
		Email:       p.Operator.Email,
		Send:        sender.SendSingle,
		Command:     p.Operator.Command,
		Dir:         p.Dir,
		Heartbeat:   p.Operator.Heartbeat,
		Client:      &http.Client{},
		Checks: []operator.Check{
			{
				Kinds: []string{newsletter.WarningThreadBroken, newsletter.WarningThreadsLow, newsletter.WarningThreadExpiring},
				Every: threadsLook,
				Look: func(ctx context.Context) (map[string]string, error) {
					return p.publisher.Inspect(ctx, p.Operator.WarnLeft)
				},
			},
			{Kinds: []string{newsletter.WarningDiskLow}, Every: diskLook, Look: p.lookAtDisk},
			{Kinds: []string{newsletter.WarningBlamed}, Every: blamedLook, Look: p.lookForBlame},
			{Kinds: []string{newsletter.WarningBounces, newsletter.WarningComplaints}, Every: sharesLook, Look: p.lookForShares},
			{Kinds: []string{newsletter.WarningInDoubt}, Every: doubtLook, Look: p.lookForDoubt},
		},
		Faults: faults(),
		Relay:  []string{deliver.WarningRelay},
		Log:    p.log,
	})
}

func (p *publication) lookForDoubt(ctx context.Context) (map[string]string, error) {
	doubts, err := p.store.InDoubt(ctx)
	if err != nil || len(doubts) == 0 {
		return nil, err
	}
	return map[string]string{newsletter.WarningInDoubt: doubtNote(doubts)}, nil
}

func (p *publication) lookAtDisk(context.Context) (map[string]string, error) {
	found := map[string]string{}
	for _, path := range []string{p.store.Path(), p.Path(p.Output)} {
		free, known := freeSpace(path)
		if known && free>>20 < uint64(p.Operator.WarnDisk) {
			found[newsletter.WarningDiskLow] = fmt.Sprintf("%d MB are free at %s, fewer than %d (operator.warn_disk)", free>>20, path, p.Operator.WarnDisk)
		}
	}
	return found, nil
}
