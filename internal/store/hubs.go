package store

import (
	"context"
	"database/sql"
	"slices"

	"threadmill/internal/newsletter"
)

const settingHubs = "hubs"

// Hubs returns how the hubs stand that were told of feeds.
func (s *Store) Hubs(ctx context.Context) (list []newsletter.Hub, err error) {
	list = []newsletter.Hub{}
	err = setting(ctx, s.reader, settingHubs, &list)
	return list, err
}

// KeepHub keeps how a hub stands.
func (s *Store) KeepHub(ctx context.Context, h newsletter.Hub) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		var list []newsletter.Hub
		if err := setting(ctx, tx, settingHubs, &list); err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(o newsletter.Hub) bool { return o.URL == h.URL })
		return setSetting(ctx, tx, settingHubs, append(list, h))
	})
}
