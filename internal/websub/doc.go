// Package websub tells hubs that a feed changed, so that subscribers hear of it
// at once (WebSub, W3C Recommendation of 23 January 2018). How a publisher tells
// a hub is left open there; all hubs take the form of PubSubHubbub 0.4, section
// 7: a POST with hub.mode=publish and the feed's address as hub.url.
//
// What a hub took stands in the database, so that a restart neither forgets a
// change nor tells it again. The package must not know where feeds are made.
package websub
