"""Prints the guids that newsboat keeps of all feeds in its cache."""
import sqlite3
import sys

for (guid,) in sqlite3.connect(sys.argv[1]).execute("SELECT guid FROM rss_item WHERE deleted = 0 ORDER BY guid"):
    print(guid)
