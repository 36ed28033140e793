#!/bin/sh
exec python3 -c 'import urllib.request; urllib.request.urlopen("http://localhost:32400/identity", timeout=2)'
