#!/usr/bin/env python3
"""What the manuals use of curl, for machines that have none: -s, -o FILE, -w FORMAT, -H HEADER, -d BODY, URL."""
import sys
import urllib.error
import urllib.request

headers, body, output, form, url = {}, None, None, "", None
arguments = iter(sys.argv[1:])
for argument in arguments:
    if argument == "-s":
        continue
    if argument == "-o":
        output = next(arguments)
    elif argument == "-w":
        form = next(arguments)
    elif argument == "-H":
        name, value = next(arguments).split(":", 1)
        headers[name] = value.strip()
    elif argument == "-d":
        body = next(arguments).encode()
    elif argument.startswith("-"):
        sys.exit(f"curl.py knows no {argument}: install curl")
    else:
        url = argument
try:
    answer = urllib.request.urlopen(urllib.request.Request(url, body, headers))
except urllib.error.HTTPError as refused:
    answer = refused
data = answer.read()
if output:
    with open(output, "wb") as file:
        file.write(data)
else:
    sys.stdout.buffer.write(data)
sys.stdout.flush()
sys.stdout.write(form.replace("%{http_code}", str(answer.status)).replace("\\n", "\n"))
