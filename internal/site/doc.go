// Package site keeps the output folder: the archive, the pages of threads and
// issues with their pictures, the feeds and the sitemap.
//
// Every file in it is whole at every instant and durable when Write returns.
// The package knows what a publication looks like only through packages
// render and feed, and nothing of subscribers, mail or the database. It never
// removes a page: other hands may have put files into the folder, too.
package site
